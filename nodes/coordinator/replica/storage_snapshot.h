/* SPDX-License-Identifier: MPL-2.0
 * Between the files of storage. */
#ifndef GROVE_COORDINATOR_REPLICA_STORAGE_SNAPSHOT_H
#define GROVE_COORDINATOR_REPLICA_STORAGE_SNAPSHOT_H

#include "nodes/coordinator/replica/storage.h"

/* The newest snapshot as libraft loads it: raft_malloc'ed, with a token for a state. NULL when its
 * configuration is malformed. */
struct raft_snapshot *storage_make_snapshot(const struct storage_snapshot *snapshot);

/* Learns of the snapshot that the recovery found. */
void storage_recover_snapshot(struct storage *storage);

/* raft_io.snapshot_put and raft_io.snapshot_get. */
int storage_snapshot_put(struct raft_io *io, unsigned trailing,
                         struct raft_io_snapshot_put *request, const struct raft_snapshot *snapshot,
                         raft_io_snapshot_put_cb done);
int storage_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                         raft_io_snapshot_get_cb done);

#endif
