/* SPDX-License-Identifier: MPL-2.0
 * Batches under one signature, and excerpts of them. */
#include "core/seal.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/purpose.h"

/* ---- excerpts: opened as seal_cut cuts them; a part without any of the items is one hash, and any
 * other part is walked into */

struct proof {
    const struct digest *leaves; /* of the items that are here, from the next one on */
    const uint8_t *indices;
    unsigned index_count;
    struct bytes hashes;
    bool is_short; /* a hash is missing */
};

static struct digest take_hash(struct proof *proof)
{
    struct digest hash = {{0}};

    if (proof->hashes.size < sizeof(hash)) {
        proof->is_short = true;
        return hash;
    }
    memcpy(&hash, proof->hashes.data, sizeof(hash));
    proof->hashes = bytes_of(proof->hashes.data + sizeof(hash), proof->hashes.size - sizeof(hash));
    return hash;
}

static struct digest prove_part(struct proof *proof, unsigned first, unsigned count)
{
    if (proof->index_count == 0 || proof->indices[0] >= first + count) {
        return take_hash(proof);
    }
    if (count == 1) {
        proof->indices++;
        proof->index_count--;
        return *proof->leaves++;
    }
    unsigned left_count = seal_left(count);
    struct digest left = prove_part(proof, first, left_count);
    struct digest right = prove_part(proof, first + left_count, count - left_count);
    return seal_node(&left, &right);
}

/* ---- the signature */

struct signed_bytes {
    uint8_t byte[sizeof(PURPOSE_SEAL) + 2 * sizeof(struct key) + 1 + 2 + sizeof(struct digest)];
};

/* What is signed: purpose, mesh, signer, kind, count (little-endian), root. */
static struct signed_bytes signed_bytes_of(const struct key *mesh, const struct seal *seal,
                                           const struct digest *root)
{
    struct signed_bytes bytes;
    uint8_t *to = bytes.byte;

    memcpy(to, PURPOSE_SEAL, sizeof(PURPOSE_SEAL));
    to += sizeof(PURPOSE_SEAL);
    memcpy(to, mesh, sizeof(*mesh));
    to += sizeof(*mesh);
    memcpy(to, &seal->signer, sizeof(seal->signer));
    to += sizeof(seal->signer);
    *to++ = seal->kind;
    *to++ = (uint8_t)seal->count;
    *to++ = (uint8_t)(seal->count >> 8);
    memcpy(to, root, sizeof(*root));
    return bytes;
}

struct digest seal_make(const struct signer *signer, const struct key *mesh, enum seal_kind kind,
                        const struct digest *leaves, unsigned count, struct seal *seal)
{
    struct digest root = seal_root(leaves, count);

    *seal = (struct seal){
        .signer = signer->public_key, .count = (uint16_t)count, .kind = (uint8_t)kind};
    struct signed_bytes bytes = signed_bytes_of(mesh, seal, &root);
    crypto_sign_detached(seal->signature.byte, NULL, bytes.byte, sizeof(bytes.byte),
                         signer->secret);
    return root;
}

/* Hostile counts are bounded here, before anything is hashed. */
static bool form_is_right(const struct sealed *sealed)
{
    unsigned count = sealed->seal.count;
    unsigned items = sealed->item_count;

    if (count < 1 || count > LIMIT_BATCH_ITEMS || items < 1 || items > count) {
        return false;
    }
    for (unsigned i = 1; i < items; i++) {
        if (sealed->index[i] <= sealed->index[i - 1]) {
            return false;
        }
    }
    return sealed->index[items - 1] < count;
}

/* The root that the items and hashes make; writes the leaves of the items here. */
static enum grove_status prove_root(const struct sealed *sealed, struct digest *leaves,
                                    struct digest *root)
{
    if (!form_is_right(sealed)) {
        return GROVE_MALFORMED;
    }
    seal_leaves(sealed->item, sealed->item_count, leaves);
    if (sealed->item_count == sealed->seal.count) {
        *root = seal_root(leaves, sealed->item_count);
        return sealed->hashes.size > 0 ? GROVE_MALFORMED : GROVE_OK;
    }
    struct proof proof = {.leaves = leaves,
                          .indices = sealed->index,
                          .index_count = sealed->item_count,
                          .hashes = sealed->hashes};
    *root = prove_part(&proof, 0, sealed->seal.count);
    return proof.is_short || proof.hashes.size > 0 ? GROVE_MALFORMED : GROVE_OK;
}

static enum grove_status verify(const struct sealed *sealed, const struct signed_bytes *bytes)
{
    return crypto_sign_verify_detached(sealed->seal.signature.byte, bytes->byte,
                                       sizeof(bytes->byte), sealed->seal.signer.byte) == 0
               ? GROVE_OK
               : GROVE_BAD_SIGNATURE;
}

/* ---- the cache */

struct seal_cache {
    uint8_t hash_key[16];
    unsigned entries;
    struct digest verified[]; /* at a place that the digest itself names; zeroed: empty */
};

struct seal_cache *seal_cache_create(unsigned entries, const uint8_t hash_key[16])
{
    assert(entries > 0);
    struct seal_cache *cache = calloc(1, sizeof(*cache) + entries * sizeof(cache->verified[0]));
    if (cache == NULL) {
        abort();
    }
    memcpy(cache->hash_key, hash_key, sizeof(cache->hash_key));
    cache->entries = entries;
    return cache;
}

void seal_cache_destroy(struct seal_cache *cache)
{
    free(cache);
}

/* All that a verification depends on: what was signed, which names the signer, and the signature.
 */
static struct digest cache_name(const struct seal_cache *cache, const struct seal *seal,
                                const struct signed_bytes *bytes)
{
    crypto_generichash_state hash;
    struct digest name;

    crypto_generichash_init(&hash, cache->hash_key, sizeof(cache->hash_key), sizeof(name.byte));
    crypto_generichash_update(&hash, bytes->byte, sizeof(bytes->byte));
    crypto_generichash_update(&hash, seal->signature.byte, sizeof(seal->signature.byte));
    crypto_generichash_final(&hash, name.byte, sizeof(name.byte));
    return name;
}

static struct digest *cache_place(struct seal_cache *cache, const struct digest *name)
{
    uint32_t place;

    memcpy(&place, name->byte, sizeof(place));
    return &cache->verified[place % cache->entries];
}

void seal_cache_add(struct seal_cache *cache, const struct seal *seal, const struct key *mesh,
                    const struct digest *root)
{
    const struct signed_bytes bytes = signed_bytes_of(mesh, seal, root);
    const struct digest name = cache_name(cache, seal, &bytes);

    *cache_place(cache, &name) = name;
}

static enum grove_status verify_through(struct seal_cache *cache, const struct sealed *sealed,
                                        const struct signed_bytes *bytes)
{
    struct digest name = cache_name(cache, &sealed->seal, bytes);
    struct digest *known = cache_place(cache, &name);

    if (digest_equal(known, &name)) {
        return GROVE_OK;
    }
    enum grove_status status = verify(sealed, bytes);
    if (status == GROVE_OK) {
        *known = name;
    }
    return status;
}

enum grove_status seal_cache_open(struct seal_cache *cache, const struct sealed *sealed,
                                  const struct key *mesh, struct digest *leaves)
{
    struct digest own_leaves[LIMIT_BATCH_ITEMS];
    struct digest root;
    enum grove_status status = prove_root(sealed, own_leaves, &root);

    if (status != GROVE_OK) {
        return status;
    }
    struct signed_bytes bytes = signed_bytes_of(mesh, &sealed->seal, &root);
    status = cache == NULL ? verify(sealed, &bytes) : verify_through(cache, sealed, &bytes);
    if (status == GROVE_OK && leaves != NULL) {
        memcpy(leaves, own_leaves, sealed->item_count * sizeof(*leaves));
    }
    return status;
}

enum grove_status seal_open(const struct sealed *sealed, const struct key *mesh,
                            struct digest *leaves)
{
    return seal_cache_open(NULL, sealed, mesh, leaves);
}
