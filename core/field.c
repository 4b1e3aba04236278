/* SPDX-License-Identifier: MPL-2.0
 * Protobuf, one field at a time. */
#include "core/field.h"

#include <assert.h>

#define VARINT_SIZE 10u

struct varint field_varint(struct bytes from)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < VARINT_SIZE && i < from.size; i++) {
        uint64_t byte = from.data[i];

        sum |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            bool fits = i < VARINT_SIZE - 1 || byte <= 1;
            return (struct varint){.value = sum, .size = fits ? i + 1 : 0};
        }
    }
    return (struct varint){0};
}

static void put_varint(struct buffer *out, uint64_t value)
{
    field_write_varint(buffer_extend(out, field_varint_size(value)), value);
}

void field_put_uint(struct buffer *out, uint32_t number, uint64_t value)
{
    put_varint(out, field_tag(number, FIELD_VARINT));
    put_varint(out, value);
}

void field_put_fixed64(struct buffer *out, uint32_t number, uint64_t value)
{
    put_varint(out, field_tag(number, FIELD_FIXED64));
    uint8_t *little = buffer_extend(out, sizeof(value));
    for (unsigned i = 0; i < sizeof(value); i++) {
        little[i] = (uint8_t)(value >> (8 * i));
    }
}

void field_put_bytes(struct buffer *out, uint32_t number, struct bytes bytes)
{
    put_varint(out, field_tag(number, FIELD_BYTES));
    put_varint(out, bytes.size);
    buffer_append(out, bytes.data, bytes.size);
}

size_t field_open(struct buffer *out, uint32_t number)
{
    put_varint(out, field_tag(number, FIELD_BYTES));
    buffer_extend(out, FIELD_LENGTH_SIZE);
    return out->size;
}

void field_close(struct buffer *out, size_t opened)
{
    size_t size = out->size - opened;
    uint8_t *length = out->data + opened - FIELD_LENGTH_SIZE;

    assert(size <= FIELD_LENGTH_MOST);
    for (unsigned i = 0; i < FIELD_LENGTH_SIZE; i++) {
        length[i] = (uint8_t)((size >> (7 * i) & 0x7f) | 0x80);
    }
    length[FIELD_LENGTH_SIZE - 1] &= 0x7f;
}
