/* SPDX-License-Identifier: MPL-2.0
 * The stream of events: an XPUB socket that observers and operators subscribe to. What has happened
 * since is sent when a turn ends, a bounded number at a time, and only while somebody listens.
 *
 * A subscriber that does not keep up misses messages, and sees that by their numbers: `events
 * SINCE` on the stats socket gives them again. When somebody who may subscribe is revoked, all are
 * sent away, and those who still may come back at once. */
#ifndef GROVE_COORDINATOR_EVENTS_H
#define GROVE_COORDINATOR_EVENTS_H

#include "core/notice.h"
#include "nodes/coordinator/stats.h"
#include "nodes/host/bus.h"

#define EVENTS_KEPT 65536u  /* notices; 3 MiB */
#define EVENTS_READERS 16u  /* subscribers at a time */
#define EVENTS_A_TURN 128u  /* sent at most */
#define EVENTS_STRAYS 1000u /* subscriptions to what is not there; then all are sent away */
#define EVENTS_CROWD 64u    /* ... also when so many ask for a place */

struct events {
    /* borrowed; set before the first use */
    struct bus *bus;
    struct stats *stats;
    struct bus_bind_options options; /* where, and who guards it */
    char address[280];               /* HOST:PORT of `options` */

    struct notices notices;
    struct bus_socket *socket; /* NULL: to be bound again */
    unsigned strays;
    uint64_t published; /* number of the last that was sent, or needed no sending */
    struct buffer frame;
};

void events_init(struct events *events);

/* Before the bus goes. */
void events_clear(struct events *events);

/* Binds the socket.
 *
 *   errors    those of bus_bind */
enum grove_status events_bind(struct events *events) GROVE_CHECKED;

/* Ends a turn: sends what there is to send. */
void events_flush(struct events *events);

/* Lets time pass: binds the socket again when it was closed. */
void events_tick(struct events *events);

/* Somebody's rights may have changed: all who subscribe have to knock again. */
void events_send_away(struct events *events);

/* Notes whom this coordinator follows from now on; "": nobody. */
void events_note_leader(struct events *events, const char *name);

/* Notes how much room the disk of this coordinator has from now on. */
void events_note_room(struct events *events, enum replica_room room);

#endif
