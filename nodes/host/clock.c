/* SPDX-License-Identifier: MPL-2.0
 * The only place that reads a clock. */
#include "nodes/host/clock.h"

#include <stdlib.h>
#include <time.h>

static struct timespec now(clockid_t clock)
{
    struct timespec time;

    if (clock_gettime(clock, &time) != 0) {
        abort();
    }
    return time;
}

static uint64_t milliseconds(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

uint64_t clock_monotonic_ms(void)
{
    return milliseconds(now(CLOCK_MONOTONIC));
}

uint64_t clock_monotonic_ns(void)
{
    const struct timespec time = now(CLOCK_MONOTONIC);

    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t clock_unix_ms(void)
{
    return milliseconds(now(CLOCK_REALTIME));
}
