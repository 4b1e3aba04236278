/* SPDX-License-Identifier: MPL-2.0
 * A client's I/O thread: takes calls from the inbox, sends what is queued under one seal at the
 * end of each turn, deals out what comes, and ends calls whose time is over. */
#include "nodes/client/client_state.h"
#include "nodes/host/clock.h"

#define BATCHES_IN_FLIGHT 48u /* Submits unanswered at a time; below the pipe's high-water mark */
#define WAIT_MOST 4096u       /* ids in one Wait */
#define WAIT_KEPT_MS 10000u   /* an unanswered Wait is forgotten: there was nothing to say */

/* ---- the I/O thread: calls coming in and going out */

static void take_call(struct grove_client *client, struct call *call)
{
    TAILQ_INSERT_TAIL(&client->working, call, working);
    if (call->kind == CALL_JOIN || call->kind == CALL_CANCEL) {
        client_join_call(client, call);
    }
    for (size_t i = 0; i < call->count; i++) {
        struct request *request = &call->requests[i];

        if (request_has_ended(request)) {
            continue;
        }
        if (request->wants_outcome) {
            outcomes_await(&client->outcomes, request);
        }
        if (call->kind == CALL_AWAIT) {
            buffer_append(&client->ask, &request->id, sizeof(request->id));
        } else {
            STAILQ_INSERT_TAIL(call->kind == CALL_RUN ? &client->run : &client->submit, request,
                               queued);
        }
    }
}

/* Returns whether the client is closing. */
static bool take_inbox(struct grove_client *client)
{
    struct call_queue calls = STAILQ_HEAD_INITIALIZER(calls);
    struct call *call;
    bool is_closing;

    pthread_mutex_lock(&client->lock);
    STAILQ_CONCAT(&calls, &client->inbox);
    is_closing = client->is_closing;
    pthread_mutex_unlock(&client->lock);
    while ((call = STAILQ_FIRST(&calls)) != NULL) {
        STAILQ_REMOVE_HEAD(&calls, queued);
        take_call(client, call);
    }
    return is_closing;
}

static void wake_finished(struct grove_client *client)
{
    struct call *call;

    while ((call = STAILQ_FIRST(&client->outcomes.finished)) != NULL) {
        STAILQ_REMOVE_HEAD(&client->outcomes.finished, queued);
        TAILQ_REMOVE(&client->working, call, working);
        sem_post(&call->done);
    }
}

/* ---- frames */

static void make_submits(struct grove_client *client, struct request_queue *queue, bool wait)
{
    while (client->submits < BATCHES_IN_FLIGHT && !STAILQ_EMPTY(queue)) {
        struct wire_writer writer;
        struct parcel *parcel = batch_make(queue, &client->session, MESSAGE_SUBMIT, NULL, &writer);

        wire_put_uint(&writer, SUBMIT_WAIT, wait);
        wire_close(&writer);
        parcels_add(&client->parcels, parcel);
        client->submits++;
    }
}

static void make_waits(struct grove_client *client)
{
    size_t count = client->ask.size / sizeof(struct id);

    for (size_t from = 0; from < count; from += WAIT_MOST) {
        unsigned part = (unsigned)(count - from < WAIT_MOST ? count - from : WAIT_MOST);
        struct parcel *parcel = parcel_create(&client->session, MESSAGE_WAIT, part);
        struct bytes ids =
            bytes_of(client->ask.data + from * sizeof(struct id), part * sizeof(struct id));
        struct wire_writer writer;

        for (unsigned i = 0; i < part; i++) {
            memcpy(&parcel->entry[i].id, ids.data + i * sizeof(struct id), sizeof(struct id));
        }
        wire_open(&writer, &parcel->frame, MESSAGE_WAIT, parcel->correlation);
        wire_put_bytes(&writer, WAIT_IDS, ids);
        wire_close(&writer);
        parcels_add(&client->parcels, parcel);
    }
    buffer_reset(&client->ask);
}

static void end_everything(struct grove_client *client)
{
    struct failing failing = failing_of_status(GROVE_CLOSED, "the client was closed");
    struct call *call;
    struct call *next;

    TAILQ_FOREACH_SAFE(call, &client->working, working, next) {
        for (size_t i = 0; i < call->count; i++) {
            batch_refuse_request(&call->requests[i], &failing, &client->outcomes);
        }
    }
    client_join_inbox(client);
    client_join_end(client, &failing);
    STAILQ_INIT(&client->submit);
    STAILQ_INIT(&client->run);
    parcels_clear(&client->parcels);
    client->submits = 0;
}

void client_end_turn(void *context)
{
    struct grove_client *client = context;
    bool is_closing = take_inbox(client);

    if (is_closing) {
        end_everything(client);
        bus_stop(client->bus);
    } else if (client->session.is_welcome) {
        make_submits(client, &client->run, true);
        make_submits(client, &client->submit, false);
        make_waits(client);
        client_join_inbox(client); /* behind the Submit of its root */
        parcels_send(&client->parcels, &client->session, clock_monotonic_ms());
    }
    wake_finished(client);
}

/* ---- what comes */

static void take_accepted(struct grove_client *client, const struct message *message)
{
    struct accepted accepted;
    struct parcel *parcel;

    if (wire_accepted_decode(message->body, &accepted) != GROVE_OK) {
        return;
    }
    session_set_stamp(&client->session, accepted.stamp_ms);
    parcel = parcels_take(&client->parcels, message->correlation);
    if (parcel) {
        client->submits -= parcel->type == MESSAGE_SUBMIT;
        if (!client_join_accepted(client, parcel, &accepted)) {
            batch_answered(parcel, &accepted, &client->outcomes);
        }
        parcel_destroy(parcel);
    }
}

/* The positions of a Wait that stand for no task. */
static void take_unknown(struct grove_client *client, const struct parcel *parcel,
                         struct wire_list unknown)
{
    struct bytes element;
    struct item_refused item;

    while (wire_next(&unknown, &element)) {
        if (wire_item_refused_decode(element, &item) == GROVE_OK && item.position < parcel->count) {
            struct failing failing = failing_of_refusal((enum refusal)item.code, item.text);

            outcomes_fail(&client->outcomes, &parcel->entry[item.position].id, &failing);
        }
    }
}

static void take_notify(struct grove_client *client, const struct message *message)
{
    struct notify notify;
    struct parcel *parcel;

    if (wire_notify_decode(message->body, &notify) != GROVE_OK) {
        return;
    }
    outcomes_take(&client->outcomes, &notify);
    parcel = message->correlation ? parcels_take(&client->parcels, message->correlation) : NULL;
    if (parcel) {
        take_unknown(client, parcel, notify.unknown);
        parcel_destroy(parcel);
    }
}

/* A frame was refused as a whole: for now, or for good. */
static void take_refused(struct grove_client *client, const struct message *message)
{
    struct refused refused;
    struct failing failing;
    struct parcel *parcel = NULL;

    if (wire_refused_decode(message->body, &refused) == GROVE_OK) {
        parcel = parcels_take(&client->parcels, message->correlation);
    }
    if (!parcel) {
        return;
    }
    if (refused.retryable) {
        parcels_add(&client->parcels, parcel);
        parcels_delay(&client->parcels, parcel, refused.retry_ms ? refused.retry_ms : 100);
        return;
    }
    failing = failing_of_refusal((enum refusal)refused.code, refused.text);
    if (parcel->type == MESSAGE_SUBMIT) {
        client->submits--;
        batch_refused(parcel, &failing, &client->outcomes);
    } else if (!client_join_refused(client, parcel, &failing)) {
        for (unsigned i = 0; i < parcel->count; i++) {
            outcomes_fail(&client->outcomes, &parcel->entry[i].id, &failing);
        }
    }
    parcel_destroy(parcel);
}

void client_receive(void *context, const struct message *message)
{
    struct grove_client *client = context;

    if (message->type == MESSAGE_ACCEPTED) {
        take_accepted(client, message);
    } else if (message->type == MESSAGE_NOTIFY) {
        take_notify(client, message);
    } else if (message->type == MESSAGE_PAGED) {
        client_join_paged(client, message);
    } else if (message->type == MESSAGE_CANCELLED) {
        client_join_cancelled(client, message);
    } else if (message->type == MESSAGE_REFUSED) {
        take_refused(client, message);
    }
}

static void finish_opening(struct grove_client *client, enum grove_status status)
{
    if (client->is_opening) {
        client->is_opening = false;
        client->open_status = status;
        sem_post(&client->opened);
    }
}

/* A new session knows nothing of what we await: everything unanswered is sent again, and all that
 * was accepted is asked for. */
void client_welcomed(void *context, const struct message *message, const struct welcome *welcome)
{
    struct grove_client *client = context;
    struct request *request;
    struct parcel *parcel;
    struct parcel *next;

    (void)message;
    (void)welcome;
    TAILQ_FOREACH_SAFE(parcel, &client->parcels.list, link, next) {
        if (parcel->type == MESSAGE_WAIT) {
            parcels_remove(&client->parcels, parcel);
            parcel_destroy(parcel);
        }
    }
    buffer_reset(&client->ask);
    TAILQ_FOREACH(request, &client->outcomes.list, awaiting) {
        if (!request->wants_answer) {
            buffer_append(&client->ask, &request->id, sizeof(request->id));
        }
    }
    parcels_renew(&client->parcels);
    finish_opening(client, GROVE_OK);
}

/* ---- time */

/* What is past the time its call gave it: whether it was accepted is not known. */
static void expire_submit(struct grove_client *client, struct parcel *parcel, uint64_t now_ms)
{
    struct failing failing =
        failing_of_status(GROVE_TIMEOUT, "no answer in time: it may or may not have been accepted");
    unsigned left = 0;

    for (unsigned i = 0; i < parcel->count; i++) {
        struct request *request = parcel->entry[i].request;

        if (request && now_ms >= request->call->submit_until_ms) {
            batch_refuse_request(request, &failing, &client->outcomes);
            parcel->entry[i].request = NULL;
        }
        left += parcel->entry[i].request != NULL;
    }
    if (left == 0) {
        parcels_remove(&client->parcels, parcel);
        parcel_destroy(parcel);
        client->submits--;
    }
}

static void expire_parcels(struct grove_client *client, uint64_t now_ms)
{
    struct parcel *parcel;
    struct parcel *next;

    TAILQ_FOREACH_SAFE(parcel, &client->parcels.list, link, next) {
        if (parcel->type == MESSAGE_SUBMIT) {
            expire_submit(client, parcel, now_ms);
        } else if (parcel->type == MESSAGE_WAIT && now_ms >= parcel->made_ms + WAIT_KEPT_MS) {
            parcels_remove(&client->parcels, parcel);
            parcel_destroy(parcel);
        }
    }
}

static void expire_queue(struct grove_client *client, struct request_queue *queue, uint64_t now_ms)
{
    struct failing failing =
        failing_of_status(GROVE_NO_LEADER, "no coordinator answers; it was not sent");
    struct request *request;

    while ((request = STAILQ_FIRST(queue)) != NULL && now_ms >= request->call->submit_until_ms) {
        STAILQ_REMOVE_HEAD(queue, queued);
        batch_refuse_request(request, &failing, &client->outcomes);
    }
}

static void expire_calls(struct grove_client *client, uint64_t now_ms)
{
    struct failing failing = failing_of_status(GROVE_TIMEOUT, "it has not ended in that time");
    struct call *call;

    TAILQ_FOREACH(call, &client->working, working) {
        if (call->kind == CALL_AWAIT && now_ms >= call->give_up_ms) {
            call->give_up_ms = UINT64_MAX;
            for (size_t i = 0; i < call->count; i++) {
                batch_refuse_request(&call->requests[i], &failing, &client->outcomes);
            }
        }
    }
}

static void send_heartbeat(struct grove_client *client)
{
    struct buffer frame = {0};

    wire_empty_encode(&frame, 0, MESSAGE_HEARTBEAT);
    /* Lost is as good as late: the next one follows. */
    (void)!session_send(&client->session, buffer_bytes(&frame));
    buffer_clear(&frame);
}

void client_tick(void *context)
{
    struct grove_client *client = context;
    uint64_t now_ms = clock_monotonic_ms();

    session_tick(&client->session, now_ms);
    if (session_beat(&client->session, now_ms)) {
        send_heartbeat(client);
    }
    if (client->is_opening &&
        (now_ms >= client->open_until_ms || client->session.refusal != GROVE_OK)) {
        finish_opening(client,
                       session_complaint(&client->session, client->path, client->open_error));
    }
    expire_parcels(client, now_ms);
    expire_queue(client, &client->run, now_ms);
    expire_queue(client, &client->submit, now_ms);
    expire_calls(client, now_ms);
    client_join_tick(client, now_ms);
    client_end_turn(client);
}
