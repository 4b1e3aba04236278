/* SPDX-License-Identifier: MPL-2.0
 * Bad signatures by identity: three within ten minutes hold the key off for ten minutes. */
#ifndef GROVE_COORDINATOR_PENALTIES_H
#define GROVE_COORDINATOR_PENALTIES_H

#include <sys/queue.h>

#include "core/bytes.h"
#include "core/table.h"

#define PENALTIES_STRIKES 3u
#define PENALTIES_HOLD_MS 600000u

struct penalty;

struct penalties {
    struct table by_identity;
    TAILQ_HEAD(, penalty) oldest_first;
};

void penalties_init(struct penalties *penalties, const uint8_t hash_key[16]);
void penalties_clear(struct penalties *penalties);

/* Counts a bad signature; true when the identity is held off from now on. */
bool penalties_strike(struct penalties *penalties, const struct key *identity, uint64_t now_ms);

/* For how long the identity is still held off; 0: it is not. */
uint64_t penalties_hold_ms(const struct penalties *penalties, const struct key *identity,
                           uint64_t now_ms);

#endif
