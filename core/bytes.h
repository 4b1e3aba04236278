/* SPDX-License-Identifier: MPL-2.0
 * A borrowed slice of bytes, and the fixed-size names that everything is found by. */
#ifndef GROVE_CORE_BYTES_H
#define GROVE_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed: outlives nothing. An empty slice may have a NULL data. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

struct id {
    uint8_t byte[16];
};

/* H: BLAKE2b-512 truncated to 32 bytes. */
struct digest {
    uint8_t byte[32];
};

/* A public key: Ed25519 for identities, X25519 for links. */
struct key {
    uint8_t byte[32];
};

struct signature {
    uint8_t byte[64];
};

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){.data = data, .size = size};
}

static inline struct bytes bytes_of_text(const char *text)
{
    return (struct bytes){.data = (const uint8_t *)text, .size = text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool id_equal(const struct id *a, const struct id *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool id_is_zero(const struct id *id)
{
    static const struct id zero = {{0}};
    return id_equal(id, &zero);
}

static inline bool digest_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool key_equal(const struct key *a, const struct key *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
