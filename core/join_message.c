/* SPDX-License-Identifier: MPL-2.0
 * Joins, cancelling and limits: a shape each. */
#include "core/join_message.h"

#include "core/shape.h"
#include "schema/grove.pb.h"

#define TAG(message, name) grove_v1_##message##_##name##_tag

_Static_assert(PAGED_OUTCOMES == TAG(Paged, outcomes), "as in the schema");
_Static_assert(PAGED_CERTIFICATES == TAG(Paged, certificates), "as in the schema");

/* ---- joins */

static const struct shape_field terms_fields[] = {
    [TAG(Join, kind)] = {SHAPE_UINT32, SHAPE_AT(join_terms, kind), .limit = JOIN_MAP},
    [TAG(Join, function)] = {SHAPE_TEXT, SHAPE_AT(join_terms, function),
                             .limit = LIMIT_FUNCTION_LENGTH},
    [TAG(Join, limit)] = {SHAPE_UINT32, SHAPE_AT(join_terms, limit)},
    [TAG(Join, stop)] = {SHAPE_UINT32, SHAPE_AT(join_terms, stop)},
    [TAG(Join, first_settled)] = {SHAPE_BOOL, SHAPE_AT(join_terms, first_settled)},
    [TAG(Join, first)] = {SHAPE_FIXED, SHAPE_AT(join_terms, first), .limit = sizeof(struct digest)},
    [TAG(Join, occurrence)] = {SHAPE_UINT32, SHAPE_AT(join_terms, occurrence)},
    [TAG(Join, revision)] = {SHAPE_UINT32, SHAPE_AT(join_terms, revision),
                             .limit = LIMIT_JOIN_REVISIONS},
    [TAG(Join, key)] = {SHAPE_TEXT, SHAPE_AT(join_terms, key), .limit = LIMIT_KEY_LENGTH},
};

static const struct shape terms_shape = {SHAPE_OF(join_terms, terms_fields),
                                         .required = SHAPE_BIT(TAG(Join, kind)) |
                                                     SHAPE_BIT(TAG(Join, first))};

/* A map has one function and a limit; nothing else has. */
static bool terms_make_sense(const struct join_terms *terms)
{
    const bool is_map = terms->kind == JOIN_MAP;

    return terms->kind != JOIN_NONE && (terms->limit > 0) == is_map &&
           (is_map ? wire_function_is_valid(terms->function) : terms->function.size == 0) &&
           (terms->kind == JOIN_RACE ? terms->stop <= LIMIT_WINNERS : !terms->first_settled);
}

enum grove_status wire_terms_decode(struct bytes bytes, struct join_terms *terms)
{
    struct join_terms decoded;
    enum grove_status status = shape_decode(&terms_shape, bytes, &decoded);

    if (status == GROVE_OK && !terms_make_sense(&decoded)) {
        status = GROVE_MALFORMED;
    }
    if (status == GROVE_OK) {
        *terms = decoded;
    }
    return status;
}

void wire_terms_encode(struct buffer *out, const struct join_terms *terms)
{
    shape_encode(&terms_shape, terms, out);
}

static const struct shape_field append_fields[] = {
    [TAG(Append, parent)] = {SHAPE_FIXED, SHAPE_AT(append, parent), .limit = sizeof(struct id)},
    [TAG(Append, attempt)] = {SHAPE_UINT32, SHAPE_AT(append, attempt)},
    [TAG(Append, join)] = {SHAPE_BYTES, SHAPE_AT(append, terms), .limit = LIMIT_TERMS_SIZE},
    [TAG(Append, offset)] = {SHAPE_UINT32, SHAPE_AT(append, offset), .limit = LIMIT_JOIN_INPUTS},
    [TAG(Append, first)] = {SHAPE_UINT32, SHAPE_AT(append, first), .limit = LIMIT_BATCH_ITEMS},
    [TAG(Append, count)] = {SHAPE_UINT32, SHAPE_AT(append, count), .limit = LIMIT_BATCH_ITEMS},
    [TAG(Append, adopted)] = {SHAPE_BYTES, SHAPE_AT(append, adopted), .unit = sizeof(struct id),
                              .limit = LIMIT_BATCH_ITEMS * sizeof(struct id)},
    [TAG(Append, close)] = {SHAPE_BOOL, SHAPE_AT(append, close)},
    [TAG(Append, generation)] = {SHAPE_UINT32, SHAPE_AT(append, generation)},
};

const struct shape append_shape = {SHAPE_OF(append, append_fields),
                                   .required = SHAPE_BIT(TAG(Append, parent))};

enum grove_status wire_append_decode(struct bytes element, struct append *append)
{
    return shape_decode(&append_shape, element, append);
}

void wire_put_append(struct wire_writer *writer, uint32_t field, const struct append *append)
{
    shape_put(&append_shape, append, field, writer->out);
}

static const struct shape_field awaited_join_fields[] = {
    [TAG(AwaitedJoin, join)] = {SHAPE_FIXED, SHAPE_AT(awaited_join, join),
                                .limit = sizeof(struct id)},
    [TAG(AwaitedJoin, until)] = {SHAPE_UINT32, SHAPE_AT(awaited_join, until)},
    [TAG(AwaitedJoin, room)] = {SHAPE_UINT32, SHAPE_AT(awaited_join, room)},
};

const struct shape awaited_join_shape = {SHAPE_OF(awaited_join, awaited_join_fields),
                                         .required = SHAPE_BIT(TAG(AwaitedJoin, join))};

enum grove_status wire_awaited_join_decode(struct bytes element, struct awaited_join *awaited)
{
    return shape_decode(&awaited_join_shape, element, awaited);
}

void wire_put_awaited_join(struct buffer *out, const struct awaited_join *awaited)
{
    shape_put(&awaited_join_shape, awaited, TAG(Waits, joins), out);
}

/* ---- pages */

static const struct shape_field page_fields[] = {
    [TAG(Page, join)] = {SHAPE_FIXED, SHAPE_AT(page, join), .limit = sizeof(struct id)},
    [TAG(Page, offset)] = {SHAPE_UINT32, SHAPE_AT(page, offset)},
    [TAG(Page, most)] = {SHAPE_UINT32, SHAPE_AT(page, most)},
    [TAG(Page, room)] = {SHAPE_UINT32, SHAPE_AT(page, room)},
};

static const struct shape page_shape = {SHAPE_OF(page, page_fields),
                                        .required = SHAPE_BIT(TAG(Page, join))};

enum grove_status wire_page_decode(struct bytes body, struct page *page)
{
    return shape_decode(&page_shape, body, page);
}

static const struct shape_field paged_fields[] = {
    [TAG(Paged, join)] = {SHAPE_FIXED, SHAPE_AT(paged, join), .limit = sizeof(struct id)},
    [TAG(Paged, state)] = {SHAPE_UINT32, SHAPE_AT(paged, state), .limit = JOIN_CANCELLED},
    [TAG(Paged, accepted)] = {SHAPE_UINT32, SHAPE_AT(paged, accepted)},
    [TAG(Paged, room)] = {SHAPE_UINT32, SHAPE_AT(paged, room)},
    [TAG(Paged, closed)] = {SHAPE_BOOL, SHAPE_AT(paged, closed)},
    [TAG(Paged, succeeded)] = {SHAPE_UINT32, SHAPE_AT(paged, succeeded)},
    [TAG(Paged, failed)] = {SHAPE_UINT32, SHAPE_AT(paged, failed)},
    [TAG(Paged, running)] = {SHAPE_UINT32, SHAPE_AT(paged, running)},
    [TAG(Paged, winners)] = {SHAPE_BYTES, SHAPE_AT(paged, winners), .unit = sizeof(uint32_t),
                             .limit = LIMIT_WINNERS * sizeof(uint32_t)},
    [TAG(Paged, offset)] = {SHAPE_UINT32, SHAPE_AT(paged, offset)},
    [TAG(Paged, ids)] = {SHAPE_BYTES, SHAPE_AT(paged, ids), .unit = sizeof(struct id),
                         .limit = LIMIT_PAGE * sizeof(struct id)},
    [TAG(Paged, outcomes)] = {SHAPE_LIST, SHAPE_AT(paged, outcomes), .limit = LIMIT_FRAME_SIZE},
    [TAG(Paged, certificates)] = {SHAPE_LIST, SHAPE_AT(paged, certificates),
                                  .limit = LIMIT_CERTIFICATE_SIZE},
};

static const struct shape paged_shape = {SHAPE_OF(paged, paged_fields),
                                         .required = SHAPE_BIT(TAG(Paged, join))};

enum grove_status wire_paged_decode(struct bytes body, struct paged *paged)
{
    return shape_decode(&paged_shape, body, paged);
}

void wire_put_paged(struct wire_writer *writer, const struct paged *paged)
{
    shape_encode(&paged_shape, paged, writer->out);
}

/* ---- cancelling */

static const struct shape_field cancel_fields[] = {
    [TAG(Cancel, task)] = {SHAPE_FIXED, SHAPE_AT(cancel, task), .limit = sizeof(struct id)},
    [TAG(Cancel, by)] = {SHAPE_FIXED, SHAPE_AT(cancel, by),
                         .present = offsetof(struct cancel, has_by), .limit = sizeof(struct id)},
    [TAG(Cancel, attempt)] = {SHAPE_UINT32, SHAPE_AT(cancel, attempt)},
};

static const struct shape cancel_shape = {SHAPE_OF(cancel, cancel_fields),
                                          .required = SHAPE_BIT(TAG(Cancel, task))};

enum grove_status wire_cancel_decode(struct bytes body, struct cancel *cancel)
{
    return shape_decode(&cancel_shape, body, cancel);
}

static const struct shape_field cancelled_fields[] = {
    [TAG(Cancelled, never_started)] = {SHAPE_UINT64, SHAPE_AT(cancelled, never_started)},
    [TAG(Cancelled, stopped)] = {SHAPE_UINT64, SHAPE_AT(cancelled, stopped)},
    [TAG(Cancelled, already_done)] = {SHAPE_UINT64, SHAPE_AT(cancelled, already_done)},
};

static const struct shape cancelled_shape = {SHAPE_OF(cancelled, cancelled_fields)};

enum grove_status wire_cancelled_decode(struct bytes body, struct cancelled *counts)
{
    return shape_decode(&cancelled_shape, body, counts);
}

/* ---- limits */

static const struct shape_field limit_fields[] = {
    [TAG(Limit, function)] = {SHAPE_TEXT, SHAPE_AT(limit, function),
                              .limit = LIMIT_FUNCTION_LENGTH},
    [TAG(Limit, change)] = {SHAPE_UINT32, SHAPE_AT(limit, change),
                            .limit =
                                LIMIT_CHANGE_RUNNING | LIMIT_CHANGE_RATE | LIMIT_CHANGE_PAUSED},
    [TAG(Limit, running)] = {SHAPE_UINT32, SHAPE_AT(limit, running)},
    [TAG(Limit, rate)] = {SHAPE_UINT32, SHAPE_AT(limit, rate)},
    [TAG(Limit, paused)] = {SHAPE_BOOL, SHAPE_AT(limit, paused)},
};

static const struct shape limit_shape = {SHAPE_OF(limit, limit_fields),
                                         .required = SHAPE_BIT(TAG(Limit, function))};

enum grove_status wire_limit_decode(struct bytes body, struct limit *limit)
{
    return shape_decode(&limit_shape, body, limit);
}

static const struct shape_field recall_fields[] = {
    [TAG(Recall, function)] = {SHAPE_TEXT, .offset = 0, .limit = LIMIT_FUNCTION_LENGTH},
};

static const struct shape recall_shape = {SHAPE_OF(bytes, recall_fields),
                                          .required = SHAPE_BIT(TAG(Recall, function))};

enum grove_status wire_recall_decode(struct bytes body, struct bytes *function)
{
    return shape_decode(&recall_shape, body, function);
}

static const struct shape_field drain_fields[] = {
    [TAG(Drain, name)] = {SHAPE_TEXT, .offset = 0, .limit = LIMIT_NAME_LENGTH},
};

static const struct shape drain_shape = {SHAPE_OF(bytes, drain_fields),
                                         .required = SHAPE_BIT(TAG(Drain, name))};

enum grove_status wire_drain_decode(struct bytes body, struct bytes *name)
{
    return shape_decode(&drain_shape, body, name);
}

/* ---- frames */

void wire_page_encode(struct buffer *out, uint64_t correlation, const struct page *page)
{
    wire_frame_encode(out, correlation, MESSAGE_PAGE, &page_shape, page);
}

void wire_cancel_encode(struct buffer *out, uint64_t correlation, const struct cancel *cancel)
{
    wire_frame_encode(out, correlation, MESSAGE_CANCEL, &cancel_shape, cancel);
}

void wire_cancelled_encode(struct buffer *out, uint64_t correlation, const struct cancelled *counts)
{
    wire_frame_encode(out, correlation, MESSAGE_CANCELLED, &cancelled_shape, counts);
}

void wire_limit_encode(struct buffer *out, uint64_t correlation, const struct limit *limit)
{
    wire_frame_encode(out, correlation, MESSAGE_LIMIT, &limit_shape, limit);
}

void wire_recall_encode(struct buffer *out, struct bytes function)
{
    wire_frame_encode(out, 0, MESSAGE_RECALL, &recall_shape, &function);
}

void wire_drain_encode(struct buffer *out, uint64_t correlation, struct bytes name)
{
    wire_frame_encode(out, correlation, MESSAGE_DRAIN, &drain_shape, &name);
}
