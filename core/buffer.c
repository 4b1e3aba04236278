/* SPDX-License-Identifier: MPL-2.0
 * A growing run of bytes. */
#include "core/buffer.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256

void buffer_grow(struct buffer *buffer, size_t more)
{
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY;

    if (more > SIZE_MAX / 4 - buffer->size) {
        abort();
    }
    while (capacity < buffer->size + more) {
        capacity *= 2;
    }
    uint8_t *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        abort();
    }
    buffer->data = data;
    buffer->capacity = capacity;
}

void buffer_reset(struct buffer *buffer)
{
    buffer->size = 0;
}

void buffer_clear(struct buffer *buffer)
{
    if (buffer != NULL) {
        free(buffer->data);
        *buffer = (struct buffer){0};
    }
}
