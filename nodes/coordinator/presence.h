/* SPDX-License-Identifier: MPL-2.0
 * Since when nobody has been here for an identity. Soft: a new leader has seen nobody yet, and
 * counts from its own beginning. */
#ifndef GROVE_COORDINATOR_PRESENCE_H
#define GROVE_COORDINATOR_PRESENCE_H

#include <sys/queue.h>

#include "core/bytes.h"
#include "core/table.h"

/* An identity that is here, or was lately. */
struct present {
    struct table_link link;
    TAILQ_ENTRY(present) order; /* of the absent: the longest gone first */
    struct key identity;
    unsigned sessions;
    uint64_t left_ms; /* monotonic, when the last of them ended */
};

struct presence {
    struct table by_identity;
    TAILQ_HEAD(, present) absent;
    uint64_t begun_ms;
};

void presence_init(struct presence *presence, const uint8_t hash_key[16]);
void presence_clear(struct presence *presence);

/* Begins a term: whoever is not here was here until now. */
void presence_begin(struct presence *presence, uint64_t now_ms);

/* A session of this identity opens, or ends. */
void presence_come(struct presence *presence, const struct key *identity);
void presence_go(struct presence *presence, const struct key *identity, uint64_t now_ms);

/* For how long the identity has had no session; 0: it has one. */
uint64_t presence_absent_ms(const struct presence *presence, const struct key *identity,
                            uint64_t now_ms);

/* Forgets who has been gone for so long: `presence_absent_ms` says at least that of them still. */
void presence_forget(struct presence *presence, uint64_t now_ms, uint64_t absent_ms);

#endif
