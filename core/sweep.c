/* SPDX-License-Identifier: MPL-2.0
 * Marks and sweeps. */
#include "core/sweep.h"

#include "core/emit.h"
#include "core/join.h"
#include "core/kept.h"
#include "core/roster.h"
#include "core/tree.h"

static bool is_under_way(const struct sweep *sweep)
{
    return sweep && sweep->is_under_way;
}

/* Whether a join it is an input of has ended without it. */
static bool is_left_over(const struct task *task)
{
    for (const struct member *member = task->members; member; member = member->next) {
        if (member->join->state != JOIN_OPEN) {
            return true;
        }
    }
    return false;
}

/* Walks up to the next mark.
 *
 *   sweep   out: of the task that was cancelled there; NULL: it was a join's */
static bool find_mark(const struct task *task, struct sweep **sweep)
{
    *sweep = NULL;
    for (const struct task *at = task; at; at = at->request.parent) {
        if (at->work && is_under_way(at->work->sweep)) {
            *sweep = at->work->sweep;
            return true;
        }
        if ((at->flags & TASK_MARKED) || (task_state_is_open(at->state) && is_left_over(at))) {
            return true;
        }
    }
    return false;
}

bool sweep_is_doomed(const struct task *task)
{
    struct sweep *sweep = NULL;

    return task->tree->sweeps > 0 && task_state_is_open(task->state) && find_mark(task, &sweep);
}

static struct bytes reason_of(const struct task *task)
{
    const struct member *member = task->members;

    while (member && member->join->state == JOIN_OPEN) {
        member = member->next;
    }
    if (!member) {
        return bytes_of_text("cancelled");
    }
    switch ((enum join_state)member->join->state) {
    case JOIN_WON:
        return bytes_of_text("cancelled: its race was won by another");
    case JOIN_FAILED:
        return bytes_of_text("cancelled: others of its join had failed");
    case JOIN_OPEN:
    case JOIN_COMPLETE:
    case JOIN_CANCELLED:
        break;
    }
    return bytes_of_text("cancelled: its parent has ended or taken another path");
}

/* Whether an attempt has started, as far as anybody knows. */
static bool has_started(const struct work *work)
{
    return work && work->session && !roster_is_ahead(work);
}

/* Ends one open task; what is open below it is marked by it. */
static void end_one(struct forest *forest, struct sweep *sweep, struct task *task,
                    enum outcome_code code)
{
    if (sweep && has_started(task->work)) {
        sweep->counts.stopped++;
    } else if (sweep) {
        sweep->counts.never_started++;
    }
    task->flags |= TASK_MARKED;
    tree_settle_verdict(forest, task, code,
                        code == CODE_CANCELLED
                            ? reason_of(task)
                            : bytes_of_text("abandoned: nobody asked for it any more"));
    if (task->work->session) {
        roster_stop(forest, task->work);
    }
}

bool sweep_heed(struct forest *forest, struct task *task)
{
    struct sweep *sweep = NULL;

    if (task->tree->sweeps == 0 || !task_state_is_open(task->state) || !find_mark(task, &sweep)) {
        return false;
    }
    if (sweep) {
        task->flags |= TASK_COUNTED;
    }
    end_one(forest, sweep, task, CODE_CANCELLED);
    return true;
}

/* ---- beginning */

static void begin(struct forest *forest, struct sweep *sweep, struct tree *tree)
{
    tree_stir(forest, tree);
    sweep->is_under_way = true;
    tree->sweeps++;
    TAILQ_INSERT_TAIL(&forest->sweeps, sweep, next);
}

void sweep_task(struct forest *forest, struct task *task, enum outcome_code code)
{
    struct work *work = tree_work(task);

    (void)sweep_heed(forest, task);
    if (work->sweep) {
        return;
    }
    work->sweep = kept_allocate(sizeof(*work->sweep));
    work->sweep->head = task;
    work->sweep->top = task;
    work->sweep->at = task;
    begin(forest, work->sweep, task->tree);
    if (task_state_is_open(task->state)) {
        task->flags |= TASK_COUNTED;
        end_one(forest, work->sweep, task, code);
    }
}

/* What is below a mark already is reached from there. */
void sweep_join(struct forest *forest, struct join *join)
{
    struct tree *tree = join->parent->tree;
    struct sweep *sweep = NULL;

    if (tree->sweeps > 0 && find_mark(join->parent, &sweep)) {
        return;
    }
    join->sweep = (struct sweep){.join = join};
    begin(forest, &join->sweep, tree);
}

/* ---- going on */

static struct task *next_below(struct task *task, const struct task *top)
{
    if (!TAILQ_EMPTY(&task->children)) {
        return TAILQ_FIRST(&task->children);
    }
    while (task != top && !TAILQ_NEXT(task, sibling)) {
        task = task->request.parent;
    }
    return task == top ? NULL : TAILQ_NEXT(task, sibling);
}

/* Of a task that has ended: before the cancel, or by it and counted then. */
static void count_ended(struct sweep *sweep, struct task *task)
{
    if (task->flags & TASK_COUNTED) {
        task->flags &= (uint8_t)~TASK_COUNTED;
    } else {
        sweep->counts.already_done++;
    }
}

static void look_at(struct forest *forest, struct sweep *sweep, struct task *task)
{
    if (task_state_is_open(task->state)) {
        end_one(forest, sweep, task, CODE_CANCELLED);
    } else if (sweep->head) {
        count_ended(sweep, task);
    }
}

/* The next input whose subtree ends, or NULL when it was none. */
static struct task *next_input(struct forest *forest, struct sweep *sweep)
{
    struct task *task = join_at(sweep->join, sweep->position++)->task;

    if (task_state_is_open(task->state)) {
        end_one(forest, NULL, task, CODE_CANCELLED);
    }
    return task->flags & TASK_MARKED ? task : NULL;
}

/* One task further; false at the end. */
static bool step(struct forest *forest, struct sweep *sweep)
{
    if (sweep->at) {
        struct task *task = sweep->at;
        look_at(forest, sweep, task);
        sweep->at = next_below(task, sweep->top);
        return true;
    }
    if (!sweep->join || sweep->position == sweep->join->count) {
        return false;
    }
    sweep->top = next_input(forest, sweep);
    sweep->at = sweep->top ? TAILQ_FIRST(&sweep->top->children) : NULL;
    return true;
}

static void end(struct forest *forest, struct sweep *sweep)
{
    struct tree *tree = (sweep->head ? sweep->head : sweep->join->parent)->tree;

    TAILQ_REMOVE(&forest->sweeps, sweep, next);
    sweep->is_under_way = false;
    tree->sweeps--;
    if (sweep->head) {
        emit_swept(forest, &sweep->head->id);
    }
    tree_rest(forest, tree);
}

void sweep_go_on(struct forest *forest)
{
    struct sweep *sweep = NULL;

    while (forest->moves > 0 && (sweep = TAILQ_FIRST(&forest->sweeps))) {
        if (step(forest, sweep)) {
            forest->moves--;
        } else {
            end(forest, sweep);
        }
    }
}
