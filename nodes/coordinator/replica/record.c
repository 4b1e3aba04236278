/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/record.h"

#include <assert.h>

#include "core/digests.h"
#include "core/id.h"

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

/* What the hash of a record is made of. */
struct linked {
    struct digest previous;
    uint8_t header[offsetof(struct record_header, hash)];
    struct digest payload; /* of its pieces */
};

_Static_assert(sizeof(struct linked) == 32 + 24 + 32, "what is hashed has no holes");

static struct digest hash_of(const struct digest *previous, const struct record_header *header,
                             const uint8_t *payload)
{
    struct linked linked = {
        .previous = *previous,
        .payload = digest_of_pieces(bytes_of(payload, header->payload_size)),
    };

    memcpy(linked.header, header, sizeof(linked.header));
    return digest_of(bytes_of(&linked, sizeof(linked)));
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
