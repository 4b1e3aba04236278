/* SPDX-License-Identifier: MPL-2.0
 * A simulated replica that is the whole of replica.c, with the real journal, over a volume: how it
 * starts, ends, and gets a snapshot. For node.c, which has the rest. */
#ifndef GROVE_TESTS_SIMULATION_NODE_VOLUME_H
#define GROVE_TESTS_SIMULATION_NODE_VOLUME_H

#include "tests/simulation/node.h"
#include "tests/simulation/volume.h"

/* DIES: in the middle of something, so that its memory is left as it is. */
enum node_end { NODE_DIES, NODE_IS_KILLED, NODE_LOSES_POWER };

void node_volume_found(struct node *node, const struct raft_configuration *configuration);

/* False when it refuses to start; ends the run when it has no reason to, or should have. */
bool node_volume_open(struct node *node);

void node_volume_close(struct node *node, enum node_end how);
void node_volume_clear(struct node *node);

/* Does its disk say that it has this entry? */
bool node_volume_has(const struct node *node, raft_index index, raft_term term);

void node_volume_set_threshold(struct node *node);

/* Sends an InstallSnapshot with its file; false when it has it no more. */
bool node_volume_send(struct node *node, struct parcel *parcel);

/* Puts the file of a letter on disk; false when it is not sound. */
bool node_volume_take(struct node *node, const struct letter *letter);

/* Of node.c: what the replica calls. */
void node_apply(void *context, uint64_t index, const uint8_t *data, size_t size);
void node_settled(void *context, bool known);

#endif
