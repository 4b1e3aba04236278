/* SPDX-License-Identifier: MPL-2.0
 * A pool of randomness a thread. */
#include "nodes/client/nonce.h"

#include <pthread.h>
#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define POOL_SIZE ((size_t)64 * NONCE_SIZE)

static _Thread_local struct {
    uint8_t byte[POOL_SIZE];
    size_t left;
} pool;

/* In a child, of the thread that is left: what it shares with its parent would make equal ids of
 * their tasks. */
static void forget(void)
{
    pool.left = 0;
}

static void forget_in_children(void)
{
    if (pthread_atfork(NULL, NULL, forget) != 0) {
        abort();
    }
}

void nonce_fill(uint8_t nonce[NONCE_SIZE])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (pool.left == 0) {
        pthread_once(&once, forget_in_children);
        randombytes_buf(pool.byte, sizeof(pool.byte));
        pool.left = sizeof(pool.byte);
    }
    pool.left -= NONCE_SIZE;
    memcpy(nonce, pool.byte + pool.left, NONCE_SIZE);
}
