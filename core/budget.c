/* SPDX-License-Identifier: MPL-2.0
 * A chain of what is left, from the innermost budget to the outermost. */
#include "core/budget.h"

#include <assert.h>

#include "core/item.h"
#include "core/kept.h"

static struct budget *above(const struct task *task)
{
    const struct task *parent = task->request.parent;

    return parent && parent->work ? parent->work->budget : NULL;
}

/* Its item says what it is; 0 is no bound. */
static struct task_item item_of(const struct task *task)
{
    struct task_item item = {0};
    const enum grove_status status = wire_task_decode(bytes_of(task->item, task->item_size), &item);

    assert(status == GROVE_OK); /* it has been, before it was kept */
    return item;
}

struct budget *budget_make(const struct task *task)
{
    if (!(task->flags & TASK_BUDGET)) {
        return above(task);
    }
    const struct task_item item = item_of(task);
    struct budget *budget = kept_allocate(sizeof(*budget));

    budget->up = above(task);
    budget->tasks_left = item.max_tasks > 0 ? item.max_tasks : UINT64_MAX;
    budget->bytes_left = item.max_bytes > 0 ? item.max_bytes : UINT64_MAX;
    return budget;
}

struct budget *budget_own(const struct task *task)
{
    return task->work && (task->flags & TASK_BUDGET) ? task->work->budget : NULL;
}

enum refusal budget_judge(const struct task *parent, size_t count, size_t size)
{
    for (const struct budget *budget = parent->work->budget; budget; budget = budget->up) {
        if (budget->tasks_left < count || budget->bytes_left < size) {
            return REFUSED_BUDGET;
        }
    }
    return REFUSED_NOT;
}

void budget_take(const struct task *child)
{
    for (struct budget *budget = above(child); budget; budget = budget->up) {
        budget->tasks_left--;
        budget->bytes_left -= child->item_size;
    }
}

void budget_take_result(const struct task *child, size_t size)
{
    for (struct budget *budget = above(child); budget; budget = budget->up) {
        budget->bytes_left = budget->bytes_left > size ? budget->bytes_left - size : 0;
    }
}

/* ---- checking */

static const struct task *next_below(const struct task *task, const struct task *top)
{
    if (!TAILQ_EMPTY(&task->children)) {
        return TAILQ_FIRST(&task->children);
    }
    while (task != top && !TAILQ_NEXT(task, sibling)) {
        task = task->request.parent;
    }
    return task == top ? NULL : TAILQ_NEXT(task, sibling);
}

static const char *check_own(const struct task *task)
{
    const struct task_item item = item_of(task);
    uint64_t tasks = item.max_tasks > 0 ? item.max_tasks : UINT64_MAX;
    uint64_t bytes = item.max_bytes > 0 ? item.max_bytes : UINT64_MAX;

    for (const struct task *at = next_below(task, task); at; at = next_below(at, task)) {
        const uint64_t size =
            at->item_size + (at->work ? (uint64_t)blob_bytes(at->work->result).size : 0);
        if (tasks == 0) {
            return "has started more tasks than its budget";
        }
        tasks--;
        bytes = bytes > size ? bytes - size : 0;
    }
    return task->work->budget->tasks_left == tasks && task->work->budget->bytes_left == bytes
               ? NULL
               : "counts its budget wrongly";
}

const char *budget_check(const struct task *task)
{
    const struct budget *budget = task->work->budget;

    if (!(task->flags & TASK_BUDGET)) {
        return budget == above(task) ? NULL : "is under another's budget";
    }
    if (!budget || budget->up != above(task)) {
        return "has a budget that is not under the one above";
    }
    return check_own(task);
}
