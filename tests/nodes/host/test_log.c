/* SPDX-License-Identifier: MPL-2.0
 * Lines of the log, read back from a pipe that stands in for stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/host/clock.h"
#include "nodes/host/log.h"

struct fixture {
    int stderr_before;
    int read_end;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int ends[2];

    assert_non_null(f);
    assert_int_equal(pipe(ends), 0);
    f->stderr_before = dup(STDERR_FILENO);
    f->read_end = ends[0];
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    dup2(f->stderr_before, STDERR_FILENO);
    close(f->stderr_before);
    close(f->read_end);
    free(f);
    return 0;
}

/* Ends what was logged, puts stderr back and returns the rest of the pipe. */
static const char *logged(struct fixture *f, char *text, size_t size)
{
    dup2(f->stderr_before, STDERR_FILENO);
    const ssize_t got = read(f->read_end, text, size - 1);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

static void an_event_is_one_line_of_keys_and_values(void **state)
{
    char text[8192];

    log_event(LOG_WARNING, "journal full", "file=%s offset=%d", "0001", 64);
    logged(*state, text, sizeof(text));

    assert_memory_equal(text, "at=20", 5);
    assert_string_equal(text + strlen("at=2026-01-31T12:00:00.123"),
                        "Z level=warning event=\"journal full\" file=0001 offset=64\n");
}

static void a_level_above_the_one_set_is_not_written(void **state)
{
    char text[8192];

    log_event(LOG_DEBUG, "detail", "a=%d", 1);
    log_set_level(LOG_ERROR);
    log_event(LOG_WARNING, "worse", "a=%d", 2);
    log_set_level(LOG_INFO);
    assert_string_equal(logged(*state, text, sizeof(text)), "");
}

static void a_value_cannot_begin_a_second_line(void **state)
{
    char text[8192];

    log_event(LOG_INFO, "odd", "name=%s", "a\nat=now level=info\x1b[2J\x7f");
    logged(*state, text, sizeof(text));
    assert_non_null(strstr(text, "name=a?at=now level=info?[2J?\n"));
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
    char text[8192];
    char *value = malloc(6000);

    assert_non_null(value);
    memset(value, 'x', 5999);
    value[5999] = '\0';
    log_event(LOG_INFO, "long", "value=%s", value);
    logged(*state, text, sizeof(text));
    assert_in_range(strlen(text), 4000, 4096);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    free(value);
}

static void quoting_leaves_only_printable_ascii(void **state)
{
    char all[256], out[2048];

    (void)state;
    for (int i = 0; i < 256; i++) {
        all[i] = (char)i;
    }
    log_quote(bytes_of(all, sizeof(all)), out, sizeof(out));
    assert_null(strstr(out, "..."));
    for (const char *at = out; *at != '\0'; at++) {
        assert_in_range(*at, ' ', '~');
    }
    log_quote(bytes_of("a\"b\\c\x1b\xe2\x80", 8), out, sizeof(out));
    assert_string_equal(out, "\"a\\x22b\\x5cc\\x1b\\xe2\\x80\"");
}

/* Every size from the least: never past the end, always closed. */
static void quoting_is_cut_where_it_no_longer_fits(void **state)
{
    static const char *const values[] = {"", "plain text, and some more of it", "\n\n\n\n\n\n\n\n"};
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        for (size_t size = LOG_QUOTE_MIN; size < sizeof(out); size++) {
            memset(out, '#', sizeof(out));
            log_quote(bytes_of_text(values[i]), out, size);
            assert_in_range(strlen(out) + 1, 1, size);
            assert_int_equal(out[strlen(out) - 1], '"');
            assert_int_equal(out[size], '#');
        }
    }
}

static void clocks_go_forward(void **state)
{
    (void)state;
    const uint64_t before_ns = clock_monotonic_ns();
    const uint64_t before_ms = clock_monotonic_ms();

    assert_in_range(before_ms, before_ns / 1000000, clock_monotonic_ns() / 1000000);
    assert_true(clock_monotonic_ms() >= before_ms);
    assert_true(clock_unix_ms() > UINT64_C(1700000000000));
}

int main(void)
{
#define LOG_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOG_TEST(an_event_is_one_line_of_keys_and_values),
        LOG_TEST(a_level_above_the_one_set_is_not_written),
        LOG_TEST(a_value_cannot_begin_a_second_line),
        LOG_TEST(a_long_line_is_cut_and_still_ends),
        cmocka_unit_test(quoting_leaves_only_printable_ascii),
        cmocka_unit_test(quoting_is_cut_where_it_no_longer_fits),
        cmocka_unit_test(clocks_go_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
