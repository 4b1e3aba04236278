/* SPDX-License-Identifier: MPL-2.0
 * Remembers which signatures were good. Every replica verifies each certificate of each snapshot
 * and each entry, which is half of what a simulated mesh costs. What is not remembered is verified,
 * and so is what is bad. */
#include "tests/simulation/seals.h"

#include "core/bytes.h"

#include <sodium.h>

#define SEALS 4096u /* a power of two */

static struct digest good[SEALS];

/* Of all that decides whether it is good. */
static struct digest digest_of_call(const unsigned char *signature, const unsigned char *message,
                                    unsigned long long size, const unsigned char *key)
{
    struct digest digest;
    crypto_generichash_state state;

    (void)crypto_generichash_init(&state, NULL, 0, sizeof(digest));
    (void)crypto_generichash_update(&state, key, crypto_sign_PUBLICKEYBYTES);
    (void)crypto_generichash_update(&state, signature, crypto_sign_BYTES);
    (void)crypto_generichash_update(&state, message, size);
    (void)crypto_generichash_final(&state, digest.byte, sizeof(digest));
    return digest;
}

int __wrap_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *message,
                                       unsigned long long size, const unsigned char *key)
{
    const struct digest digest = digest_of_call(signature, message, size, key);
    struct digest *place = &good[(digest.byte[0] + 256u * digest.byte[1]) % SEALS];

    if (digest_equal(place, &digest)) {
        return 0;
    }
    if (__real_crypto_sign_verify_detached(signature, message, size, key) != 0) {
        return -1;
    }
    *place = digest;
    return 0;
}
