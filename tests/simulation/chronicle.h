/* SPDX-License-Identifier: MPL-2.0
 * What happens to replicas, as lines of the history that the second model judges (tests/history):
 * who applies what, who leads, in what state they are, and what their disks said they have when a
 * submit is acknowledged. Nothing where there is no witness. */
#ifndef GROVE_TESTS_SIMULATION_CHRONICLE_H
#define GROVE_TESTS_SIMULATION_CHRONICLE_H

#include "core/command.h"
#include "core/effect.h"
#include "tests/simulation/node.h"

/* A replica begins, or goes on from a snapshot. */
void chronicle_start(struct node *node);

/* It applies the group of this index. */
void chronicle_apply(struct node *node, raft_index index);

/* It leads. */
void chronicle_lead(struct node *node);

/* A command was applied for the first time: what it accepts will perhaps be acknowledged. */
void chronicle_accept(struct cluster *cluster, raft_index index, const struct effects *effects);

/* A leader acknowledges the group of this index. */
void chronicle_acknowledge(struct node *node, raft_index index);

#endif
