/* SPDX-License-Identifier: MPL-2.0
 * Frames to jobs, or refusals. Checked in this order, cheap before dear; the first failure ends it
 * and is counted by its reason:
 *
 *   one frame, size, version · User-Id present, and the session's · key held off · a session, or
 *   Hello and its mesh · certificate good, role · type · room on the disk · (pool) body, signer,
 *   signature, items */
#ifndef GROVE_COORDINATOR_INGRESS_H
#define GROVE_COORDINATOR_INGRESS_H

#include "nodes/coordinator/egress.h"
#include "nodes/coordinator/penalties.h"
#include "nodes/coordinator/pool.h"
#include "nodes/coordinator/proposals.h"
#include "nodes/coordinator/reads.h"
#include "nodes/coordinator/replica/replica.h"

/* What an operator may ask of the ledger itself; true when it was begun. */
typedef bool ingress_snapshot(void *context);

/* ... or of who takes part: begins it, and answers (changes.h). */
struct change;
typedef void ingress_change(void *context, struct session *session, const struct envelope *envelope,
                            uint64_t correlation, const struct change *change);

struct ingress_counters {
    uint64_t messages, size; /* received, bytes */
    uint64_t dropped;        /* without an answer: no User-Id, or another's */
    uint64_t verified;       /* batches whose seal verified */
    uint64_t held_off;       /* keys, ever */
};

struct ingress {
    /* borrowed; set before the first use */
    struct egress *egress;
    struct pool *pool;
    struct proposals *proposals;
    struct reads *reads;
    ingress_snapshot *snapshot;
    void *snapshot_context;
    ingress_change *change; /* NULL: one coordinator, which has no peers */
    void *change_context;
    bool is_leader;
    enum replica_room room; /* as of the last tick */

    struct penalties penalties;
    uint32_t session_ms;
    uint64_t ticked_ms; /* monotonic: the last tick */
    uint64_t awake_ms;  /* ... since when it has not slept */
    struct ingress_counters counters;
};

void ingress_init(struct ingress *ingress, const uint8_t hash_key[16]);
void ingress_clear(struct ingress *ingress);

/* Takes one message of the task socket.
 *
 *   message   hostile; its frame is held as long as the job that comes of it */
void ingress_receive(struct ingress *ingress, const struct bus_message *message);

/* Takes what the pool has done: proposals, or refusals. */
void ingress_collect(struct ingress *ingress);

/* Ends sessions that are silent, and proposes to retire silent workers. Called often; when it was
 * not for LIMIT_HEARTBEAT_MS, nobody is judged for another session time. */
void ingress_tick(struct ingress *ingress);

#endif
