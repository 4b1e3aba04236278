/* SPDX-License-Identifier: MPL-2.0
 * The inside of a client: for client.c, which opens and closes it, and client_loop.c, its I/O
 * thread. */
#ifndef GROVE_NODES_CLIENT_CLIENT_STATE_H
#define GROVE_NODES_CLIENT_CLIENT_STATE_H

#include <limits.h>
#include <pthread.h>

#include "nodes/client/batches.h"
#include "nodes/client/client.h"
#include "nodes/client/joining.h"

struct grove_client {
    char path[PATH_MAX];
    uint32_t spin_us, connect_timeout_ms;
    struct credential credential;
    struct bus *bus;
    struct bus_signal *signal;
    pthread_t thread;

    pthread_mutex_t lock; /* guards these */
    struct call_queue inbox;
    struct joining_queue joinings; /* with something to send */
    bool is_closing;
    unsigned callers;    /* threads in a call of the API */
    pthread_cond_t gone; /* closing, and there is none of them left */

    /* Of the I/O thread. */
    struct session session;
    struct outcomes outcomes;
    struct parcels parcels;
    unsigned submits;            /* of the parcels */
    struct call_list working;    /* every call that has not ended */
    struct request_queue submit; /* to be sealed: nobody awaits them */
    struct request_queue run;    /* ... somebody does */
    struct buffer ask;           /* ids to be asked for */

    /* Opening: the I/O thread posts `opened` once, and the opener then reads the status. */
    sem_t opened;
    bool is_opening;
    uint64_t open_until_ms;
    enum grove_status open_status;
    char open_error[SESSION_ERROR_SIZE];
};

/* What the I/O thread does: every SESSION_TICK_MS, at the end of each turn, and when a Welcome or
 * another message has come. */
void client_tick(void *context);
void client_end_turn(void *context);
void client_welcomed(void *context, const struct message *message, const struct welcome *welcome);
void client_receive(void *context, const struct message *message);

/* client_joins.c: joins and cancelling, on the I/O thread. */

/* Takes a CALL_JOIN or a CALL_CANCEL. */
void client_join_call(struct grove_client *client, struct call *call);

/* Takes the joins that have something to send. */
void client_join_inbox(struct grove_client *client);

/* What comes for a parcel of one of these. False: it belongs to others. */
bool client_join_accepted(struct grove_client *client, struct parcel *parcel,
                          const struct accepted *accepted);
bool client_join_refused(struct grove_client *client, struct parcel *parcel,
                         const struct failing *failing);
void client_join_paged(struct grove_client *client, const struct message *message);
void client_join_cancelled(struct grove_client *client, const struct message *message);

void client_join_tick(struct grove_client *client, uint64_t now_ms);

/* Ends all of them: the client is closing. */
void client_join_end(struct grove_client *client, const struct failing *failing);

#endif
