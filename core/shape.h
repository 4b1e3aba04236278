/* SPDX-License-Identifier: MPL-2.0
 * The shape of a message: one table, by which it is checked, decoded, measured and encoded.  A
 * table has an entry for each field, at its number, that says what the field may be and where it
 * lies in a struct. */
#ifndef GROVE_CORE_SHAPE_H
#define GROVE_CORE_SHAPE_H

#include "core/buffer.h"
#include "core/bytes.h"
#include "core/status.h"

enum shape_kind {
    SHAPE_NONE = 0, /* no such field */
    SHAPE_BOOL,     /* bool */
    SHAPE_UINT32,   /* uint32_t, at most `limit` */
    SHAPE_UINT64,   /* uint64_t */
    SHAPE_SINT32,   /* int32_t, zigzag */
    SHAPE_FIXED,    /* an array of exactly `limit` bytes, copied */
    SHAPE_BYTES,    /* struct bytes of at most `limit` */
    SHAPE_TEXT,     /* the same, UTF-8 without U+0000 */
    SHAPE_LIST,     /* struct wire_list of elements of at most `limit` bytes each */
    SHAPE_TEXTS,    /* the same, of strings */
    SHAPE_MESSAGES, /* the same, of messages of shape `element` */
};

struct shape_field {
    enum shape_kind kind;
    uint16_t offset;  /* in the struct */
    uint16_t present; /* offset of a bool that says whether the field is there; 0: it has none */
    uint16_t unit;    /* of SHAPE_BYTES: the size is a multiple of it; 0: any size */
    uint32_t most;    /* of lists: elements; 0: as many as fit */
    uint32_t limit;
    const struct shape *element;
};

struct shape {
    const struct shape_field *fields;
    uint32_t field_count; /* the greatest field number, and 1 */
    uint32_t size;        /* of the struct, at most SHAPE_SIZE */
    uint64_t required;    /* set of numbers: fields that must be there */
    uint64_t together;    /* set of numbers: all of them, or none */
    uint64_t dependent;   /* set of numbers: only with those of `together` */
};

#define SHAPE_SIZE 256u

/* For tables: the place of a member, a bit of a set, and the rest of a shape. */
#define SHAPE_AT(type, member) .offset = offsetof(struct type, member)
#define SHAPE_BIT(number) (UINT64_C(1) << (number))
#define SHAPE_OF(type, table)                                                                      \
    .fields = (table), .field_count = sizeof(table) / sizeof((table)[0]),                          \
    .size = sizeof(struct type)

/* Walks a message strictly, once, and fills in `out`, which is zeroed first; lists and slices
 * borrow from `bytes`, and the elements of lists have been checked too.
 *
 *   errors    GROVE_MALFORMED, GROVE_TOO_LARGE; `out` is untouched */
enum grove_status shape_decode(const struct shape *shape, struct bytes bytes, void *out)
    GROVE_CHECKED;

/* What shape_encode appends: every field of `from` but lists; what is 0, empty or not present is
 * left out. */
size_t shape_size(const struct shape *shape, const void *from);
void shape_encode(const struct shape *shape, const void *from, struct buffer *out);

/* The same as one field of another message. */
void shape_put(const struct shape *shape, const void *from, uint32_t number, struct buffer *out);

#endif
