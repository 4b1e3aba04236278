/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/buffer.h"

static void keeps_what_is_appended_while_it_grows(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        buffer_append(&buffer, &i, sizeof(i));
    }
    assert_int_equal(buffer.size, 100000 * sizeof(unsigned));
    for (unsigned i = 0; i < 100000; i++) {
        assert_memory_equal(buffer.data + i * sizeof(i), &i, sizeof(i));
    }
    buffer_clear(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.size, 0);
}

static void extends_by_what_was_asked(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    memset(buffer_extend(&buffer, 3), 'a', 3);
    memset(buffer_extend(&buffer, 1000), 'b', 1000);
    assert_int_equal(buffer.size, 1003);
    assert_memory_equal(buffer.data, "aaab", 4);
    assert_int_equal(buffer.data[1002], 'b');
    buffer_clear(&buffer);
}

static void reset_keeps_the_memory(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_append(&buffer, "grove", 5);
    const uint8_t *data = buffer.data;
    buffer_reset(&buffer);
    assert_int_equal(buffer_bytes(&buffer).size, 0);
    buffer_append(&buffer, "tree", 4);
    assert_ptr_equal(buffer.data, data);
    buffer_clear(&buffer);
}

static void nothing_can_be_appended_and_cleared(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    buffer_append(&buffer, NULL, 0);
    assert_int_equal(buffer.size, 0);
    buffer_clear(&buffer);
    buffer_clear(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_is_appended_while_it_grows),
        cmocka_unit_test(extends_by_what_was_asked),
        cmocka_unit_test(reset_keeps_the_memory),
        cmocka_unit_test(nothing_can_be_appended_and_cleared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
