/* SPDX-License-Identifier: MPL-2.0
 * Hostile frames of peers: nothing is read past the end, and what is let in is sent again as the
 * same bytes. */
#include "nodes/coordinator/replica/peer_message.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes bytes = bytes_of(data, size);
    struct buffer again = {0};
    struct peer_message message;

    if (peer_message_decode(bytes, &message) == GROVE_OK) {
        peer_message_encode(&again, &message);
        assert(bytes_equal(bytes, buffer_bytes(&again)));
        peer_message_clear(&message);
    }
    buffer_clear(&again);
    return 0;
}
