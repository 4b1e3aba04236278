/* SPDX-License-Identifier: MPL-2.0
 * What the loop (bus.c) and its sockets (bus_socket.c) know of each other. */
#ifndef GROVE_NODES_HOST_BUS_LOOP_H
#define GROVE_NODES_HOST_BUS_LOOP_H

#include <czmq.h>
#include <sys/queue.h>

#include "nodes/host/bus.h"
#include "nodes/host/bus_callers.h"
#include "nodes/host/bus_handshake.h"

/* What is done when an fd is readable. */
struct bus_source {
    bus_handler *serve;
    void *context;
};

struct bus_socket {
    LIST_ENTRY(bus_socket) link;
    struct bus_source source;
    struct bus *bus;
    void *zmq;
    int fd; /* readable: libzmq has news for the socket */
    bool is_router;
    bool is_publisher;
    bool is_pending; /* news may have been taken in without the fd: read it before sleeping */
    int drain;       /* messages taken in one turn */
    unsigned rest;   /* of the options */
    uint64_t rests_until_ns;
    bool draining, closed; /* closed while draining: freed after it */
    uint16_t port;
    struct handshake handshake; /* of a DEALER */
    struct callers callers;     /* of a ROUTER */
    bus_receive *receive;
    void *context;
};

LIST_HEAD(bus_sockets, bus_socket);

/* The context of a bus. */
void *bus_context(struct bus *bus);

/* Serves a socket from now on; not any more. */
void bus_add_socket(struct bus *bus, struct bus_socket *socket);
void bus_remove_socket(struct bus *bus, struct bus_socket *socket);

/* Looks at all that is pending before it sleeps. */
void bus_look_again(struct bus *bus);

/* Something happened: there will be an end of this turn. */
void bus_begin_turn(struct bus *bus);

/* Delivers what the socket has, at most BUS_DRAIN messages; it may be closed then. */
void bus_drain(struct bus_socket *socket);

#endif
