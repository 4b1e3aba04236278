/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/schedule.h"

#include "tests/simulation/memory.h"

#include <stdlib.h>

static bool is_before(const struct schedule_event *a, const struct schedule_event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->sequence < b->sequence);
}

static void swap(struct schedule_event *a, struct schedule_event *b)
{
    struct schedule_event other = *a;

    *a = *b;
    *b = other;
}

void schedule_after(struct schedule *schedule, uint64_t delay_us, schedule_call call, void *context,
                    uint64_t argument)
{
    struct schedule_event *heap;

    if (schedule->count == schedule->room) {
        schedule->room = schedule->room == 0 ? 256 : 2 * schedule->room;
        memory_hold();
        schedule->heap = realloc(schedule->heap, schedule->room * sizeof(*schedule->heap));
        memory_go_on();
        if (schedule->heap == NULL) {
            abort();
        }
    }
    heap = schedule->heap;
    heap[schedule->count] = (struct schedule_event){
        .at_us = schedule->now_us + delay_us,
        .sequence = schedule->sequence++,
        .call = call,
        .context = context,
        .argument = argument,
    };
    for (size_t i = schedule->count++; i > 0 && is_before(&heap[i], &heap[(i - 1) / 2]);
         i = (i - 1) / 2) {
        swap(&heap[i], &heap[(i - 1) / 2]);
    }
}

static struct schedule_event take_first(struct schedule *schedule)
{
    struct schedule_event *heap = schedule->heap;
    struct schedule_event first = heap[0];
    size_t i = 0;

    heap[0] = heap[--schedule->count];
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < schedule->count; child++) {
            least = is_before(&heap[child], &heap[least]) ? child : least;
        }
        if (least == i) {
            return first;
        }
        swap(&heap[i], &heap[least]);
        i = least;
    }
}

bool schedule_step(struct schedule *schedule, uint64_t until_us)
{
    struct schedule_event event;

    if (schedule->count == 0 || schedule->heap[0].at_us > until_us) {
        schedule->now_us = until_us;
        return false;
    }
    event = take_first(schedule);
    schedule->now_us = event.at_us;
    event.call(event.context, event.argument);
    return true;
}

void schedule_clear(struct schedule *schedule)
{
    free(schedule->heap);
    *schedule = (struct schedule){.now_us = 0};
}
