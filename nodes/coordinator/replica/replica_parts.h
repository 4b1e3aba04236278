/* SPDX-License-Identifier: MPL-2.0
 * What a replica is made of: for replica.c, and for the simulator, which looks inside. */
#ifndef GROVE_COORDINATOR_REPLICA_REPLICA_PARTS_H
#define GROVE_COORDINATOR_REPLICA_REPLICA_PARTS_H

#include "nodes/coordinator/replica/storage.h"
#include "nodes/coordinator/replica/voter.h"

struct replica {
    struct replica_machine machine;
    struct replica_options options;
    struct voter voter;
    struct journal *journal;
    struct recovery recovery; /* empty after replica_open */
    struct storage storage;
    enum grove_status restored; /* what machine.read said */

    bool snapshot_wanted; /* by an operator */
    uint64_t snapshot_retry_ns;
    uint64_t make_room_ns; /* no snapshot for want of room before this */
    uint64_t snapshots;
    uint64_t snapshot_failures;
};

#endif
