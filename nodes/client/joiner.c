/* SPDX-License-Identifier: MPL-2.0
 * One loop: give what the join takes, hand on what has ended, wait for news. */
#include "nodes/client/joiner.h"

#include <stdio.h>

#include "nodes/worker/context.h"

#define LIMIT_ABSENT 16u

/* ---- the terms */

static void set_terms(struct joiner *joiner)
{
    const struct grove_join_options *options = &joiner->options;
    struct join_terms *terms = &joiner->terms;

    terms->kind = joiner->kind;
    terms->key = bytes_of_text(options->key);
    if (joiner->kind == JOIN_RACE) {
        terms->stop = options->winners;
        terms->first_settled = options->first_settled;
    } else {
        terms->stop = options->stop_on_failure ? 1 : options->max_failures;
    }
    if (joiner->kind == JOIN_MAP) {
        terms->limit = options->limit > 0 ? options->limit : LIMIT_ABSENT;
        terms->function = bytes_of_text(joiner->function);
    }
}

/* Unstarted inputs that the mesh keeps for it: known for a map, and no bound for others. */
static uint32_t credit(const struct joiner *joiner)
{
    if (joiner->kind != JOIN_MAP) {
        return LIMIT_JOIN_INPUTS;
    }
    return joiner->terms.limit > LIMIT_JOIN_CREDIT / 2 ? 2 * joiner->terms.limit
                                                       : LIMIT_JOIN_CREDIT;
}

/* Inputs that are worth a portion, when so many may follow: fewer would be one message each. */
static uint32_t portion_least(const struct joiner *joiner)
{
    const uint32_t half = credit(joiner) / 2;
    uint64_t least = half < LIMIT_BATCH_ITEMS ? half : LIMIT_BATCH_ITEMS;

    if (joiner->total > 0 && joiner->total - joiner->position < least) {
        least = joiner->total - joiner->position;
    }
    return joining_worth(joiner->joining, least > 0 ? (uint32_t)least : 1);
}

/* ---- opening */

static void kick(struct joiner *joiner)
{
    if (joiner->attempt) {
        context_kick(joiner->attempt, joiner->joining);
    } else {
        client_kick(joiner->client, joiner->joining);
    }
}

/* A handler's join is named by its parent and its terms. */
static void name_inside(struct joiner *joiner)
{
    struct joining *joining = joiner->joining;
    const struct grove_attempt *attempt = joiner->attempt;

    if (!joiner->is_counted) {
        joiner->terms.occurrence = context_count_join(joiner->attempt, &joiner->terms);
        joiner->is_counted = true;
    }
    joining->root = attempt->root;
    joining->parent = attempt->key.task;
    joining->attempt_number = attempt->key.attempt;
    joining->generation = attempt->generation;
    joining->id = id_of_join(&joining->parent, joining->generation, &joiner->terms,
                             &joiner->lineage.occurrence);
    wire_terms_encode(&joining->terms, &joiner->terms);
}

/* One from outside is a root, whose payload is the terms. Returns the call that submits it. */
static struct call *name_outside(struct joiner *joiner)
{
    struct call *call = call_create(CALL_SUBMIT, 1, NULL);
    struct wanted wanted = {.failure = &joiner->failure};
    struct grove_task root = GROVE_TASK_INIT;
    struct buffer terms = {0};
    struct joining *joining = joiner->joining;

    wire_terms_encode(&terms, &joiner->terms);
    root.function = JOIN_FUNCTION;
    root.payload = (struct grove_bytes){terms.data, terms.size};
    root.key = joiner->options.key;
    root.has_priority = joiner->options.has_priority;
    root.priority = joiner->options.priority;
    root.deadline_ms = joiner->options.deadline_ms;
    call_add_task(call, &root, &wanted, joiner_ledger_ms(joiner));
    call_name_tasks(call, client_signer(joiner->client));
    buffer_clear(&terms);
    joining->id = call->requests[0].id;
    joining->root = joining->id;
    joining->parent = joining->id;
    joining->attempt_number = 1;
    joiner->lineage.occurrence = 0;
    return call;
}

/* Seals the first portion, whose inputs could not name their parent and their tag before. */
static void give_first(struct joiner *joiner)
{
    struct joining *joining = joiner->joining;

    joiner->lineage.root = joining->root;
    joiner->lineage.parent = joining->parent;
    if (!joiner->submitted) {
        portion_place(&joiner->maker, &joiner->lineage);
    }
    joining_give(joining, joiner_seal(joiner));
}

static void await_root(struct joiner *joiner, struct call *call)
{
    if (call->left > 0) {
        client_post(joiner->client, call);
        kick(joiner); /* behind it: the first inputs need not wait for the answer */
        call_wait(call, client_spin_us(joiner->client));
    }
    joiner->status = call_status(call);
    call_destroy(call);
    if (joiner->status == GROVE_OK) {
        joining_root(joiner->joining);
        kick(joiner);
    }
}

static void open_join(struct joiner *joiner)
{
    struct call *call = NULL;

    joiner->terms.first = portion_digest(&joiner->maker);
    joiner->joining = joining_create(joiner->kind, joiner->attempt);
    joiner->joining->is_patient = joiner->is_patient;
    joiner->joining->frontier = credit(joiner);
    joiner->joining->may_be_known =
        joiner->attempt ? joiner->attempt->key.attempt > 1 : joiner->options.key != NULL;
    if (joiner->attempt) {
        name_inside(joiner);
    } else {
        call = name_outside(joiner);
    }
    give_first(joiner);
    if (call) {
        await_root(joiner, call);
    } else if (!joiner->is_exhausted) {
        kick(joiner);
    }
}

/* False: there is nothing to do, or it has stopped. */
static bool begin(struct joiner *joiner)
{
    const bool must_fill = joiner->attempt || joiner->options.key;

    joiner->lineage = (struct lineage){
        .present = true,
        .attempt = joiner->attempt ? joiner->attempt->key.attempt : 1,
        .generation = joiner->attempt ? joiner->attempt->generation : 0,
        .occurrence = PORTION_UNTAGGED,
        .join_kind = joiner->kind + JOIN_REVISION * joiner->terms.revision,
    };
    do {
        (void)joiner_make_portion(joiner, LIMIT_BATCH_ITEMS, must_fill);
    } while (joiner->is_busy && !joiner->maker.portion);
    if (!joiner->maker.portion || joiner->maker.portion->count == 0) {
        portion_maker_clear(&joiner->maker);
        return false;
    }
    set_terms(joiner);
    open_join(joiner);
    return joiner->status == GROVE_OK;
}

/* ---- going on */

/* Gives what the join takes now. */
static void give(struct joiner *joiner)
{
    struct joining *joining = joiner->joining;
    uint32_t room;

    joiner->is_busy = false;
    while (!joiner->is_exhausted && !joiner->is_busy && joiner->status == GROVE_OK &&
           (room = joining_room(joining)) >= portion_least(joiner)) {
        struct portion *portion =
            joiner_make_portion(joiner, room < LIMIT_BATCH_ITEMS ? room : LIMIT_BATCH_ITEMS, false);

        if (!portion) {
            break;
        }
        joining_give(joining, portion);
        if (!joiner->is_exhausted) {
            kick(joiner); /* the last one goes with the wait that follows */
        }
    }
}

static bool was_cancelled(const struct ending *ending)
{
    return ending->failure.code == GROVE_CODE_CANCELLED;
}

static void keep_first(struct joiner *joiner, const struct ending *ending)
{
    struct failing failing = failing_of_failure(&ending->failure);

    failure_write(&joiner->first, &failing);
    joiner->first_failed = joiner->delivered;
}

static void count(struct joiner *joiner, const struct ending *ending)
{
    joiner->count++;
    if (ending->status == GROVE_OK) {
        joiner->succeeded++;
    } else if (was_cancelled(ending)) {
        joiner->cancelled++;
    } else {
        joiner->failed++;
        if (joiner->first_failed == GROVE_NO_INPUT) {
            keep_first(joiner, ending);
        }
    }
}

static void hand_on(struct joiner *joiner, struct ending *ending)
{
    enum grove_status status = GROVE_OK;

    count(joiner, ending);
    if (joiner->stream.take) {
        status = joiner->stream.take(joiner->stream.context, joiner->delivered, &ending->result,
                                     &ending->failure);
    }
    joiner->delivered++;
    if (status != GROVE_OK) {
        joiner_stop(joiner, status, "stopped by whoever takes the outcomes");
    }
}

/* Hands on what has come. After a restart, not again what was handed on before. */
static void deliver(struct joiner *joiner)
{
    struct endings *endings;

    while (joiner->status == GROVE_OK && (endings = joining_deliver(joiner->joining)) != NULL) {
        for (uint32_t i = 0; i < endings->count && joiner->status == GROVE_OK; i++) {
            if (endings->offset + i >= joiner->delivered) {
                hand_on(joiner, &endings->ending[i]);
            }
        }
        endings_destroy(endings);
    }
}

static void report_progress(struct joiner *joiner)
{
    struct grove_join_progress progress;
    enum grove_status status;

    if (!joiner->options.progress) {
        return;
    }
    progress = joining_progress(joiner->joining);
    progress.total = joiner->is_exhausted ? joiner->position : joiner->total;
    status = joiner->options.progress(joiner->options.context, &progress);
    if (status != GROVE_OK && joiner->status == GROVE_OK) {
        joiner_stop(joiner, status, "stopped by whoever watches its progress");
    }
}

/* Comes back, while it waits without a slot, when the join takes more; none of the user's code is
 * called for that. */
static void wait_patiently(struct joiner *joiner, struct call *call)
{
    context_wait(call);
    while (!atomic_load(&call->has_returned)) {
        do {
            give(joiner);
            kick(joiner);
        } while (
            !joining_wait_on(joiner->joining, joiner->is_exhausted ? 0 : portion_least(joiner)));
        context_wait_on(call);
    }
}

static void await_news(struct joiner *joiner)
{
    const unsigned wants = WANT_ENDINGS | (joiner->is_exhausted ? 0 : WANT_MORE) |
                           (joiner->options.progress && !joiner->attempt ? WANT_PROGRESS : 0);
    struct call *call;

    if (!joining_want(joiner->joining, wants, portion_least(joiner))) {
        return;
    }
    call = call_create(CALL_JOIN, 0, joiner->attempt);
    call->joining = joiner->joining;
    call->left = 1;
    if (!joiner->attempt) {
        client_post(joiner->client, call);
        call_wait(call, client_spin_us(joiner->client));
    } else if (joining_is_brief(joiner->joining)) {
        context_perform(call);
    } else {
        wait_patiently(joiner, call);
    }
    if (call->status != GROVE_OK) {
        joiner_stop(joiner, call->status, NULL);
    }
    call_destroy(call);
}

static void run_on(struct joiner *joiner)
{
    while (joiner->status == GROVE_OK) {
        give(joiner);
        if (joiner->status == GROVE_OK) {
            deliver(joiner);
        }
        if (joiner->status == GROVE_OK) {
            report_progress(joiner);
        }
        if (joiner->status != GROVE_OK || joining_has_ended(joiner->joining)) {
            break;
        }
        if (joiner->is_busy) {
            kick(joiner);
        } else {
            await_news(joiner);
        }
    }
}

/* ---- all of it */

static void leave(struct joiner *joiner)
{
    if (joiner->joining && !joining_leave(joiner->joining)) {
        kick(joiner);
        joining_release(joiner->joining);
    }
    joiner->joining = NULL;
}

/* The mesh has other inputs than these, as the handler has taken another path since it crashed: the
 * join is over, and another one begins. What was handed on is not handed on again. */
static bool restart(struct joiner *joiner)
{
    if (!joiner->attempt || !joiner->stream.can_restart ||
        !joining_differs(joiner->joining, joiner->position) ||
        joiner->terms.revision == LIMIT_JOIN_REVISIONS) {
        return false;
    }
    leave(joiner);
    joiner->terms.revision++;
    joiner->position = 0;
    joiner->has_task = false;
    joiner->is_exhausted = false;
    portion_maker_clear(&joiner->maker);
    return true;
}

void joiner_run(struct joiner *joiner)
{
    joiner->first_failed = GROVE_NO_INPUT;
    if (!joiner->attempt) {
        client_enter(joiner->client);
    }
    do {
        if (begin(joiner)) {
            run_on(joiner);
        }
    } while (joiner->joining && joiner->status == GROVE_OK && restart(joiner));
    joiner_conclude(joiner);
    leave(joiner);
    if (!joiner->attempt) {
        client_leave(joiner->client);
    }
}

void joiner_clear(struct joiner *joiner)
{
    portion_maker_clear(&joiner->maker);
    grove_failure_clear(&joiner->first);
    grove_failure_clear(&joiner->failure);
}
