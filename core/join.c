/* SPDX-License-Identifier: MPL-2.0
 * Have the children done enough? */
#include "core/join.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/emit.h"
#include "core/kept.h"
#include "core/roster.h"
#include "core/sweep.h"
#include "core/tree.h"

static int by_age(const struct task *a, const struct task *b)
{
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

RB_GENERATE_STATIC(task_tree, task, ready, by_age)

struct join *join_find(const struct forest *forest, const struct id *id)
{
    struct join *join = table_find(&forest->by_join, id);

    return join && !join->parent->tree->forgetting ? join : NULL;
}

static void attach(struct forest *forest, struct join *join)
{
    struct work *work = join->parent->work;

    table_insert(&forest->by_join, join);
    TAILQ_INSERT_HEAD(&work->joins, join, of_parent);
    work->open_joins++;
    forest->counters.open_joins[join->kind]++;
    join->parent->tree->size += join_size(join);
    if (join->parent->flags & TASK_JOIN) {
        TAILQ_INSERT_TAIL(&forest->outside, join, outside);
    }
}

struct join *join_open(struct forest *forest, struct task *parent, const struct id *id,
                       const struct join_terms *terms)
{
    struct join *join = kept_allocate(sizeof(*join));

    join->id = *id;
    join->sequence = ++forest->sequence;
    join->parent = parent;
    join->kind = (uint8_t)terms->kind;
    join->limit = terms->limit;
    join->stop = terms->kind == JOIN_RACE && terms->stop == 0 ? 1 : terms->stop;
    join->first_settled = terms->first_settled;
    if (terms->kind == JOIN_MAP) {
        join->function = function_use(forest, terms->function);
    }
    attach(forest, join);
    return join;
}

uint32_t join_room(const struct join *join)
{
    const uint32_t left = LIMIT_JOIN_INPUTS - join->count;
    const uint64_t credit =
        join->limit > LIMIT_JOIN_CREDIT / 2 ? (uint64_t)join->limit * 2 : LIMIT_JOIN_CREDIT;

    if (join->closed || join->state != JOIN_OPEN) {
        return 0;
    }
    if (join->kind != JOIN_MAP) {
        return left;
    }
    const uint64_t room = credit > join->unstarted ? credit - join->unstarted : 0;
    return room < left ? (uint32_t)room : left;
}

struct member *join_at(const struct join *join, uint32_t position)
{
    return &join->block[position / JOIN_BLOCK][position % JOIN_BLOCK];
}

uint64_t join_size(const struct join *join)
{
    const uint64_t blocks = (join->count + JOIN_BLOCK - 1) / JOIN_BLOCK;

    return sizeof(*join) + blocks * (sizeof(void *) + JOIN_BLOCK * sizeof(struct member)) +
           join->winner_count * sizeof(join->winners[0]);
}

/* ---- the window */

struct join *join_window(const struct task *task)
{
    for (struct member *member = task->members; member; member = member->next) {
        if (member->join->kind == JOIN_MAP) {
            return member->join;
        }
    }
    return NULL;
}

bool join_is_inside(const struct task *task)
{
    return (task->flags & TASK_WINDOWED) &&
           (task->state == TASK_READY || task->state == TASK_RUNNING ||
            task->state == TASK_WAITING ||
            (!task_state_is_open(task->state) && task->work && task->work->session));
}

static void make_eager(struct forest *forest, struct join *join)
{
    if (!join->is_eager) {
        join->is_eager = true;
        TAILQ_INSERT_TAIL(&forest->eager, join, eager);
    }
}

void join_turn(struct forest *forest, const struct task *task, bool was_inside)
{
    const bool is_inside = join_is_inside(task);

    if (was_inside != is_inside) {
        struct join *join = join_window(task);
        join->window += is_inside ? 1u : UINT32_MAX;
        make_eager(forest, join);
    }
}

void join_queue(struct forest *forest, struct task *task)
{
    struct join *join = join_window(task);

    RB_INSERT(task_tree, &join->waiting, task);
    make_eager(forest, join);
}

void join_unqueue(struct task *task)
{
    RB_REMOVE(task_tree, &join_window(task)->waiting, task);
}

uint32_t join_held_before(const struct task *task, uint32_t most)
{
    struct task_tree head =
        join_window(task)->waiting; /* the macros want one they could write to */
    uint32_t count = 0;

    for (struct task *at = RB_MIN(task_tree, &head); at != task && count < most; count++) {
        at = RB_NEXT(task_tree, &head, at);
    }
    return count;
}

void join_admit(struct forest *forest)
{
    struct join *join = NULL;
    struct task *task = NULL;

    while ((join = TAILQ_FIRST(&forest->eager))) {
        while (join->state == JOIN_OPEN && join->window < join->limit &&
               (task = RB_MIN(task_tree, &join->waiting))) {
            if (!sweep_heed(forest, task)) {
                tree_move(forest, task, TASK_READY);
            }
        }
        TAILQ_REMOVE(&forest->eager, join, eager);
        join->is_eager = false;
    }
}

/* ---- news */

bool join_wakes(const struct join *join)
{
    if (join->state != JOIN_OPEN) {
        return true;
    }
    if (join->until > 0 && join->until <= join->count &&
        !task_state_is_open(join_at(join, join->until - 1)->task->state)) {
        return true;
    }
    return join->room > 0 && join_room(join) >= join->room;
}

static void tell(struct forest *forest, struct join *join)
{
    const struct task *parent = join->parent;

    if (join->told != forest->applied) {
        join->told = forest->applied;
        emit_join(forest, &join->id);
    }
    if (parent->state == TASK_WAITING && join->awaited != 0 &&
        join->awaited == parent->work->wait && join_wakes(join)) {
        roster_wake(forest, parent->work);
    }
}

/* ---- the end */

static void detach_open(struct forest *forest, struct join *join)
{
    struct work *work = join->parent->work;

    TAILQ_REMOVE(&work->joins, join, of_parent);
    TAILQ_INSERT_TAIL(&work->joins, join, of_parent);
    work->open_joins--;
    forest->counters.open_joins[join->kind]--;
    if (join->parent->flags & TASK_JOIN) {
        TAILQ_REMOVE(&forest->outside, join, outside);
    }
}

/* A root that no worker runs ends with its join. */
static void settle_root(struct forest *forest, const struct join *join)
{
    const enum outcome_code code = join->state == JOIN_FAILED ? CODE_JOIN_FAILED : CODE_JOINED;
    char text[96];

    (void)snprintf(text, sizeof(text), "%u succeeded, %u did not", (unsigned)join->succeeded,
                   (unsigned)(join->count - join->succeeded));
    tree_settle_verdict(forest, join->parent, code, bytes_of_text(text));
}

void join_finish(struct forest *forest, struct join *join, enum join_state state)
{
    join->state = (uint8_t)state;
    detach_open(forest, join);
    emit_note_join(forest, join);
    if (join->count > join->succeeded + join->failed) {
        sweep_join(forest, join);
    }
    tell(forest, join);
    if ((join->parent->flags & TASK_JOIN) && task_state_is_open(join->parent->state)) {
        settle_root(forest, join);
    }
}

static void finish_when_done(struct forest *forest, struct join *join)
{
    if (join->state == JOIN_OPEN && join->closed && join->succeeded + join->failed == join->count) {
        join_finish(forest, join, join->kind == JOIN_RACE ? JOIN_FAILED : JOIN_COMPLETE);
    }
}

static void win(struct forest *forest, struct join *join, uint32_t position)
{
    join->parent->tree->size -= join_size(join);
    join->winners = reallocarray(join->winners, join->winner_count + 1, sizeof(join->winners[0]));
    if (!join->winners) {
        abort();
    }
    join->winners[join->winner_count++] = position;
    join->parent->tree->size += join_size(join);
    if (join->winner_count == join->stop) {
        join_finish(forest, join, JOIN_WON);
    }
}

/* One input more has ended. */
static void count_ended(struct forest *forest, const struct member *member)
{
    struct join *join = member->join;
    const bool is_well = member->task->state == TASK_SUCCEEDED;

    join->succeeded += is_well;
    join->failed += !is_well;
    if (join->state != JOIN_OPEN) {
        return;
    }
    if (join->kind == JOIN_RACE && (is_well || join->first_settled)) {
        win(forest, join, member->position);
    } else if (join->kind != JOIN_RACE && join->stop > 0 && join->failed >= join->stop) {
        join_finish(forest, join, JOIN_FAILED);
    }
    finish_when_done(forest, join);
    tell(forest, join);
}

void join_close(struct forest *forest, struct join *join)
{
    join->closed = true;
    finish_when_done(forest, join);
}

static void end_own(struct forest *forest, const struct task *task)
{
    struct join *join = NULL;

    while (task->work && task->work->open_joins > 0) {
        join = TAILQ_FIRST(&task->work->joins);
        join_finish(forest, join, JOIN_CANCELLED);
    }
}

static void count_started(struct forest *forest, const struct task *task)
{
    for (struct member *member = task->members; member; member = member->next) {
        member->join->unstarted--;
        if (member->join->state == JOIN_OPEN) {
            tell(forest, member->join);
        }
    }
}

void join_settle(struct forest *forest, const struct task *task)
{
    if (task->attempts == 0) {
        count_started(forest, task);
    }
    for (struct member *member = task->members; member; member = member->next) {
        count_ended(forest, member);
    }
    end_own(forest, task);
}

void join_abandon(struct forest *forest, const struct task *task)
{
    end_own(forest, task);
}

void join_start(struct forest *forest, const struct task *task)
{
    count_started(forest, task);
}

void join_hold(const struct task *task, int change)
{
    for (struct member *member = task->members; member; member = member->next) {
        member->join->held += (uint32_t)change;
    }
}

/* ---- inputs */

static struct member *extend(struct join *join)
{
    const uint32_t block = join->count / JOIN_BLOCK;

    if (join->count % JOIN_BLOCK == 0) {
        if ((block & (block - 1)) == 0) { /* room doubles at each power of two */
            join->block =
                reallocarray(join->block, block ? 2 * (size_t)block : 1, sizeof(join->block[0]));
            if (!join->block) {
                abort();
            }
        }
        join->block[block] = kept_allocate(JOIN_BLOCK * sizeof(struct member));
    }
    return join_at(join, join->count);
}

static struct member *link_input(struct join *join, struct task *task)
{
    struct tree *tree = join->parent->tree;
    struct member *member = NULL;
    struct member **last = &task->members;

    tree->size -= join_size(join);
    member = extend(join);
    *member = (struct member){.task = task, .join = join, .position = join->count++};
    tree->size += join_size(join);
    while (*last && (*last)->join->sequence <= join->sequence) {
        last = &(*last)->next;
    }
    member->next = *last;
    *last = member;
    return member;
}

void join_add(struct forest *forest, struct join *join, struct task *task)
{
    struct member *member = link_input(join, task);

    join->held += task->work && task->work->session; /* also one that was told to stop */
    if (!task_state_is_open(task->state)) {
        count_ended(forest, member);
        return;
    }
    join->unstarted += task->attempts == 0;
    if (join->state != JOIN_OPEN && !join->sweep.is_under_way) {
        sweep_join(forest, join); /* it was over before all of an Append was taken */
    }
}

struct join *join_restore(struct forest *forest, struct task *parent, const struct join *like)
{
    struct join *join = kept_allocate(sizeof(*join));
    struct work *work = parent->work;

    *join = *like;
    join->parent = parent;
    table_insert(&forest->by_join, join);
    TAILQ_INSERT_TAIL(&work->joins, join, of_parent);
    parent->tree->size += join_size(join);
    if (join->state == JOIN_OPEN) {
        work->open_joins++;
        forest->counters.open_joins[join->kind]++;
    }
    if (join->state == JOIN_OPEN && (parent->flags & TASK_JOIN)) {
        TAILQ_INSERT_TAIL(&forest->outside, join, outside);
    }
    return join;
}

void join_restore_input(struct join *join, struct task *task)
{
    const bool is_open = task_state_is_open(task->state);

    (void)link_input(join, task);
    join->succeeded += task->state == TASK_SUCCEEDED;
    join->failed += !is_open && task->state != TASK_SUCCEEDED;
    join->unstarted += is_open && task->attempts == 0;
}

void join_free(struct forest *forest, struct join *join)
{
    struct work *work = join->parent->work;

    TAILQ_REMOVE(&work->joins, join, of_parent);
    table_remove(&forest->by_join, join);
    if (join->state == JOIN_OPEN) {
        work->open_joins--;
        forest->counters.open_joins[join->kind]--;
        if (join->parent->flags & TASK_JOIN) {
            TAILQ_REMOVE(&forest->outside, join, outside);
        }
    }
    if (join->is_eager) {
        TAILQ_REMOVE(&forest->eager, join, eager);
    }
    if (join->function) {
        function_drop(forest, join->function);
    }
    for (uint32_t i = 0; i < join->count; i += JOIN_BLOCK) {
        free(join->block[i / JOIN_BLOCK]);
    }
    free(join->block);
    free(join->winners);
    free(join);
}
