/* SPDX-License-Identifier: MPL-2.0
 * Several simulated replicas of one ledger, in one virtual time. */
#ifndef GROVE_TESTS_SIMULATION_CLUSTER_H
#define GROVE_TESTS_SIMULATION_CLUSTER_H

#include "tests/simulation/node.h"
#include "tests/support/swarm.h"
#include "tests/support/witness.h"

#define CLUSTER_ACCEPTED 64u /* groups looked back on */
#define CLUSTER_ACCEPTED_TASKS 16u

/* What a group accepted. */
struct cluster_accepted {
    raft_index index;
    size_t count;
    struct id tasks[CLUSTER_ACCEPTED_TASKS];
};

struct cluster {
    struct schedule schedule;
    struct dice dice;
    struct network network;
    struct oracle oracle;
    struct node nodes[NETWORK_NODES]; /* number i has id i + 1 */
    unsigned count;
    uint64_t proposed;
    size_t group_most;       /* bytes */
    struct swarm *swarm;     /* makes commands of a mesh; NULL: groups are only bytes */
    struct witness *witness; /* judges what the forests make of them */
    uint64_t witnessed;      /* groups */
    struct cluster_accepted accepted[CLUSTER_ACCEPTED]; /* by index */
    jmp_buf escape;                                     /* out of a replica that must end */
    struct node *dying;
    bool restarts; /* at once */
    bool clocks_jump;
    raft_index acknowledged; /* the highest index of a group */

    /* A disk has lost, without a sign, what it said it had, and no other has it for sure: from here
     * on nothing is promised, and the run is over. */
    bool forgot;
};

/* Replicas 1 to `voters` of one ledger, all of them voting, and as many more that have nothing. */
void cluster_init(struct cluster *cluster, uint64_t seed, unsigned voters, unsigned others);
void cluster_clear(struct cluster *cluster);

/* ... over volumes. */
void cluster_init_volumes(struct cluster *cluster, uint64_t seed, unsigned voters, unsigned others);

/* One more, that has nothing; none when there is no room. */
void cluster_add(struct cluster *cluster);

/* Lets a swarm make the groups from the start on. For a new cluster. */
void cluster_release_swarm(struct cluster *cluster);

/* Fails when two voters of the leader's configuration have different forests, or the history that
 * they share is not good. */
void cluster_compare_forests(struct cluster *cluster);

/* Lets one event happen; false when there is none before `until_us`. */
bool cluster_step(struct cluster *cluster, uint64_t until_us);
void cluster_run(struct cluster *cluster, uint64_t for_us);

struct node *cluster_node(struct cluster *cluster, raft_id id);

/* The one that leads with the highest term, NULL for none. */
struct node *cluster_leader(struct cluster *cluster);

/* Proposes a group that no other is like; false when the node takes none. */
bool cluster_propose(struct cluster *cluster, struct node *node);

/* Has every voter of the leader's configuration applied all that was ever applied? */
bool cluster_has_converged(struct cluster *cluster);

/* Ends the run, and says how each replica stands. */
void cluster_fail(const struct cluster *cluster, const char *text) __attribute__((noreturn));

/* Runs until that; fails after `within_us`. */
void cluster_converge(struct cluster *cluster, uint64_t within_us);

#endif
