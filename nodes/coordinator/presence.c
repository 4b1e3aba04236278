/* SPDX-License-Identifier: MPL-2.0
 * Who is here. */
#include "nodes/coordinator/presence.h"

#include <assert.h>
#include <stdlib.h>

void presence_init(struct presence *presence, const uint8_t hash_key[16])
{
    TAILQ_INIT(&presence->absent);
    presence->begun_ms = 0;
    table_init(&presence->by_identity, hash_key, offsetof(struct present, link),
               offsetof(struct present, identity), sizeof(struct key));
}

static void drop(struct presence *presence, struct present *present)
{
    table_remove(&presence->by_identity, present);
    TAILQ_REMOVE(&presence->absent, present, order);
    free(present);
}

void presence_clear(struct presence *presence)
{
    struct present *present;

    while ((present = TAILQ_FIRST(&presence->absent)) != NULL) {
        drop(presence, present);
    }
    assert(presence->by_identity.count == 0);
    table_clear(&presence->by_identity);
}

void presence_begin(struct presence *presence, uint64_t now_ms)
{
    struct present *present;

    while ((present = TAILQ_FIRST(&presence->absent)) != NULL) {
        drop(presence, present);
    }
    presence->begun_ms = now_ms;
}

void presence_come(struct presence *presence, const struct key *identity)
{
    struct present *present = table_find(&presence->by_identity, identity);

    if (present == NULL) {
        present = calloc(1, sizeof(*present));
        if (present == NULL) {
            abort();
        }
        present->identity = *identity;
        table_insert(&presence->by_identity, present);
    } else if (present->sessions == 0) {
        TAILQ_REMOVE(&presence->absent, present, order);
    }
    present->sessions++;
}

void presence_go(struct presence *presence, const struct key *identity, uint64_t now_ms)
{
    struct present *present = table_find(&presence->by_identity, identity);

    assert(present != NULL && present->sessions > 0);
    present->sessions--;
    if (present->sessions == 0) {
        present->left_ms = now_ms;
        TAILQ_INSERT_TAIL(&presence->absent, present, order);
    }
}

uint64_t presence_absent_ms(const struct presence *presence, const struct key *identity,
                            uint64_t now_ms)
{
    const struct present *present = table_find(&presence->by_identity, identity);

    if (present == NULL) {
        return now_ms - presence->begun_ms;
    }
    return present->sessions > 0 ? 0 : now_ms - present->left_ms;
}

void presence_forget(struct presence *presence, uint64_t now_ms, uint64_t absent_ms)
{
    struct present *present;

    while ((present = TAILQ_FIRST(&presence->absent)) != NULL &&
           now_ms - present->left_ms >= absent_ms) {
        drop(presence, present);
    }
}
