/* SPDX-License-Identifier: MPL-2.0
 * Figures for people. */
#include "nodes/programs/figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

const char *duration_text(uint64_t ms, char text[DURATION_TEXT_SIZE])
{
    const uint64_t seconds = ms / 1000;
    const uint64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

    if (ms < 1000) {
        snprintf(text, DURATION_TEXT_SIZE, "%" PRIu64 " ms", ms);
    } else if (seconds < 10) {
        snprintf(text, DURATION_TEXT_SIZE, "%" PRIu64 ".%02" PRIu64 " s", seconds, ms % 1000 / 10);
    } else if (minutes < 1) {
        snprintf(text, DURATION_TEXT_SIZE, "%" PRIu64 ".%" PRIu64 " s", seconds, ms % 1000 / 100);
    } else if (hours < 1) {
        snprintf(text, DURATION_TEXT_SIZE, "%" PRIu64 " min %02" PRIu64 " s", minutes,
                 seconds % 60);
    } else if (days < 1) {
        snprintf(text, DURATION_TEXT_SIZE, "%" PRIu64 " h %02" PRIu64 " min", hours, minutes % 60);
    } else {
        snprintf(text, DURATION_TEXT_SIZE, "%" PRIu64 " d %" PRIu64 " h", days, hours % 24);
    }
    return text;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;

    return *left < *right ? -1 : *left > *right ? 1 : 0;
}

void percentiles_prepare(uint64_t *values, size_t count)
{
    if (count > 0) {
        qsort(values, count, sizeof(*values), by_value);
    }
}

uint64_t percentile(const uint64_t *values, size_t count, unsigned percent)
{
    const size_t rank = (count * percent + 99) / 100;

    return count == 0 ? 0 : values[rank > 0 ? rank - 1 : 0];
}
