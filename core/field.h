/* SPDX-License-Identifier: MPL-2.0
 * Protobuf, one field at a time: taken off the front of a slice, put at the end of a buffer. */
#ifndef GROVE_CORE_FIELD_H
#define GROVE_CORE_FIELD_H

#include "core/buffer.h"
#include "core/bytes.h"

enum field_type { FIELD_VARINT = 0, FIELD_FIXED64 = 1, FIELD_BYTES = 2 };

struct field {
    uint32_t number;
    enum field_type type;
    uint64_t value;     /* of FIELD_VARINT and FIELD_FIXED64 */
    struct bytes bytes; /* of FIELD_BYTES; borrows */
};

#define FIELD_NUMBER_MOST ((UINT32_C(1) << 29) - 1)

/* The taking is here, so that it becomes part of the loops that it is called from: a coordinator
 * takes some millions of fields a second. */

struct varint {
    uint64_t value;
    size_t size; /* bytes; 0: this is none */
};

/* The varint at the front, of any size. By value, so that a caller's slice stays in registers. */
struct varint field_varint(struct bytes from);

static inline bool field_take_varint(struct bytes *rest, uint64_t *value)
{
    struct varint varint = rest->size > 0 && rest->data[0] < 0x80
                               ? (struct varint){.value = rest->data[0], .size = 1}
                               : field_varint(*rest);

    *value = varint.value;
    *rest = bytes_of(rest->data + varint.size, rest->size - varint.size);
    return varint.size > 0;
}

static inline bool field_take_fixed64(struct bytes *rest, uint64_t *value)
{
    if (rest->size < 8) {
        return false;
    }
    *value = 0;
    for (unsigned i = 0; i < 8; i++) {
        *value |= (uint64_t)rest->data[i] << (8 * i);
    }
    *rest = bytes_of(rest->data + 8, rest->size - 8);
    return true;
}

static inline bool field_take_bytes(struct bytes *rest, struct bytes *bytes)
{
    uint64_t size = 0;

    if (!field_take_varint(rest, &size) || size > rest->size) {
        return false;
    }
    *bytes = bytes_of(rest->data, (size_t)size);
    *rest = bytes_of(rest->data + size, rest->size - (size_t)size);
    return true;
}

/* Takes one field off the front of `rest`. False for what no grove message holds: a number of 0, a
 * group, a 32-bit field, a varint of over 64 bits, a length past the end. `rest` is then worthless.
 *
 *   source    protobuf encoding guide; a varint may be longer than it need be, up to 10 bytes */
static inline bool field_take(struct bytes *rest, struct field *field)
{
    uint64_t tag = 0;

    if (!field_take_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MOST) {
        return false;
    }
    *field = (struct field){.number = (uint32_t)(tag >> 3), .type = (enum field_type)(tag & 7)};
    switch (tag & 7) {
    case FIELD_VARINT:
        return field_take_varint(rest, &field->value);
    case FIELD_FIXED64:
        return field_take_fixed64(rest, &field->value);
    case FIELD_BYTES:
        return field_take_bytes(rest, &field->bytes);
    default:
        return false;
    }
}

/* Each puts a tag and a value; the first three also write what is 0 or empty. */
void field_put_uint(struct buffer *out, uint32_t number, uint64_t value);
void field_put_fixed64(struct buffer *out, uint32_t number, uint64_t value);
void field_put_bytes(struct buffer *out, uint32_t number, struct bytes bytes);

/* A field of bytes whose length is known only when its contents are written: open, append, close.
 * The length takes FIELD_LENGTH_SIZE bytes, longer than it need be, so that nothing has to move. */
#define FIELD_LENGTH_SIZE 4
#define FIELD_LENGTH_MOST ((UINT32_C(1) << (7 * FIELD_LENGTH_SIZE)) - 1)
size_t field_open(struct buffer *out, uint32_t number);
void field_close(struct buffer *out, size_t opened);

static inline uint64_t field_tag(uint32_t number, enum field_type type)
{
    return (uint64_t)number << 3 | (uint64_t)type;
}

static inline size_t field_varint_size(uint64_t value)
{
    size_t size = 1;

    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

/* Returns the end of what it wrote. */
static inline uint8_t *field_write_varint(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

#endif
