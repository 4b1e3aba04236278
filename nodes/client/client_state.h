/* SPDX-License-Identifier: MPL-2.0
 * The inside of a client: for client.c, which opens and closes it, and client_loop.c, its I/O
 * thread. */
#ifndef GROVE_NODES_CLIENT_CLIENT_STATE_H
#define GROVE_NODES_CLIENT_CLIENT_STATE_H

#include <limits.h>
#include <pthread.h>

#include "nodes/client/batches.h"
#include "nodes/client/client.h"

struct grove_client {
    char path[PATH_MAX];
    uint32_t spin_us, connect_timeout_ms;
    struct credential credential;
    struct bus *bus;
    struct bus_signal *signal;
    pthread_t thread;

    pthread_mutex_t lock;
    struct call_queue inbox; /* under lock */
    bool is_closing;         /* under lock */
    unsigned callers;        /* under lock: threads in a call */
    pthread_cond_t gone;     /* ... the last of them has left */

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

#endif
