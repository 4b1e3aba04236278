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

/* Makes room for `more` bytes behind those that are there. */
void buffer_grow(struct buffer *buffer, size_t more);

/* The next two are here, so that they become part of what calls them with a few bytes at a time. */

/* Makes room for `size` more bytes at the end and returns where they go; the caller fills all of
 * them. */
static inline uint8_t *buffer_extend(struct buffer *buffer, size_t size)
{
    if (buffer->data == NULL || buffer->capacity - buffer->size < size) {
        buffer_grow(buffer, size);
    }
    uint8_t *end = buffer->data + buffer->size;
    buffer->size += size;
    return end;
}

static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size > 0) {
        memcpy(buffer_extend(buffer, size), data, size);
    }
}

/* Empties it, keeping its memory. */
void buffer_reset(struct buffer *buffer);

/* Releases its memory; leaves it empty and valid. */
void buffer_clear(struct buffer *buffer);

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return bytes_of(buffer->data, buffer->size);
}

#endif
