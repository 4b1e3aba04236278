/* SPDX-License-Identifier: MPL-2.0
 * One strict walk for every message.  nanopb would accept unknown fields and repeated singular
 * ones, and would copy what we only point into. */
#include "core/shape.h"

#include <assert.h>

#include "core/field.h"
#include "core/text.h"
#include "core/wire.h"

static bool is_list(enum shape_kind kind)
{
    return kind >= SHAPE_LIST;
}

static enum field_type type_of(enum shape_kind kind)
{
    return kind >= SHAPE_FIXED ? FIELD_BYTES : FIELD_VARINT;
}

static uint64_t zigzag(int32_t value)
{
    return (uint32_t)value << 1 ^ (value < 0 ? UINT32_MAX : 0);
}

static int32_t unzigzag(uint32_t value)
{
    return (int32_t)(value >> 1) ^ -(int32_t)(value & 1);
}

/* ---- decoding */

static enum grove_status take_number(const struct shape_field *rule, uint64_t value, uint8_t *at)
{
    bool flag = value == 1;
    uint32_t narrow = (uint32_t)value;
    int32_t integer = unzigzag(narrow);

    if (rule->kind == SHAPE_UINT64) {
        memcpy(at, &value, sizeof(value));
        return GROVE_OK;
    }
    if (value > (rule->kind == SHAPE_BOOL ? 1 : UINT32_MAX) ||
        (rule->kind == SHAPE_UINT32 && rule->limit > 0 && value > rule->limit)) {
        return GROVE_MALFORMED;
    }
    if (rule->kind == SHAPE_BOOL) {
        memcpy(at, &flag, sizeof(flag));
    } else if (rule->kind == SHAPE_UINT32) {
        memcpy(at, &narrow, sizeof(narrow));
    } else {
        memcpy(at, &integer, sizeof(integer));
    }
    return GROVE_OK;
}

static enum grove_status take_slice(const struct shape_field *rule, struct bytes bytes, uint8_t *at)
{
    if (bytes.size > rule->limit) {
        return GROVE_TOO_LARGE;
    }
    if ((rule->kind == SHAPE_TEXT && !text_is_valid(bytes)) ||
        (rule->unit > 1 && bytes.size % rule->unit != 0)) {
        return GROVE_MALFORMED;
    }
    /* Member by member: what was just stored as two words is slow to load as one of both. */
    memcpy(at + offsetof(struct bytes, data), &bytes.data, sizeof(bytes.data));
    memcpy(at + offsetof(struct bytes, size), &bytes.size, sizeof(bytes.size));
    return GROVE_OK;
}

static enum grove_status check_message(const struct shape *shape, struct bytes bytes)
{
    uint8_t unused[SHAPE_SIZE];

    return shape_decode(shape, bytes, unused);
}

static enum grove_status check_element(const struct shape_field *rule, struct bytes bytes)
{
    if (rule->kind == SHAPE_MESSAGES) {
        return check_message(rule->element, bytes);
    }
    if (bytes.size > rule->limit) {
        return GROVE_TOO_LARGE;
    }
    return rule->kind == SHAPE_TEXTS && !text_is_valid(bytes) ? GROVE_MALFORMED : GROVE_OK;
}

/* A list starts at its first element and is walked again by wire_next. */
static enum grove_status take_element(const struct shape_field *rule, const struct field *field,
                                      struct bytes start, uint8_t *at)
{
    uint8_t *at_count = at + offsetof(struct wire_list, count);
    uint32_t count;

    memcpy(&count, at_count, sizeof(count));
    if (count == 0) {
        const struct wire_list list = {.rest = start, .field = field->number};
        memcpy(at, &list, sizeof(list));
    }
    count++;
    memcpy(at_count, &count, sizeof(count));
    return rule->most > 0 && count > rule->most ? GROVE_TOO_LARGE
                                                : check_element(rule, field->bytes);
}

/* `start` is what was left of the message before this field. */
static enum grove_status take_value(const struct shape_field *rule, const struct field *field,
                                    struct bytes start, uint8_t *at)
{
    switch (rule->kind) {
    case SHAPE_BOOL:
    case SHAPE_UINT32:
    case SHAPE_UINT64:
    case SHAPE_SINT32:
        return take_number(rule, field->value, at);
    case SHAPE_FIXED:
        if (field->bytes.size != rule->limit) {
            return GROVE_MALFORMED;
        }
        memcpy(at, field->bytes.data, rule->limit);
        return GROVE_OK;
    case SHAPE_BYTES:
    case SHAPE_TEXT:
        return take_slice(rule, field->bytes, at);
    case SHAPE_LIST:
    case SHAPE_TEXTS:
    case SHAPE_MESSAGES:
        return take_element(rule, field, start, at);
    case SHAPE_NONE:
        break;
    }
    return GROVE_MALFORMED;
}

/* `seen` is the set of fields that were there. */
static bool is_whole(const struct shape *shape, uint64_t seen)
{
    uint64_t together = seen & shape->together;

    return (seen & shape->required) == shape->required &&
           (together == shape->together || (together == 0 && (seen & shape->dependent) == 0));
}

/* Not to become part of shape_decode: knowing how large `out` is, the compiler would have each
 * number copied there by a checked call of the library, which takes longer than the rest of a
 * field. */
static __attribute__((noinline)) enum grove_status walk(const struct shape *shape,
                                                        struct bytes rest, uint8_t *out)
{
    uint64_t seen = 0;

    while (rest.size > 0) {
        struct bytes start = rest;
        struct field field;

        if (!field_take(&rest, &field) || field.number >= shape->field_count) {
            return GROVE_MALFORMED;
        }
        const struct shape_field *rule = &shape->fields[field.number];
        if (rule->kind == SHAPE_NONE || field.type != type_of(rule->kind) ||
            (seen & SHAPE_BIT(field.number) && !is_list(rule->kind))) {
            return GROVE_MALFORMED;
        }
        seen |= SHAPE_BIT(field.number);
        enum grove_status status = take_value(rule, &field, start, out + rule->offset);
        if (status != GROVE_OK) {
            return status;
        }
        if (rule->present > 0) {
            out[rule->present] = true;
        }
    }
    return is_whole(shape, seen) ? GROVE_OK : GROVE_MALFORMED;
}

enum grove_status shape_decode(const struct shape *shape, struct bytes bytes, void *out)
{
    uint8_t decoded[SHAPE_SIZE] = {0};

    assert(shape->size <= sizeof(decoded) && shape->field_count <= 64);
    enum grove_status status = walk(shape, bytes, decoded);
    if (status == GROVE_OK) {
        memcpy(out, decoded, shape->size);
    }
    return status;
}

/* ---- encoding */

static inline bool is_zero(const uint8_t *at, size_t size)
{
    uint64_t word = 0;

    memcpy(&word, at, size);
    return word == 0;
}

/* Most fields of most messages are not there, so this is asked first and apart. */
static inline bool is_there(const struct shape_field *rule, const uint8_t *from)
{
    const uint8_t *at = from + rule->offset;

    if (rule->present > 0) {
        return from[rule->present];
    }
    switch (rule->kind) {
    case SHAPE_BOOL:
        return !is_zero(at, sizeof(bool));
    case SHAPE_UINT32:
    case SHAPE_SINT32:
        return !is_zero(at, sizeof(uint32_t));
    case SHAPE_UINT64:
        return !is_zero(at, sizeof(uint64_t));
    case SHAPE_FIXED:
        return true;
    case SHAPE_BYTES:
    case SHAPE_TEXT:
        return !is_zero(at + offsetof(struct bytes, size), sizeof(size_t));
    case SHAPE_LIST:
    case SHAPE_TEXTS:
    case SHAPE_MESSAGES:
    case SHAPE_NONE:
        break;
    }
    return false;
}

/* A field that is there, as it is written. */
static inline struct field value_at(const struct shape_field *rule, const uint8_t *at)
{
    struct field field = {.type = type_of(rule->kind)};
    bool flag;
    uint32_t narrow;
    int32_t integer;

    switch (rule->kind) {
    case SHAPE_BOOL:
        memcpy(&flag, at, sizeof(flag));
        field.value = flag;
        break;
    case SHAPE_UINT32:
        memcpy(&narrow, at, sizeof(narrow));
        field.value = narrow;
        break;
    case SHAPE_UINT64:
        memcpy(&field.value, at, sizeof(field.value));
        break;
    case SHAPE_SINT32:
        memcpy(&integer, at, sizeof(integer));
        field.value = zigzag(integer);
        break;
    case SHAPE_FIXED:
        field.bytes = bytes_of(at, rule->limit);
        break;
    case SHAPE_BYTES:
    case SHAPE_TEXT:
        memcpy(&field.bytes, at, sizeof(field.bytes));
        break;
    case SHAPE_LIST:
    case SHAPE_TEXTS:
    case SHAPE_MESSAGES:
    case SHAPE_NONE:
        break;
    }
    return field;
}

static size_t field_size(uint32_t number, const struct field *field)
{
    const size_t size = field_varint_size(field_tag(number, field->type));

    return field->type == FIELD_BYTES
               ? size + field_varint_size(field->bytes.size) + field->bytes.size
               : size + field_varint_size(field->value);
}

size_t shape_size(const struct shape *shape, const void *from)
{
    size_t size = 0;

    for (uint32_t number = 1; number < shape->field_count; number++) {
        const struct shape_field *rule = &shape->fields[number];

        if (is_there(rule, from)) {
            const struct field field = value_at(rule, (const uint8_t *)from + rule->offset);
            size += field_size(number, &field);
        }
    }
    return size;
}

static void put_field(struct buffer *out, uint32_t number, const struct field *field)
{
    uint8_t *to = buffer_extend(out, field_size(number, field));

    to = field_write_varint(to, field_tag(number, field->type));
    if (field->type != FIELD_BYTES) {
        field_write_varint(to, field->value);
        return;
    }
    to = field_write_varint(to, field->bytes.size);
    if (field->bytes.size > 0) {
        memcpy(to, field->bytes.data, field->bytes.size);
    }
}

void shape_encode(const struct shape *shape, const void *from, struct buffer *out)
{
    for (uint32_t number = 1; number < shape->field_count; number++) {
        const struct shape_field *rule = &shape->fields[number];

        if (is_there(rule, from)) {
            const struct field field = value_at(rule, (const uint8_t *)from + rule->offset);
            put_field(out, number, &field);
        }
    }
}

void shape_put(const struct shape *shape, const void *from, uint32_t number, struct buffer *out)
{
    const size_t size = shape_size(shape, from);
    const uint64_t tag = field_tag(number, FIELD_BYTES);
    uint8_t *to = buffer_extend(out, field_varint_size(tag) + field_varint_size(size));

    field_write_varint(field_write_varint(to, tag), size);
    shape_encode(shape, from, out);
}
