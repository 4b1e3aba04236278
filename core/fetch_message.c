/* SPDX-License-Identifier: MPL-2.0
 * A task as it was signed. */
#include "core/fetch_message.h"

#include "core/shape.h"
#include "schema/grove.pb.h"

#define TAG(message, name) grove_v1_##message##_##name##_tag

_Static_assert(FETCHED_BATCH == TAG(Fetched, batch), "as in the schema");
_Static_assert(FETCHED_CERTIFICATES == TAG(Fetched, certificates), "as in the schema");

static const struct shape_field fetch_fields[] = {
    [TAG(Fetch, task)] = {SHAPE_FIXED, .offset = 0, .limit = sizeof(struct id)},
};

static const struct shape fetch_shape = {.fields = fetch_fields,
                                         .field_count = TAG(Fetch, task) + 1,
                                         .size = sizeof(struct id),
                                         .required = SHAPE_BIT(TAG(Fetch, task))};

enum grove_status wire_fetch_decode(struct bytes body, struct id *task)
{
    return shape_decode(&fetch_shape, body, task);
}

void wire_fetch_encode(struct buffer *out, uint64_t correlation, const struct id *task)
{
    wire_frame_encode(out, correlation, MESSAGE_FETCH, &fetch_shape, task);
}

static const struct shape_field fetched_fields[] = {
    [TAG(Fetched, batch)] = {SHAPE_BYTES, SHAPE_AT(fetched, batch), .limit = LIMIT_FRAME_SIZE},
    [TAG(Fetched, certificates)] = {SHAPE_LIST, SHAPE_AT(fetched, certificates),
                                    .limit = LIMIT_CERTIFICATE_SIZE},
    [TAG(Fetched, has_ended)] = {SHAPE_BOOL, SHAPE_AT(fetched, has_ended)},
    [TAG(Fetched, code)] = {SHAPE_UINT32, SHAPE_AT(fetched, code)},
};

static const struct shape fetched_shape = {SHAPE_OF(fetched, fetched_fields),
                                           .required = SHAPE_BIT(TAG(Fetched, batch))};

enum grove_status wire_fetched_decode(struct bytes body, struct fetched *fetched)
{
    return shape_decode(&fetched_shape, body, fetched);
}

void wire_put_fetched(struct wire_writer *writer, const struct fetched *fetched)
{
    shape_encode(&fetched_shape, fetched, writer->out);
}
