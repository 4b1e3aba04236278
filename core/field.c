/* SPDX-License-Identifier: MPL-2.0
 * Protobuf, one field at a time. */
#include "core/field.h"

#include <assert.h>

#define VARINT_SIZE 10u
#define NUMBER_MOST ((UINT32_C(1) << 29) - 1)

static bool take_long_varint(struct bytes *rest, uint64_t *value)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < VARINT_SIZE && i < rest->size; i++) {
        uint64_t byte = rest->data[i];
        sum |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *value = sum;
            *rest = bytes_of(rest->data + i + 1, rest->size - i - 1);
            return i < VARINT_SIZE - 1 || byte <= 1;
        }
    }
    return false;
}

static inline bool take_varint(struct bytes *rest, uint64_t *value)
{
    if (rest->size > 0 && rest->data[0] < 0x80) {
        *value = rest->data[0];
        *rest = bytes_of(rest->data + 1, rest->size - 1);
        return true;
    }
    return take_long_varint(rest, value);
}

static bool take_fixed64(struct bytes *rest, uint64_t *value)
{
    uint64_t sum = 0;

    if (rest->size < sizeof(sum)) {
        return false;
    }
    for (unsigned i = 0; i < sizeof(sum); i++) {
        sum |= (uint64_t)rest->data[i] << (8 * i);
    }
    *value = sum;
    *rest = bytes_of(rest->data + sizeof(sum), rest->size - sizeof(sum));
    return true;
}

static inline bool take_bytes(struct bytes *rest, struct bytes *bytes)
{
    uint64_t size = 0;

    if (!take_varint(rest, &size) || size > rest->size) {
        return false;
    }
    *bytes = bytes_of(rest->data, (size_t)size);
    *rest = bytes_of(rest->data + size, rest->size - (size_t)size);
    return true;
}

bool field_take(struct bytes *rest, struct field *field)
{
    uint64_t tag = 0;

    if (!take_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > NUMBER_MOST) {
        return false;
    }
    field->number = (uint32_t)(tag >> 3);
    switch (tag & 7) {
    case FIELD_VARINT:
        field->type = FIELD_VARINT;
        return take_varint(rest, &field->value);
    case FIELD_FIXED64:
        field->type = FIELD_FIXED64;
        return take_fixed64(rest, &field->value);
    case FIELD_BYTES:
        field->type = FIELD_BYTES;
        return take_bytes(rest, &field->bytes);
    default:
        return false;
    }
}

size_t field_varint_size(uint64_t value)
{
    size_t size = 1;

    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

uint8_t *field_write_varint(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
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
