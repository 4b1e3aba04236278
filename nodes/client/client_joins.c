/* SPDX-License-Identifier: MPL-2.0
 * A client's I/O thread: joins from outside, and cancelling. */
#include "nodes/client/client_state.h"

static struct joining_io io_of(struct grove_client *client)
{
    return (struct joining_io){&client->session, &client->parcels, &client->outcomes};
}

/* Sends what is new of a join, and asks for what has ended. */
static void go_on(struct grove_client *client, struct joining *joining)
{
    const struct joining_io io = io_of(client);
    struct wire_writer writer;
    struct parcel *parcel;

    while ((parcel = joining_send(joining, &io, &writer)) != NULL) {
        wire_close(&writer);
        parcels_add(&client->parcels, parcel);
    }
    joining_ask(joining, &io, true);
}

static void send_cancel(struct grove_client *client, struct call *call)
{
    struct parcel *parcel = parcel_create(&client->session, MESSAGE_CANCEL, 0);
    const struct cancel cancel = {.task = call->task};

    parcel->call = call;
    wire_cancel_encode(&parcel->frame, parcel->correlation, &cancel);
    parcels_add(&client->parcels, parcel);
}

void client_join_call(struct grove_client *client, struct call *call)
{
    const struct joining_io io = io_of(client);

    if (call->kind == CALL_CANCEL) {
        send_cancel(client, call);
    } else {
        joining_block(call->joining, &io, call);
        go_on(client, call->joining);
    }
}

void client_join_inbox(struct grove_client *client)
{
    const struct joining_io io = io_of(client);
    struct joining_queue joinings = STAILQ_HEAD_INITIALIZER(joinings);
    struct joining *joining;

    pthread_mutex_lock(&client->lock);
    STAILQ_CONCAT(&joinings, &client->joinings);
    pthread_mutex_unlock(&client->lock);
    while ((joining = STAILQ_FIRST(&joinings)) != NULL) {
        STAILQ_REMOVE_HEAD(&joinings, queued);
        pthread_mutex_lock(&client->lock);
        joining->is_queued = false;
        pthread_mutex_unlock(&client->lock);
        if (!joining_drop(joining, &io)) {
            go_on(client, joining);
        }
        joining_release(joining);
    }
}

/* ---- what comes */

/* Whether its thread is still there once this has been taken. */
static void go_on_unless_left(struct grove_client *client, struct joining *joining)
{
    if (!joining_is_left(joining)) {
        go_on(client, joining);
    }
    joining_release(joining);
}

bool client_join_accepted(struct grove_client *client, struct parcel *parcel,
                          const struct accepted *accepted)
{
    const struct joining_io io = io_of(client);
    struct joining *joining = parcel->joining;

    if (!joining) {
        return false;
    }
    joining_hold(joining);
    joining_answered(parcel, &io, accepted);
    go_on_unless_left(client, joining);
    return true;
}

bool client_join_refused(struct grove_client *client, struct parcel *parcel,
                         const struct failing *failing)
{
    const struct joining_io io = io_of(client);

    if (parcel->joining) {
        joining_refused(parcel, &io, failing);
    } else if (parcel->call) {
        call_end(parcel->call, failing, &client->outcomes.finished);
    }
    return parcel->joining || parcel->type == MESSAGE_CANCEL;
}

void client_join_paged(struct grove_client *client, const struct message *message)
{
    const struct joining_io io = io_of(client);
    struct paged paged;
    struct parcel *parcel;
    struct joining *joining;

    if (wire_paged_decode(message->body, &paged) != GROVE_OK) {
        return;
    }
    parcel = parcels_take(&client->parcels, message->correlation);
    joining = parcel ? parcel->joining : NULL;
    if (joining) {
        joining_hold(joining);
        joining_paged(parcel, &io, &paged);
        go_on_unless_left(client, joining);
    }
    parcel_destroy(parcel);
}

void client_join_cancelled(struct grove_client *client, const struct message *message)
{
    struct cancelled counts;
    struct parcel *parcel;

    if (wire_cancelled_decode(message->body, &counts) != GROVE_OK) {
        return;
    }
    parcel = parcels_take(&client->parcels, message->correlation);
    if (parcel && parcel->call) {
        call_cancelled(parcel->call, &counts, &client->outcomes.finished);
    }
    parcel_destroy(parcel);
}

/* ---- time, and the end */

void client_join_tick(struct grove_client *client, uint64_t now_ms)
{
    const struct joining_io io = io_of(client);
    struct failing failing = failing_of_status(
        GROVE_TIMEOUT, "no answer in time: it may or may not have been cancelled");
    struct call *call;

    TAILQ_FOREACH(call, &client->working, working) {
        if (call->kind == CALL_JOIN && call->left > 0) {
            go_on(client, call->joining);
            if (joining_tick(call->joining, &io, now_ms)) {
                joining_look(call->joining, &io);
            }
        } else if (call->kind == CALL_CANCEL && now_ms >= call->give_up_ms) {
            parcels_forget_call(&client->parcels, call);
            call_end(call, &failing, &client->outcomes.finished);
        }
    }
}

void client_join_end(struct grove_client *client, const struct failing *failing)
{
    const struct joining_io io = io_of(client);
    struct call *call;

    TAILQ_FOREACH(call, &client->working, working) {
        if (call->kind == CALL_JOIN && call->left > 0) {
            joining_fail(call->joining, &io, failing);
        } else if (call->kind == CALL_CANCEL) {
            call_end(call, failing, &client->outcomes.finished);
        }
    }
}
