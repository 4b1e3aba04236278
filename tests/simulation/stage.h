/* SPDX-License-Identifier: MPL-2.0
 * For schedules written by hand: a cluster in which only what the test asks for happens. Nobody
 * stands for election unless told to. */
#ifndef GROVE_TESTS_SIMULATION_STAGE_H
#define GROVE_TESTS_SIMULATION_STAGE_H

#include "tests/simulation/cluster.h"

#define STAGE_PATIENCE_US (UINT64_C(20) * 1000000)

/* Three or more voters on an even network. */
struct cluster *stage_set(unsigned voters, unsigned others);
void stage_clear(struct cluster *cluster);

/* Lets one stand for election until the library takes it for a leader, and no longer. */
struct node *stage_elect(struct cluster *cluster, raft_id id);

/* ... and until its barrier is committed. */
struct node *stage_lead(struct cluster *cluster, raft_id id);

/* Steps until `holds` says so; fails the test when it does not. */
void stage_await(struct cluster *cluster, bool (*holds)(const struct node *node, raft_index index),
                 const struct node *node, raft_index index);

/* For stage_await: the entry is on the disk; the group in flight is over. */
bool stage_has_on_disk(const struct node *node, raft_index index);
bool stage_is_idle(const struct node *node, raft_index index);

/* Hands the node a message as though `from` had sent it. Its entries are copied. */
void stage_tell(struct cluster *cluster, raft_id from, const struct raft_message *message);

/* Proposes a group; returns its index. */
raft_index stage_propose(struct cluster *cluster, struct node *node);

#endif
