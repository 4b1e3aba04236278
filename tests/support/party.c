/* SPDX-License-Identifier: MPL-2.0
 * Keys, and batches sealed with them. */
#include "tests/support/party.h"

#include <sodium.h>
#include <stdlib.h>

#include "core/id.h"
#include "nodes/host/clock.h"

#define HOUR_MS 3600000u

void party_credential(const struct party *party, const char *name, uint32_t roles,
                      struct credential *credential)
{
    const uint64_t now_ms = clock_unix_ms();
    struct certificate wanted = {
        .roles = roles,
        .submit_count = 1,
        .run_count = 1,
        .submit = {{"*"}},
        .run = {{"*"}},
        .not_before_ms = now_ms - HOUR_MS,
        .not_after_ms = now_ms + HOUR_MS,
    };

    strncpy(wanted.name, name, sizeof(wanted.name) - 1);
    credential_make(&party->mesh, &wanted, credential);
}

void party_make(struct party *party)
{
    if (sodium_init() < 0) {
        abort();
    }
    *party = (struct party){.mesh = {.secret = {0}}};
    crypto_sign_keypair(party->mesh.public_key.byte, party->mesh.secret);
    party_credential(party, "coordinator", ROLE_COORDINATOR, &party->coordinator);
    party_credential(party, "client", ROLE_CLIENT, &party->client);
    party_credential(party, "worker", ROLE_WORKER, &party->worker);
    party_credential(party, "operator", ROLE_OPERATOR | ROLE_OBSERVER, &party->operator);
}

void party_clear(struct party *party)
{
    credential_clear(&party->coordinator);
    credential_clear(&party->client);
    credential_clear(&party->worker);
    credential_clear(&party->operator);
}

struct task_item party_root(uint8_t i, const char *function, const char *payload, uint64_t now_ms)
{
    return (struct task_item){
        .nonce = {i, 1},
        .function = bytes_of_text(function),
        .payload = bytes_of_text(payload),
        .expires_ms = now_ms + LIMIT_EXPIRES_MS,
    };
}

/* Seals the items that lie one after the other in `encoded`. */
static void seal(const struct credential *signer, enum seal_kind kind, const struct buffer *encoded,
                 const size_t *sizes, unsigned count, struct buffer *out)
{
    struct digest leaves[LIMIT_BATCH_ITEMS];
    struct sealed sealed = {.item_count = (uint16_t)count};
    size_t at = 0;

    for (unsigned i = 0; i < count; i++) {
        sealed.index[i] = (uint8_t)i;
        sealed.item[i] = bytes_of(encoded->data + at, sizes[i]);
        leaves[i] = seal_leaf(sealed.item[i]);
        at += sizes[i];
    }
    seal_make(signer->signer, &signer->mesh, kind, leaves, count, &sealed.seal);
    wire_sealed_encode(out, &sealed);
}

void party_seal_tasks(const struct credential *signer, const struct task_item *items,
                      unsigned count, struct id *ids, struct buffer *out)
{
    struct buffer encoded = {.size = 0};
    size_t sizes[LIMIT_BATCH_ITEMS];

    for (unsigned i = 0; i < count; i++) {
        const size_t before = encoded.size;

        wire_task_encode(&encoded, &items[i]);
        sizes[i] = encoded.size - before;
        if (ids != NULL) {
            const struct digest payload = digest_of(items[i].payload);

            ids[i] = id_of_task(&items[i], &signer->signer->public_key, &payload);
        }
    }
    seal(signer, SEAL_TASK, &encoded, sizes, count, out);
    buffer_clear(&encoded);
}

void party_seal_results(const struct credential *signer, const struct result_item *items,
                        unsigned count, struct buffer *out)
{
    struct buffer encoded = {.size = 0};
    size_t sizes[LIMIT_BATCH_ITEMS];

    for (unsigned i = 0; i < count; i++) {
        const size_t before = encoded.size;

        wire_result_encode(&encoded, &items[i]);
        sizes[i] = encoded.size - before;
    }
    seal(signer, SEAL_RESULT, &encoded, sizes, count, out);
    buffer_clear(&encoded);
}
