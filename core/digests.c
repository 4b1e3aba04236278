/* SPDX-License-Identifier: MPL-2.0
 * One text after another: the primitive is libsodium's. */
#include "core/digests.h"

#include <sodium.h>

static struct digest digest_alone(struct bytes prefix, struct bytes text)
{
    crypto_generichash_state hash;
    uint8_t whole[crypto_generichash_BYTES_MAX];
    struct digest digest;

    crypto_generichash_init(&hash, NULL, 0, sizeof(whole));
    crypto_generichash_update(&hash, prefix.data, prefix.size);
    crypto_generichash_update(&hash, text.data, text.size);
    crypto_generichash_final(&hash, whole, sizeof(whole));
    memcpy(digest.byte, whole, sizeof(digest.byte));
    return digest;
}

void digests_of(struct bytes prefix, const struct bytes *texts, size_t count,
                struct digest *digests)
{
    for (size_t i = 0; i < count; i++) {
        digests[i] = digest_alone(prefix, texts[i]);
    }
}
