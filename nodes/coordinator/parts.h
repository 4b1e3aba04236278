/* SPDX-License-Identifier: MPL-2.0
 * The parts of a coordinator, as the two files that put them together know them. */
#ifndef GROVE_COORDINATOR_PARTS_H
#define GROVE_COORDINATOR_PARTS_H

#include "nodes/coordinator/changes.h"
#include "nodes/coordinator/chores.h"
#include "nodes/coordinator/coordinator.h"
#include "nodes/coordinator/events.h"
#include "nodes/coordinator/ingress.h"
#include "nodes/coordinator/machine.h"
#include "nodes/coordinator/members.h"
#include "nodes/coordinator/replica/peers.h"
#include "nodes/coordinator/stamp.h"
#include "nodes/coordinator/stats.h"
#include "nodes/coordinator/verify.h"

struct coordinator {
    struct coordinator_options options;
    struct machine machine;
    struct replica *replica;
    struct peers *peers;                /* NULL: none are wanted */
    char peers_listen[320];             /* HOST:PORT of their socket */
    char address[REPLICA_ADDRESS_SIZE]; /* ours, as the ledger has it */
    uint64_t id;
    struct members members;
    struct changes changes;
    bool leads;
    bool is_claimed;          /* by another ledger: this one ends */
    bool dissents;            /* most have another state: likewise */
    uint64_t leader_heard_ms; /* monotonic; of a follower */
    uint64_t noted_leader;    /* who was told to those who watch; 0: nobody */
    uint64_t knocked_ms;
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
    struct reads reads;
    struct ingress ingress;
    struct stats stats;
    struct buffer stats_frame;
    struct events events;
    struct stamp stamp;
    struct chores chores;
};

/* sockets.c: binds tasks, stats and, when they are wanted, peers at neighbouring ports.
 *
 *   errors    those of coordinator_open, of an address */
enum grove_status coordinator_bind(struct coordinator *coordinator, char *error) GROVE_CHECKED;

/* Takes our id, makes our address, and then the peers that the ledger is opened over; none when
 * none are wanted. */
enum grove_status coordinator_make_peers(struct coordinator *coordinator, char *error)
    GROVE_CHECKED;

/* opening.c: whether this replica is all that votes. */
bool coordinator_is_alone(const struct coordinator *coordinator);

/* leading.c: begins a term as the leader: whoever is not here was here until now, and everybody has
 * a whole session time to come back. Ends it: nobody is told anything any more but that. */
void coordinator_begin_term(struct coordinator *coordinator);
void coordinator_end_term(struct coordinator *coordinator);

/* Follows what consensus has done: leads, or follows. */
void coordinator_attend(struct coordinator *coordinator);

/* Reads anew who takes part. */
void coordinator_look_at_members(struct coordinator *coordinator);

/* Lets time pass among the members. */
void coordinator_tick_members(struct coordinator *coordinator);

/* What peers.c asks and tells; the contexts are the coordinator. */
void coordinator_on_peer(void *context, struct raft_message *message);
void coordinator_on_transferred(void *context, uint64_t peer, bool arrived);
enum grove_status coordinator_snapshot_file(void *context, uint64_t index, int *fd);
enum grove_status coordinator_incoming_file(void *context, uint64_t index, int *fd);
void coordinator_on_knock(void *context, uint64_t id, const char *address);
void coordinator_on_claim(void *context);
void coordinator_on_told(void *context, uint64_t id, const struct peer_sum *sum);
bool coordinator_link_of(void *context, const struct key *identity, struct key *link);

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
