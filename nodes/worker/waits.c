/* SPDX-License-Identifier: MPL-2.0
 * Telling the mesh what attempts wait for: children by their ids, and joins. What a batch of
 * children says by position is in children.c. */
#include "nodes/worker/worker.h"

#define ASKED_IDS 4096u /* ids in one Wait */

void waits_tell_later(struct grove_worker *worker, struct grove_attempt *attempt)
{
    if (!attempt->is_telling) {
        attempt->is_telling = true;
        STAILQ_INSERT_TAIL(&worker->telling, attempt, telling);
    }
}

void waits_tell_never(struct grove_worker *worker, struct grove_attempt *attempt)
{
    if (attempt->is_telling) {
        attempt->is_telling = false;
        STAILQ_REMOVE(&worker->telling, attempt, grove_attempt, telling);
    }
}

bool waits_is_answered(const struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        if (call->requests[i].wants_answer) {
            return false;
        }
    }
    return true;
}

bool waits_needs_resume(const struct call *call)
{
    return call->waits && !atomic_load(&call->is_dismissed);
}

/* Those that have ended are told when the whole call has: it lacks nothing but the Resume. */
static void append_awaited(const struct call *call, size_t most, struct buffer *ids)
{
    for (size_t i = 0; i < call->count && ids->size < most * sizeof(struct id); i++) {
        if (call->requests[i].wants_outcome || (call->left == 0 && waits_needs_resume(call))) {
            buffer_append(ids, &call->requests[i].id, sizeof(struct id));
        }
    }
}

/* What all threads of an attempt wait for; any of that gives it a slot again. */
struct awaiting {
    struct buffer ids;   /* of children */
    struct buffer joins; /* struct awaited_join */
};

static void reset(struct awaiting *awaiting)
{
    buffer_reset(&awaiting->ids);
    buffer_reset(&awaiting->joins);
}

static void clear(struct awaiting *awaiting)
{
    buffer_clear(&awaiting->ids);
    buffer_clear(&awaiting->joins);
}

static size_t cost(const struct awaiting *awaiting)
{
    return 1 + awaiting->ids.size / sizeof(struct id) +
           awaiting->joins.size / sizeof(struct awaited_join);
}

/* Whether the mesh knows what this call waits for, or will with the message that `beside` is in. */
static bool is_known(const struct call *call, struct joining *beside)
{
    if (call->kind == CALL_JOIN) {
        return joining_is_open(call->joining) ||
               (call->joining == beside && joining_is_whole(beside));
    }
    return waits_is_answered(call);
}

bool waits_is_asleep(const struct grove_attempt *attempt)
{
    return attempt->expects_resume && !attempt->is_resumed;
}

/* False, and nothing, when the mesh does not know some of it yet, or when a thread is about to go
 * on. Of one that is asleep, what has ended meanwhile is told as well: the mesh resumes at once. */
static bool gather(const struct grove_attempt *attempt, struct joining *beside,
                   struct awaiting *awaiting)
{
    const struct call *call;
    size_t joins;

    reset(awaiting);
    TAILQ_FOREACH(call, &attempt->calls, working) {
        if (!waits_needs_resume(call)) {
            continue;
        }
        if (call->left == 0 ? !waits_is_asleep(attempt) : !is_known(call, beside)) {
            reset(awaiting);
            return false;
        }
        if (call->kind == CALL_JOIN) {
            const struct awaited_join awaited = joining_awaited(call->joining);

            buffer_append(&awaiting->joins, &awaited, sizeof(awaited));
        }
    }
    joins = cost(awaiting) - 1;
    TAILQ_FOREACH(call, &attempt->calls, working) {
        append_awaited(call, LIMIT_AWAITED - joins, &awaiting->ids);
    }
    return cost(awaiting) > 1;
}

/* Other threads run: the slot stays, but the outcomes are to come. */
static void ask(struct grove_worker *worker, struct grove_attempt *attempt)
{
    struct call *call;

    TAILQ_FOREACH(call, &attempt->calls, working) {
        if (call->waits && !call->is_asked && waits_is_answered(call)) {
            call->is_asked = true;
            append_awaited(call, SIZE_MAX / sizeof(struct id), &worker->asking);
        }
    }
}

static void put_wait(struct wire_writer *writer, struct grove_attempt *attempt,
                     const struct awaiting *awaiting)
{
    const struct awaited_join *joins = (const struct awaited_join *)(void *)awaiting->joins.data;
    const struct waits waits = {
        .task = attempt->key.task,
        .attempt = attempt->key.attempt,
        .awaited = buffer_bytes(&awaiting->ids),
    };
    const size_t opened = wire_open_waits(writer, &waits);

    for (size_t i = 0; i < awaiting->joins.size / sizeof(*joins); i++) {
        wire_put_awaited_join(writer->out, &joins[i]);
    }
    wire_close_waits(writer, opened);
    attempt->expects_resume = true;
    attempt->is_resumed = false;
    attempt->waits_for_more = false;
}

bool waits_is_told(const struct grove_attempt *attempt)
{
    return attempt->expects_resume && !attempt->waits_for_more;
}

void waits_put(struct grove_worker *worker, struct wire_writer *writer,
               struct grove_attempt *attempt, struct joining *beside)
{
    struct awaiting awaiting = {0};

    if (attempt->is_telling && handlers_are_waiting(&worker->handlers, attempt) &&
        gather(attempt, beside, &awaiting)) {
        put_wait(writer, attempt, &awaiting);
        waits_tell_never(worker, attempt);
    }
    clear(&awaiting);
}

/* What the attempt is to tell, if it waits; else asks for what its threads await. */
static bool is_to_be_told(struct grove_worker *worker, struct grove_attempt *attempt,
                          struct awaiting *awaiting)
{
    if (!handlers_are_waiting(&worker->handlers, attempt)) {
        ask(worker, attempt);
        return false;
    }
    return gather(attempt, NULL, awaiting);
}

/* One frame of waits for children and joins that were made before. */
static void send_one(struct grove_worker *worker)
{
    struct parcel *parcel = NULL;
    struct wire_writer writer;
    struct grove_attempt *attempt;
    struct awaiting awaiting = {0};
    size_t costs = 0;

    while ((attempt = STAILQ_FIRST(&worker->telling)) != NULL) {
        if (is_to_be_told(worker, attempt, &awaiting)) {
            costs += cost(&awaiting);
            if (parcel && costs > WAITS_COST) {
                break;
            }
            if (!parcel) {
                parcel = parcel_create(&worker->session, MESSAGE_EXPAND, 0);
                wire_open(&writer, &parcel->frame, MESSAGE_EXPAND, parcel->correlation);
            }
            put_wait(&writer, attempt, &awaiting);
            reports_put_progress(&writer, EXPAND_PROGRESS, attempt);
        }
        waits_tell_never(worker, attempt);
    }
    if (parcel) {
        wire_close(&writer);
        parcels_add(&worker->parcels, parcel);
    }
    clear(&awaiting);
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

void waits_send(struct grove_worker *worker)
{
    while (!STAILQ_EMPTY(&worker->telling)) {
        send_one(worker);
    }
    if (worker->asking.size > 0) {
        send_asking(worker);
    }
}

void waits_ask_again(struct grove_worker *worker)
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
