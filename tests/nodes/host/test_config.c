/* SPDX-License-Identifier: MPL-2.0
 * Configuration texts: what they hold, and which line is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/host/config.h"

struct fixture {
    struct config config;
    char error[CONFIG_ERROR_SIZE];
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    config_clear(&f->config);
    free(f);
    return 0;
}

static void expect_entry(const struct fixture *f, size_t i, const char *wanted)
{
    const struct config_entry *entry = &f->config.entry[i];
    char got[1024];

    assert_true(i < f->config.count);
    snprintf(got, sizeof(got), "%s [%s] %s=%s", entry->origin, entry->section, entry->key,
             entry->value);
    assert_string_equal(got, wanted);
}

static void expect_wrong(struct fixture *f, const char *text, const char *error)
{
    const size_t before = f->config.count;

    assert_int_equal(config_parse("f", bytes_of_text(text), &f->config, f->error), GROVE_MALFORMED);
    assert_string_equal(f->error, error);
    assert_int_equal(f->config.count, before);
}

static void entries_have_section_key_value_and_line(void **state)
{
    struct fixture *f = *state;
    const char *text = "# comment\n"
                       "[worker]\n"
                       "slots = 4\n"
                       "  ; comment\n"
                       "\n"
                       "[exec \"x\"]\r\n"
                       "command = tr a-z A-Z;tr , .\r\n"
                       "    | cat\r\n"
                       "[empty]\n"
                       "[client]\n"
                       "color=never";

    assert_int_equal(config_parse("f", bytes_of_text(text), &f->config, f->error), GROVE_OK);
    assert_int_equal(f->config.count, 7);
    expect_entry(f, 0, "f:2 [worker] =");
    expect_entry(f, 1, "f:3 [worker] slots=4");
    expect_entry(f, 3, "f:7 [exec \"x\"] command=tr a-z A-Z;tr , . | cat");
    expect_entry(f, 4, "f:9 [empty] =");
    expect_entry(f, 6, "f:11 [client] color=never");
}

static void a_second_text_is_added(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(config_parse("f", bytes_of_text("[a]\nb=1\n"), &f->config, f->error),
                     GROVE_OK);
    assert_int_equal(config_parse("g", bytes_of_text("[a]\nb=2\n"), &f->config, f->error),
                     GROVE_OK);
    expect_entry(f, 3, "g:2 [a] b=2");
    assert_int_equal(f->config.entry[1].file, 0);
    assert_int_equal(f->config.entry[3].file, 1);
    expect_wrong(f, "[a]\nb=3\nc\n", "f:3: not of the form key = value");
}

/* A function's name has up to 63 characters, for which libinih has no room. */
static void a_long_section_is_not_cut(void **state)
{
    struct fixture *f = *state;
    const char *text =
        "[exec \"0123456789012345678901234567890123456789012345678901234567890123\"]\n"
        "command = cat\n";

    assert_int_equal(config_parse("f", bytes_of_text(text), &f->config, f->error), GROVE_OK);
    assert_int_equal(strlen(f->config.entry[1].section), 64 + strlen("exec \"\""));
}

static void a_mistake_is_told_with_its_line(void **state)
{
    struct fixture *f = *state;
    char line[400] = "[a]\nb = ";

    expect_wrong(f, "b = 1\n", "f:1: stands before the first [section]");
    expect_wrong(f, "[a]\nb = 1\nnonsense\n", "f:3: not of the form key = value");
    expect_wrong(f, "[a]\n= 1\n", "f:2: not of the form key = value");
    expect_wrong(f, "[]\na = 1\n", "f:1: not of the form [section]");
    expect_wrong(f, "[a]\n[b\nc = 1\n", "f:2: not of the form [section]");
    expect_wrong(f, "[a]\n  b = 1\n",
                 "f:2: begins with a blank, and there is no value before to go on with");
    expect_wrong(f, "[a]\nb = true ; false\n",
                 "f:2: a ; behind a blank would begin a comment: those have lines of their own");
    memset(line + strlen(line), 'x', 200);
    expect_wrong(f, line, "f:2: too long: go on in a second line that begins with a blank");
    assert_int_equal(config_parse("f", bytes_of("[a]\n\0", 5), &f->config, f->error),
                     GROVE_MALFORMED);
    assert_string_equal(f->error, "f: not a text file");
}

static void a_file_that_everyone_may_write_is_not_read(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/grove-config-XXXXXX";
    const int fd = mkstemp(path);

    assert_int_equal(write(fd, "[a]\nb=1\n", 8), 8);
    assert_int_equal(config_read(path, &f->config, f->error), GROVE_OK);
    assert_int_equal(fchmod(fd, 0666), 0);
    assert_int_equal(config_read(path, &f->config, f->error), GROVE_PERMISSION);
    assert_non_null(strstr(f->error, "everyone may write it"));
    assert_int_equal(f->config.count, 2);
    close(fd);
    unlink(path);
    assert_int_equal(config_read(path, &f->config, f->error), GROVE_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(entries_have_section_key_value_and_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_text_is_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_section_is_not_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mistake_is_told_with_its_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_everyone_may_write_is_not_read, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
