/* SPDX-License-Identifier: MPL-2.0
 * libsodium's guarded memory. */
#include "nodes/host/secret.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nodes/host/log.h"

/* sodium_malloc tries to lock, and does not say whether it could. */
static void lock(void *secret, size_t size)
{
    static atomic_bool has_warned;

    if (sodium_mlock(secret, size) != 0 && !atomic_exchange(&has_warned, true)) {
        log_event(LOG_WARNING, "secrets not locked",
                  "why=\"the limit for locked memory is too low: they might be swapped out\"");
    }
}

/* The pages that hold it, and nothing else. */
static void keep_from_children(void *secret, size_t size)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t from = (uintptr_t)secret & ~(page - 1);

    /* Fails on systems without it, where children have a copy as of everything else. */
    (void)madvise((uint8_t *)secret - ((uintptr_t)secret - from), (uintptr_t)secret + size - from,
                  MADV_WIPEONFORK);
}

void *secret_create(size_t size)
{
    void *secret = sodium_init() >= 0 ? sodium_malloc(size) : NULL;

    if (secret == NULL) {
        abort();
    }
    lock(secret, size);
    keep_from_children(secret, size);
    sodium_memzero(secret, size);
    return secret;
}

void secret_freeze(void *secret)
{
    if (sodium_mprotect_readonly(secret) != 0) {
        abort();
    }
}

void secret_destroy(void *secret)
{
    sodium_free(secret);
}
