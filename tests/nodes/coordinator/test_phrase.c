/* SPDX-License-Identifier: MPL-2.0
 * Text that is written as it goes: what comes from outside cannot leave its string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "nodes/coordinator/phrase.h"

static void every_text_comes_back_as_it_was(void **state)
{
    static const char *const texts[] = {"",
                                        "host-1",
                                        "\"",
                                        "\\",
                                        "a\"}, {\"b\\n",
                                        "\x01\x1f\x7f",
                                        "tab\tnew\nline",
                                        "gr\xc3\xb6ve \xe2\x82\xac"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct buffer out = {.size = 0};

        phrase_json(&out, bytes_of_text(texts[i]));
        json_t *value = json_loadb((const char *)out.data, out.size, JSON_DECODE_ANY, NULL);

        assert_string_equal(json_string_value(value), texts[i]);
        json_decref(value);
        buffer_clear(&out);
    }
}

static void none_is_null_and_the_long_is_cut(void **state)
{
    struct buffer out = {.size = 0};
    char text[1000];

    (void)state;
    phrase_json(&out, bytes_of(NULL, 0));
    assert_memory_equal(out.data, "null", 4);
    memset(text, 'x', sizeof(text));
    buffer_reset(&out);
    phrase(&out, "%.*s", (int)sizeof(text), text);
    assert_int_equal(out.size, 511);
    buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_comes_back_as_it_was),
        cmocka_unit_test(none_is_null_and_the_long_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
