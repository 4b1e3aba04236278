/* SPDX-License-Identifier: MPL-2.0 */
#include "core/location_message.h"

#include "core/message.h"
#include "core/shape.h"
#include "schema/grove.pb.h"

#define TAG(message, name) grove_v1_##message##_##name##_tag

static const struct shape_field location_fields[] = {
    [TAG(Location, certificate)] = {SHAPE_BYTES, SHAPE_AT(location, certificate),
                                    .limit = LIMIT_CERTIFICATE_SIZE},
    [TAG(Location, endpoint)] = {SHAPE_TEXT, SHAPE_AT(location, endpoint),
                                 .limit = LIMIT_ENDPOINT_LENGTH},
};

const struct shape location_shape = {SHAPE_OF(location, location_fields),
                                     .required = SHAPE_BIT(TAG(Location, certificate)) |
                                                 SHAPE_BIT(TAG(Location, endpoint))};

enum grove_status wire_location_decode(struct bytes element, struct location *location)
{
    return shape_decode(&location_shape, element, location);
}

void wire_put_location(struct wire_writer *writer, uint32_t field, const struct location *location)
{
    shape_put(&location_shape, location, field, writer->out);
}

static const struct shape_field refused_fields[] = {
    [TAG(Refused, code)] = {SHAPE_UINT32, SHAPE_AT(refused, code)},
    [TAG(Refused, text)] = {SHAPE_TEXT, SHAPE_AT(refused, text), .limit = LIMIT_TEXT_LENGTH},
    [TAG(Refused, retryable)] = {SHAPE_BOOL, SHAPE_AT(refused, retryable)},
    [TAG(Refused, retry_ms)] = {SHAPE_UINT64, SHAPE_AT(refused, retry_ms)},
    [TAG(Refused, leader)] = {SHAPE_MESSAGES, SHAPE_AT(refused, leader), .most = 1,
                              .element = &location_shape},
};

static const struct shape refused_shape = {SHAPE_OF(refused, refused_fields)};

enum grove_status wire_refused_decode(struct bytes body, struct refused *refused)
{
    return shape_decode(&refused_shape, body, refused);
}

void wire_refused_encode(struct buffer *out, uint64_t correlation, const struct refused *refused)
{
    wire_frame_encode(out, correlation, MESSAGE_REFUSED, &refused_shape, refused);
}

void wire_redirect_encode(struct buffer *out, uint64_t correlation, const struct refused *refused,
                          const struct location *leader)
{
    struct wire_writer writer;

    wire_open(&writer, out, MESSAGE_REFUSED, correlation);
    shape_encode(&refused_shape, refused, out);
    wire_put_location(&writer, REFUSED_LEADER, leader);
    wire_close(&writer);
}

static const struct shape_field change_fields[] = {
    [TAG(Change, kind)] = {SHAPE_UINT32, SHAPE_AT(change, kind), .limit = CHANGE_TRANSFER},
    [TAG(Change, name)] = {SHAPE_TEXT, SHAPE_AT(change, name), .limit = LIMIT_NAME_LENGTH},
};

static const struct shape change_shape = {SHAPE_OF(change, change_fields),
                                          .required = SHAPE_BIT(TAG(Change, kind))};

enum grove_status wire_change_decode(struct bytes body, struct change *change)
{
    return shape_decode(&change_shape, body, change);
}

void wire_change_encode(struct buffer *out, uint64_t correlation, const struct change *change)
{
    wire_frame_encode(out, correlation, MESSAGE_CHANGE, &change_shape, change);
}
