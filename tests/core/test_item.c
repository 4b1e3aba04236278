/* SPDX-License-Identifier: MPL-2.0
 * Items and batches come back as they were sealed, and nothing else is let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "core/field.h"
#include "schema/grove.pb.h"
#include "tests/support/samples.h"

#define assert_bytes_equal(a, b) assert_true(bytes_equal(a, b))

static void task_items_come_back(void **state)
{
    struct buffer bytes = {0};

    (void)state;
    for (uint8_t i = 0; i < 2; i++) {
        struct task_item sent = i == 0 ? sample_root(1) : sample_child(2);
        struct task_item item;

        if (i == 0) {
            sent.has_retry_of = true;
            memset(&sent.retry_of, 0x53, sizeof(sent.retry_of));
        }
        buffer_reset(&bytes);
        wire_task_encode(&bytes, &sent);
        assert_int_equal(wire_task_decode(buffer_bytes(&bytes), &item), GROVE_OK);
        assert_memory_equal(item.nonce, sent.nonce, sizeof(item.nonce));
        assert_bytes_equal(item.function, sent.function);
        assert_bytes_equal(item.payload, sent.payload);
        assert_bytes_equal(item.content_type, sent.content_type);
        assert_bytes_equal(item.key, sent.key);
        assert_int_equal(item.has_priority, sent.has_priority);
        assert_int_equal(item.priority, sent.priority);
        assert_int_equal(item.delay_ms, sent.delay_ms);
        assert_int_equal(item.deadline_ms, sent.deadline_ms);
        assert_int_equal(item.timeout_ms, sent.timeout_ms);
        assert_int_equal(item.max_attempts, sent.max_attempts);
        assert_int_equal(item.at_most_once, sent.at_most_once);
        assert_int_equal(item.fresh, sent.fresh);
        assert_int_equal(item.expires_ms, sent.expires_ms);
        assert_int_equal(item.has_retry_of, sent.has_retry_of);
        assert_true(id_equal(&item.retry_of, &sent.retry_of));
        assert_int_equal(item.lineage.present, sent.lineage.present);
        assert_true(id_equal(&item.lineage.parent, &sent.lineage.parent));
        assert_true(id_equal(&item.lineage.root, &sent.lineage.root));
        assert_int_equal(item.lineage.attempt, sent.lineage.attempt);
        assert_int_equal(item.lineage.generation, sent.lineage.generation);
        assert_int_equal(item.lineage.occurrence, sent.lineage.occurrence);
        assert_int_equal(item.lineage.join_kind, sent.lineage.join_kind);
        assert_int_equal(item.lineage.join_position, sent.lineage.join_position);
    }
    buffer_clear(&bytes);
}

static void results_and_verdicts_come_back(void **state)
{
    const struct result_item result = sample_result(1);
    const struct verdict_item verdict = sample_verdict(1);
    struct result_item result_back;
    struct verdict_item verdict_back;
    struct buffer bytes = {0};

    (void)state;
    wire_result_encode(&bytes, &result);
    assert_int_equal(wire_result_decode(buffer_bytes(&bytes), &result_back), GROVE_OK);
    assert_true(id_equal(&result_back.task, &result.task));
    assert_true(id_equal(&result_back.root, &result.root));
    assert_true(result_back.has_parent && id_equal(&result_back.parent, &result.parent));
    assert_bytes_equal(result_back.function, result.function);
    assert_true(digest_equal(&result_back.payload_digest, &result.payload_digest));
    assert_int_equal(result_back.attempt, result.attempt);
    assert_int_equal(result_back.session, result.session);
    assert_int_equal(result_back.code, result.code);
    assert_bytes_equal(result_back.bytes, result.bytes);
    assert_bytes_equal(result_back.text, result.text);
    assert_int_equal(result_back.run_ms, result.run_ms);
    assert_bytes_equal(result_back.content_type, result.content_type);

    buffer_reset(&bytes);
    wire_verdict_encode(&bytes, &verdict);
    assert_int_equal(wire_verdict_decode(buffer_bytes(&bytes), &verdict_back), GROVE_OK);
    assert_true(id_equal(&verdict_back.task, &verdict.task));
    assert_int_equal(verdict_back.code, verdict.code);
    assert_bytes_equal(verdict_back.text, verdict.text);
    assert_int_equal(verdict_back.at_ms, verdict.at_ms);
    buffer_clear(&bytes);
}

static void batches_come_back_and_have_the_size_foretold(void **state)
{
    static struct sealed sent, back;
    struct buffer items = {0};
    struct buffer bytes = {0};

    (void)state;
    for (unsigned count = 1; count <= LIMIT_BATCH_ITEMS; count += 51) {
        sample_batch(SEAL_RESULT, count, &items, &sent, NULL);
        buffer_reset(&bytes);
        wire_sealed_encode(&bytes, &sent);
        assert_int_equal(bytes.size, wire_sealed_size(&sent));
        assert_int_equal(wire_sealed_decode(buffer_bytes(&bytes), &back), GROVE_OK);
        assert_int_equal(back.item_count, count);
        assert_memory_equal(&back.seal.signature, &sent.seal.signature, sizeof(struct signature));
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(back.index[i], i);
            assert_bytes_equal(back.item[i], sent.item[i]);
        }
    }
    buffer_clear(&items);
    buffer_clear(&bytes);
}

/* ---- what is not let in */

static struct buffer root_bytes(void)
{
    const struct task_item root = sample_root(1);
    struct buffer bytes = {0};

    wire_task_encode(&bytes, &root);
    return bytes;
}

/* What a task item becomes with one more field; wipes the buffer. */
static enum grove_status decode_and_clear(struct buffer *bytes)
{
    struct task_item item = {.max_attempts = 4711};
    enum grove_status status = wire_task_decode(buffer_bytes(bytes), &item);

    assert_int_equal(item.max_attempts == 4711, status != GROVE_OK);
    buffer_clear(bytes);
    return status;
}

static enum grove_status with_uint(uint32_t number, uint64_t value)
{
    struct buffer bytes = root_bytes();

    field_put_uint(&bytes, number, value);
    return decode_and_clear(&bytes);
}

static enum grove_status with_bytes(uint32_t number, struct bytes value)
{
    struct buffer bytes = root_bytes();

    field_put_bytes(&bytes, number, value);
    return decode_and_clear(&bytes);
}

static enum grove_status with_raw(const void *raw, size_t size)
{
    struct buffer bytes = root_bytes();

    buffer_append(&bytes, raw, size);
    return decode_and_clear(&bytes);
}

static void task_items_are_walked_strictly(void **state)
{
    static const uint8_t zeros[LIMIT_KEY_LENGTH + 1];

    (void)state;
    assert_int_equal(with_raw("", 0), GROVE_OK);
    assert_int_equal(with_uint(17, 1), GROVE_MALFORMED);                   /* unknown */
    assert_int_equal(with_uint(27, 1), GROVE_MALFORMED);                   /* past the table */
    assert_int_equal(with_uint(7, 1), GROVE_MALFORMED);                    /* delay twice */
    assert_int_equal(with_bytes(3, bytes_of("x", 1)), GROVE_MALFORMED);    /* payload twice */
    assert_int_equal(with_bytes(22, bytes_of("x", 1)), GROVE_MALFORMED);   /* wrong type */
    assert_int_equal(with_bytes(5, bytes_of("", 0)), GROVE_OK);            /* an empty key */
    assert_int_equal(with_bytes(5, bytes_of("\xff", 1)), GROVE_MALFORMED); /* no UTF-8 */
    assert_int_equal(with_bytes(5, bytes_of("a\0b", 3)), GROVE_MALFORMED); /* U+0000 */
    assert_int_equal(with_bytes(5, bytes_of(zeros, sizeof(zeros))), GROVE_TOO_LARGE);
    assert_int_equal(with_raw("\x07", 1), GROVE_MALFORMED);         /* field 0 */
    assert_int_equal(with_raw("\x2b\x2c", 2), GROVE_MALFORMED);     /* a group */
    assert_int_equal(with_raw("\x2d\0\0\0\0", 5), GROVE_MALFORMED); /* 32 bits wide */
    assert_int_equal(with_raw("\x2a\x05xx", 4), GROVE_MALFORMED);   /* past the end */
    assert_int_equal(with_raw("\x2a", 1), GROVE_MALFORMED);         /* no length */
    assert_int_equal(with_raw("\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11), GROVE_MALFORMED);
}

static void a_lineage_is_whole_or_absent(void **state)
{
    static const uint8_t id[16] = {1};

    (void)state;
    assert_int_equal(with_bytes(20, bytes_of(id, 16)), GROVE_MALFORMED);
    assert_int_equal(with_bytes(21, bytes_of(id, 16)), GROVE_MALFORMED);
    for (uint32_t number = 22; number <= 26; number++) {
        assert_int_equal(with_uint(number, 1), GROVE_MALFORMED);
    }
    assert_int_equal(with_bytes(20, bytes_of(id, 15)), GROVE_MALFORMED);
    struct buffer bytes = root_bytes();
    field_put_bytes(&bytes, 20, bytes_of(id, 16));
    field_put_bytes(&bytes, 21, bytes_of(id, 16));
    field_put_uint(&bytes, 22, 1);
    assert_int_equal(decode_and_clear(&bytes), GROVE_OK);
}

static void varints_may_be_long_but_not_wide(void **state)
{
    static const char *const attempts[] = {"\xb0\x01\x03", "\xb0\x01\x83\x80\x00",
                                           "\xb0\x01\x83\x80\x80\x80\x80\x80\x80\x80\x80\x00"};
    const struct lineage lineage = sample_child(1).lineage;
    struct task_item item;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct buffer bytes = {0};
        size_t size = i == 0 ? 3 : i == 1 ? 5 : 12;

        field_put_bytes(&bytes, 1, bytes_of(&lineage, 16));
        field_put_bytes(&bytes, 20, bytes_of(&lineage.parent, 16));
        field_put_bytes(&bytes, 21, bytes_of(&lineage.root, 16));
        buffer_append(&bytes, attempts[i], size);
        assert_int_equal(wire_task_decode(buffer_bytes(&bytes), &item), GROVE_OK);
        assert_int_equal(item.lineage.attempt, 3);
        bytes.data[bytes.size - 1] |= 0x80;
        buffer_append(&bytes, "\x00", 1);
        assert_int_equal(wire_task_decode(buffer_bytes(&bytes), &item),
                         i == 2 ? GROVE_MALFORMED : GROVE_OK);
        buffer_clear(&bytes);
    }
    assert_int_equal(with_raw("\xb0\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 12),
                     GROVE_MALFORMED);
    assert_int_equal(with_uint(23, UINT64_C(1) << 32), GROVE_MALFORMED); /* over 32 bits */
}

static void codes_are_a_workers_or_a_verdicts(void **state)
{
    struct result_item result = sample_result(1);
    struct verdict_item verdict = sample_verdict(1);
    struct buffer bytes = {0};

    (void)state;
    result.code = CODE_SUCCEEDED;
    wire_result_encode(&bytes, &result);
    for (uint64_t code = 0; code < 30; code++) {
        size_t size = bytes.size;

        field_put_uint(&bytes, grove_v1_ResultItem_code_tag, code);
        assert_int_equal(wire_result_decode(buffer_bytes(&bytes), &result),
                         code <= CODE_TIMEOUT ? GROVE_OK : GROVE_MALFORMED);
        bytes.size = size;
    }
    for (int code = CODE_CANCELLED; code <= CODE_JOIN_FAILED; code++) {
        buffer_reset(&bytes);
        verdict.code = (enum outcome_code)code;
        wire_verdict_encode(&bytes, &verdict);
        assert_int_equal(wire_verdict_decode(buffer_bytes(&bytes), &verdict), GROVE_OK);
    }
    buffer_clear(&bytes);
}

static enum grove_status decode_items(size_t count, size_t size, uint32_t declared)
{
    static struct sealed sealed;
    struct buffer bytes = {0};
    uint8_t *zeros = calloc(1, size + 64);

    field_put_bytes(&bytes, 1, bytes_of(zeros, 32));
    field_put_uint(&bytes, 2, SEAL_TASK);
    field_put_uint(&bytes, 3, declared);
    field_put_bytes(&bytes, 4, bytes_of(zeros, 64));
    for (size_t i = 0; i < count; i++) {
        field_put_bytes(&bytes, 5, bytes_of(zeros, size));
    }
    enum grove_status status = wire_sealed_decode(buffer_bytes(&bytes), &sealed);
    buffer_clear(&bytes);
    free(zeros);
    return status;
}

static void batches_keep_to_their_bounds(void **state)
{
    (void)state;
    assert_int_equal(decode_items(1, 0, 1), GROVE_OK);
    assert_int_equal(decode_items(1, LIMIT_ITEM_SIZE, 1), GROVE_OK);
    assert_int_equal(decode_items(1, LIMIT_ITEM_SIZE + 1, 1), GROVE_TOO_LARGE);
    assert_int_equal(decode_items(2, LIMIT_BATCH_SIZE / 2, 2), GROVE_OK);
    assert_int_equal(decode_items(2, LIMIT_BATCH_SIZE / 2 + 1, 2), GROVE_TOO_LARGE);
    assert_int_equal(decode_items(256, 1, 256), GROVE_OK);
    assert_int_equal(decode_items(257, 1, 256), GROVE_TOO_LARGE);
    assert_int_equal(decode_items(2, 1, 3), GROVE_MALFORMED); /* whole, but one is missing */
    assert_int_equal(decode_items(2, 1, 1), GROVE_MALFORMED);
    assert_int_equal(decode_items(0, 1, 0), GROVE_MALFORMED);
    assert_int_equal(decode_items(256, 1, 257), GROVE_MALFORMED);
}

static void places_of_an_excerpt_ascend(void **state)
{
    static const uint8_t indices[] = {1, 3};
    struct digest leaves[5], hashes[LIMIT_BATCH_ITEMS];
    struct buffer items = {0};
    struct buffer bytes = {0};
    struct sealed whole, excerpt, back;

    (void)state;
    sample_batch(SEAL_TASK, 5, &items, &whole, leaves);
    sample_excerpt(&whole, leaves, indices, 2, hashes, &excerpt);
    for (unsigned first = 0; first < 7; first++) {
        for (unsigned second = 0; second < 7; second++) {
            excerpt.index[0] = (uint8_t)first;
            excerpt.index[1] = (uint8_t)second;
            buffer_reset(&bytes);
            wire_sealed_encode(&bytes, &excerpt);
            bool good = first < second && second < 5;
            assert_int_equal(wire_sealed_decode(buffer_bytes(&bytes), &back),
                             good ? GROVE_OK : GROVE_MALFORMED);
        }
    }
    buffer_clear(&items);
    buffer_clear(&bytes);
}

static void function_names_are_short_and_plain(void **state)
{
    char name[65];

    (void)state;
    memset(name, 'a', sizeof(name));
    assert_true(wire_function_is_valid(bytes_of(name, 63)));
    assert_false(wire_function_is_valid(bytes_of(name, 64)));
    assert_false(wire_function_is_valid(bytes_of(name, 0)));
    assert_true(wire_function_is_valid(bytes_of_text("a.b_c-9")));
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t single = (uint8_t)byte;
        bool good = byte > 0 && strchr("abcdefghijklmnopqrstuvwxyz0123456789._-", (int)byte);

        assert_int_equal(wire_function_is_valid(bytes_of(&single, 1)), good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(task_items_come_back),
        cmocka_unit_test(results_and_verdicts_come_back),
        cmocka_unit_test(batches_come_back_and_have_the_size_foretold),
        cmocka_unit_test(task_items_are_walked_strictly),
        cmocka_unit_test(a_lineage_is_whole_or_absent),
        cmocka_unit_test(varints_may_be_long_but_not_wide),
        cmocka_unit_test(codes_are_a_workers_or_a_verdicts),
        cmocka_unit_test(batches_keep_to_their_bounds),
        cmocka_unit_test(places_of_an_excerpt_ascend),
        cmocka_unit_test(function_names_are_short_and_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
