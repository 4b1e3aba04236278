/* SPDX-License-Identifier: MPL-2.0
 * A pool of randomness a thread. */
#include "nodes/client/nonce.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

#define POOL_SIZE ((size_t)64 * NONCE_SIZE)

static _Thread_local struct {
    uint8_t byte[POOL_SIZE];
    size_t left;
} pool;

void nonce_fill(uint8_t nonce[NONCE_SIZE])
{
    if (pool.left == 0) {
        randombytes_buf(pool.byte, sizeof(pool.byte));
        pool.left = sizeof(pool.byte);
    }
    pool.left -= NONCE_SIZE;
    memcpy(nonce, pool.byte + pool.left, NONCE_SIZE);
}
