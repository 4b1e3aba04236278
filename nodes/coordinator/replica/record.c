/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/record.h"

#include <assert.h>
#include <sodium.h>

struct chain chain_of_ledger(const struct id *ledger)
{
    struct chain chain = {.index = 0};

    memcpy(chain.hash.byte, ledger->byte, sizeof(ledger->byte));
    return chain;
}

bool chain_equal(const struct chain *a, const struct chain *b)
{
    return a->index == b->index && digest_equal(&a->hash, &b->hash);
}

static struct digest hash_of(const struct digest *previous, const struct record_header *header,
                             const uint8_t *payload)
{
    crypto_generichash_state state;
    uint8_t full[crypto_generichash_BYTES_MAX];
    struct digest hash;

    crypto_generichash_init(&state, NULL, 0, sizeof(full));
    crypto_generichash_update(&state, previous->byte, sizeof(previous->byte));
    crypto_generichash_update(&state, (const uint8_t *)header,
                              offsetof(struct record_header, hash));
    crypto_generichash_update(&state, payload, header->payload_size);
    crypto_generichash_final(&state, full, sizeof(full));
    memcpy(hash.byte, full, sizeof(hash.byte));
    return hash;
}

void record_seal(struct record *record, struct chain *chain, struct record_header *header)
{
    assert(record->type != 0);
    assert(record->payload.size > 0 && record->payload.size <= RECORD_PAYLOAD_LIMIT);
    assert(record->payload.size % RECORD_ALIGNMENT == 0);

    *header = (struct record_header){
        .payload_size = (uint32_t)record->payload.size,
        .type = record->type,
        .term = record->term,
        .index = chain->index + 1,
    };
    header->hash = hash_of(&chain->hash, header, record->payload.data);
    record->index = header->index;
    record->hash = header->hash;
    *chain = (struct chain){.index = header->index, .hash = header->hash};
}

static bool is_zero(const struct record_header *header)
{
    static const struct record_header zero;

    return memcmp(header, &zero, sizeof(zero)) == 0;
}

enum record_state record_read(struct bytes image, size_t offset, struct chain *chain,
                              struct record *record)
{
    struct record_header header;

    if (offset > image.size) {
        return RECORD_CUT_SHORT;
    }
    if (image.size - offset < sizeof(header)) {
        return RECORD_ABSENT; /* no room for another one */
    }
    memcpy(&header, image.data + offset, sizeof(header));
    if (is_zero(&header)) {
        return RECORD_ABSENT;
    }
    if (header.payload_size == 0 || header.payload_size > RECORD_PAYLOAD_LIMIT ||
        header.payload_size % RECORD_ALIGNMENT != 0 ||
        header.payload_size > image.size - offset - sizeof(header)) {
        return RECORD_CUT_SHORT;
    }
    if (header.index != chain->index + 1 || header.type == 0) {
        return RECORD_MISPLACED;
    }

    const uint8_t *payload = image.data + offset + sizeof(header);
    struct digest hash = hash_of(&chain->hash, &header, payload);
    if (!digest_equal(&hash, &header.hash)) {
        return RECORD_ALTERED;
    }
    *record = (struct record){
        .index = header.index,
        .term = header.term,
        .type = header.type,
        .payload = bytes_of(payload, header.payload_size),
        .hash = hash,
    };
    *chain = (struct chain){.index = header.index, .hash = hash};
    return RECORD_FOUND;
}

const char *record_state_text(enum record_state state)
{
    switch (state) {
    case RECORD_FOUND:
        return "a record";
    case RECORD_ABSENT:
        return "the record is missing";
    case RECORD_CUT_SHORT:
        return "the record's length makes no sense";
    case RECORD_MISPLACED:
        return "the record has another index";
    case RECORD_ALTERED:
        return "the record's hash does not match";
    }
    return "";
}
