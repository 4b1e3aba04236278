/* SPDX-License-Identifier: MPL-2.0
 * Parking parents. */
#include "core/wait.h"

#include "core/attempt.h"
#include "core/emit.h"
#include "core/join.h"
#include "core/roster.h"
#include "core/tree.h"

/* What an attempt waits for: children by id and by position in the batch beside, and joins. */
struct wait {
    struct waits waits;
    struct task *const *answered; /* by position; NULL where refused */
    size_t answered_count;
};

static size_t count_children(const struct wait *wait)
{
    return wait->waits.awaited.size / sizeof(struct id) + wait->waits.positions.size;
}

/* The i-th awaited child, or NULL for one that was refused.
 *
 *   returns   false: it is no child of this task */
static bool awaited_at(const struct forest *forest, const struct wait *wait,
                       const struct task *parent, size_t i, struct task **child)
{
    const size_t ids = wait->waits.awaited.size / sizeof(struct id);
    struct id id;

    if (i < ids) {
        memcpy(&id, wait->waits.awaited.data + i * sizeof(id), sizeof(id));
        *child = tree_find(forest, &id);
        return *child && (*child)->request.parent == parent;
    }
    const uint8_t position = wait->waits.positions.data[i - ids];
    if (position >= wait->answered_count) {
        return false;
    }
    *child = wait->answered[position];
    return !*child || (*child)->request.parent == parent;
}

/* The next awaited join of a list; NULL for one that is none of this task. */
static struct join *next_join(const struct forest *forest, const struct task *parent,
                              struct wire_list *joins, struct awaited_join *awaited)
{
    struct bytes element;
    struct join *join = NULL;

    if (wire_next(joins, &element) && wire_awaited_join_decode(element, awaited) == GROVE_OK) {
        join = join_find(forest, &awaited->join);
    }
    return join && join->parent == parent ? join : NULL;
}

static enum refusal judge(const struct forest *forest, const struct wait *wait,
                          const struct task *parent)
{
    const size_t count = count_children(wait);
    struct wire_list joins = wait->waits.joins;
    struct awaited_join awaited;
    struct task *child = NULL;

    if (count + joins.count == 0 || count > LIMIT_AWAITED ||
        wait->waits.awaited.size % sizeof(struct id) != 0) {
        return REFUSED_AWAITED;
    }
    for (size_t i = 0; i < count; i++) {
        if (!awaited_at(forest, wait, parent, i, &child)) {
            return REFUSED_AWAITED;
        }
    }
    while (joins.count > 0) {
        if (!next_join(forest, parent, &joins, &awaited)) {
            return REFUSED_AWAITED;
        }
    }
    return REFUSED_NOT;
}

/* Marks the children that are awaited.
 *
 *   returns   whether one of them has settled, or was refused and never will */
static bool mark_children(const struct forest *forest, const struct wait *wait,
                          const struct work *work)
{
    const size_t count = count_children(wait);
    bool has_settled = false;
    struct task *child = NULL;

    for (size_t i = 0; i < count; i++) {
        (void)awaited_at(forest, wait, work->task, i, &child);
        has_settled |= !child || !task_state_is_open(child->state);
        if (child) {
            child->awaited = work->wait;
        }
    }
    return has_settled;
}

/* ... and the joins. */
static bool mark_joins(const struct forest *forest, const struct wait *wait,
                       const struct work *work)
{
    struct wire_list joins = wait->waits.joins;
    bool has_news = false;

    while (joins.count > 0) {
        struct awaited_join awaited = {0};
        struct join *join = next_join(forest, work->task, &joins, &awaited);
        join->awaited = work->wait;
        join->until = awaited.until;
        join->room = awaited.room;
        has_news |= join_wakes(join);
    }
    return has_news;
}

static void refuse(struct forest *forest, const struct session *session, const struct waits *waits,
                   enum refusal refusal)
{
    emit_stale(forest, EFFECT_REFUSE, session->index, &waits->task, waits->attempt, refusal);
}

/* An attempt that is to wait for what has settled already stays RUNNING and is told so. The same
 * message may come twice: what it says is put in the place of what it said before. One that is
 * stopping has a Stop to answer with Return: refused, its worker would forget it instead, and its
 * slot would not be free before the Stop has been sent once more. */
static void wait_for(struct forest *forest, struct session *session, const struct wait *wait)
{
    const struct waits *waits = &wait->waits;
    struct work *work = attempt_held(forest, session, &waits->task, waits->attempt);
    bool has_news = false;

    if (work && work->stopping) {
        return;
    }
    const enum refusal refusal = work ? judge(forest, wait, work->task) : REFUSED_STALE;

    if (refusal != REFUSED_NOT) {
        refuse(forest, session, waits, refusal);
        return;
    }
    roster_begin(forest, work);
    work->wait++;
    has_news = mark_children(forest, wait, work);
    has_news |= mark_joins(forest, wait, work);
    if (has_news && work->task->state == TASK_WAITING) {
        roster_wake(forest, work);
    } else if (has_news) {
        work->resumed = true;
        emit_attempt(forest, EFFECT_RESUME, work);
    } else {
        if (work->task->state != TASK_WAITING) {
            tree_move(forest, work->task, TASK_WAITING);
            emit_note(forest, NOTICE_WAITS, work->task, session->index);
        }
        /* Also out of the line for a slot, which was for an earlier wait. */
        roster_wait(forest, work);
    }
}

void wait_all(struct forest *forest, struct session *session, struct wire_list waits,
              struct task *const *answered, size_t answered_count)
{
    struct wait wait = {.answered = answered, .answered_count = answered_count};
    size_t left = WAITS_COST;
    struct bytes element;

    while (left > 0 && wire_next(&waits, &element)) {
        if (wire_waits_decode(element, &wait.waits) != GROVE_OK) {
            left--;
        } else if (waits_pay(&wait.waits, &left)) {
            wait_for(forest, session, &wait);
        } else {
            refuse(forest, session, &wait.waits, REFUSED_AWAITED);
        }
    }
}
