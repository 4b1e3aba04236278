/* SPDX-License-Identifier: MPL-2.0
 * Errands: a shape for each message, and sizes before them. */
#include "core/errand.h"

#include "core/shape.h"
#include "schema/errand.pb.h"

#define TAG(message, name) grove_v1_##message##_##name##_tag

#define SIZE_SIZE 4u /* bytes of the size before a part */

/* ---- parts */

static uint32_t read_size(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

enum grove_status errand_cut(struct bytes *rest, struct bytes *part)
{
    if (rest->size < SIZE_SIZE) {
        return GROVE_BUSY;
    }
    const uint32_t size = read_size(rest->data);

    if (size > LIMIT_ERRAND_SIZE) {
        return GROVE_TOO_LARGE;
    }
    if (rest->size - SIZE_SIZE < size) {
        return GROVE_BUSY;
    }
    *part = bytes_of(rest->data + SIZE_SIZE, size);
    *rest = bytes_of(part->data + size, rest->size - SIZE_SIZE - size);
    return GROVE_OK;
}

static void put_part(struct buffer *out, const struct shape *shape, const void *from)
{
    const size_t size = shape_size(shape, from);
    uint8_t *at = buffer_extend(out, SIZE_SIZE);

    for (unsigned i = 0; i < SIZE_SIZE; i++) {
        at[i] = (uint8_t)(size >> (8 * i));
    }
    shape_encode(shape, from, out);
}

/* ---- from the command */

static const struct shape_field errand_fields[] = {
    [TAG(Errand, verb)] = {SHAPE_UINT32, SHAPE_AT(errand, verb), .limit = ERRAND_FAIL},
    [TAG(Errand, task)] = {SHAPE_FIXED, SHAPE_AT(errand, task),
                           .present = offsetof(struct errand, has_task),
                           .limit = sizeof(struct id)},
    [TAG(Errand, key)] = {SHAPE_TEXT, SHAPE_AT(errand, key), .limit = LIMIT_KEY_LENGTH},
    [TAG(Errand, priority)] = {SHAPE_SINT32, SHAPE_AT(errand, priority),
                               .present = offsetof(struct errand, has_priority)},
    [TAG(Errand, deadline_ms)] = {SHAPE_UINT64, SHAPE_AT(errand, deadline_ms)},
    [TAG(Errand, limit)] = {SHAPE_UINT32, SHAPE_AT(errand, limit)},
    [TAG(Errand, max_failures)] = {SHAPE_UINT32, SHAPE_AT(errand, max_failures)},
    [TAG(Errand, winners)] = {SHAPE_UINT32, SHAPE_AT(errand, winners), .limit = LIMIT_WINNERS},
    [TAG(Errand, first_settled)] = {SHAPE_BOOL, SHAPE_AT(errand, first_settled)},
    [TAG(Errand, percent)] = {SHAPE_UINT32, SHAPE_AT(errand, percent), .limit = 100},
    [TAG(Errand, text)] = {SHAPE_TEXT, SHAPE_AT(errand, text), .limit = LIMIT_TEXT_LENGTH},
    [TAG(Errand, bytes)] = {SHAPE_BYTES, SHAPE_AT(errand, bytes), .limit = LIMIT_PAYLOAD_SIZE},
    [TAG(Errand, permanent)] = {SHAPE_BOOL, SHAPE_AT(errand, is_permanent)},
};

static const struct shape errand_shape = {SHAPE_OF(errand, errand_fields)};

static const struct shape_field ask_fields[] = {
    [TAG(Ask, errand)] = {SHAPE_BYTES, SHAPE_AT(errand_ask, errand),
                          .present = offsetof(struct errand_ask, has_errand),
                          .limit = LIMIT_ERRAND_SIZE},
    [TAG(Ask, input)] = {SHAPE_BYTES, SHAPE_AT(errand_ask, input),
                         .present = offsetof(struct errand_ask, has_input),
                         .limit = LIMIT_ITEM_SIZE},
    [TAG(Ask, end)] = {SHAPE_BOOL, SHAPE_AT(errand_ask, end)},
};

static const struct shape ask_shape = {SHAPE_OF(errand_ask, ask_fields)};

enum grove_status errand_ask_decode(struct bytes part, struct errand_ask *ask)
{
    struct errand_ask decoded;
    enum grove_status status = shape_decode(&ask_shape, part, &decoded);

    if (status == GROVE_OK && decoded.has_errand + decoded.has_input + decoded.end != 1) {
        status = GROVE_MALFORMED;
    }
    if (status == GROVE_OK) {
        *ask = decoded;
    }
    return status;
}

enum grove_status errand_decode(struct bytes bytes, struct errand *errand)
{
    struct errand decoded;
    enum grove_status status = shape_decode(&errand_shape, bytes, &decoded);

    if (status == GROVE_OK &&
        (decoded.verb == ERRAND_NONE ||
         decoded.has_task != (decoded.verb == ERRAND_RESULT || decoded.verb == ERRAND_CANCEL))) {
        status = GROVE_MALFORMED;
    }
    if (status == GROVE_OK) {
        *errand = decoded;
    }
    return status;
}

void errand_put(struct buffer *out, const struct errand *errand)
{
    struct buffer encoded = {0};
    struct errand_ask ask = {.has_errand = true};

    shape_encode(&errand_shape, errand, &encoded);
    ask.errand = buffer_bytes(&encoded);
    put_part(out, &ask_shape, &ask);
    buffer_clear(&encoded);
}

void errand_put_input(struct buffer *out, struct bytes item)
{
    const struct errand_ask ask = {.has_input = true, .input = item};

    put_part(out, &ask_shape, &ask);
}

void errand_put_end(struct buffer *out)
{
    const struct errand_ask ask = {.end = true};

    put_part(out, &ask_shape, &ask);
}

/* ---- from the node */

static const struct shape_field outcome_fields[] = {
    [TAG(Outcome, task)] = {SHAPE_FIXED, SHAPE_AT(errand_outcome, task),
                            .present = offsetof(struct errand_outcome, has_task),
                            .limit = sizeof(struct id)},
    [TAG(Outcome, status)] = {SHAPE_UINT32, SHAPE_AT(errand_outcome, status),
                              .limit = GROVE_STATUS_COUNT - 1},
    [TAG(Outcome, code)] = {SHAPE_UINT32, SHAPE_AT(errand_outcome, code), .limit = 255},
    [TAG(Outcome, reason)] = {SHAPE_TEXT, SHAPE_AT(errand_outcome, reason),
                              .limit = LIMIT_NAME_LENGTH},
    [TAG(Outcome, function)] = {SHAPE_TEXT, SHAPE_AT(errand_outcome, function),
                                .limit = LIMIT_TEXT_LENGTH},
    [TAG(Outcome, text)] = {SHAPE_TEXT, SHAPE_AT(errand_outcome, text), .limit = LIMIT_ERRAND_TEXT},
    [TAG(Outcome, bytes)] = {SHAPE_BYTES, SHAPE_AT(errand_outcome, bytes),
                             .limit = LIMIT_PAYLOAD_SIZE},
    [TAG(Outcome, attempt)] = {SHAPE_UINT32, SHAPE_AT(errand_outcome, attempt)},
    [TAG(Outcome, retryable)] = {SHAPE_BOOL, SHAPE_AT(errand_outcome, retryable)},
    [TAG(Outcome, run_ms)] = {SHAPE_UINT64, SHAPE_AT(errand_outcome, run_ms)},
    [TAG(Outcome, content_type)] = {SHAPE_TEXT, SHAPE_AT(errand_outcome, content_type),
                                    .limit = LIMIT_CONTENT_TYPE_LENGTH},
};

static const struct shape outcome_shape = {SHAPE_OF(errand_outcome, outcome_fields)};

static const struct shape_field conclusion_fields[] = {
    [TAG(Conclusion, outcome)] = {SHAPE_BYTES, SHAPE_AT(errand_conclusion, outcome),
                                  .present = offsetof(struct errand_conclusion, has_outcome),
                                  .limit = LIMIT_ERRAND_SIZE},
    [TAG(Conclusion, join)] = {SHAPE_FIXED, SHAPE_AT(errand_conclusion, join),
                               .present = offsetof(struct errand_conclusion, has_join),
                               .limit = sizeof(struct id)},
    [TAG(Conclusion, succeeded)] = {SHAPE_UINT64, SHAPE_AT(errand_conclusion, succeeded)},
    [TAG(Conclusion, failed)] = {SHAPE_UINT64, SHAPE_AT(errand_conclusion, failed)},
    [TAG(Conclusion, cancelled)] = {SHAPE_UINT64, SHAPE_AT(errand_conclusion, cancelled)},
    [TAG(Conclusion, first_failed)] = {SHAPE_UINT64, SHAPE_AT(errand_conclusion, first_failed)},
    [TAG(Conclusion, winners)] = {SHAPE_BYTES, SHAPE_AT(errand_conclusion, winners),
                                  .unit = sizeof(uint32_t),
                                  .limit = LIMIT_WINNERS * sizeof(uint32_t)},
    [TAG(Conclusion, never_started)] = {SHAPE_UINT64, SHAPE_AT(errand_conclusion, never_started)},
    [TAG(Conclusion, stopped)] = {SHAPE_UINT64, SHAPE_AT(errand_conclusion, stopped)},
    [TAG(Conclusion, already_done)] = {SHAPE_UINT64, SHAPE_AT(errand_conclusion, already_done)},
};

static const struct shape conclusion_shape = {SHAPE_OF(errand_conclusion, conclusion_fields)};

static const struct shape_field answer_fields[] = {
    [TAG(Answer, outcome)] = {SHAPE_BYTES, SHAPE_AT(errand_answer, outcome),
                              .present = offsetof(struct errand_answer, has_outcome),
                              .limit = LIMIT_ERRAND_SIZE},
    [TAG(Answer, conclusion)] = {SHAPE_BYTES, SHAPE_AT(errand_answer, conclusion),
                                 .present = offsetof(struct errand_answer, has_conclusion),
                                 .limit = LIMIT_ERRAND_SIZE},
};

static const struct shape answer_shape = {SHAPE_OF(errand_answer, answer_fields)};

enum grove_status errand_answer_decode(struct bytes part, struct errand_answer *answer)
{
    struct errand_answer decoded;
    enum grove_status status = shape_decode(&answer_shape, part, &decoded);

    if (status == GROVE_OK && decoded.has_outcome == decoded.has_conclusion) {
        status = GROVE_MALFORMED;
    }
    if (status == GROVE_OK) {
        *answer = decoded;
    }
    return status;
}

enum grove_status errand_outcome_decode(struct bytes bytes, struct errand_outcome *outcome)
{
    return shape_decode(&outcome_shape, bytes, outcome);
}

enum grove_status errand_conclusion_decode(struct bytes bytes, struct errand_conclusion *conclusion)
{
    return shape_decode(&conclusion_shape, bytes, conclusion);
}

void errand_outcome_encode(struct buffer *out, const struct errand_outcome *outcome)
{
    shape_encode(&outcome_shape, outcome, out);
}

void errand_put_outcome(struct buffer *out, const struct errand_outcome *outcome)
{
    struct buffer encoded = {0};
    struct errand_answer answer = {.has_outcome = true};

    errand_outcome_encode(&encoded, outcome);
    answer.outcome = buffer_bytes(&encoded);
    put_part(out, &answer_shape, &answer);
    buffer_clear(&encoded);
}

void errand_put_conclusion(struct buffer *out, const struct errand_conclusion *conclusion)
{
    struct buffer encoded = {0};
    struct errand_answer answer = {.has_conclusion = true};

    shape_encode(&conclusion_shape, conclusion, &encoded);
    answer.conclusion = buffer_bytes(&encoded);
    put_part(out, &answer_shape, &answer);
    buffer_clear(&encoded);
}
