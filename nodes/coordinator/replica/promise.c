/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/promise.h"

#include "core/id.h"

static const uint8_t magic[8] = {'g', 'r', 'v', 'p', 'r', 'o', 'm', '1'};

static struct digest digest_of_slot(const struct promise_slot *slot)
{
    return digest_of(bytes_of(slot, offsetof(struct promise_slot, digest)));
}

void promise_encode(const struct promise *promise, struct promise_slot *slot)
{
    memcpy(slot->magic, magic, sizeof(magic));
    slot->promise = *promise;
    slot->digest = digest_of_slot(slot);
}

bool promise_decode(const struct promise_slot *slot, struct promise *promise)
{
    struct digest digest = digest_of_slot(slot);

    if (memcmp(slot->magic, magic, sizeof(magic)) != 0 || !digest_equal(&slot->digest, &digest)) {
        return false;
    }
    *promise = slot->promise;
    return true;
}
