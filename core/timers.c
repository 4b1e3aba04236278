/* SPDX-License-Identifier: MPL-2.0
 * A binary heap; a task in it knows its position, so that moving its timer costs O(log n). */
#include "core/timers.h"

#include <assert.h>
#include <stdlib.h>

static bool is_before(const struct timer *a, const struct timer *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

/* Timers of tasks are set in one heap and those of memories in another; only tasks want to know. */
enum owner { OWNER_TASK, OWNER_OTHER };

static void place(struct timers *timers, uint32_t at, struct timer timer, enum owner owner)
{
    timers->heap[at] = timer;
    if (owner == OWNER_TASK) {
        struct task *task = timer.owner;
        task->timer = at + 1;
    }
}

static void rise(struct timers *timers, uint32_t at, struct timer timer, enum owner owner)
{
    while (at > 0 && is_before(&timer, &timers->heap[(at - 1) / 2])) {
        place(timers, at, timers->heap[(at - 1) / 2], owner);
        at = (at - 1) / 2;
    }
    place(timers, at, timer, owner);
}

static void sink(struct timers *timers, uint32_t at, struct timer timer, enum owner owner)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= timers->count) {
            break;
        }
        if (child + 1 < timers->count &&
            is_before(&timers->heap[child + 1], &timers->heap[child])) {
            child++;
        }
        if (!is_before(&timers->heap[child], &timer)) {
            break;
        }
        place(timers, at, timers->heap[child], owner);
        at = child;
    }
    place(timers, at, timer, owner);
}

static void add(struct timers *timers, struct timer timer, enum owner owner)
{
    if (timers->count == timers->capacity) {
        const uint32_t capacity = timers->capacity ? timers->capacity * 2 : 16;
        struct timer *heap = reallocarray(timers->heap, capacity, sizeof(*heap));
        if (!heap) {
            abort();
        }
        timers->heap = heap;
        timers->capacity = capacity;
    }
    timers->count++;
    rise(timers, timers->count - 1, timer, owner);
}

static void take(struct timers *timers, uint32_t at, enum owner owner)
{
    const struct timer last = timers->heap[--timers->count];

    if (at == timers->count) {
        return;
    }
    if (at > 0 && is_before(&last, &timers->heap[(at - 1) / 2])) {
        rise(timers, at, last, owner);
    } else {
        sink(timers, at, last, owner);
    }
}

void timers_clear(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}

void timers_add(struct timers *timers, uint64_t at_ms, uint64_t sequence, void *owner)
{
    add(timers, (struct timer){.at_ms = at_ms, .sequence = sequence, .owner = owner}, OWNER_OTHER);
}

void *timers_take(struct timers *timers)
{
    void *owner = timers->heap[0].owner;

    take(timers, 0, OWNER_OTHER);
    return owner;
}

uint64_t timers_wanted_ms(const struct task *task)
{
    uint64_t at_ms = UINT64_MAX;

    if (task_state_is_open(task->state)) {
        if (task->deadline_ms != 0) {
            at_ms = task->deadline_ms;
        }
        if (task->state == TASK_DELAYED && task->due_ms < at_ms) {
            at_ms = task->due_ms;
        }
    }
    return at_ms;
}

void timers_set(struct timers *timers, struct task *task)
{
    const uint64_t at_ms = timers_wanted_ms(task);

    if (task->timer != 0 && timers->heap[task->timer - 1].at_ms == at_ms) {
        return;
    }
    timers_drop(timers, task);
    if (at_ms != UINT64_MAX) {
        const struct timer timer = {.at_ms = at_ms, .sequence = task->sequence, .owner = task};
        add(timers, timer, OWNER_TASK);
    }
}

void timers_drop(struct timers *timers, struct task *task)
{
    if (task->timer != 0) {
        take(timers, task->timer - 1, OWNER_TASK);
        task->timer = 0;
    }
}

uint64_t timers_due_ms(const struct timers *timers)
{
    return timers->count > 0 ? timers->heap[0].at_ms : UINT64_MAX;
}
