/* SPDX-License-Identifier: MPL-2.0
 * What is signed: items of tasks, results and verdicts, and the batches that hold them. */
#include "core/item.h"

#include <assert.h>

#include "core/field.h"
#include "core/shape.h"
#include "schema/grove.pb.h"

#define TASK(name) grove_v1_TaskItem_##name##_tag
#define RESULT(name) grove_v1_ResultItem_##name##_tag
#define VERDICT(name) grove_v1_VerdictItem_##name##_tag
#define SEALED(name) grove_v1_Sealed_##name##_tag

static_assert(sizeof(enum outcome_code) == sizeof(uint32_t), "a code is decoded as a uint32_t");
static_assert(sizeof(((grove_v1_TaskItem *)0)->function) == LIMIT_FUNCTION_LENGTH + 1, "schema");
static_assert(sizeof(((grove_v1_TaskItem *)0)->content_type) == LIMIT_CONTENT_TYPE_LENGTH + 1,
              "schema");
static_assert(sizeof(((grove_v1_TaskItem *)0)->key) == LIMIT_KEY_LENGTH + 1, "schema");

/* ---- task items */

static const struct shape_field task_fields[] = {
    [TASK(nonce)] = {SHAPE_FIXED, SHAPE_AT(task_item, nonce), .limit = 16},
    [TASK(function)] = {SHAPE_TEXT, SHAPE_AT(task_item, function), .limit = LIMIT_FUNCTION_LENGTH},
    [TASK(payload)] = {SHAPE_BYTES, SHAPE_AT(task_item, payload), .limit = LIMIT_PAYLOAD_SIZE},
    [TASK(content_type)] = {SHAPE_TEXT, SHAPE_AT(task_item, content_type),
                            .limit = LIMIT_CONTENT_TYPE_LENGTH},
    [TASK(key)] = {SHAPE_TEXT, SHAPE_AT(task_item, key), .limit = LIMIT_KEY_LENGTH},
    [TASK(priority)] = {SHAPE_SINT32, SHAPE_AT(task_item, priority),
                        .present = offsetof(struct task_item, has_priority)},
    [TASK(delay_ms)] = {SHAPE_UINT64, SHAPE_AT(task_item, delay_ms)},
    [TASK(deadline_ms)] = {SHAPE_UINT64, SHAPE_AT(task_item, deadline_ms)},
    [TASK(timeout_ms)] = {SHAPE_UINT64, SHAPE_AT(task_item, timeout_ms)},
    [TASK(max_attempts)] = {SHAPE_UINT32, SHAPE_AT(task_item, max_attempts)},
    [TASK(at_most_once)] = {SHAPE_BOOL, SHAPE_AT(task_item, at_most_once)},
    [TASK(fresh)] = {SHAPE_BOOL, SHAPE_AT(task_item, fresh)},
    [TASK(expires_ms)] = {SHAPE_UINT64, SHAPE_AT(task_item, expires_ms)},
    [TASK(max_tasks)] = {SHAPE_UINT32, SHAPE_AT(task_item, max_tasks)},
    [TASK(max_bytes)] = {SHAPE_UINT64, SHAPE_AT(task_item, max_bytes)},
    [TASK(retry_of)] = {SHAPE_FIXED, SHAPE_AT(task_item, retry_of),
                        .present = offsetof(struct task_item, has_retry_of), .limit = 16},
    [TASK(parent)] = {SHAPE_FIXED, SHAPE_AT(task_item, lineage.parent),
                      .present = offsetof(struct task_item, lineage.present), .limit = 16},
    [TASK(root)] = {SHAPE_FIXED, SHAPE_AT(task_item, lineage.root),
                    .present = offsetof(struct task_item, lineage.present), .limit = 16},
    [TASK(attempt)] = {SHAPE_UINT32, SHAPE_AT(task_item, lineage.attempt),
                       .present = offsetof(struct task_item, lineage.present)},
    [TASK(generation)] = {SHAPE_UINT32, SHAPE_AT(task_item, lineage.generation)},
    [TASK(occurrence)] = {SHAPE_UINT32, SHAPE_AT(task_item, lineage.occurrence)},
    [TASK(join_kind)] = {SHAPE_UINT32, SHAPE_AT(task_item, lineage.join_kind)},
    [TASK(join_position)] = {SHAPE_UINT32, SHAPE_AT(task_item, lineage.join_position)},
};

static const struct shape task_shape = {
    SHAPE_OF(task_item, task_fields),
    .required = SHAPE_BIT(TASK(nonce)),
    .together = SHAPE_BIT(TASK(parent)) | SHAPE_BIT(TASK(root)) | SHAPE_BIT(TASK(attempt)),
    .dependent = SHAPE_BIT(TASK(generation)) | SHAPE_BIT(TASK(occurrence)) |
                 SHAPE_BIT(TASK(join_kind)) | SHAPE_BIT(TASK(join_position)),
};

enum grove_status wire_task_decode(struct bytes bytes, struct task_item *item)
{
    return shape_decode(&task_shape, bytes, item);
}

void wire_task_encode(struct buffer *out, const struct task_item *item)
{
    shape_encode(&task_shape, item, out);
}

bool wire_function_is_valid(struct bytes function)
{
    if (function.size == 0 || function.size > LIMIT_FUNCTION_LENGTH) {
        return false;
    }
    for (size_t i = 0; i < function.size; i++) {
        uint8_t byte = function.data[i];
        bool is_word = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');

        if (!is_word && byte != '.' && byte != '_' && byte != '-') {
            return false;
        }
    }
    return true;
}

/* ---- result items */

static const struct shape_field result_fields[] = {
    [RESULT(nonce)] = {SHAPE_FIXED, SHAPE_AT(result_item, nonce), .limit = 16},
    [RESULT(task)] = {SHAPE_FIXED, SHAPE_AT(result_item, task), .limit = 16},
    [RESULT(root)] = {SHAPE_FIXED, SHAPE_AT(result_item, root), .limit = 16},
    [RESULT(parent)] = {SHAPE_FIXED, SHAPE_AT(result_item, parent),
                        .present = offsetof(struct result_item, has_parent), .limit = 16},
    [RESULT(function)] = {SHAPE_TEXT, SHAPE_AT(result_item, function),
                          .limit = LIMIT_FUNCTION_LENGTH},
    [RESULT(payload_digest)] = {SHAPE_FIXED, SHAPE_AT(result_item, payload_digest), .limit = 32},
    [RESULT(attempt)] = {SHAPE_UINT32, SHAPE_AT(result_item, attempt)},
    [RESULT(session)] = {SHAPE_UINT64, SHAPE_AT(result_item, session)},
    [RESULT(code)] = {SHAPE_UINT32, SHAPE_AT(result_item, code), .limit = CODE_TIMEOUT},
    [RESULT(bytes)] = {SHAPE_BYTES, SHAPE_AT(result_item, bytes), .limit = LIMIT_PAYLOAD_SIZE},
    [RESULT(text)] = {SHAPE_TEXT, SHAPE_AT(result_item, text), .limit = LIMIT_TEXT_LENGTH},
    [RESULT(run_ms)] = {SHAPE_UINT64, SHAPE_AT(result_item, run_ms)},
    [RESULT(content_type)] = {SHAPE_TEXT, SHAPE_AT(result_item, content_type),
                              .limit = LIMIT_CONTENT_TYPE_LENGTH},
};

static const struct shape result_shape = {
    SHAPE_OF(result_item, result_fields),
    .required = SHAPE_BIT(RESULT(nonce)) | SHAPE_BIT(RESULT(task)) | SHAPE_BIT(RESULT(root)) |
                SHAPE_BIT(RESULT(payload_digest)),
};

enum grove_status wire_result_decode(struct bytes bytes, struct result_item *item)
{
    return shape_decode(&result_shape, bytes, item);
}

void wire_result_encode(struct buffer *out, const struct result_item *item)
{
    assert(item->code <= CODE_TIMEOUT);
    shape_encode(&result_shape, item, out);
}

/* ---- verdict items */

static const struct shape_field verdict_fields[] = {
    [VERDICT(task)] = {SHAPE_FIXED, SHAPE_AT(verdict_item, task), .limit = 16},
    [VERDICT(root)] = {SHAPE_FIXED, SHAPE_AT(verdict_item, root), .limit = 16},
    [VERDICT(parent)] = {SHAPE_FIXED, SHAPE_AT(verdict_item, parent),
                         .present = offsetof(struct verdict_item, has_parent), .limit = 16},
    [VERDICT(function)] = {SHAPE_TEXT, SHAPE_AT(verdict_item, function),
                           .limit = LIMIT_FUNCTION_LENGTH},
    [VERDICT(payload_digest)] = {SHAPE_FIXED, SHAPE_AT(verdict_item, payload_digest), .limit = 32},
    [VERDICT(code)] = {SHAPE_UINT32, SHAPE_AT(verdict_item, code), .limit = CODE_JOIN_FAILED},
    [VERDICT(text)] = {SHAPE_TEXT, SHAPE_AT(verdict_item, text), .limit = LIMIT_TEXT_LENGTH},
    [VERDICT(at_ms)] = {SHAPE_UINT64, SHAPE_AT(verdict_item, at_ms)},
};

static const struct shape verdict_shape = {
    SHAPE_OF(verdict_item, verdict_fields),
    .required =
        SHAPE_BIT(VERDICT(task)) | SHAPE_BIT(VERDICT(root)) | SHAPE_BIT(VERDICT(payload_digest)),
};

enum grove_status wire_verdict_decode(struct bytes bytes, struct verdict_item *item)
{
    struct verdict_item decoded;
    enum grove_status status = shape_decode(&verdict_shape, bytes, &decoded);

    if (status == GROVE_OK && decoded.code < CODE_CANCELLED) {
        status = GROVE_MALFORMED;
    }
    if (status == GROVE_OK) {
        *item = decoded;
    }
    return status;
}

void wire_verdict_encode(struct buffer *out, const struct verdict_item *item)
{
    assert(item->code >= CODE_CANCELLED);
    shape_encode(&verdict_shape, item, out);
}

/* ---- batches */

/* A Sealed message but for its items. */
struct sealed_fields {
    struct key signer;
    uint32_t kind;
    uint32_t count;
    struct signature signature;
    struct wire_list items;
    struct bytes indices;
    struct bytes hashes;
};

static const struct shape_field sealed_table[] = {
    [SEALED(signer)] = {SHAPE_FIXED, SHAPE_AT(sealed_fields, signer), .limit = 32},
    [SEALED(kind)] = {SHAPE_UINT32, SHAPE_AT(sealed_fields, kind), .limit = SEAL_VERDICT},
    [SEALED(count)] = {SHAPE_UINT32, SHAPE_AT(sealed_fields, count), .limit = LIMIT_BATCH_ITEMS},
    [SEALED(signature)] = {SHAPE_FIXED, SHAPE_AT(sealed_fields, signature), .limit = 64},
    [SEALED(items)] = {SHAPE_LIST, SHAPE_AT(sealed_fields, items), .most = LIMIT_BATCH_ITEMS,
                       .limit = LIMIT_ITEM_SIZE},
    [SEALED(indices)] = {SHAPE_BYTES, SHAPE_AT(sealed_fields, indices), .limit = LIMIT_BATCH_ITEMS},
    [SEALED(hashes)] = {SHAPE_BYTES, SHAPE_AT(sealed_fields, hashes), .unit = sizeof(struct digest),
                        .limit = LIMIT_BATCH_ITEMS * sizeof(struct digest)},
};

static const struct shape sealed_shape = {
    SHAPE_OF(sealed_fields, sealed_table),
    .required = SHAPE_BIT(SEALED(signer)) | SHAPE_BIT(SEALED(kind)) | SHAPE_BIT(SEALED(count)) |
                SHAPE_BIT(SEALED(signature)) | SHAPE_BIT(SEALED(items)),
};

/* Indices ascend below the count, one an item; without any, the batch is whole. */
static bool places_are_right(const struct sealed_fields *fields)
{
    struct bytes indices = fields->indices;

    if (fields->kind == 0 || fields->count == 0) {
        return false;
    }
    if (indices.size == 0) {
        return fields->items.count == fields->count && fields->hashes.size == 0;
    }
    for (size_t i = 1; i < indices.size; i++) {
        if (indices.data[i] <= indices.data[i - 1]) {
            return false;
        }
    }
    return fields->items.count == indices.size && indices.data[indices.size - 1] < fields->count;
}

/* A batch of several items stays below LIMIT_BATCH_SIZE; one item may have any permitted size. Most
 * are smaller with all that is around them, and are not walked for this. */
static bool items_fit(struct wire_list items)
{
    struct bytes item;
    size_t size = 0;

    if (items.count == 1 || items.rest.size <= LIMIT_BATCH_SIZE) {
        return true;
    }
    while (wire_next(&items, &item)) {
        size += item.size;
    }
    return size <= LIMIT_BATCH_SIZE;
}

enum grove_status wire_sealed_decode(struct bytes bytes, struct sealed *sealed)
{
    struct sealed_fields fields;
    enum grove_status status = shape_decode(&sealed_shape, bytes, &fields);

    if (status != GROVE_OK) {
        return status;
    }
    if (!places_are_right(&fields)) {
        return GROVE_MALFORMED;
    }
    if (!items_fit(fields.items)) {
        return GROVE_TOO_LARGE;
    }
    sealed->seal = (struct seal){.signer = fields.signer,
                                 .signature = fields.signature,
                                 .count = (uint16_t)fields.count,
                                 .kind = (uint8_t)fields.kind};
    sealed->item_count = (uint16_t)fields.items.count;
    sealed->hashes = fields.hashes;
    for (unsigned i = 0; wire_next(&fields.items, &sealed->item[i]); i++) {
        sealed->index[i] = fields.indices.size > 0 ? fields.indices.data[i] : (uint8_t)i;
    }
    return GROVE_OK;
}

/* All but the items, which are written after it. */
static struct sealed_fields fields_of(const struct sealed *sealed)
{
    bool is_whole = sealed->item_count == sealed->seal.count;

    return (struct sealed_fields){
        .signer = sealed->seal.signer,
        .kind = sealed->seal.kind,
        .count = sealed->seal.count,
        .signature = sealed->seal.signature,
        .indices = is_whole ? (struct bytes){0} : bytes_of(sealed->index, sealed->item_count),
        .hashes = sealed->hashes,
    };
}

void wire_sealed_encode(struct buffer *out, const struct sealed *sealed)
{
    struct sealed_fields fields = fields_of(sealed);

    shape_encode(&sealed_shape, &fields, out);
    for (unsigned i = 0; i < sealed->item_count; i++) {
        field_put_bytes(out, SEALED(items), sealed->item[i]);
    }
}

size_t wire_sealed_size(const struct sealed *sealed)
{
    struct sealed_fields fields = fields_of(sealed);
    size_t size = shape_size(&sealed_shape, &fields);

    for (unsigned i = 0; i < sealed->item_count; i++) {
        size += 1 + field_varint_size(sealed->item[i].size) + sealed->item[i].size;
    }
    return size;
}

void wire_put_sealed(struct wire_writer *writer, uint32_t field, const struct sealed *sealed)
{
    size_t opened = field_open(writer->out, field);

    wire_sealed_encode(writer->out, sealed);
    field_close(writer->out, opened);
}

const char *outcome_code_name(enum outcome_code code)
{
    switch (code) {
    case CODE_SUCCEEDED:
        return "succeeded";
    case CODE_FAILED:
        return "failed";
    case CODE_PERMANENT:
        return "permanent";
    case CODE_TIMEOUT:
        return "timeout";
    case CODE_CANCELLED:
        return "cancelled";
    case CODE_POISON:
        return "poison";
    case CODE_DEADLINE:
        return "deadline";
    case CODE_REFUSED:
        return "refused";
    case CODE_LOST:
        return "lost";
    case CODE_ABANDONED:
        return "abandoned";
    case CODE_JOINED:
        return "joined";
    case CODE_JOIN_FAILED:
        return "join-failed";
    }
    return "unknown";
}
