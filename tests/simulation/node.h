/* SPDX-License-Identifier: MPL-2.0
 * A simulated replica: the real voter and guard, over a simulated disk and network. Its state is a
 * chain of all groups applied, and, where a swarm makes the groups, the real forest. */
#ifndef GROVE_TESTS_SIMULATION_NODE_H
#define GROVE_TESTS_SIMULATION_NODE_H

#include "nodes/coordinator/machine.h"
#include "nodes/coordinator/replica/voter.h"
#include "nodes/coordinator/stamp.h"
#include "tests/simulation/network.h"
#include "tests/simulation/oracle.h"

#include <setjmp.h>

#define NODE_HEARTBEAT_MS 30u
#define NODE_HEARTBEAT_US UINT64_C(30000)

struct cluster;
struct volume;

struct node {
    struct cluster *cluster;
    raft_id id;
    char address[16];
    struct disk disk;
    struct volume *volume;   /* has the real journal; NULL: `disk` is all there is */
    struct replica *replica; /* that the voter is part of, over a volume */
    struct replica_transport transport;
    struct voter *voter; /* NULL while it is down */
    uint64_t life;       /* grows with each start */
    uint64_t paused_until_us;
    bool holds_still;             /* it stands for no election */
    struct history history, read; /* its state, and one aside that it is to have */
    struct stamp stamp;           /* of the groups that it proposes */
    raft_term stamp_term;
    int64_t skew_ms;             /* by which its wall clock is wrong */
    struct machine machine;      /* its forest is NULL when there is no swarm, or it is down */
    unsigned snapshot_threshold; /* entries */
    raft_index told;             /* the last entry that the history has of it; 0 for none */
    raft_term told_term;         /* ... in which it led */
    uint64_t lost;               /* groups whose end it does not know */
    bool starves;                /* an allocation of it has failed, or will */
    bool gone;                   /* for good: a new disk has a new id */
    bool refused;                /* it does not start from what its disk has become */
};

void node_init(struct node *node, struct cluster *cluster, raft_id id);
void node_clear(struct node *node);

/* Makes it the one voter of a new ledger, before it is started. */
void node_bootstrap(struct node *node);

/* Gives it a volume, before it is started. */
void node_mount(struct node *node);

/* Puts on its disk the first entry of a ledger, that has this configuration. */
void node_found(struct node *node, const struct raft_configuration *configuration);

/* Starts from what the disk holds; with an empty one it waits to be added. */
void node_start(struct node *node);

/* Loses all that is not on disk. */
void node_crash(struct node *node);

/* Ends, and loses nothing that it wrote, where there is a volume. */
void node_kill(struct node *node);

/* ... out of the middle of what it does, through cluster.escape. */
void node_die(struct node *node);

/* Stands still: nothing happens to it, and then all of it at once. */
void node_pause(struct node *node, uint64_t for_us);

/* Ends that: it stands as soon as it has not heard of a leader for an election timeout. */
void node_stand(struct node *node);

/* Lets the allocation after so many more fail, where there is a volume. */
void node_starve(struct node *node, uint64_t allocations);

bool node_is_up(const struct node *node);

/* Takes a message from the network, or is down and misses it. */
void node_receive(struct node *node, struct letter *letter);
void node_miss(struct node *node, const struct letter *letter);

/* The bytes of its forest. Fails when an invariant of it does not hold. */
void node_write_forest(const struct node *node, struct buffer *bytes);

/* True when the node may act now; else the call is made again when it may, or never. */
bool node_runs(void *node, schedule_call call, void *context, uint64_t argument);

#endif
