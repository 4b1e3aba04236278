/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/join_samples.h"

#include "core/fetch_message.h"
#include "tests/support/samples.h"

static const struct id join = {{0x21}};

const struct join_terms sample_terms = {.kind = JOIN_MAP,
                                        .function = {(const uint8_t *)"step", 4},
                                        .limit = 20,
                                        .stop = 1,
                                        .first = {{0x22}},
                                        .occurrence = 1,
                                        .revision = 2};

void sample_put_append(struct wire_writer *writer)
{
    struct buffer terms = {0};
    struct append append = {
        .parent = {{0x23}}, .attempt = 1, .count = 2, .close = true, .generation = 3};

    wire_terms_encode(&terms, &sample_terms);
    append.terms = buffer_bytes(&terms);
    wire_put_append(writer, EXPAND_APPENDS, &append);
    append.adopted = bytes_of(&join, sizeof(join));
    append.count = 0;
    append.offset = 2;
    wire_put_append(writer, EXPAND_APPENDS, &append);
    buffer_clear(&terms);
}

void sample_put_awaited(struct buffer *out)
{
    const struct awaited_join awaited = {.join = join, .until = 3, .room = 128};

    wire_put_awaited_join(out, &awaited);
}

static void put_fields(struct wire_writer *writer, enum message_type type)
{
    const struct id ids[2] = {{{0x24}}, {{0x25}}};

    if (type == MESSAGE_CANCEL) {
        wire_put_bytes(writer, 1, bytes_of(&ids[0], sizeof(ids[0])));
        wire_put_bytes(writer, 2, bytes_of(&ids[1], sizeof(ids[1])));
        wire_put_uint(writer, 3, 1);
    } else if (type == MESSAGE_CANCELLED) {
        wire_put_uint(writer, 1, 3);
        wire_put_uint(writer, 2, 2);
        wire_put_uint(writer, 3, 1);
    } else if (type == MESSAGE_PAGE) {
        wire_put_bytes(writer, 1, bytes_of(&join, sizeof(join)));
        wire_put_uint(writer, 2, 2);
        wire_put_uint(writer, 3, 100);
        wire_put_uint(writer, 4, 128);
    } else if (type == MESSAGE_RECALL) {
        wire_put_bytes(writer, 1, bytes_of_text("step"));
    } else if (type == MESSAGE_FETCH) {
        wire_put_bytes(writer, 1, bytes_of(&ids[0], sizeof(ids[0])));
    } else if (type == MESSAGE_FETCHED) {
        sample_put_excerpt(writer, FETCHED_BATCH, SEAL_TASK);
        sample_put_certificate(writer, FETCHED_CERTIFICATES);
        wire_put_fetched(writer, &(struct fetched){.has_ended = true, .code = CODE_FAILED});
    } else if (type == MESSAGE_DRAIN) {
        wire_put_bytes(writer, 1, bytes_of_text("host/1"));
    } else if (type == MESSAGE_LIMIT) {
        wire_put_bytes(writer, 1, bytes_of_text("step"));
        wire_put_uint(writer, 2, LIMIT_CHANGE_RUNNING | LIMIT_CHANGE_RATE);
        wire_put_uint(writer, 3, 8);
        wire_put_uint(writer, 4, 2500);
        wire_put_uint(writer, 5, 1);
    }
}

void sample_put_join(struct wire_writer *writer, enum message_type type)
{
    const uint8_t winners[] = {1, 0, 0, 0};
    const struct id ids[2] = {{{0x26}}, {{0x27}}};
    const struct paged paged = {.join = join,
                                .state = JOIN_WON,
                                .accepted = 2,
                                .room = 254,
                                .closed = true,
                                .succeeded = 1,
                                .failed = 1,
                                .winners = bytes_of(winners, sizeof(winners)),
                                .ids = bytes_of(ids, sizeof(ids))};

    if (type == MESSAGE_PAGED) {
        wire_put_paged(writer, &paged);
        sample_put_excerpt(writer, PAGED_OUTCOMES, SEAL_RESULT);
        sample_put_certificate(writer, PAGED_CERTIFICATES);
    } else {
        put_fields(writer, type);
    }
}

/* ---- decoding */

enum grove_status sample_decode_appends(struct wire_list appends)
{
    enum grove_status status = GROVE_OK;
    struct bytes element;

    while (status == GROVE_OK && wire_next(&appends, &element)) {
        struct append append;
        struct join_terms terms;

        status = wire_append_decode(element, &append);
        if (status == GROVE_OK && append.terms.size > 0) {
            status = wire_terms_decode(append.terms, &terms);
        }
    }
    return status;
}

enum grove_status sample_decode_awaited(struct wire_list waits)
{
    enum grove_status status = GROVE_OK;
    struct bytes element;

    while (status == GROVE_OK && wire_next(&waits, &element)) {
        struct waits one;

        status = wire_waits_decode(element, &one);
        while (status == GROVE_OK && wire_next(&one.joins, &element)) {
            struct awaited_join awaited;

            status = wire_awaited_join_decode(element, &awaited);
        }
    }
    return status;
}

enum grove_status sample_decode_join(enum message_type type, struct bytes body)
{
    union {
        struct cancel cancel;
        struct cancelled cancelled;
        struct page page;
        struct paged paged;
        struct bytes function;
        struct limit limit;
        struct id id;
        struct fetched fetched;
    } out;

    switch ((unsigned)type) {
    case MESSAGE_CANCEL:
        return wire_cancel_decode(body, &out.cancel);
    case MESSAGE_CANCELLED:
        return wire_cancelled_decode(body, &out.cancelled);
    case MESSAGE_PAGE:
        return wire_page_decode(body, &out.page);
    case MESSAGE_PAGED:
        return wire_paged_decode(body, &out.paged);
    case MESSAGE_RECALL:
        return wire_recall_decode(body, &out.function);
    case MESSAGE_LIMIT:
        return wire_limit_decode(body, &out.limit);
    case MESSAGE_FETCH:
        return wire_fetch_decode(body, &out.id);
    case MESSAGE_FETCHED:
        return wire_fetched_decode(body, &out.fetched);
    case MESSAGE_DRAIN:
        return wire_drain_decode(body, &out.function);
    default:
        return GROVE_INVALID;
    }
}
