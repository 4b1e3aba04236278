/* SPDX-License-Identifier: MPL-2.0
 * Virtual time: what happens when. Of two events at the same time the one asked for first comes
 * first. */
#ifndef GROVE_TESTS_SIMULATION_SCHEDULE_H
#define GROVE_TESTS_SIMULATION_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*schedule_call)(void *context, uint64_t argument);

struct schedule_event {
    uint64_t at_us;
    uint64_t sequence;
    schedule_call call;
    void *context;
    uint64_t argument;
};

struct schedule {
    uint64_t now_us;
    uint64_t sequence;
    struct schedule_event *heap; /* the earliest first */
    size_t count;
    size_t room;
};

void schedule_after(struct schedule *schedule, uint64_t delay_us, schedule_call call, void *context,
                    uint64_t argument);

/* Lets the next event happen, when it is not later than `until_us`; else time moves to there, and
 * false is returned. */
bool schedule_step(struct schedule *schedule, uint64_t until_us);

/* What was still to happen does not. */
void schedule_clear(struct schedule *schedule);

#endif
