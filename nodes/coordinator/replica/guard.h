/* SPDX-License-Identifier: MPL-2.0
 * The rules without which libraft 0.15.0 loses acknowledged entries, kept from outside by standing
 * between it and its raft_io. With one voter two of the ten can bite:
 *
 *   1   a leader writes a barrier of its own term at once; it leads when that is committed
 *   9   a failed append ends the process, since libraft would go on and use the index again
 *
 * and always: payloads are padded to 8 bytes (the library's own check is compiled out), and
 * pre-vote is off (its pre-vote can refuse for ever). The other eight are about messages between
 * replicas. */
#ifndef GROVE_COORDINATOR_REPLICA_GUARD_H
#define GROVE_COORDINATOR_REPLICA_GUARD_H

#include <raft.h>
#include <stdbool.h>

/* The guard reads public fields, so it is tied to this version's. */
_Static_assert(sizeof(struct raft) == 656, "the guard knows libraft 0.15.0 only");

struct guard {
    struct raft *raft;
    struct raft_io inner; /* the raft_io as it was */
    raft_io_tick_cb tick;
    struct raft_barrier barrier;
    raft_term barrier_term;   /* of the barrier written last; 0 for none */
    raft_term committed_term; /* of the barrier committed last */

    /* Reports a failed append, and does not return. */
    void (*fatal)(void *context, const char *text);
    void *context;
};

/* Stands between `raft`, initialized and not started, and its raft_io. Sets raft->data. */
void guard_install(struct guard *guard, struct raft *raft,
                   void (*fatal)(void *context, const char *text), void *context);

/* Writes the barrier when leadership is new. For after raft_start, which elects a lone voter
 * itself; later elections happen in a tick, and the guard sees those. */
void guard_lead(struct guard *guard);

/* True when this replica leads and its term's barrier is committed: it may propose. */
bool guard_leads(const struct guard *guard);

#endif
