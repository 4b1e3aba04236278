/* SPDX-License-Identifier: MPL-2.0
 * How a DEALER's connection comes about, as libzmq tells it by its events. */
#ifndef GROVE_NODES_HOST_BUS_HANDSHAKE_H
#define GROVE_NODES_HOST_BUS_HANDSHAKE_H

#include "nodes/host/bus.h"

struct handshake {
    void *events; /* a PAIR that hears of the socket; NULL: not watched */
    int fd;       /* of that */
    enum bus_handshake state;
    uint64_t connections; /* that there have been */
};

/* Before the socket connects. Zeroed until then; the loop of `bus` looks at it.
 *
 *   errors    GROVE_IO: as bus_watch */
enum grove_status handshake_watch(struct handshake *handshake, struct bus *bus, void *context,
                                  void *socket) GROVE_CHECKED;

/* Before the socket is closed. Accepts a zeroed one. */
void handshake_end(struct handshake *handshake, struct bus *bus, void *socket);

/* Takes in what happened since it was asked last. */
enum bus_handshake handshake_look(struct handshake *handshake);

#endif
