/* SPDX-License-Identifier: MPL-2.0
 * Sessions and what they hold. */
#include "core/roster.h"

#include <assert.h>
#include <stdlib.h>

#include "core/emit.h"
#include "core/join.h"
#include "core/kept.h"
#include "core/limit.h"
#include "core/pool.h"
#include "core/ready.h"
#include "core/sweep.h"
#include "core/tree.h"

static int by_index(const struct session *a, const struct session *b)
{
    return a->index < b->index ? -1 : a->index > b->index;
}

RB_GENERATE_STATIC(session_tree, session, by_index, by_index)

struct session *roster_session(const struct forest *forest, uint64_t index)
{
    struct session_tree head = forest->sessions; /* the macros want a head they could write to */
    struct session key = {.index = index};

    return RB_FIND(session_tree, &head, &key);
}

struct session *roster_session_after(const struct forest *forest, uint64_t after)
{
    struct session_tree head = forest->sessions;
    struct session key = {.index = after + 1};

    return after == UINT64_MAX ? NULL : RB_NFIND(session_tree, &head, &key);
}

struct session *roster_by_boot(const struct forest *forest, const struct key *identity,
                               const struct id *boot)
{
    struct session key = {.boot = *boot, .identity = *identity};

    return table_find(&forest->by_boot, &key.boot);
}

struct session *roster_by_instance(const struct forest *forest, const struct key *identity,
                                   struct bytes instance)
{
    struct session key = {.identity = *identity};

    if (instance.size > LIMIT_NAME_LENGTH) {
        return NULL;
    }
    memcpy(key.instance, instance.data, instance.size);
    return table_find(&forest->by_instance, &key.identity);
}

/* It may have got room: looked at when the command is done. */
static void make_hungry(struct forest *forest, struct session *session)
{
    if (!session->is_hungry && !session->is_leaving) {
        session->is_hungry = true;
        TAILQ_INSERT_TAIL(&forest->hungry, session, hungry);
    }
}

void roster_add(struct forest *forest, struct session *session)
{
    for (int place = 0; place < PLACE_COUNT; place++) {
        TAILQ_INIT(&session->places[place]);
    }
    RB_INSERT(session_tree, &forest->sessions, session);
    table_insert(&forest->by_boot, session);
    table_insert(&forest->by_instance, session);
    forest->counters.sessions++;
}

static void drop_functions(struct forest *forest, struct session *session)
{
    for (size_t i = 0; i < session->function_count; i++) {
        function_drop(forest, session->functions[i]);
    }
    free(session->functions);
    free(session->names);
    session->functions = NULL;
    session->names = NULL;
    session->function_count = 0;
}

void roster_offer(struct forest *forest, struct session *session, struct function **functions,
                  size_t count)
{
    struct function **kept = kept_allocate((count + 1) * sizeof(struct function *));
    const char **names = kept_allocate((count + 1) * sizeof(*names));

    for (size_t i = 0; i < count; i++) {
        kept[i] = functions[i];
        names[i] = functions[i]->name;
    }
    pool_leave(forest, session);
    drop_functions(forest, session);
    session->functions = kept;
    session->names = names;
    session->function_count = count;
    if (!session->is_leaving) {
        pool_join(forest, session);
        make_hungry(forest, session);
    }
}

bool roster_offers(const struct session *session, const struct function *function)
{
    for (size_t i = 0; i < session->function_count; i++) {
        if (session->functions[i] == function) {
            return true;
        }
    }
    return false;
}

void roster_withdraw(struct forest *forest, struct session *session,
                     const struct function *function)
{
    struct function *left[LIMIT_FUNCTIONS];
    size_t count = 0;

    if (!roster_offers(session, function)) {
        return;
    }
    for (size_t i = 0; i < session->function_count; i++) {
        if (session->functions[i] != function) {
            left[count] = session->functions[i];
            left[count++]->uses++;
        }
    }
    roster_offer(forest, session, left, count);
}

void roster_leave(struct forest *forest, struct session *session, enum retire_reason reason)
{
    pool_leave(forest, session);
    RB_REMOVE(session_tree, &forest->sessions, session);
    table_remove(&forest->by_boot, session);
    table_remove(&forest->by_instance, session);
    if (session->is_hungry) {
        TAILQ_REMOVE(&forest->hungry, session, hungry);
        session->is_hungry = false;
    }
    session->is_leaving = true;
    session->reason = (uint8_t)reason;
    TAILQ_INSERT_TAIL(&forest->leaving, session, leaving);
    forest->counters.sessions--;
}

void roster_free(struct forest *forest, struct session *session)
{
    if (session->is_leaving) {
        TAILQ_REMOVE(&forest->leaving, session, leaving);
    }
    drop_functions(forest, session);
    free(session);
}

/* ---- places */

bool roster_is_ahead(const struct work *work)
{
    return pool_is_ahead((enum place)work->place);
}

bool roster_endangers(const struct work *work)
{
    return work->losses > 0 && work->session && work->place != PLACE_WAITING;
}

static bool is_needy(const struct work *work)
{
    return roster_is_ahead(work) && ready_needs_slot(work->task);
}

static void enter(struct work *work, enum place place)
{
    limit_enter(work, place);
    work->place = (uint8_t)place;
    TAILQ_INSERT_TAIL(&work->session->places[place], work, held);
    work->session->held[place]++;
    work->session->needy += is_needy(work);
    work->session->lost += roster_endangers(work);
}

static void quit(struct work *work)
{
    limit_leave(work);
    TAILQ_REMOVE(&work->session->places[work->place], work, held);
    work->session->held[work->place]--;
    work->session->needy -= is_needy(work);
    work->session->lost -= roster_endangers(work);
    work->place = PLACE_NONE;
}

void roster_put(struct work *work, struct session *session, enum place place)
{
    work->session = session;
    enter(work, place);
    join_hold(work->task, 1);
    work->task->tree->held++;
    session->stopping += work->stopping;
}

void roster_place(struct forest *forest, struct session *session)
{
    (void)forest;
    pool_place(session);
}

void roster_forgive(struct forest *forest, struct work *work)
{
    const bool endangered = roster_endangers(work);

    work->losses--;
    if (endangered && work->losses == 0) {
        work->session->lost--;
        make_hungry(forest, work->session);
    }
}

void roster_release(struct forest *forest, struct work *work)
{
    struct session *session = work->session;
    struct tree *tree = work->task->tree;
    const bool was_inside = join_is_inside(work->task);

    quit(work);
    limit_loosen(forest, work->task->request.function);
    join_hold(work->task, -1);
    session->stopping -= work->stopping;
    work->stopping = false;
    work->resumed = false;
    work->session = NULL;
    join_turn(forest, work->task, was_inside);
    make_hungry(forest, session);
    tree->held--;
    tree_rest(forest, tree);
}

void roster_begin(struct forest *forest, struct work *work)
{
    if (roster_is_ahead(work)) {
        limit_begin(forest, work->task->request.function);
    }
}

void roster_wait(struct forest *forest, struct work *work)
{
    quit(work);
    enter(work, PLACE_WAITING);
    limit_loosen(forest, work->task->request.function);
    make_hungry(forest, work->session);
}

static void let_resume(struct forest *forest, struct work *work)
{
    quit(work);
    enter(work, PLACE_RESUMABLE);
    make_hungry(forest, work->session);
    emit_attempt(forest, EFFECT_RESUME, work);
}

/* Who needs a place under a limit gets it at the end of the command, in order of age. */
void roster_wake(struct forest *forest, struct work *work)
{
    struct function *function = work->task->request.function;

    if (work->place != PLACE_WAITING) {
        return;
    }
    if (function->limit.running > 0) {
        quit(work);
        enter(work, PLACE_BARRED);
        limit_loosen(forest, function);
    } else {
        let_resume(forest, work);
    }
}

void roster_stop(struct forest *forest, struct work *work)
{
    work->stopping = true;
    work->session->stopping++;
    if (work->place == PLACE_RESUMABLE || work->place == PLACE_BARRED) {
        quit(work);
        enter(work, PLACE_WAITING); /* it needs no slot to stop */
        limit_loosen(forest, work->task->request.function);
        make_hungry(forest, work->session);
    }
    if (!work->session->is_leaving) {
        emit_attempt(forest, EFFECT_STOP, work);
    }
}

/* Gives free slots away: to attempts that may resume, then to those assigned ahead: to children, to
 * roots, to children of large trees. */
static void fill_slots(struct forest *forest, struct session *session)
{
    static const enum place line[] = {PLACE_RESUMABLE, PLACE_CHILDREN, PLACE_ROOTS, PLACE_LARGE};

    for (size_t i = 0; i < sizeof(line) / sizeof(line[0]);) {
        struct work *work = TAILQ_FIRST(&session->places[line[i]]);
        if (session->held[PLACE_SLOT] >= session->slots) {
            break;
        }
        if (!work) {
            i++;
            continue;
        }
        if (sweep_heed(forest, work->task) && line[i] == PLACE_RESUMABLE) {
            continue;
        }
        quit(work);
        enter(work, PLACE_SLOT);
        if (line[i] == PLACE_RESUMABLE) {
            work->resumed = true;
            tree_move(forest, work->task, TASK_RUNNING);
            emit_note(forest, NOTICE_RESUMED, work->task, session->index);
        } else {
            limit_begin(forest, work->task->request.function);
            limit_loosen(forest, work->task->request.function);
        }
    }
}

/* ---- assignment */

static enum place place_for(const struct session *session, const struct task *task)
{
    if (session->held[PLACE_SLOT] < session->slots) {
        return PLACE_SLOT;
    }
    if (task->depth == 0) {
        return PLACE_ROOTS;
    }
    return tree_is_large(task->tree) ? PLACE_LARGE : PLACE_CHILDREN;
}

static void unblock_all(struct forest *forest, const struct session *session)
{
    for (size_t i = 0; i < session->function_count; i++) {
        ready_unblock(forest, session->functions[i]);
    }
}

/* What needs a slot may go ahead, too, as soon as something else is there. */
static void take(struct forest *forest, struct session *session, struct task *task)
{
    struct work *work = tree_work(task);
    const enum place place = place_for(session, task);
    const bool took_needy = session->stands[LINE_NEEDY].is_taken;

    tree_move(forest, task, TASK_RUNNING);
    ready_serve(forest, task->tree);
    if (++task->attempts == 1) {
        join_start(forest, task);
    }
    work->started_ms = forest->now_ms;
    roster_put(work, session, place);
    if (place == PLACE_SLOT) {
        limit_begin(forest, task->request.function);
    } else {
        limit_look(forest, task->request.function);
    }
    pool_place(session);
    if (!took_needy && session->stands[LINE_NEEDY].is_taken) {
        unblock_all(forest, session);
    }
    forest->counters.attempts++;
    emit_attempt(forest, EFFECT_ASSIGN, work);
    emit_note(forest, NOTICE_ASSIGNED, task, session->index);
}

/* Sessions that got room fill their slots, and what was blocked for want of it may go on. */
static void feed_hungry(struct forest *forest)
{
    struct session *session = NULL;

    while ((session = TAILQ_FIRST(&forest->hungry))) {
        TAILQ_REMOVE(&forest->hungry, session, hungry);
        session->is_hungry = false;
        fill_slots(forest, session);
        pool_place(session);
        if (session->stands[LINE_ROOM].is_taken) {
            unblock_all(forest, session);
        }
    }
}

/* What waits for a place under a limit gets it before anything new; then its function may go on.
 * Stops when there is no move left. */
static void feed_loose(struct forest *forest, uint32_t *moves)
{
    struct function *function = NULL;
    struct work *work = NULL;

    while ((function = limit_loose(forest))) {
        while ((work = limit_admissible(function))) {
            if (*moves == 0) {
                return;
            }
            --*moves;
            if (!sweep_heed(forest, work->task)) {
                let_resume(forest, work);
            }
        }
        limit_tighten(forest, function);
    }
}

/* Nothing that a revoked identity has submitted begins any more. */
static bool has_lost_its_right(const struct forest *forest, const struct task *task)
{
    return forest->trust.revocation_count > 0 &&
           trust_is_revoked(&forest->trust, &task->tree->root->record->seal.signer);
}

/* Assigns the first task of a queue, or blocks the queue.
 *
 *   returns   whether a task was moved */
static bool assign_next(struct forest *forest, struct queue *queue)
{
    struct task *task = ready_first(queue);
    struct session *session = NULL;

    if (has_lost_its_right(forest, task)) {
        sweep_task(forest, task->tree->root, CODE_CANCELLED);
        (void)sweep_heed(forest, task); /* the root itself has ended */
        return true;
    }
    if (sweep_heed(forest, task)) {
        return true;
    }
    session = pool_choose(queue);
    if (session) {
        take(forest, session, task);
    } else {
        ready_block(forest, queue);
    }
    return session != NULL;
}

/* An attempt that gets its slot loosens its function, and one that may go on makes its session
 * hungry. */
static void feed(struct forest *forest, uint32_t *moves)
{
    do {
        join_admit(forest);
        feed_loose(forest, moves);
        feed_hungry(forest);
    } while (*moves > 0 && limit_loose(forest));
}

/* A task that turns out to be cancelled may wake its parent, or make room in the window of a map or
 * under a limit. */
void roster_assign(struct forest *forest)
{
    uint32_t moves = LIMIT_MOVES;
    struct queue *queue = NULL;

    limit_pass_time(forest);
    do {
        feed(forest, &moves);
        while (moves > 0 && (queue = ready_next(forest))) {
            moves -= assign_next(forest, queue);
        }
    } while (!TAILQ_EMPTY(&forest->hungry) || !TAILQ_EMPTY(&forest->eager) ||
             (moves > 0 && limit_loose(forest)));
}
