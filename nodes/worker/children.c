/* SPDX-License-Identifier: MPL-2.0
 * What handlers ask of the mesh: children, waiting for them, checkpoints. A handler that waits goes
 * on with a free slot, once it has both its outcomes and the Resume. */
#include "nodes/worker/worker.h"

#include <stdlib.h>

#define EXPANDS_IN_FLIGHT 48u /* below the pipe's high-water mark */
#define ASKED_IDS 4096u       /* ids in one Wait */

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
    if (call->kind == CALL_KEEP) {
        keep_checkpoint(worker, call);
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
        children_tell_later(worker, attempt);
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
    drop_queued(worker, call);
    parcels_forget_call(&worker->parcels, call);
    if (call->kind == CALL_KEEP) {
        call->status = failing->status;
        call->left = 0;
        finish_call(worker, call);
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

/* ---- telling that an attempt waits */

void children_tell_later(struct grove_worker *worker, struct grove_attempt *attempt)
{
    if (!attempt->is_telling) {
        attempt->is_telling = true;
        STAILQ_INSERT_TAIL(&worker->telling, attempt, telling);
    }
}

void children_tell_never(struct grove_worker *worker, struct grove_attempt *attempt)
{
    if (attempt->is_telling) {
        attempt->is_telling = false;
        STAILQ_REMOVE(&worker->telling, attempt, grove_attempt, telling);
    }
}

static bool is_answered(const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        if (call->requests[i].wants_answer) {
            return false;
        }
    }
    return true;
}

static void append_awaited(const struct call *call, size_t most, struct buffer *ids)
{
    for (size_t i = 0; i < call->count && ids->size < most * sizeof(struct id); i++) {
        if (call->requests[i].wants_outcome) {
            buffer_append(ids, &call->requests[i].id, sizeof(struct id));
        }
    }
}

/* What all its threads wait for; any of that gives it a slot again. Nothing when an id is not known
 * yet, or when one of them is about to go on. */
static void gather_awaited(const struct grove_attempt *attempt, struct buffer *ids)
{
    const struct call *call;

    TAILQ_FOREACH(call, &attempt->calls, working) {
        if (!is_answered(call) || call->left == 0) {
            buffer_reset(ids);
            return;
        }
        append_awaited(call, LIMIT_AWAITED, ids);
    }
}

/* Other threads run: the slot stays, but the outcomes are to come. */
static void ask(struct grove_worker *worker, struct grove_attempt *attempt)
{
    struct call *call;

    TAILQ_FOREACH(call, &attempt->calls, working) {
        if (call->waits && !call->is_asked && is_answered(call)) {
            call->is_asked = true;
            append_awaited(call, SIZE_MAX / sizeof(struct id), &worker->asking);
        }
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
        if (call->kind == CALL_RUN && call->is_alone && call->left == to - from) {
            struct waits waits = {
                .task = call->attempt->key.task,
                .attempt = call->attempt->key.attempt,
                .positions = bytes_of(positions, to - from),
            };

            wire_put_waits(writer, EXPAND_WAITS, &waits);
            call->attempt->expects_resume = true;
            call->attempt->is_resumed = false;
        }
        reports_put_progress(writer, EXPAND_PROGRESS, call->attempt);
    }
}

static void put_wait_by_id(struct wire_writer *writer, struct grove_attempt *attempt,
                           const struct buffer *ids)
{
    struct waits waits = {
        .task = attempt->key.task,
        .attempt = attempt->key.attempt,
        .awaited = buffer_bytes(ids),
    };

    wire_put_waits(writer, EXPAND_WAITS, &waits);
    attempt->expects_resume = true;
    attempt->is_resumed = false;
    reports_put_progress(writer, EXPAND_PROGRESS, attempt);
}

/* What the attempt is to tell, if it waits; else asks for what its threads await. */
static bool is_to_be_told(struct grove_worker *worker, struct grove_attempt *attempt,
                          struct buffer *ids)
{
    buffer_reset(ids);
    if (!handlers_are_waiting(&worker->handlers, attempt)) {
        ask(worker, attempt);
        return false;
    }
    gather_awaited(attempt, ids);
    return ids->size > 0;
}

/* One frame of waits for children that were made before. */
static void send_waits(struct grove_worker *worker)
{
    struct parcel *parcel = NULL;
    struct wire_writer writer;
    struct grove_attempt *attempt;
    struct buffer ids = {0};
    size_t cost = 0;

    while ((attempt = STAILQ_FIRST(&worker->telling)) != NULL) {
        if (is_to_be_told(worker, attempt, &ids)) {
            cost += 1 + ids.size / sizeof(struct id);
            if (parcel && cost > WAITS_COST) {
                break;
            }
            if (!parcel) {
                parcel = parcel_create(&worker->session, MESSAGE_EXPAND, 0);
                wire_open(&writer, &parcel->frame, MESSAGE_EXPAND, parcel->correlation);
            }
            put_wait_by_id(&writer, attempt, &ids);
        }
        children_tell_never(worker, attempt);
    }
    if (parcel) {
        wire_close(&writer);
        parcels_add(&worker->parcels, parcel);
    }
    buffer_clear(&ids);
}

/* If it is lost, so is the session, and the next one asks again. */
static void send_asking(struct grove_worker *worker)
{
    const struct buffer *ids = &worker->asking;

    for (size_t at = 0; at < ids->size; at += ASKED_IDS * sizeof(struct id)) {
        size_t left = ids->size - at;
        size_t size = left < ASKED_IDS * sizeof(struct id) ? left : ASKED_IDS * sizeof(struct id);
        struct buffer frame = {0};
        struct wire_writer writer;

        wire_open(&writer, &frame, MESSAGE_WAIT, session_correlation(&worker->session));
        wire_put_bytes(&writer, WAIT_IDS, bytes_of(ids->data + at, size));
        wire_close(&writer);
        (void)!session_send(&worker->session, buffer_bytes(&frame));
        buffer_clear(&frame);
    }
    buffer_reset(&worker->asking);
}

void children_send(struct grove_worker *worker)
{
    while (!STAILQ_EMPTY(&worker->telling)) {
        send_waits(worker);
    }
    if (worker->asking.size > 0) {
        send_asking(worker);
    }
    while (!STAILQ_EMPTY(&worker->children) && worker->parcels.count < EXPANDS_IN_FLIGHT) {
        struct wire_writer writer;
        struct parcel *parcel =
            batch_make(&worker->children, &worker->session, MESSAGE_EXPAND, &writer);

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

        if (call->kind == CALL_RUN && call->left > 0 && !call->attempt->expects_resume &&
            is_answered(call)) {
            children_tell_later(worker, call->attempt);
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
    TAILQ_FOREACH(call, &attempt->calls, working) {
        if (call->left == 0) {
            goes_on = true;
            finish_call(worker, call);
        }
    }
    if (!goes_on) {
        children_tell_later(worker, attempt);
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
        if (attempt && attempt->expects_resume && !attempt->is_resumed) {
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
    for (unsigned i = 0; i < parcel->count; i++) {
        struct request *request = parcel->entry[i].request;

        if (request) {
            request->call->attempt->expects_resume = false;
        }
    }
    batch_refused(parcel, failing, &worker->outcomes);
}

void children_finish(struct grove_worker *worker)
{
    struct call *call;

    while ((call = STAILQ_FIRST(&worker->outcomes.finished)) != NULL) {
        struct grove_attempt *attempt = call->attempt;

        STAILQ_REMOVE_HEAD(&worker->outcomes.finished, queued);
        call->is_finishing = false;
        if (attempt->expects_resume && !attempt->is_resumed) {
            continue;
        }
        TAILQ_REMOVE(&attempt->calls, call, working);
        attempt->expects_resume = false;
        if (atomic_load(&attempt->is_stopped)) {
            handlers_release(&worker->handlers, attempt, call);
        } else {
            handlers_resume(&worker->handlers, attempt, call);
        }
    }
}

void children_ask_again(struct grove_worker *worker)
{
    struct request *request;

    buffer_reset(&worker->asking);
    TAILQ_FOREACH(request, &worker->outcomes.list, awaiting) {
        if (!request->wants_answer) {
            buffer_append(&worker->asking, &request->id, sizeof(request->id));
        }
    }
    send_asking(worker);
}
