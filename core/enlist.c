/* SPDX-License-Identifier: MPL-2.0
 * Enlisting, resuming, retiring. */
#include "core/enlist.h"

#include "core/attempt.h"
#include "core/emit.h"
#include "core/kept.h"
#include "core/outstanding.h"
#include "core/pool.h"
#include "core/roster.h"
#include "core/tree.h"

/* Inserts a function where its name belongs; false when it is there. */
static bool insert_by_name(struct function **functions, size_t count, struct function *function)
{
    size_t at = count;

    while (at > 0 && strcmp(functions[at - 1]->name, function->name) >= 0) {
        at--;
    }
    if (at < count && functions[at] == function) {
        return false;
    }
    memmove(&functions[at + 1], &functions[at], (count - at) * sizeof(struct function *));
    functions[at] = function;
    return true;
}

static void offer(struct forest *forest, struct session *session, struct wire_list names)
{
    struct function *functions[LIMIT_FUNCTIONS + 1];
    size_t count = 0;
    struct bytes name;

    while (wire_next(&names, &name)) {
        struct function *function = function_use(forest, name);
        if (insert_by_name(functions, count, function)) {
            count++;
        } else {
            function_drop(forest, function);
        }
    }
    roster_offer(forest, session, functions, count);
}

static enum refusal judge_functions(const struct forest *forest, const struct key *identity,
                                    struct wire_list names)
{
    struct bytes name;
    enum refusal refusal = REFUSED_NOT;

    if (names.count > LIMIT_FUNCTIONS) {
        return REFUSED_OPTION;
    }
    while (refusal == REFUSED_NOT && wire_next(&names, &name)) {
        refusal = wire_function_is_valid(name)
                      ? trust_may_run(&forest->trust, identity, name, forest->now_ms)
                      : REFUSED_FUNCTION_NAME;
    }
    return refusal;
}

static enum refusal judge(const struct forest *forest, const struct key *identity,
                          const struct enlist *request)
{
    const enum refusal refusal =
        trust_has_role(&forest->trust, identity, ROLE_WORKER, forest->now_ms);

    if (refusal != REFUSED_NOT) {
        return refusal;
    }
    if (request->slots == 0 || request->slots > LIMIT_SLOTS || request->window > LIMIT_WINDOW ||
        request->max_waiting > LIMIT_MAX_WAITING || request->instance.size == 0 ||
        request->instance.size > LIMIT_NAME_LENGTH) {
        return REFUSED_OPTION;
    }
    return judge_functions(forest, identity, request->functions);
}

/* What the worker holds of an earlier session, or should not hold: it is told to stop that. What it
 * holds rightly is marked as seen. */
static void see_held(struct forest *forest, const struct session *session, struct wire_list list)
{
    struct bytes element;
    struct held held = {0};

    while (wire_next(&list, &element)) {
        if (wire_held_decode(element, &held) != GROVE_OK) {
            continue;
        }
        attempt_forgive(forest, &session->boot, &held.task, held.attempt);
        struct work *work = attempt_held(forest, session, &held.task, held.attempt);
        if (work) {
            work->seen = true;
        } else {
            emit_stale(forest, EFFECT_STOP, session->index, &held.task, held.attempt,
                       REFUSED_STALE);
        }
    }
}

static void open_session(struct forest *forest, const struct key *identity, const struct id *boot,
                         const struct enlist *request)
{
    struct session *session = kept_allocate(sizeof(*session));

    session->index = forest->applied;
    session->identity = *identity;
    session->boot = *boot;
    memcpy(session->instance, request->instance.data, request->instance.size);
    session->slots = request->slots;
    session->window = request->window;
    session->max_waiting = request->max_waiting;
    session->enlisted_ms = forest->now_ms;
    roster_add(forest, session);
    offer(forest, session, request->functions);
    emit_session(forest, EFFECT_ENLISTED, session->index);
    emit_note_session(forest, NOTICE_ENLISTED, session);
    see_held(forest, session, request->held);
}

/* The first attempt that had started in this process, as waiting and resuming prove, and that it
 * does not list. */
static struct work *first_gone(const struct session *session)
{
    static const enum place started[] = {PLACE_SLOT, PLACE_WAITING, PLACE_RESUMABLE, PLACE_BARRED};
    struct work *work = NULL;

    for (size_t i = 0; i < sizeof(started) / sizeof(started[0]); i++) {
        TAILQ_FOREACH(work, &session->places[started[i]], held) {
            if (!work->seen && (work->resumed || started[i] != PLACE_SLOT)) {
                return work;
            }
        }
    }
    return NULL;
}

/* What it does not hold of what is assigned to it either never arrived, and is sent again, or is
 * lost. Losing one may end its task and so move others, hence each search starts anew.  What it was
 * told meanwhile is told again. */
static void resume_session(struct forest *forest, struct session *session,
                           const struct enlist *request)
{
    struct work *work = NULL;

    emit_session(forest, EFFECT_ENLISTED, session->index);
    see_held(forest, session, request->held);
    while ((work = first_gone(session))) {
        attempt_lose(forest, work, CHARGE_LOSS);
    }
    outstanding_session(session, OUTSTANDING_UNSEEN, forest->effects);
    offer(forest, session, request->functions);
}

void enlist(struct forest *forest, const struct key *identity, const struct id *boot,
            const struct enlist *request)
{
    enum refusal refusal = judge(forest, identity, request);
    struct session *same = roster_by_boot(forest, identity, boot);
    struct session *other = roster_by_instance(forest, identity, request->instance);

    if (refusal == REFUSED_NOT && !same && other && !request->previous_exited) {
        refusal = REFUSED_DUPLICATE_INSTANCE;
    }
    if (refusal == REFUSED_NOT && !same && forest->counters.sessions >= LIMIT_SESSIONS) {
        refusal = REFUSED_QUOTA;
    }
    if (refusal != REFUSED_NOT) {
        emit_done(forest, refusal);
        return;
    }
    if (same) {
        resume_session(forest, same, request);
    } else {
        if (other) {
            enlist_retire(forest, other, RETIRE_REPLACED);
        }
        open_session(forest, identity, boot, request);
    }
    enlist_drain(forest);
}

void enlist_retire(struct forest *forest, struct session *session, enum retire_reason reason)
{
    emit_session(forest, EFFECT_RETIRED, session->index);
    emit_note_session(forest, NOTICE_RETIRED, session);
    roster_leave(forest, session, reason);
}

/* The next attempt to take from a session; those that have started first, then in order of
 * assignment. */
static struct work *first_held(const struct session *session)
{
    static const enum place line[] = {PLACE_SLOT,     PLACE_RESUMABLE, PLACE_BARRED, PLACE_WAITING,
                                      PLACE_CHILDREN, PLACE_ROOTS,     PLACE_LARGE};
    struct work *work = NULL;

    for (size_t i = 0; !work && i < sizeof(line) / sizeof(line[0]); i++) {
        work = TAILQ_FIRST(&session->places[line[i]]);
    }
    return work;
}

void enlist_drain(struct forest *forest)
{
    struct session *session = NULL;

    while ((session = TAILQ_FIRST(&forest->leaving))) {
        const enum charge charge = session->reason == RETIRE_GOODBYE ? CHARGE_NONE : CHARGE_LOSS;
        struct work *work = NULL;
        while ((work = first_held(session))) {
            if (forest->moves == 0) {
                return;
            }
            forest->moves--;
            attempt_lose(forest, work, charge);
        }
        roster_free(forest, session);
    }
}
