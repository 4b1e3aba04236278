/* SPDX-License-Identifier: MPL-2.0
 * What this replica has said to others, so that its disk can be held to it: its term, its vote, and
 * how far the log was synced. Kept in two slots of the newest segment, written in turn: a crash can
 * tear one of them, never both. */
#ifndef GROVE_COORDINATOR_REPLICA_PROMISE_H
#define GROVE_COORDINATOR_REPLICA_PROMISE_H

#include "nodes/coordinator/replica/record.h"

#define PROMISE_SLOTS 2u

struct promise {
    uint64_t sequence; /* grows with each one; the slot is sequence % PROMISE_SLOTS */
    uint64_t term;
    uint64_t vote; /* a server's number, 0 for none */
    struct chain end;
};

/* As it lies in the file. */
struct promise_slot {
    uint8_t magic[8];
    struct promise promise;
    struct digest digest; /* H of all before */
};

_Static_assert(sizeof(struct promise_slot) == 8 + 64 + 32, "a promise slot has no holes");

void promise_encode(const struct promise *promise, struct promise_slot *slot);

/* False when the slot is torn, altered or was never written; `promise` is then untouched. */
bool promise_decode(const struct promise_slot *slot, struct promise *promise);

#endif
