/* SPDX-License-Identifier: MPL-2.0 */
#include "core/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool append(void *context, const void *data, size_t size)
{
    buffer_append(context, data, size);
    return true;
}

static bool give_up(void *context, const void *data, size_t size)
{
    int *calls = context;

    (void)data;
    (void)size;
    (*calls)++;
    return false;
}

static const uint64_t numbers[] = {0, 1, 127, 128, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
static const int64_t integers[] = {0, -1, 1, -64, 64, INT64_MIN, INT64_MAX};

static void what_is_written_is_read(void **state)
{
    struct buffer out = {0};
    struct stream_writer writer = {.sink = append, .context = &out};
    static uint8_t large[20000] = {1, 2, 3};
    uint8_t raw[3];

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        stream_write_uint(&writer, numbers[i]);
        stream_write_int(&writer, integers[i]);
    }
    stream_write_bytes(&writer, bytes_of(large, sizeof(large)));
    stream_write_bytes(&writer, bytes_of(NULL, 0));
    stream_write_bool(&writer, true);
    stream_write_raw(&writer, large, sizeof(raw));
    assert_true(stream_flush(&writer));

    struct stream_reader reader = {.rest = buffer_bytes(&out)};
    for (size_t i = 0; i < 7; i++) {
        assert_true(stream_read_uint(&reader, UINT64_MAX) == numbers[i]);
        assert_true(stream_read_int(&reader, INT64_MIN, INT64_MAX) == integers[i]);
    }
    assert_true(
        bytes_equal(stream_read_bytes(&reader, sizeof(large)), bytes_of(large, sizeof(large))));
    assert_int_equal(stream_read_bytes(&reader, 10).size, 0);
    assert_true(stream_read_bool(&reader));
    stream_read_raw(&reader, raw, sizeof(raw));
    assert_memory_equal(raw, large, sizeof(raw));
    assert_false(reader.failed);
    assert_int_equal(reader.rest.size, 0);
    buffer_clear(&out);
}

static void every_piece_arrives_in_order(void **state)
{
    struct buffer out = {0};
    struct stream_writer writer = {.sink = append, .context = &out};

    (void)state;
    for (uint64_t i = 0; i < 50000; i++) {
        stream_write_uint(&writer, i);
    }
    assert_true(stream_flush(&writer));
    struct stream_reader reader = {.rest = buffer_bytes(&out)};
    for (uint64_t i = 0; i < 50000; i++) {
        assert_true(stream_read_uint(&reader, i) == i);
    }
    assert_false(reader.failed);
    buffer_clear(&out);
}

static void a_sink_that_gave_up_is_not_called_again(void **state)
{
    int calls = 0;
    struct stream_writer writer = {.sink = give_up, .context = &calls};

    (void)state;
    for (uint64_t i = 0; i < 50000; i++) {
        stream_write_uint(&writer, i);
    }
    assert_false(stream_flush(&writer));
    assert_int_equal(calls, 1);
}

static void expect_failed(const struct stream_reader *reader)
{
    assert_true(reader->failed);
    assert_int_equal(reader->rest.size, 0);
}

static void what_is_out_of_bounds_fails(void **state)
{
    const uint8_t long_varint[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2};
    const uint8_t five[] = {5, 1, 2, 3};
    struct stream_reader reader = {.rest = bytes_of(long_varint, sizeof(long_varint))};

    (void)state;
    assert_int_equal(stream_read_uint(&reader, UINT64_MAX), 0);
    expect_failed(&reader);

    reader = (struct stream_reader){.rest = bytes_of(five, sizeof(five))};
    assert_int_equal(stream_read_uint(&reader, 4), 0);
    expect_failed(&reader);

    reader = (struct stream_reader){.rest = bytes_of(five, sizeof(five))};
    assert_int_equal(stream_read_bytes(&reader, 100).size, 0);
    expect_failed(&reader);

    reader = (struct stream_reader){.rest = bytes_of(five, sizeof(five))};
    assert_int_equal(stream_read_count(&reader, 100, 1), 0);
    expect_failed(&reader);

    reader = (struct stream_reader){.rest = bytes_of(five, sizeof(five))};
    assert_false(stream_read_bool(&reader));
    expect_failed(&reader);

    reader = (struct stream_reader){.rest = bytes_of(five, sizeof(five))};
    assert_true(stream_read_int(&reader, -2, 2) == 0); /* it is -3 */
    expect_failed(&reader);
}

static void after_a_failure_all_is_zero(void **state)
{
    const uint8_t bytes[] = {1, 1, 1, 1};
    struct stream_reader reader = {.rest = bytes_of(bytes, sizeof(bytes))};
    uint8_t raw[8] = {9, 9, 9, 9, 9, 9, 9, 9};

    (void)state;
    stream_read_raw(&reader, raw, sizeof(raw));
    assert_memory_equal(raw, (uint8_t[8]){0}, sizeof(raw));
    expect_failed(&reader);
    assert_int_equal(stream_read_uint(&reader, 9), 0);
    assert_false(stream_read_bool(&reader));
    assert_int_equal(stream_read_bytes(&reader, 9).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_piece_arrives_in_order),
        cmocka_unit_test(a_sink_that_gave_up_is_not_called_again),
        cmocka_unit_test(what_is_out_of_bounds_fails),
        cmocka_unit_test(after_a_failure_all_is_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
