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

/* Takes one field off the front of `rest`.  False for what no grove message holds: a number of 0, a
 * group, a 32-bit field, a varint of over 64 bits, a length past the end.  `rest` is then
 * worthless.
 *
 *   source    protobuf encoding guide; a varint may be longer than it need be, up to 10 bytes */
bool field_take(struct bytes *rest, struct field *field);

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

size_t field_varint_size(uint64_t value);
uint8_t *field_write_varint(uint8_t *to, uint64_t value); /* returns the end */

static inline uint64_t field_tag(uint32_t number, enum field_type type)
{
    return (uint64_t)number << 3 | (uint64_t)type;
}

#endif
