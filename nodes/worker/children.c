/* SPDX-License-Identifier: MPL-2.0
 * What handlers ask of the mesh: children, waiting for them, checkpoints. A handler that waits goes
 * on with a free slot, once it has both its outcomes and the Resume. */
#include "nodes/worker/worker.h"

#include "nodes/host/clock.h"

#define EXPANDS_IN_FLIGHT 48u /* below the pipe's high-water mark */

static void finish_call(struct grove_worker *worker, struct call *call)
{
    call_finish(call, &worker->outcomes.finished);
}

/* ---- calls coming in */

static void keep_checkpoint(struct grove_worker *worker, struct call *call)
{
    struct parcel *parcel = parcel_create(&worker->session, MESSAGE_CHECKPOINT, 0);
    struct grove_attempt *attempt = call->attempt;
    struct wire_writer writer;

    wire_open(&writer, &parcel->frame, MESSAGE_CHECKPOINT, parcel->correlation);
    wire_put_bytes(&writer, CHECKPOINT_TASK, bytes_of(&attempt->key.task, sizeof(struct id)));
    wire_put_uint(&writer, CHECKPOINT_ATTEMPT, attempt->key.attempt);
    wire_put_bytes(&writer, CHECKPOINT_BYTES, buffer_bytes(&call->items));
    reports_put_progress(&writer, CHECKPOINT_PROGRESS, attempt);
    wire_close(&writer);
    parcel->call = call;
    parcels_add(&worker->parcels, parcel);
}

void children_take_call(struct grove_worker *worker, struct call *call)
{
    struct grove_attempt *attempt = call->attempt;

    TAILQ_INSERT_TAIL(&attempt->calls, call, working);
    attempt->waits_for_more |= call->waits && attempt->expects_resume;
    if (call->kind == CALL_KEEP) {
        keep_checkpoint(worker, call);
    } else if (call->kind == CALL_JOIN || call->kind == CALL_CANCEL) {
        joins_take_call(worker, call);
    }
    for (size_t i = 0; i < call->count; i++) {
        struct request *request = &call->requests[i];

        if (request_has_ended(request)) {
            continue;
        }
        if (request->wants_outcome) {
            outcomes_await(&worker->outcomes, request);
        }
        if (request->wants_answer) {
            STAILQ_INSERT_TAIL(&worker->children, request, queued);
        }
    }
    if (call->kind == CALL_AWAIT) {
        waits_tell_later(worker, attempt);
    }
    if (atomic_load(&attempt->is_stopped)) {
        struct failing failing = failing_of_status(GROVE_CANCELLED, NULL);

        children_end_calls(worker, attempt, &failing);
    }
}

/* ---- ending one early */

static void drop_queued(struct grove_worker *worker, const struct call *call)
{
    struct request_queue kept = STAILQ_HEAD_INITIALIZER(kept);
    struct request *request;

    while ((request = STAILQ_FIRST(&worker->children)) != NULL) {
        STAILQ_REMOVE_HEAD(&worker->children, queued);
        if (request->call != call) {
            STAILQ_INSERT_TAIL(&kept, request, queued);
        }
    }
    STAILQ_CONCAT(&worker->children, &kept);
}

static void end_call(struct grove_worker *worker, struct call *call, const struct failing *failing)
{
    if (call->left == 0) {
        /* All it lacks is the Resume. */
        finish_call(worker, call);
        return;
    }
    if (call->kind == CALL_JOIN || call->kind == CALL_CANCEL) {
        joins_end_call(worker, call, failing);
        return;
    }
    drop_queued(worker, call);
    parcels_forget_call(&worker->parcels, call);
    if (call->kind == CALL_KEEP) {
        call_end(call, failing, &worker->outcomes.finished);
        return;
    }
    for (size_t i = 0; i < call->count; i++) {
        batch_refuse_request(&call->requests[i], failing, &worker->outcomes);
    }
}

void children_end_calls(struct grove_worker *worker, struct grove_attempt *attempt,
                        const struct failing *failing)
{
    struct call *call;

    attempt->expects_resume = false;
    TAILQ_FOREACH(call, &attempt->calls, working) {
        end_call(worker, call, failing);
    }
}

void children_end_dismissed(struct grove_worker *worker)
{
    struct failing failing = failing_of_status(GROVE_CANCELLED, NULL);
    struct grove_attempt *attempt;
    struct call *call;

    TAILQ_FOREACH(attempt, &worker->held, held) {
        TAILQ_FOREACH(call, &attempt->calls, working) {
            if (atomic_load(&call->is_dismissed)) {
                end_call(worker, call, &failing);
            }
        }
    }
}

/* Whether its attempt waits for this call and for nothing else. */
static bool is_all_that_waits(const struct call *call)
{
    const struct call *other;

    TAILQ_FOREACH(other, &call->attempt->calls, working) {
        if (other->waits && other != call) {
            return false;
        }
    }
    return true;
}

/* The last call that awaits by id for a command, or NULL. */
static struct call *newest_by_id(const struct grove_attempt *attempt)
{
    struct call *call, *newest = NULL;

    TAILQ_FOREACH(call, &attempt->calls, working) {
        if (call->visit && call->kind == CALL_AWAIT) {
            newest = call;
        }
    }
    return newest;
}

/* A command may give any id, while all else that it awaits is its own; and each call that comes is
 * told. So it is the newest by id that may not wait; the others are told without it. */
static bool dismiss_newest(struct grove_worker *worker, struct grove_attempt *attempt,
                           const struct failing *failing)
{
    struct call *newest = newest_by_id(attempt);

    if (newest) {
        atomic_store(&newest->is_dismissed, true);
        attempt->expects_resume &= !is_all_that_waits(newest);
        end_call(worker, newest, failing);
        waits_tell_later(worker, attempt);
    }
    return newest != NULL;
}

void children_refused_wait(struct grove_worker *worker, struct grove_attempt *attempt,
                           const struct failing *failing)
{
    const struct call *call;

    TAILQ_FOREACH(call, &attempt->calls, working) {
        if (call->kind == CALL_JOIN && !joining_is_open(call->joining) &&
            !joining_is_over(call->joining)) {
            attempt->expects_resume = false;
            return;
        }
    }
    if (!dismiss_newest(worker, attempt, failing)) {
        children_end_calls(worker, attempt, failing);
    }
}

/* ---- frames */

/* The requests of one call stand together in a batch. When all that it has are there, its wait is
 * told by their positions. */
static void put_waits_of_batch(struct wire_writer *writer, const struct parcel *parcel)
{
    uint8_t positions[LIMIT_BATCH_ITEMS];
    unsigned to;

    for (unsigned from = 0; from < parcel->count; from = to) {
        struct call *call = parcel->entry[from].request->call;

        for (to = from; to < parcel->count && parcel->entry[to].request->call == call; to++) {
            positions[to - from] = (uint8_t)to;
        }
        if (call->kind == CALL_RUN && call->is_alone && call->left == to - from &&
            is_all_that_waits(call)) {
            struct waits waits = {
                .task = call->attempt->key.task,
                .attempt = call->attempt->key.attempt,
                .positions = bytes_of(positions, to - from),
            };

            wire_put_waits(writer, EXPAND_WAITS, &waits);
            call->attempt->expects_resume = true;
            call->attempt->is_resumed = false;
            call->attempt->waits_for_more = false;
        }
        reports_put_progress(writer, EXPAND_PROGRESS, call->attempt);
    }
}

void children_send(struct grove_worker *worker)
{
    joins_send(worker);
    waits_send(worker);
    while (!STAILQ_EMPTY(&worker->children) && worker->parcels.count < EXPANDS_IN_FLIGHT) {
        struct wire_writer writer;
        struct parcel *parcel =
            batch_make(&worker->children, &worker->session, MESSAGE_EXPAND, worker->seals, &writer);

        put_waits_of_batch(&writer, parcel);
        wire_close(&writer);
        parcels_add(&worker->parcels, parcel);
    }
}

/* ---- what comes */

void children_answered(struct grove_worker *worker, struct parcel *parcel,
                       const struct accepted *accepted)
{
    struct call *calls[LIMIT_BATCH_ITEMS];
    unsigned count = 0;

    for (unsigned i = 0; i < parcel->count; i++) {
        struct request *request = parcel->entry[i].request;

        if (request && (count == 0 || calls[count - 1] != request->call)) {
            calls[count++] = request->call;
        }
    }
    batch_answered(parcel, accepted, &worker->outcomes);
    /* A call whose children went in several batches waits for them by id, once all are known. */
    for (unsigned i = 0; i < count; i++) {
        struct call *call = calls[i];

        if (call->kind == CALL_RUN && call->left > 0 && !waits_is_told(call->attempt) &&
            waits_is_answered(call)) {
            waits_tell_later(worker, call->attempt);
        }
    }
}

/* Those of its calls go on that have ended. When all are open still, it waits on, and what had
 * ended comes with that. */
static void resume(struct grove_worker *worker, struct grove_attempt *attempt)
{
    bool goes_on = false;
    struct call *call;

    attempt->is_resumed = true;
    attempt->resumed_ms = clock_monotonic_ms();
    TAILQ_FOREACH(call, &attempt->calls, working) {
        if (call->left == 0) {
            goes_on = true;
            finish_call(worker, call);
        } else if (joins_resumed(worker, call)) {
            goes_on = true;
        }
    }
    if (!goes_on) {
        waits_tell_later(worker, attempt);
    }
}

void children_resumed(struct grove_worker *worker, struct wire_list resumed)
{
    struct bytes element;
    struct held held;

    while (wire_next(&resumed, &element)) {
        struct grove_attempt *attempt = NULL;

        if (wire_held_decode(element, &held) == GROVE_OK) {
            attempt = held_find(worker, &held.task, held.attempt);
        }
        if (attempt && waits_is_asleep(attempt)) {
            resume(worker, attempt);
        }
    }
}

void children_refused(struct grove_worker *worker, struct parcel *parcel,
                      const struct failing *failing)
{
    if (parcel->type == MESSAGE_CHECKPOINT && parcel->call) {
        end_call(worker, parcel->call, failing);
        return;
    }
    if (parcel->joining) {
        parcel->joining->attempt->expects_resume = false;
    }
    if (parcel->joining || parcel->type == MESSAGE_CANCEL) {
        joins_refused(worker, parcel, failing);
        return;
    }
    for (unsigned i = 0; i < parcel->count; i++) {
        struct request *request = parcel->entry[i].request;

        if (request && request->call->waits) {
            request->call->attempt->expects_resume = false;
        }
    }
    batch_refused(parcel, failing, &worker->outcomes);
}

/* The Resume that it expects may be long in coming, for what it told; it tells all in the next
 * turn. */
static void tell_of_more(struct grove_worker *worker, struct grove_attempt *attempt)
{
    if (attempt->waits_for_more) {
        waits_tell_later(worker, attempt);
        bus_signal_raise(worker->signal);
    }
}

void children_finish(struct grove_worker *worker)
{
    struct call *call;

    while ((call = STAILQ_FIRST(&worker->outcomes.finished)) != NULL) {
        struct grove_attempt *attempt = call->attempt;

        STAILQ_REMOVE_HEAD(&worker->outcomes.finished, queued);
        call->is_finishing = false;
        const bool is_to_be_resumed = waits_needs_resume(call);

        if (is_to_be_resumed && waits_is_asleep(attempt)) {
            tell_of_more(worker, attempt);
            continue;
        }
        TAILQ_REMOVE(&attempt->calls, call, working);
        if (is_to_be_resumed) {
            attempt->expects_resume = false;
        }
        if (atomic_load(&attempt->is_stopped)) {
            handlers_release(&worker->handlers, attempt, call);
        } else if (!is_to_be_resumed) {
            handlers_dismiss(&worker->handlers, attempt, call);
        } else {
            handlers_resume(&worker->handlers, attempt, call);
        }
    }
}
