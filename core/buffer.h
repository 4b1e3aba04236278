/* SPDX-License-Identifier: MPL-2.0
 * A growing run of bytes. Out of memory aborts, so appending cannot fail. */
#ifndef GROVE_CORE_BUFFER_H
#define GROVE_CORE_BUFFER_H

#include "core/bytes.h"

/* Zeroed is empty and valid. */
struct buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void buffer_append(struct buffer *buffer, const void *data, size_t size);

/* Makes room for `size` more bytes at the end and returns where they go; the caller fills all of
 * them. */
uint8_t *buffer_extend(struct buffer *buffer, size_t size);

/* Empties it, keeping its memory. */
void buffer_reset(struct buffer *buffer);

/* Releases its memory; leaves it empty and valid. */
void buffer_clear(struct buffer *buffer);

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return bytes_of(buffer->data, buffer->size);
}

#endif
