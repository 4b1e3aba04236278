/* SPDX-License-Identifier: MPL-2.0
 * Who asks at a socket that serves only so many at a time. libzmq says of each message which file
 * descriptor it came by, and of each connection that ends which one it had; a number that is given
 * away anew before that was heard passes the place on. */
#ifndef GROVE_NODES_HOST_BUS_CALLERS_H
#define GROVE_NODES_HOST_BUS_CALLERS_H

#include <stdbool.h>
#include <zmq.h>

#define CALLERS_MOST 64u

/* Zeroed admits everybody. */
struct callers {
    void *events; /* a PAIR that hears of the socket's connections */
    unsigned most, count;
    int fd[CALLERS_MOST];
};

/* Before the socket is bound.
 *
 *   most   CALLERS_MOST at most */
void callers_watch(struct callers *callers, void *context, void *socket, unsigned most);

/* Before the socket is closed. */
void callers_end(struct callers *callers, void *socket);

/* Whether who has sent this message has a place, or gets one. */
bool callers_admit(struct callers *callers, zmq_msg_t *message);

#endif
