/* SPDX-License-Identifier: MPL-2.0
 * Hostile batches and excerpts: what is well formed comes back the same; nobody forges a signature
 * by chance. */
#include <assert.h>

#include "tests/support/samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sealed sealed, back;
    static struct digest leaves[LIMIT_BATCH_ITEMS];
    const struct key mesh = sample_signer(1).public_key;
    struct buffer again = {0};

    if (wire_sealed_decode(bytes_of(data, size), &sealed) != GROVE_OK) {
        return 0;
    }
    wire_sealed_encode(&again, &sealed);
    assert(again.size == wire_sealed_size(&sealed));
    assert(wire_sealed_decode(buffer_bytes(&again), &back) == GROVE_OK);
    assert(back.item_count == sealed.item_count && back.seal.count == sealed.seal.count);
    assert(seal_open(&sealed, &mesh, leaves) == seal_open(&back, &mesh, leaves));
    buffer_clear(&again);
    return 0;
}
