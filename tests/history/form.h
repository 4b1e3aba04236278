/* SPDX-License-Identifier: MPL-2.0
 * Messages as they were signed (schema/PROTOCOL.md, sections 4 to 6), read with libsodium alone. */
#ifndef GROVE_TESTS_HISTORY_FORM_H
#define GROVE_TESTS_HISTORY_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORM_KEY_SIZE ((size_t)32) /* of digests, too */
#define FORM_ID_SIZE ((size_t)16)

struct span {
    const uint8_t *data;
    size_t size;
};

struct field {
    uint64_t number, value;
    struct span bytes; /* or its value */
};

/* Takes the next field off a message; false at its end, or where it is damaged. */
bool form_next(struct span *message, struct field *field);

/* The first field of this number; 0, or empty, when there is none. */
uint64_t form_number(struct span message, uint64_t number);
struct span form_bytes(struct span message, uint64_t number);

void form_digest(struct span bytes, uint8_t digest[FORM_KEY_SIZE]);

/* Of the tree over these items. */
void form_root(const struct span *items, size_t count, uint8_t root[FORM_KEY_SIZE]);

/* The id that a task has, with more bytes behind it.
 *
 *   signer   a key */
void form_identify(struct span item, struct span signer, uint8_t id[FORM_KEY_SIZE]);

#endif
