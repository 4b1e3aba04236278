/* SPDX-License-Identifier: MPL-2.0
 * How ids are derived: hashes over fixed-width little-endian integers and length-prefixed strings.
 */
#include "core/id.h"

#include <sodium.h>

#include "core/buffer.h"
#include "core/digests.h"
#include "core/join_message.h"
#include "core/purpose.h"
#include "core/wire.h"

/* Which of its names a root or a request goes by. */
enum named_by { BY_CONTENT = 0, BY_KEY = 1 };

/* Tasks that are named together. */
#define AT_ONCE ((size_t)8)

struct digest digest_of(struct bytes bytes)
{
    uint8_t whole[crypto_generichash_BYTES_MAX];
    struct digest digest;

    crypto_generichash(whole, sizeof(whole), bytes.data, bytes.size, NULL, 0);
    memcpy(digest.byte, whole, sizeof(digest.byte));
    return digest;
}

/* ---- what is hashed, put together in a buffer */

static void put_bytes(struct buffer *text, struct bytes bytes)
{
    buffer_append(text, bytes.data, bytes.size);
}

static void put_number(struct buffer *text, uint64_t number, unsigned width)
{
    uint8_t little[8];

    for (unsigned i = 0; i < width; i++) {
        little[i] = (uint8_t)(number >> (8 * i));
    }
    buffer_append(text, little, width);
}

static void put_text(struct buffer *text, struct bytes sized)
{
    put_number(text, sized.size, 2);
    put_bytes(text, sized);
}

static void put_purpose(struct buffer *text, const char *purpose)
{
    buffer_append(text, purpose, strlen(purpose) + 1);
}

static struct digest end(struct buffer *text)
{
    const struct digest digest = digest_of(buffer_bytes(text));

    buffer_clear(text);
    return digest;
}

static struct id id_of_digest(const struct digest *digest)
{
    struct id id;

    memcpy(id.byte, digest->byte, sizeof(id.byte));
    return id;
}

/* ---- tasks */

static void put_root(struct buffer *text, const struct task_item *item, const struct key *signer)
{
    put_purpose(text, PURPOSE_ROOT);
    put_bytes(text, bytes_of(signer, sizeof(*signer)));
    put_number(text, item->key.size > 0 ? BY_KEY : BY_CONTENT, 1);
    put_text(text, item->key.size > 0 ? item->key : bytes_of(item->nonce, sizeof(item->nonce)));
}

/* The same for an equal request in every generation. */
static struct digest request_digest(const struct task_item *item, const struct digest *payload)
{
    struct buffer text = {0};

    put_purpose(&text, PURPOSE_REQUEST);
    put_number(&text, item->key.size > 0 ? BY_KEY : BY_CONTENT, 1);
    if (item->key.size > 0) {
        put_text(&text, item->key);
        return end(&text);
    }
    put_text(&text, item->function);
    put_bytes(&text, bytes_of(payload, sizeof(*payload)));
    put_number(&text, item->lineage.join_kind, 4);
    put_number(&text, item->lineage.join_position, 4);
    put_number(&text, item->lineage.occurrence, 4);
    return end(&text);
}

static void put_child(struct buffer *text, const struct task_item *item,
                      const struct digest *payload)
{
    const struct digest request = request_digest(item, payload);

    put_purpose(text, PURPOSE_CHILD);
    put_bytes(text, bytes_of(&item->lineage.parent, sizeof(item->lineage.parent)));
    put_number(text, item->lineage.generation, 4);
    put_bytes(text, bytes_of(&request, sizeof(request)));
}

/* What names a task goes into `text`; returns its size. */
static size_t put_task(struct buffer *text, const struct task_item *item, const struct key *signer,
                       const struct digest *payload)
{
    const size_t before = text->size;

    if (item->lineage.present) {
        put_child(text, item, payload);
    } else {
        put_root(text, item, signer);
    }
    return text->size - before;
}

/* At most AT_ONCE of them. */
static void name_some(const struct key *signer, const struct task_item *items,
                      const struct digest *payloads, size_t count, struct id *ids)
{
    struct buffer text = {0};
    struct bytes parts[AT_ONCE] = {{.size = 0}};
    struct digest digests[AT_ONCE];

    for (size_t i = 0; i < count; i++) {
        parts[i].size = put_task(&text, &items[i], signer, &payloads[i]);
    }
    for (size_t i = 0, at = 0; i < count; i++) {
        parts[i].data = text.data + at;
        at += parts[i].size;
    }
    digests_of(bytes_of(NULL, 0), parts, count, digests);
    for (size_t i = 0; i < count; i++) {
        ids[i] = id_of_digest(&digests[i]);
    }
    buffer_clear(&text);
}

void ids_of_tasks(const struct key *signer, const struct task_item *items,
                  const struct digest *payloads, size_t count, struct id *ids)
{
    for (size_t at = 0; at < count; at += AT_ONCE) {
        const size_t some = count - at < AT_ONCE ? count - at : AT_ONCE;
        name_some(signer, items + at, payloads + at, some, ids + at);
    }
}

static enum grove_status name_some_items(const struct sealed *sealed, size_t first, size_t count,
                                         struct digest *payloads, struct id *ids)
{
    struct task_item items[AT_ONCE];
    struct bytes bytes[AT_ONCE] = {{.size = 0}};

    for (size_t i = 0; i < count; i++) {
        const enum grove_status status = wire_task_decode(sealed->item[first + i], &items[i]);

        if (status != GROVE_OK) {
            return status;
        }
        bytes[i] = items[i].payload;
    }
    digests_of(bytes_of(NULL, 0), bytes, count, payloads + first);
    ids_of_tasks(&sealed->seal.signer, items, payloads + first, count, ids + first);
    return GROVE_OK;
}

enum grove_status ids_of_batch(const struct sealed *sealed, struct digest *payloads, struct id *ids)
{
    enum grove_status status = GROVE_OK;

    for (size_t at = 0; status == GROVE_OK && at < sealed->item_count; at += AT_ONCE) {
        const size_t left = sealed->item_count - at;
        status = name_some_items(sealed, at, left < AT_ONCE ? left : AT_ONCE, payloads, ids);
    }
    return status;
}

struct id id_of_task(const struct task_item *item, const struct key *signer,
                     const struct digest *payload)
{
    struct id id;

    ids_of_tasks(signer, item, payload, 1, &id);
    return id;
}

/* ---- joins */

struct digest id_of_inputs(const struct bytes *functions, const struct digest *payloads,
                           size_t count)
{
    struct buffer text = {0};

    put_purpose(&text, PURPOSE_INPUTS);
    for (size_t i = 0; i < count; i++) {
        put_text(&text, functions[i]);
        put_bytes(&text, bytes_of(&payloads[i], sizeof(payloads[i])));
    }
    return end(&text);
}

/* The same in every generation, and however often the handler took another path. */
static struct digest terms_digest(const struct join_terms *terms)
{
    struct buffer text = {0};

    put_purpose(&text, PURPOSE_TERMS);
    put_number(&text, terms->key.size > 0 ? BY_KEY : BY_CONTENT, 1);
    if (terms->key.size > 0) {
        put_text(&text, terms->key);
        return end(&text);
    }
    put_number(&text, terms->kind, 4);
    put_text(&text, terms->function);
    put_number(&text, terms->limit, 4);
    put_number(&text, terms->stop, 4);
    put_number(&text, terms->first_settled, 1);
    put_bytes(&text, bytes_of(&terms->first, sizeof(terms->first)));
    put_number(&text, terms->occurrence, 4);
    return end(&text);
}

struct id id_of_join(const struct id *parent, uint32_t generation, const struct join_terms *terms,
                     uint32_t *tag)
{
    const struct digest digest = terms_digest(terms);
    struct buffer text = {0};

    *tag = (uint32_t)digest.byte[0] | (uint32_t)digest.byte[1] << 8 |
           (uint32_t)digest.byte[2] << 16 | (uint32_t)digest.byte[3] << 24;
    put_purpose(&text, PURPOSE_JOIN);
    put_bytes(&text, bytes_of(parent, sizeof(*parent)));
    put_number(&text, generation, 4);
    put_bytes(&text, bytes_of(&digest, sizeof(digest)));
    put_number(&text, terms->revision, 4);
    const struct digest whole = end(&text);
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
