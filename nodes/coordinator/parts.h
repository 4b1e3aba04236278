/* SPDX-License-Identifier: MPL-2.0
 * The parts of a coordinator, as the two files that put them together know them. */
#ifndef GROVE_COORDINATOR_PARTS_H
#define GROVE_COORDINATOR_PARTS_H

#include "nodes/coordinator/chores.h"
#include "nodes/coordinator/coordinator.h"
#include "nodes/coordinator/ingress.h"
#include "nodes/coordinator/machine.h"
#include "nodes/coordinator/stamp.h"
#include "nodes/coordinator/stats.h"
#include "nodes/coordinator/verify.h"

struct coordinator {
    struct coordinator_options options;
    struct machine machine;
    struct replica *replica;
    struct bus *bus;
    struct zap *zap;
    struct bus_socket *task_socket, *stats_socket;
    struct bus_signal *verified; /* raised by the pool */
    struct verifier verifier;
    struct pool *pool;
    struct jobs jobs;
    struct sessions sessions;
    struct seats seats;
    struct waiters waiters;
    struct watchers watchers;
    struct progress progress;
    struct proposals proposals;
    struct egress egress;
    struct ingress ingress;
    struct stats stats;
    struct buffer stats_frame;
    struct stamp stamp;
    struct chores chores;
};

/* Takes a message of each socket; the contexts are the coordinator. */
void coordinator_on_task(void *context, const struct bus_message *message);
void coordinator_on_stats(void *context, const struct bus_message *message);

/* Starts the pool and hangs the handlers into the loop.
 *
 *   errors    GROVE_IO: no room for a timer */
enum grove_status coordinator_wire(struct coordinator *coordinator) GROVE_CHECKED;

/* Reads the clocks, for what this turn does. */
void coordinator_refresh(struct coordinator *coordinator);

/* Performs what has been applied. */
void coordinator_land(struct coordinator *coordinator);

/* Proposes the next group, when there is one and none is in flight. */
void coordinator_propose(struct coordinator *coordinator);

#endif
