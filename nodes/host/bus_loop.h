/* SPDX-License-Identifier: MPL-2.0
 * What the loop (bus.c) and its sockets (bus_socket.c) know of each other. */
#ifndef GROVE_NODES_HOST_BUS_LOOP_H
#define GROVE_NODES_HOST_BUS_LOOP_H

#include <czmq.h>
#include <sys/queue.h>

#include "nodes/host/bus.h"

LIST_HEAD(bus_sockets, bus_socket);

/* zloop, the context, and the open sockets of a bus. */
zloop_t *bus_loop(struct bus *bus);
void *bus_context(struct bus *bus);
struct bus_sockets *bus_sockets(struct bus *bus);

/* Something happened: there will be an end of this turn. */
void bus_begin_turn(struct bus *bus);

#endif
