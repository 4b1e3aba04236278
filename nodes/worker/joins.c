/* SPDX-License-Identifier: MPL-2.0
 * Joins of handlers, and what they cancel. While all threads of an attempt wait, the wait is told
 * with the join, and its outcomes are read when the attempt has a slot again. */
#include "nodes/worker/worker.h"

#include "nodes/host/clock.h"

#define RESUMED_MS 500u /* with a slot and nothing to go on with: it waits again */

static struct joining_io io_of(struct grove_worker *worker)
{
    return (struct joining_io){&worker->session, &worker->parcels, &worker->outcomes};
}

/* ---- calls coming in */

static void send_cancel(struct grove_worker *worker, struct call *call)
{
    struct parcel *parcel = parcel_create(&worker->session, MESSAGE_CANCEL, 0);
    const struct cancel cancel = {
        .task = call->task,
        .has_by = true,
        .by = call->attempt->key.task,
        .attempt = call->attempt->key.attempt,
    };

    parcel->call = call;
    wire_cancel_encode(&parcel->frame, parcel->correlation, &cancel);
    parcels_add(&worker->parcels, parcel);
}

void joins_take_call(struct grove_worker *worker, struct call *call)
{
    const struct joining_io io = io_of(worker);

    if (call->kind == CALL_CANCEL) {
        send_cancel(worker, call);
        return;
    }
    joining_block(call->joining, &io, call);
    if (call->waits) {
        waits_tell_later(worker, call->attempt);
    }
    joins_take(worker, call->joining);
}

void joins_collect(struct grove_worker *worker, struct joining_queue *joinings)
{
    struct joining *joining;

    while ((joining = STAILQ_FIRST(joinings)) != NULL) {
        STAILQ_REMOVE_HEAD(joinings, queued);
        handlers_unqueue(&worker->handlers, joining);
        joins_take(worker, joining);
        joining_release(joining);
    }
}

void joins_take(struct grove_worker *worker, struct joining *joining)
{
    if (!joining->is_sending) {
        joining->is_sending = true;
        joining_hold(joining);
        STAILQ_INSERT_TAIL(&worker->joinings, joining, sending);
    }
}

void joins_end_call(struct grove_worker *worker, struct call *call, const struct failing *failing)
{
    const struct joining_io io = io_of(worker);

    if (call->kind == CALL_CANCEL) {
        parcels_forget_call(&worker->parcels, call);
        call_end(call, failing, &worker->outcomes.finished);
    } else {
        joining_fail(call->joining, &io, failing);
    }
}

/* ---- frames */

/* Its inputs may come back to be run here. */
static void remember_seal(struct grove_worker *worker, const struct portion *portion)
{
    if (portion->seal.count > 0) {
        seal_cache_add(worker->seals, &portion->seal, &worker->credential.mesh, &portion->root);
    }
}

/* The wait of a join that goes out whole is told beside it; that of one in several frames, once the
 * first is known to have been taken. */
static void send_portions(struct grove_worker *worker, struct joining *joining)
{
    const struct joining_io io = io_of(worker);
    struct wire_writer writer;
    struct parcel *parcel;

    while ((parcel = joining_send(joining, &io, &writer)) != NULL) {
        remember_seal(worker, parcel->portion);
        if (!joining_has_unsent(joining)) {
            waits_put(worker, &writer, joining->attempt, joining);
        }
        reports_put_progress(&writer, EXPAND_PROGRESS, joining->attempt);
        wire_close(&writer);
        parcels_add(&worker->parcels, parcel);
    }
}

void joins_send(struct grove_worker *worker)
{
    const struct joining_io io = io_of(worker);
    struct joining *joining;

    while ((joining = STAILQ_FIRST(&worker->joinings)) != NULL) {
        STAILQ_REMOVE_HEAD(&worker->joinings, sending);
        joining->is_sending = false;
        if (!joining_drop(joining, &io)) {
            send_portions(worker, joining);
            joining_ask(joining, &io, !joining_is_asleep(joining));
        }
        joining_release(joining);
    }
}

void joins_clear(struct grove_worker *worker)
{
    struct joining *joining;

    while ((joining = STAILQ_FIRST(&worker->joinings)) != NULL) {
        STAILQ_REMOVE_HEAD(&worker->joinings, sending);
        joining_release(joining);
    }
}

/* ---- what comes */

/* More may be sent and asked; a wait that was not told may be told now. */
static void go_on_unless_left(struct grove_worker *worker, struct joining *joining)
{
    if (!joining_is_left(joining)) {
        joins_take(worker, joining);
        if (!waits_is_told(joining->attempt) && joining_is_open(joining)) {
            waits_tell_later(worker, joining->attempt);
        }
    }
    joining_release(joining);
}

void joins_answered(struct grove_worker *worker, struct parcel *parcel,
                    const struct accepted *accepted)
{
    const struct joining_io io = io_of(worker);
    struct joining *joining = parcel->joining;

    joining_hold(joining);
    joining_answered(parcel, &io, accepted);
    go_on_unless_left(worker, joining);
}

void joins_paged(struct grove_worker *worker, const struct message *message)
{
    const struct joining_io io = io_of(worker);
    struct paged paged;
    struct parcel *parcel;
    struct joining *joining;

    if (wire_paged_decode(message->body, &paged) != GROVE_OK) {
        return;
    }
    parcel = parcels_take(&worker->parcels, message->correlation);
    joining = parcel ? parcel->joining : NULL;
    if (joining) {
        joining_hold(joining);
        joining_paged(parcel, &io, &paged);
        go_on_unless_left(worker, joining);
    }
    parcel_destroy(parcel);
}

void joins_cancelled(struct grove_worker *worker, const struct message *message)
{
    struct cancelled counts;
    struct parcel *parcel;

    if (wire_cancelled_decode(message->body, &counts) != GROVE_OK) {
        return;
    }
    parcel = parcels_take(&worker->parcels, message->correlation);
    if (parcel && parcel->call) {
        call_cancelled(parcel->call, &counts, &worker->outcomes.finished);
    }
    parcel_destroy(parcel);
}

void joins_refused(struct grove_worker *worker, struct parcel *parcel,
                   const struct failing *failing)
{
    const struct joining_io io = io_of(worker);

    if (parcel->joining) {
        joining_refused(parcel, &io, failing);
    } else if (parcel->call) {
        call_end(parcel->call, failing, &worker->outcomes.finished);
    }
}

bool joins_resumed(struct grove_worker *worker, struct call *call)
{
    const struct joining_io io = io_of(worker);

    if (call->kind != CALL_JOIN || call->left == 0) {
        return false;
    }
    joining_ask(call->joining, &io, true);
    return true;
}

/* ---- time */

void joins_tick(struct grove_worker *worker, uint64_t now_ms)
{
    struct grove_attempt *attempt;
    struct call *call;

    TAILQ_FOREACH(attempt, &worker->held, held) {
        TAILQ_FOREACH(call, &attempt->calls, working) {
            if (call->kind == CALL_JOIN && call->left > 0) {
                joins_take(worker, call->joining);
            } else if (call->kind == CALL_CANCEL && now_ms >= call->give_up_ms) {
                struct failing failing = failing_of_status(
                    GROVE_TIMEOUT, "no answer in time: it may or may not have been cancelled");

                joins_end_call(worker, call, &failing);
            }
        }
        if (attempt->expects_resume && attempt->is_resumed && !TAILQ_EMPTY(&attempt->calls) &&
            now_ms >= attempt->resumed_ms + RESUMED_MS) {
            waits_tell_later(worker, attempt);
        }
    }
}
