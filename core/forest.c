/* SPDX-License-Identifier: MPL-2.0
 * forest_apply, one function per command: find, drop or refuse what no longer makes sense, move,
 * settle; what can be assigned then is assigned once, at the end of each command. */
#include "core/forest.h"

#include <assert.h>
#include <stdlib.h>

#include "core/accept.h"
#include "core/attempt.h"
#include "core/emit.h"
#include "core/enlist.h"
#include "core/join.h"
#include "core/kept.h"
#include "core/limit.h"
#include "core/memory.h"
#include "core/roster.h"
#include "core/sweep.h"
#include "core/timers.h"
#include "core/tree.h"

static void set_limit(uint64_t *option, uint64_t limit)
{
    if (*option == 0) {
        *option = limit;
    }
}

struct forest *forest_create(const struct forest_options *options)
{
    struct forest *forest = kept_allocate(sizeof(*forest));
    const uint8_t *key = options->hash_key;

    forest->options = *options;
    set_limit(&forest->options.live_tasks, LIMIT_LIVE_TASKS);
    set_limit(&forest->options.body_size, LIMIT_BODY_SIZE);
    set_limit(&forest->options.remembered_size, LIMIT_REMEMBERED_SIZE);
    set_limit(&forest->options.retention_ms, (uint64_t)LIMIT_RETENTION_MS);
    set_limit(&forest->options.retention_size, LIMIT_RETENTION_SIZE);
    set_limit(&forest->options.turns, LIMIT_TURNS);
#define TABLE(table, type, link, key_field, size)                                                  \
    table_init(&forest->table, key, offsetof(type, link), offsetof(type, key_field), size)
    TABLE(by_id, struct task, by_id, id, sizeof(struct id));
    TABLE(by_request, struct task, by_request, request, sizeof(struct request));
    TABLE(by_join, struct join, by_id, id, sizeof(struct id));
    TABLE(memories, struct memory, by_id, id, sizeof(struct id));
    TABLE(by_name, struct function, by_name, name, LIMIT_FUNCTION_LENGTH + 1);
    TABLE(queues, struct queue, by_key, key, sizeof(struct queue_key));
    TABLE(lanes, struct lane, by_key, key, sizeof(struct lane_key));
    TABLE(by_boot, struct session, by_boot, boot, sizeof(struct id) + sizeof(struct key));
    TABLE(by_instance, struct session, by_instance, identity,
          sizeof(struct key) + LIMIT_NAME_LENGTH + 1);
#undef TABLE
    TAILQ_INIT(&forest->roots);
    TAILQ_INIT(&forest->retained);
    TAILQ_INIT(&forest->leaving);
    TAILQ_INIT(&forest->hungry);
    TAILQ_INIT(&forest->eager);
    TAILQ_INIT(&forest->outside);
    TAILQ_INIT(&forest->sweeps);
    trust_init(&forest->trust, &options->mesh, key);
    return forest;
}

/* The keys of those two tables span fields that lie side by side. */
_Static_assert(offsetof(struct session, identity) ==
                   offsetof(struct session, boot) + sizeof(struct id),
               "boot and identity are one key");
_Static_assert(offsetof(struct session, instance) ==
                   offsetof(struct session, identity) + sizeof(struct key),
               "identity and instance are one key");

/* ---- commands */

/* The session that a command speaks for; one that was retired is told so, and its command counts
 * for nothing. */
static struct session *speaker(struct forest *forest, uint64_t index)
{
    struct session *session = roster_session(forest, index);

    if (!session) {
        emit_session(forest, EFFECT_RETIRED, index);
        emit_done(forest, REFUSED_NO_WORKER_SESSION);
    }
    return session;
}

static void apply_submit(struct forest *forest, const struct command *command)
{
    accept_submit(forest, &command->submit.batch);
    emit_done(forest, REFUSED_NOT);
}

static void apply_expand(struct forest *forest, const struct command *command)
{
    struct session *session = NULL;

    if (command->expand.session != 0) {
        session = speaker(forest, command->expand.session);
        if (!session) {
            return;
        }
        attempt_progress(forest, session, command->expand.progress);
    }
    accept_expand(forest, session, command);
    emit_done(forest, REFUSED_NOT);
}

/* The bus delivers at least once, so a report may come twice, or from a worker that lost the task.
 * Only the attempt in force counts; every other is refused, so that its worker stops. */
static void apply_report(struct forest *forest, const struct command *command)
{
    struct session *session = speaker(forest, command->report.session);

    if (!session) {
        return;
    }
    attempt_progress(forest, session, command->report.progress);
    attempt_report(forest, session, &command->report.batch);
    emit_done(forest, REFUSED_NOT);
}

static void apply_return(struct forest *forest, const struct command *command)
{
    struct session *session = speaker(forest, command->return_.session);
    struct wire_list list = command->return_.returned;
    struct bytes element;
    struct returned returned = {0};

    if (!session) {
        return;
    }
    while (wire_next(&list, &element)) {
        if (wire_returned_decode(element, &returned) == GROVE_OK) {
            attempt_return(forest, session, &returned);
        }
    }
    emit_done(forest, REFUSED_NOT);
}

static void apply_checkpoint(struct forest *forest, const struct command *command)
{
    const struct checkpoint *checkpoint = &command->checkpoint.checkpoint;
    struct session *session = speaker(forest, command->checkpoint.session);

    if (!session) {
        return;
    }
    attempt_progress(forest, session, checkpoint->progress);
    struct work *work = attempt_in_force(forest, session, &checkpoint->task, checkpoint->attempt);
    if (work) {
        blob_set(&work->checkpoint, checkpoint->bytes);
    } else {
        emit_stale(forest, EFFECT_REFUSE, session->index, &checkpoint->task, checkpoint->attempt,
                   REFUSED_STALE);
    }
    emit_done(forest, REFUSED_NOT);
}

static void apply_enlist(struct forest *forest, const struct command *command)
{
    enlist(forest, &command->enlist.identity, &command->enlist.boot, &command->enlist.enlist);
}

static void apply_retire(struct forest *forest, const struct command *command)
{
    struct session *session = speaker(forest, command->retire.session);

    if (!session) {
        return;
    }
    enlist_retire(forest, session, command->retire.reason);
    enlist_drain(forest);
    emit_done(forest, REFUSED_NOT);
}

/* A delay or backoff is over, or a deadline. */
static void ring(struct forest *forest, struct task *task)
{
    if (sweep_heed(forest, task)) {
        return;
    }
    if (task->deadline_ms == 0 || task->deadline_ms > forest->now_ms) {
        task->due_ms = 0;
        tree_move(forest, task, task->flags & TASK_WINDOWED ? TASK_HELD : TASK_READY);
        return;
    }
    tree_settle_verdict(forest, task, CODE_DEADLINE, bytes_of_text("its deadline has passed"));
    if (task->work->session) {
        roster_stop(forest, task->work);
    }
}

/* Time passes; what other commands had no move left for is gone on with. */
static void apply_expire(struct forest *forest)
{
    enlist_drain(forest);
    while (forest->moves > 0 && timers_due_ms(&forest->timers) <= forest->now_ms) {
        forest->moves--;
        ring(forest, forest->timers.heap[0].owner);
    }
    memory_fade(forest);
    emit_done(forest, REFUSED_NOT);
}

/* Whoever is revoked works no more. */
static void retire_revoked(struct forest *forest)
{
    struct session *session = roster_session_after(forest, 0);

    while (session) {
        const uint64_t index = session->index;
        if (trust_is_revoked(&forest->trust, &session->identity)) {
            enlist_retire(forest, session, RETIRE_GOODBYE);
        }
        session = roster_session_after(forest, index);
    }
    enlist_drain(forest);
}

static void apply_trust(struct forest *forest, const struct command *command)
{
    bool changed = false;
    const enum refusal refusal =
        trust_admit(&forest->trust, command->trust.certificate, forest->now_ms, &changed);

    if (refusal == REFUSED_NOT && changed) {
        emit_trusted(forest);
        retire_revoked(forest);
    }
    emit_done(forest, refusal);
}

static void apply_forget(struct forest *forest)
{
    tree_forget(forest);
    emit_done(forest, REFUSED_NOT);
}

/* ---- cancelling */

static bool is_above(const struct task *above, const struct task *task)
{
    while (task && task != above) {
        task = task->request.parent;
    }
    return task != NULL;
}

/* The root's signer, an operator, a live attempt above the task, and the coordinator itself. To
 * others there is no such task. */
static bool may_cancel(struct forest *forest, const struct command *command,
                       const struct task *task)
{
    static const struct key nobody;
    const struct key *identity = &command->cancel.identity;
    const struct session *session = roster_session(forest, command->cancel.session);
    const struct task *by = tree_find(forest, &command->cancel.by);

    if (session && by && by != task && is_above(by, task)) {
        return attempt_in_force(forest, session, &by->id, command->cancel.attempt) != NULL;
    }
    return key_equal(identity, &nobody) ||
           key_equal(identity, &task->tree->root->record->seal.signer) ||
           trust_has_role(&forest->trust, identity, ROLE_OPERATOR, forest->now_ms) == REFUSED_NOT;
}

static enum refusal cancel(struct forest *forest, const struct command *command)
{
    struct task *task = tree_find(forest, &command->cancel.task);

    if (!task) {
        return memory_has(forest, &command->cancel.task) ? REFUSED_FORGOTTEN : REFUSED_NOT_FOUND;
    }
    if (!may_cancel(forest, command, task)) {
        return REFUSED_NOT_FOUND;
    }
    sweep_task(forest, task, command->cancel.code);
    return REFUSED_NOT;
}

static void apply_cancel(struct forest *forest, const struct command *command)
{
    emit_done(forest, cancel(forest, command));
}

/* Goes on with what commands had no move left for. */
static void apply_sweep(struct forest *forest)
{
    enlist_drain(forest);
    emit_done(forest, REFUSED_NOT);
}

static void apply_limit(struct forest *forest, const struct command *command)
{
    enum refusal refusal =
        trust_has_role(&forest->trust, &command->limit.identity, ROLE_OPERATOR, forest->now_ms);

    if (refusal == REFUSED_NOT) {
        refusal = limit_set(forest, &command->limit.limit);
    }
    emit_done(forest, refusal);
}

static void dispatch(struct forest *forest, const struct command *command)
{
    switch (command->kind) {
    case COMMAND_SUBMIT:
        apply_submit(forest, command);
        break;
    case COMMAND_EXPAND:
        apply_expand(forest, command);
        break;
    case COMMAND_REPORT:
        apply_report(forest, command);
        break;
    case COMMAND_RETURN:
        apply_return(forest, command);
        break;
    case COMMAND_CHECKPOINT:
        apply_checkpoint(forest, command);
        break;
    case COMMAND_ENLIST:
        apply_enlist(forest, command);
        break;
    case COMMAND_RETIRE:
        apply_retire(forest, command);
        break;
    case COMMAND_EXPIRE:
        apply_expire(forest);
        break;
    case COMMAND_TRUST:
        apply_trust(forest, command);
        break;
    case COMMAND_FORGET:
        apply_forget(forest);
        break;
    case COMMAND_CANCEL:
        apply_cancel(forest, command);
        break;
    case COMMAND_SWEEP:
        apply_sweep(forest);
        break;
    case COMMAND_LIMIT:
        apply_limit(forest, command);
        break;
    }
}

void forest_apply(struct forest *forest, const struct command *command, struct effects *effects)
{
    if (command->at_ms > forest->now_ms) {
        forest->now_ms = command->at_ms;
    }
    forest->applied++;
    forest->counters.applied++;
    forest->token = command->token;
    forest->effects = effects;
    forest->moves = LIMIT_MOVES;
    dispatch(forest, command);
    sweep_go_on(forest);
    roster_assign(forest);
    forest->token = 0;
    forest->effects = NULL;
}

/* ---- time */

bool forest_has_more(const struct forest *forest)
{
    return !TAILQ_EMPTY(&forest->leaving) || !RB_EMPTY(&forest->runnable) ||
           !TAILQ_EMPTY(&forest->sweeps) || limit_loose(forest);
}

uint64_t forest_due_ms(const struct forest *forest)
{
    const uint64_t due_ms = timers_due_ms(&forest->timers);
    const uint64_t fades_ms = timers_due_ms(&forest->fading);
    const uint64_t free_ms = limit_due_ms(forest);
    const uint64_t first_ms = due_ms < fades_ms ? due_ms : fades_ms;

    return first_ms < free_ms ? first_ms : free_ms;
}

bool forest_has_forgettable(const struct forest *forest, uint64_t now_ms)
{
    return tree_is_forgettable(forest, now_ms);
}

uint64_t forest_now_ms(const struct forest *forest)
{
    return forest->now_ms;
}

uint64_t forest_applied(const struct forest *forest)
{
    return forest->applied;
}

/* ---- the end */

static void free_sessions(struct forest *forest)
{
    struct session *session = NULL;

    while ((session = roster_session_after(forest, 0))) {
        roster_leave(forest, session, RETIRE_GOODBYE);
    }
    while ((session = TAILQ_FIRST(&forest->leaving))) {
        for (int place = 0; place < PLACE_COUNT; place++) {
            while (!TAILQ_EMPTY(&session->places[place])) {
                TAILQ_REMOVE(&session->places[place], TAILQ_FIRST(&session->places[place]), held);
            }
        }
        roster_free(forest, session);
    }
}

/* Leaves first, as forgetting does, but at once and whatever their state. */
static void free_trees(struct forest *forest)
{
    struct task *task = NULL;

    while ((task = TAILQ_FIRST(&forest->roots))) {
        while (!TAILQ_EMPTY(&task->children)) {
            task = TAILQ_LAST(&task->children, task_list);
        }
        if (task->lane) {
            tree_move(forest, task, TASK_CANCELLED);
        }
        timers_drop(&forest->timers, task);
        tree_free_task(forest, task);
    }
}

void forest_destroy(struct forest *forest)
{
    if (!forest) {
        return;
    }
    free_sessions(forest);
    free_trees(forest);
    limit_clear(forest);
    memory_clear(forest);
    timers_clear(&forest->timers);
    trust_clear(&forest->trust);
    struct table *tables[] = {&forest->by_id,       &forest->by_request, &forest->by_name,
                              &forest->queues,      &forest->lanes,      &forest->by_boot,
                              &forest->by_instance, &forest->by_join};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        table_clear(tables[i]);
    }
    free(forest);
}
