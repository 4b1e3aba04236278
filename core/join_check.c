/* SPDX-License-Identifier: MPL-2.0
 * Counts again what joins count as they go. */
#include "core/join_check.h"

#include "core/join.h"
#include "core/snapshot.h"
#include "core/sweep.h"

uint64_t join_check_size(const struct task *task)
{
    const struct join *join = NULL;
    uint64_t size = 0;

    if (task->work) {
        TAILQ_FOREACH(join, &task->work->joins, of_parent) {
            size += join_size(join);
        }
    }
    return size;
}

static bool is_input(const struct task *task, const struct member *wanted)
{
    const struct member *member = task->members;

    while (member && member != wanted &&
           (!member->next || member->join->sequence <= member->next->join->sequence)) {
        member = member->next;
    }
    return member == wanted;
}

static const char *check_input(const struct join *join, const struct member *member,
                               uint32_t position)
{
    const struct task *task = member->task;
    const bool is_open = task_state_is_open(task->state);

    if (member->join != join || member->position != position || !is_input(task, member) ||
        task->request.parent != join->parent) {
        return "an input of a join is another's";
    }
    if (is_open && join->state != JOIN_OPEN && !sweep_is_doomed(task)) {
        return "an input is left open by a join that is over";
    }
    return NULL;
}

static const char *check_counts(const struct join *join, const struct join *count)
{
    if (count->succeeded != join->succeeded || count->failed != join->failed ||
        count->unstarted != join->unstarted || count->held != join->held) {
        return "a join counts its inputs wrongly";
    }
    if (count->window != join->window) {
        return "a map counts its window wrongly";
    }
    if (join->window > join->limit) {
        return "a map is over its limit";
    }
    if (join->kind == JOIN_MAP && join->state == JOIN_OPEN && join->window < join->limit &&
        !RB_EMPTY(&join->waiting)) {
        return "a map holds back what has a place in its window";
    }
    return NULL;
}

static const char *check_inputs(const struct join *join)
{
    struct join count = {0};
    const char *fault = NULL;

    for (uint32_t i = 0; i < join->count && !fault; i++) {
        const struct member *member = join_at(join, i);
        const struct task *task = member->task;
        const bool is_open = task_state_is_open(task->state);
        fault = check_input(join, member, i);
        count.succeeded += task->state == TASK_SUCCEEDED;
        count.failed += !is_open && task->state != TASK_SUCCEEDED;
        count.unstarted += is_open && task->attempts == 0;
        count.held += task->work && task->work->session;
        count.window += join_is_inside(task) && join_window(task) == join;
    }
    return fault ? fault : check_counts(join, &count);
}

/* A join that has done enough is over. */
static const char *check_state(const struct join *join)
{
    const struct task *parent = join->parent;

    if (join->state != JOIN_OPEN) {
        return join->state == JOIN_WON && join->winner_count != join->stop
                   ? "a race was won by too few or too many"
                   : NULL;
    }
    if (!task_state_is_open(parent->state)) {
        return "a join has outlived its parent";
    }
    if (join->closed && join->succeeded + join->failed == join->count) {
        return "a join whose inputs have all ended is open";
    }
    if (join->kind == JOIN_RACE ? join->winner_count >= join->stop
                                : join->stop > 0 && join->failed >= join->stop) {
        return "a join that has done enough is open";
    }
    return NULL;
}

static const char *check_join(const struct forest *forest, const struct join *join)
{
    const struct work *work = join->parent->work;
    const char *fault = check_state(join);

    if (table_find(&forest->by_join, &join->id) != join) {
        return "a join is not found by its id";
    }
    if (work->place == PLACE_WAITING && !work->stopping && join->awaited != 0 &&
        join->awaited == work->wait && join_wakes(join)) {
        return "a join has what its parent still waits for";
    }
    return fault ? fault : check_inputs(join);
}

static const char *check_joins_of(const struct forest *forest, const struct task *task,
                                  uint64_t *joins)
{
    const struct join *join = NULL;
    const char *fault = NULL;
    uint32_t open = 0;
    bool was_open = true;

    TAILQ_FOREACH(join, &task->work->joins, of_parent) {
        const bool is_open = join->state == JOIN_OPEN;
        (*joins)++;
        open += is_open;
        if (join->parent != task || (is_open && !was_open)) {
            return "the joins of a task are out of order";
        }
        was_open = is_open;
        if (!task->tree->forgetting && !fault) {
            fault = check_join(forest, join);
        }
    }
    return open == task->work->open_joins ? fault : "a task counts its open joins wrongly";
}

static const char *check_sweeps(const struct forest *forest)
{
    const struct sweep *sweep = NULL;
    const struct task *root = NULL;
    uint64_t counted = 0;
    uint64_t listed = 0;

    TAILQ_FOREACH(sweep, &forest->sweeps, next) {
        listed++;
        if (!sweep->is_under_way || (sweep->head != NULL) == (sweep->join != NULL)) {
            return "a sweep that is over is gone on with";
        }
    }
    TAILQ_FOREACH(root, &forest->roots, sibling) {
        counted += root->tree->sweeps;
    }
    return counted == listed ? NULL : "a tree counts its sweeps wrongly";
}

const char *join_check(const struct forest *forest)
{
    const struct task *task = TAILQ_FIRST(&forest->roots);
    const char *fault = check_sweeps(forest);
    uint64_t joins = 0;

    for (; task && !fault; task = snapshot_next_task(task)) {
        if (task->work) {
            fault = check_joins_of(forest, task, &joins);
        }
        if ((task->flags & TASK_WINDOWED) && !task->tree->forgetting && !join_window(task)) {
            fault = "a task needs the window of a map that it is no input of";
        }
    }
    if (!fault && joins != forest->by_join.count) {
        fault = "the table of joins holds more or less than the trees";
    }
    return fault || TAILQ_EMPTY(&forest->eager) ? fault : "a map is eager between commands";
}
