/* SPDX-License-Identifier: MPL-2.0
 * One replica's part in consensus: libraft's core under the guard, over whatever disk (raft_io) and
 * network (replica_transport) it is given. replica.c gives it the journal, the simulator a disk in
 * memory; all else is the same.
 *
 * On the loop thread only. */
#ifndef GROVE_COORDINATOR_REPLICA_VOTER_H
#define GROVE_COORDINATOR_REPLICA_VOTER_H

#include "nodes/coordinator/replica/guard.h"
#include "nodes/coordinator/replica/patience.h"
#include "nodes/coordinator/replica/replica.h"

#define VOTER_NEVER (~0u) /* entries: a snapshot threshold that no log reaches */

/* What a voter needs of whoever owns it. */
struct voter_host {
    void *context;

    /* A committed group, in order. */
    void (*apply)(void *context, uint64_t index, const uint8_t *data, size_t size);

    /* The group or barrier in flight is over; `known` is false when leadership went first, and it
     * may yet be applied. Called before anything else is applied. */
    void (*settled)(void *context, bool known);

    /* Begins the snapshot that libraft is about to take; raft_io.snapshot_put follows.
     *
     *   errors    any: it is tried again when libraft next asks */
    enum grove_status (*snapshot)(void *context, const struct raft_snapshot *pending);

    /* Replaces the state by that of the snapshot of this index, which raft_io loaded or put. */
    enum grove_status (*restore)(void *context, uint64_t index);

    /* Reports what the process cannot go on after; does not return. */
    void (*fatal)(void *context, const char *text);
};

struct voter_options {
    raft_id id;
    const char *address;                       /* copied */
    const struct replica_transport *transport; /* borrowed for the voter's life; NULL for none */
    unsigned heartbeat_ms;
    struct voter_host host;
};

struct voter {
    struct voter_host host;
    struct raft raft;
    struct raft_fsm fsm;
    struct guard guard;
    struct patience patience;
    unsigned election_ms; /* how long it waits for word of a leader, at the least */

    bool busy; /* a group or a barrier of ours is in flight */
    struct raft_apply apply;
    struct raft_barrier barrier;
    uint64_t groups; /* applied since the start */

    enum replica_change change; /* of who takes part: how the last one stands */
    struct raft_change changing;
    struct raft_transfer transfer; /* never freed before libraft is done with it (its issue 396) */
};

/* What a snapshot is to libraft, in place of the state's bytes: it may be large, and lies in a
 * file. */
struct voter_token {
    uint64_t index;
};

/* A buffer for raft_io that holds the token; libraft frees it. */
struct raft_buffer voter_token(uint64_t index);

/* Sets up a voter over `io`, which has no `send`: the guard's is put there. */
void voter_init(struct voter *voter, struct raft_io *io, const struct voter_options *options);

/* A peer that gets a snapshot of `size` bytes and stays silent for a time that goes by that size,
 * is asked again how far it is. */
void voter_expect_install(struct voter *voter, uint64_t size);

/* Begins a ledger whose one voter this is.
 *
 *   returns   what raft_io.bootstrap says */
int voter_bootstrap(struct voter *voter);

/* Loads, restores and goes on; a lone voter applies its log before this returns.
 *
 *   returns   0 or an error of libraft */
int voter_start(struct voter *voter);

void voter_tick(struct voter *voter);                                  /* every heartbeat */
void voter_turn(struct voter *voter);                                  /* every turn of the loop */
void voter_receive(struct voter *voter, struct raft_message *message); /* takes it */

/* As replica_propose and so on. */
enum grove_status voter_propose(struct voter *voter, const uint8_t *data, size_t size)
    GROVE_CHECKED;
enum grove_status voter_barrier(struct voter *voter) GROVE_CHECKED;
enum grove_status voter_add(struct voter *voter, raft_id id, const char *address) GROVE_CHECKED;
enum grove_status voter_assign(struct voter *voter, raft_id id, enum replica_role role)
    GROVE_CHECKED;
enum grove_status voter_remove(struct voter *voter, raft_id id) GROVE_CHECKED;
enum grove_status voter_transfer(struct voter *voter, raft_id id) GROVE_CHECKED;

bool voter_leads(const struct voter *voter);
bool voter_is_busy(const struct voter *voter);

/* Who leads, as far as this replica knows; 0 for nobody. */
raft_id voter_leader(const struct voter *voter);

/* Writes up to `most` members, and returns how many there are. */
size_t voter_members(const struct voter *voter, struct replica_member *members, size_t most);

/* Gives up what is in flight. raft_io.close must call back at once. */
void voter_close(struct voter *voter);

#endif
