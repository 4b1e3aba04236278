/* SPDX-License-Identifier: MPL-2.0
 * Bad signatures by identity. Only identities of the mesh get this far, so there are few. */
#include "nodes/coordinator/penalties.h"

#include <stdlib.h>

struct penalty {
    struct table_link link;
    TAILQ_ENTRY(penalty) order;
    struct key identity;
    unsigned strikes;
    uint64_t last_ms; /* when the last one came */
};

void penalties_init(struct penalties *penalties, const uint8_t hash_key[16])
{
    TAILQ_INIT(&penalties->oldest_first);
    table_init(&penalties->by_identity, hash_key, offsetof(struct penalty, link),
               offsetof(struct penalty, identity), sizeof(struct key));
}

static void drop(struct penalties *penalties, struct penalty *penalty)
{
    table_remove(&penalties->by_identity, penalty);
    TAILQ_REMOVE(&penalties->oldest_first, penalty, order);
    free(penalty);
}

void penalties_clear(struct penalties *penalties)
{
    struct penalty *penalty;

    while ((penalty = TAILQ_FIRST(&penalties->oldest_first)) != NULL) {
        drop(penalties, penalty);
    }
    table_clear(&penalties->by_identity);
}

static void forget_old(struct penalties *penalties, uint64_t now_ms)
{
    struct penalty *penalty;

    while ((penalty = TAILQ_FIRST(&penalties->oldest_first)) != NULL &&
           now_ms - penalty->last_ms >= PENALTIES_HOLD_MS) {
        drop(penalties, penalty);
    }
}

bool penalties_strike(struct penalties *penalties, const struct key *identity, uint64_t now_ms)
{
    struct penalty *penalty;

    forget_old(penalties, now_ms);
    penalty = table_find(&penalties->by_identity, identity);
    if (penalty == NULL) {
        penalty = calloc(1, sizeof(*penalty));
        if (penalty == NULL) {
            abort();
        }
        penalty->identity = *identity;
        table_insert(&penalties->by_identity, penalty);
    } else {
        TAILQ_REMOVE(&penalties->oldest_first, penalty, order);
    }
    TAILQ_INSERT_TAIL(&penalties->oldest_first, penalty, order);
    penalty->strikes++;
    penalty->last_ms = now_ms;
    return penalty->strikes >= PENALTIES_STRIKES;
}

uint64_t penalties_hold_ms(const struct penalties *penalties, const struct key *identity,
                           uint64_t now_ms)
{
    const struct penalty *penalty = table_find(&penalties->by_identity, identity);

    if (penalty == NULL || penalty->strikes < PENALTIES_STRIKES ||
        now_ms - penalty->last_ms >= PENALTIES_HOLD_MS) {
        return 0;
    }
    return PENALTIES_HOLD_MS - (now_ms - penalty->last_ms);
}
