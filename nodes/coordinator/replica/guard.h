/* SPDX-License-Identifier: MPL-2.0
 * The rules without which libraft 0.15.0 loses acknowledged entries, kept from outside: the guard
 * stands between the library and its raft_io, and reads and writes the library's public fields.
 *
 *        messages ──▶ guard_receive ──▶ ┌─────────┐ ──▶ guard's send ──▶ transport
 *        time ──────▶ guard_tick ─────▶ │ libraft │ ──▶ guard's append, snapshot_put ──▶ raft_io
 *                                       └─────────┘
 *
 * Each rule is a function of its name, with the defect that it fences and where that was mended:
 *
 *    1   count only from the own term on        guard_receive.c, the barrier in guard.c
 *    2   no answer for another term             guard_send.c
 *    3   answer only for what was verified      guard_send.c, guard_receive.c
 *    4   no election while writing              guard.c, guard_receive.c
 *    5   one vote a term                        guard_receive.c
 *    6   nothing from before the snapshot       guard_receive.c
 *    7   take a configuration back              guard_rollback.c
 *    8   a configuration may be uncommitted     guard_rollback.c
 *    9   a failed append ends the process       guard.c
 *   10   no entry held over its truncation      guard_send.c, guard_receive.c
 *   11   a lone voter begins a term             guard.c, guard_receive.c
 *   12   whoever is asked votes                 guard_receive.c, guard.c
 *   13   a change of membership is written first guard_send.c
 *
 * and three rules of use: pre-vote is off, since its answers can refuse for ever; membership
 * changes only when guard_leads, that is when the barrier of the term is committed; and a leader
 * neither removes nor demotes itself (voter.c). */
#ifndef GROVE_COORDINATOR_REPLICA_GUARD_H
#define GROVE_COORDINATOR_REPLICA_GUARD_H

#include "nodes/coordinator/replica/transport.h"

#include <sys/queue.h>

/* The guard reads and writes public fields, so it is tied to this version's. */
_Static_assert(sizeof(struct raft) == 656, "the guard knows libraft 0.15.0 only");

/* An AppendEntries goes in parts of this many bytes, but at least one entry. */
#define GUARD_APPEND_LIMIT ((size_t)4 << 20)

STAILQ_HEAD(guard_sends, guard_sent);

struct guard {
    struct raft *raft;
    struct raft_io inner; /* the raft_io as it was */
    const struct replica_transport *transport;
    raft_io_tick_cb tick;
    raft_io_recv_cb receive;

    struct raft_barrier barrier;
    raft_term barrier_term;   /* of the barrier written last; 0 for none */
    raft_term committed_term; /* of the barrier committed last */

    unsigned appending; /* appends under way */
    bool installing;    /* a snapshot of the leader's is being put on disk */
    struct guard_sends sent;
    struct guard_sends transferring; /* snapshots on their way */

    /* The message being answered, or the append whose end is answered. */
    raft_index verified; /* no answer says more than this */
    bool muted;          /* no answer at all */

    /* As of the newest snapshot: what a truncation may fall back to. */
    struct raft_configuration configuration;
    raft_index configuration_index;

    /* Reports what the process cannot go on after, and does not return. */
    void (*fatal)(void *context, const char *text);
    void *context;
};

/* Stands between `raft`, initialized and not started, and its raft_io. Sets raft->data.
 *
 *   transport   borrowed; NULL with one voter */
void guard_install(struct guard *guard, struct raft *raft,
                   const struct replica_transport *transport,
                   void (*fatal)(void *context, const char *text), void *context);

/* Writes the barrier when leadership is new. For after raft_start, which elects a lone voter
 * itself. */
void guard_lead(struct guard *guard);

/* True when this replica leads and its term's barrier is committed: it may propose, and change who
 * takes part. */
bool guard_leads(const struct guard *guard);

/* Lets time pass in the library. */
void guard_tick(struct guard *guard);

/* Hands a message to the library, or drops it. Takes what it points to, as libraft wants it. */
void guard_receive(struct guard *guard, struct raft_message *message);

/* Tells the library how its messages went: in the turn after they were sent. */
void guard_settle(struct guard *guard);

/* Tells it how a snapshot went that the transport took. Does nothing when none is on its way. */
void guard_transferred(struct guard *guard, raft_id peer, bool arrived);

/* False while a snapshot would hold a configuration that may yet be taken back (rule 8). */
bool guard_may_snapshot(const struct guard *guard);

/* For after raft_close. */
void guard_clear(struct guard *guard);

#endif
