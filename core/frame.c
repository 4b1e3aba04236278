/* SPDX-License-Identifier: MPL-2.0
 * One frame is one Message: opened, its lists walked, written. */
#include "core/frame.h"

#include "core/field.h"
#include "core/shape.h"
#include "schema/grove.pb.h"

#define TYPE(type) (UINT64_C(1) << MESSAGE_##type)

/* The types that there are. */
static const uint64_t types =
    TYPE(HELLO) | TYPE(WELCOME) | TYPE(REFUSED) | TYPE(HEARTBEAT) | TYPE(GOODBYE) | TYPE(SUBMIT) |
    TYPE(ACCEPTED) | TYPE(WAIT) | TYPE(NOTIFY) | TYPE(ENLIST) | TYPE(ASSIGN) | TYPE(EXPAND) |
    TYPE(RESUME) | TYPE(REPORT) | TYPE(RETURN) | TYPE(CHECKPOINT) | TYPE(STOP) | TYPE(PROGRESS) |
    TYPE(ADMIT) | TYPE(SNAPSHOT) | TYPE(DONE) | TYPE(CANCEL) | TYPE(CANCELLED) | TYPE(PAGE) |
    TYPE(PAGED) | TYPE(RECALL) | TYPE(LIMIT) | TYPE(CHANGE) | TYPE(DRAIN) | TYPE(FETCH) |
    TYPE(FETCHED);

static bool is_body(const struct field *field)
{
    return field->type == FIELD_BYTES && field->number < 64 && (types >> field->number & 1) != 0;
}

/* The version stands first, so that a frame of another one is told from a broken one. */
enum grove_status wire_message_open(struct bytes frame, struct message *message)
{
    struct message opened = {0};
    struct field field;
    bool has_correlation = false;

    if (frame.size > LIMIT_FRAME_SIZE) {
        return GROVE_TOO_LARGE;
    }
    if (!field_take(&frame, &field) || field.number != grove_v1_Message_version_tag ||
        field.type != FIELD_VARINT) {
        return GROVE_MALFORMED;
    }
    if (field.value != WIRE_VERSION) {
        return GROVE_VERSION;
    }
    while (frame.size > 0) {
        if (!field_take(&frame, &field)) {
            return GROVE_MALFORMED;
        }
        if (field.number == grove_v1_Message_correlation_tag && field.type == FIELD_FIXED64 &&
            !has_correlation) {
            has_correlation = true;
            opened.correlation = field.value;
        } else if (is_body(&field) && opened.type == 0) {
            opened.type = (enum message_type)field.number;
            opened.body = field.bytes;
        } else {
            return GROVE_MALFORMED;
        }
    }
    bool is_empty = opened.type == MESSAGE_GOODBYE || opened.type == MESSAGE_SNAPSHOT;
    if (opened.type == 0 || (is_empty && opened.body.size > 0)) {
        return GROVE_MALFORMED;
    }
    *message = opened;
    return GROVE_OK;
}

bool wire_next(struct wire_list *list, struct bytes *element)
{
    struct field field;

    if (list->count == 0) {
        return false;
    }
    while (field_take(&list->rest, &field)) {
        if (field.number == list->field && field.type == FIELD_BYTES) {
            *element = field.bytes;
            list->count--;
            return true;
        }
    }
    list->count = 0;
    return false;
}

void wire_open(struct wire_writer *writer, struct buffer *out, enum message_type type,
               uint64_t correlation)
{
    field_put_uint(out, grove_v1_Message_version_tag, WIRE_VERSION);
    if (correlation != 0) {
        field_put_fixed64(out, grove_v1_Message_correlation_tag, correlation);
    }
    *writer = (struct wire_writer){.out = out, .start = field_open(out, (uint32_t)type)};
}

void wire_close(struct wire_writer *writer)
{
    field_close(writer->out, writer->start);
}

void wire_put_bytes(struct wire_writer *writer, uint32_t field, struct bytes bytes)
{
    field_put_bytes(writer->out, field, bytes);
}

void wire_put_uint(struct wire_writer *writer, uint32_t field, uint64_t value)
{
    if (value != 0) {
        field_put_uint(writer->out, field, value);
    }
}

void wire_frame_encode(struct buffer *out, uint64_t correlation, enum message_type type,
                       const struct shape *shape, const void *from)
{
    struct wire_writer writer;

    wire_open(&writer, out, type, correlation);
    shape_encode(shape, from, out);
    wire_close(&writer);
}

void wire_empty_encode(struct buffer *out, uint64_t correlation, enum message_type type)
{
    struct wire_writer writer;

    wire_open(&writer, out, type, correlation);
    wire_close(&writer);
}
