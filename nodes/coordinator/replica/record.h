/* SPDX-License-Identifier: MPL-2.0
 * One entry of the ledger as it lies in a segment: a header, then the payload. Each record's hash
 * covers the hash before it, so the records form one chain from entry 1 to the last.
 *
 * Integers are little-endian, as on every machine that grove is built for. */
#ifndef GROVE_COORDINATOR_REPLICA_RECORD_H
#define GROVE_COORDINATOR_REPLICA_RECORD_H

#include "core/bytes.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the ledger's files are little-endian");

#define RECORD_ALIGNMENT 8u                      /* bytes; payloads are padded to it */
#define RECORD_PAYLOAD_LIMIT (UINT32_C(8) << 20) /* bytes; twice a frame */
#define RECORD_HEADER_SIZE sizeof(struct record_header)

/* As it lies in the file. */
struct record_header {
    uint32_t payload_size; /* bytes, a multiple of RECORD_ALIGNMENT, never 0 */
    uint32_t type;         /* never 0 */
    uint64_t term;
    uint64_t index;
    struct digest hash; /* H(hash before ‖ the fields above ‖ payload) */
};

_Static_assert(sizeof(struct record_header) == 56, "a record header has no holes");

/* Where a chain of records ends: index and hash of its last one. */
struct chain {
    uint64_t index;
    struct digest hash;
};

struct record {
    uint64_t index;
    uint64_t term;
    uint32_t type;
    struct bytes payload; /* borrowed */
    struct digest hash;
};

enum record_state {
    RECORD_FOUND,
    RECORD_ABSENT,    /* zeroes: nothing was ever written here */
    RECORD_CUT_SHORT, /* the image ends, or the length makes no sense */
    RECORD_MISPLACED, /* not the next index */
    RECORD_ALTERED    /* the hash does not match */
};

/* A start of chain that differs from ledger to ledger: index 0. */
struct chain chain_of_ledger(const struct id *ledger);

bool chain_equal(const struct chain *a, const struct chain *b);

/* Makes `record` the next one of the chain: sets its index and hash, advances the chain, and writes
 * its header. The payload is padded to RECORD_ALIGNMENT and at most RECORD_PAYLOAD_LIMIT. */
void record_seal(struct record *record, struct chain *chain, struct record_header *header);

/* Reads the record at `offset` of a segment's image, which is hostile.
 *
 *   chain     its end must be the record before; advanced when a record is found
 *   record    borrows from image; set only for RECORD_FOUND */
enum record_state record_read(struct bytes image, size_t offset, struct chain *chain,
                              struct record *record);

/* "the hash does not match", for people. */
const char *record_state_text(enum record_state state);

#endif
