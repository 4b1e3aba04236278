/* SPDX-License-Identifier: MPL-2.0
 * Batches under one signature, and excerpts of them.
 *
 * A seal is Ed25519 over "grove.v1.seal\0", mesh, signer, kind, count and root, where root is that
 * of the tree over the items (core/seal_tree.h). An excerpt carries some items and the sibling
 * hashes that they do not determine; the whole batch is the excerpt that carries none. */
#ifndef GROVE_CORE_SEAL_H
#define GROVE_CORE_SEAL_H

#include "core/bytes.h"
#include "core/limits.h"
#include "core/seal_tree.h"
#include "core/status.h"

enum seal_kind { SEAL_TASK = 1, SEAL_RESULT = 2, SEAL_VERDICT = 3 };

/* What is signed about a batch, with its signature; enough, beside the leaves, to cut excerpts for
 * ever. */
struct seal {
    struct key signer;
    struct signature signature;
    uint16_t count; /* items in the whole batch, 1 to 256 */
    uint8_t kind;   /* enum seal_kind */
};

/* A Sealed message taken apart; everything borrows from the frame. */
struct sealed {
    struct seal seal;
    uint16_t item_count;              /* items here, 1 to seal.count */
    uint8_t index[LIMIT_BATCH_ITEMS]; /* ascending; of the whole batch: 0, 1, 2 ... */
    struct bytes item[LIMIT_BATCH_ITEMS];
    struct bytes hashes; /* 32 bytes each; empty for the whole batch */
};

/* Who signs: an Ed25519 key pair; the secret is in libsodium's form (seed and public key). */
struct signer {
    struct key public_key;
    uint8_t secret[64];
};

/* Seals `count` items (1 to 256) given by their leaves; returns their root. */
struct digest seal_make(const struct signer *signer, const struct key *mesh, enum seal_kind kind,
                        const struct digest *leaves, unsigned count, struct seal *seal);

/* Checks that these items, with these hashes and no other, are in a batch that seal.signer sealed
 * for `mesh`.
 *
 *   leaves    out: the leaves of the items here, item_count of them; may be NULL
 *   errors    GROVE_MALFORMED: hashes missing or left over, indices out of order or past the count;
 *             GROVE_BAD_SIGNATURE
 *   source    RFC 6962, section 2.1; RFC 8032, section 5.1 */
enum grove_status seal_open(const struct sealed *sealed, const struct key *mesh,
                            struct digest *leaves) GROVE_CHECKED;

/* Verified seals, so that the second excerpt of a batch costs hashes and no signature. Successes
 * only, at most `entries` of them; a newer one takes the place of an older one. One thread at a
 * time. `hash_key` is private and random: whoever knew it could choose what is dropped. */
struct seal_cache;
struct seal_cache *seal_cache_create(unsigned entries, const uint8_t hash_key[16]);
void seal_cache_destroy(struct seal_cache *cache);

/* Remembers a seal that came from seal_make, with the root that it returned: what this node has
 * sealed and is then sent costs it no verification. */
void seal_cache_add(struct seal_cache *cache, const struct seal *seal, const struct key *mesh,
                    const struct digest *root);

/* seal_open through a cache, or without one when it is NULL. */
enum grove_status seal_cache_open(struct seal_cache *cache, const struct sealed *sealed,
                                  const struct key *mesh, struct digest *leaves) GROVE_CHECKED;

#endif
