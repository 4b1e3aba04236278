/* SPDX-License-Identifier: MPL-2.0
 * How ids are derived: hashes over fixed-width little-endian integers and length-prefixed strings.
 */
#include "core/id.h"

#include <sodium.h>

#include "core/join_message.h"
#include "core/purpose.h"
#include "core/wire.h"

/* Which of its names a root or a request goes by. */
enum named_by { BY_CONTENT = 0, BY_KEY = 1 };

static void hash_bytes(crypto_generichash_state *hash, struct bytes bytes)
{
    crypto_generichash_update(hash, bytes.data, bytes.size);
}

static void hash_number(crypto_generichash_state *hash, uint64_t number, unsigned width)
{
    uint8_t little[8];

    for (unsigned i = 0; i < width; i++) {
        little[i] = (uint8_t)(number >> (8 * i));
    }
    crypto_generichash_update(hash, little, width);
}

static void hash_text(crypto_generichash_state *hash, struct bytes text)
{
    hash_number(hash, text.size, 2);
    hash_bytes(hash, text);
}

static void hash_begin(crypto_generichash_state *hash, const char *purpose)
{
    crypto_generichash_init(hash, NULL, 0, crypto_generichash_BYTES_MAX);
    crypto_generichash_update(hash, (const uint8_t *)purpose, strlen(purpose) + 1);
}

static struct digest hash_end(crypto_generichash_state *hash)
{
    uint8_t whole[crypto_generichash_BYTES_MAX];
    struct digest digest;

    crypto_generichash_final(hash, whole, sizeof(whole));
    memcpy(digest.byte, whole, sizeof(digest.byte));
    return digest;
}

static struct id id_of_digest(const struct digest *digest)
{
    struct id id;

    memcpy(id.byte, digest->byte, sizeof(id.byte));
    return id;
}

struct digest digest_of(struct bytes bytes)
{
    uint8_t whole[crypto_generichash_BYTES_MAX];
    struct digest digest;

    crypto_generichash(whole, sizeof(whole), bytes.data, bytes.size, NULL, 0);
    memcpy(digest.byte, whole, sizeof(digest.byte));
    return digest;
}

static struct digest root_digest(const struct task_item *item, const struct key *signer)
{
    crypto_generichash_state hash;

    hash_begin(&hash, PURPOSE_ROOT);
    hash_bytes(&hash, bytes_of(signer, sizeof(*signer)));
    hash_number(&hash, item->key.size > 0 ? BY_KEY : BY_CONTENT, 1);
    hash_text(&hash, item->key.size > 0 ? item->key : bytes_of(item->nonce, sizeof(item->nonce)));
    return hash_end(&hash);
}

/* The same for an equal request in every generation. */
static struct digest request_digest(const struct task_item *item, const struct digest *payload)
{
    crypto_generichash_state hash;

    hash_begin(&hash, PURPOSE_REQUEST);
    hash_number(&hash, item->key.size > 0 ? BY_KEY : BY_CONTENT, 1);
    if (item->key.size > 0) {
        hash_text(&hash, item->key);
        return hash_end(&hash);
    }
    hash_text(&hash, item->function);
    hash_bytes(&hash, bytes_of(payload, sizeof(*payload)));
    hash_number(&hash, item->lineage.join_kind, 4);
    hash_number(&hash, item->lineage.join_position, 4);
    hash_number(&hash, item->lineage.occurrence, 4);
    return hash_end(&hash);
}

static struct digest child_digest(const struct task_item *item, const struct digest *payload)
{
    struct digest request = request_digest(item, payload);
    crypto_generichash_state hash;

    hash_begin(&hash, PURPOSE_CHILD);
    hash_bytes(&hash, bytes_of(&item->lineage.parent, sizeof(item->lineage.parent)));
    hash_number(&hash, item->lineage.generation, 4);
    hash_bytes(&hash, bytes_of(&request, sizeof(request)));
    return hash_end(&hash);
}

struct id id_of_task(const struct task_item *item, const struct key *signer,
                     const struct digest *payload)
{
    struct digest digest =
        item->lineage.present ? child_digest(item, payload) : root_digest(item, signer);

    return id_of_digest(&digest);
}

struct digest id_of_inputs(const struct bytes *functions, const struct digest *payloads,
                           size_t count)
{
    crypto_generichash_state hash;

    hash_begin(&hash, PURPOSE_INPUTS);
    for (size_t i = 0; i < count; i++) {
        hash_text(&hash, functions[i]);
        hash_bytes(&hash, bytes_of(&payloads[i], sizeof(payloads[i])));
    }
    return hash_end(&hash);
}

/* The same in every generation, and however often the handler took another path. */
static struct digest terms_digest(const struct join_terms *terms)
{
    crypto_generichash_state hash;

    hash_begin(&hash, PURPOSE_TERMS);
    hash_number(&hash, terms->key.size > 0 ? BY_KEY : BY_CONTENT, 1);
    if (terms->key.size > 0) {
        hash_text(&hash, terms->key);
        return hash_end(&hash);
    }
    hash_number(&hash, terms->kind, 4);
    hash_text(&hash, terms->function);
    hash_number(&hash, terms->limit, 4);
    hash_number(&hash, terms->stop, 4);
    hash_number(&hash, terms->first_settled, 1);
    hash_bytes(&hash, bytes_of(&terms->first, sizeof(terms->first)));
    hash_number(&hash, terms->occurrence, 4);
    return hash_end(&hash);
}

struct id id_of_join(const struct id *parent, uint32_t generation, const struct join_terms *terms,
                     uint32_t *tag)
{
    const struct digest digest = terms_digest(terms);
    crypto_generichash_state hash;

    *tag = (uint32_t)digest.byte[0] | (uint32_t)digest.byte[1] << 8 |
           (uint32_t)digest.byte[2] << 16 | (uint32_t)digest.byte[3] << 24;
    hash_begin(&hash, PURPOSE_JOIN);
    hash_bytes(&hash, bytes_of(parent, sizeof(*parent)));
    hash_number(&hash, generation, 4);
    hash_bytes(&hash, bytes_of(&digest, sizeof(digest)));
    hash_number(&hash, terms->revision, 4);
    const struct digest whole = hash_end(&hash);
    return id_of_digest(&whole);
}

void id_format(const struct id *id, char text[ID_TEXT_SIZE])
{
    sodium_bin2hex(text, ID_TEXT_SIZE, id->byte, sizeof(id->byte));
}

bool id_parse(const char *text, struct id *id)
{
    struct id parsed;
    size_t size = 0;

    if (strlen(text) != ID_TEXT_SIZE - 1 ||
        sodium_hex2bin(parsed.byte, sizeof(parsed.byte), text, ID_TEXT_SIZE - 1, NULL, &size,
                       NULL) != 0 ||
        size != sizeof(parsed.byte)) {
        return false;
    }
    *id = parsed;
    return true;
}
