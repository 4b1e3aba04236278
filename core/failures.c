/* SPDX-License-Identifier: MPL-2.0
 * In the order in which they failed. */
#include "core/failures.h"

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_end(const struct work *a, const struct work *b)
{
    const int by_time = compare(a->ended_ms, b->ended_ms);

    return by_time != 0 ? by_time : compare(a->task->sequence, b->task->sequence);
}

RB_GENERATE_STATIC(failure_tree, work, by_end, by_end)

void failures_add(struct forest *forest, struct work *work)
{
    RB_INSERT(failure_tree, &forest->failures, work);
}

/* In a snapshot that was refused, nobody has joined yet. */
void failures_drop(struct forest *forest, struct work *work)
{
    struct work *found = RB_FIND(failure_tree, &forest->failures, work);

    if (found && found == work) {
        RB_REMOVE(failure_tree, &forest->failures, found);
    }
}

/* The last that is before a place, which need not be anybody's any more. */
static struct work *last_before(struct failure_tree *failures, const struct failed_at *at)
{
    struct task task = {.sequence = at->sequence};
    struct work key = {.task = &task, .ended_ms = at->ended_ms};
    struct work *found = RB_NFIND(failure_tree, failures, &key);

    return found ? RB_PREV(failure_tree, failures, found) : RB_MAX(failure_tree, failures);
}

/* Of a tree that is being forgotten none is shown, but looking at it counts: no page walks far. */
size_t forest_failures(const struct forest *forest, struct failed_at *cursor, struct id *ids,
                       size_t most)
{
    struct failure_tree failures = forest->failures; /* the macros want one they could write to */
    struct work *work =
        cursor->ended_ms == 0 ? RB_MAX(failure_tree, &failures) : last_before(&failures, cursor);
    size_t count = 0;

    for (size_t i = 0; work && i < most; i++) {
        if (!work->task->tree->forgetting) {
            ids[count++] = work->task->id;
        }
        *cursor = (struct failed_at){work->ended_ms, work->task->sequence};
        work = RB_PREV(failure_tree, &failures, work);
    }
    if (!work) {
        *cursor = (struct failed_at){0};
    }
    return count;
}

const char *failures_check(const struct forest *forest, uint64_t failed)
{
    struct failure_tree failures = forest->failures;
    struct work *work = NULL;
    uint64_t count = 0;

    RB_FOREACH(work, failure_tree, &failures) {
        if (work->task->state != TASK_FAILED) {
            return "a task that has not failed stands among the failures";
        }
        count++;
    }
    return count == failed ? NULL : "a task that has failed does not stand among the failures";
}
