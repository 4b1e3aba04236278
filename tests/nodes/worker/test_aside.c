/* SPDX-License-Identifier: MPL-2.0
 * What commands say in lines: how a stream is cut into them, what each means, and that saying much
 * costs little. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdlib.h>

#include "nodes/worker/exec_aside.h"

/* ---- lines */

static void add(struct lines *lines, const char *text)
{
    lines_add(lines, bytes_of_text(text));
}

static void expect_line(struct lines *lines, const char *expected)
{
    struct bytes line;

    assert_true(lines_next(lines, &line));
    assert_true(bytes_equal(line, bytes_of_text(expected)));
}

static void expect_no_line(struct lines *lines)
{
    struct bytes line;

    assert_false(lines_next(lines, &line));
}

static void a_stream_is_cut_into_lines_however_it_comes(void **state)
{
    struct lines lines = {.most = 5};

    (void)state;
    add(&lines, "one\ntw");
    expect_line(&lines, "one");
    expect_no_line(&lines);
    assert_true(lines_are_amid(&lines));
    add(&lines, "o\n");
    add(&lines, "\nthree\n");
    expect_line(&lines, "two");
    expect_line(&lines, "");
    expect_line(&lines, "three");
    expect_no_line(&lines);
    assert_false(lines_are_amid(&lines));
    lines_clear(&lines);
}

static void a_line_that_is_too_long_is_passed_over_and_not_kept(void **state)
{
    struct lines lines = {.most = 5};

    (void)state;
    add(&lines, "sixsix\nshort\nsev");
    expect_line(&lines, "short");
    expect_no_line(&lines);
    for (int i = 0; i < 1000; i++) {
        add(&lines, "en");
        expect_no_line(&lines);
        assert_true(lines.pending.size <= 8);
    }
    assert_true(lines_are_amid(&lines));
    add(&lines, "\nlast\n");
    expect_line(&lines, "last");
    assert_int_equal(lines.skipped, 2);
    lines_clear(&lines);
}

/* ---- what a line means */

static struct exec_line read_text(const char *text)
{
    struct exec_line line = {.kind = EXEC_LINE_RUBBISH};

    exec_line_read(bytes_of_text(text), &line);
    return line;
}

static void expect_kind(const char *text, enum exec_line_kind kind)
{
    struct exec_line line = read_text(text);

    if (line.kind != kind) {
        fail_msg("%s is of kind %d", text, (int)line.kind);
    }
    exec_line_clear(&line);
}

static void progress_is_a_number_and_a_text(void **state)
{
    struct exec_line line = read_text("{\"progress\":41.7,\"text\":\"h\\u00e4lf\"}");

    (void)state;
    assert_int_equal(line.kind, EXEC_LINE_PROGRESS);
    assert_int_equal(line.percent, 41);
    assert_string_equal(line.text.data, "h\xc3\xa4lf");
    exec_line_clear(&line);
    line = read_text("{\"progress\":1e300}");
    assert_int_equal(line.percent, 100);
    assert_string_equal(line.text.data, "");
    exec_line_clear(&line);
    line = read_text("{\"progress\":-7}");
    assert_int_equal(line.percent, 0);
    exec_line_clear(&line);
}

static void bytes_are_a_string_or_base64(void **state)
{
    struct exec_line line = read_text("{\"checkpoint\":\"two\\nlines\"}");

    (void)state;
    assert_int_equal(line.kind, EXEC_LINE_CHECKPOINT);
    assert_true(bytes_equal(buffer_bytes(&line.bytes), bytes_of_text("two\nlines")));
    exec_line_clear(&line);
    line = read_text("{\"id\":\"a.1\",\"result_base64\":\"AP8=\"}");
    assert_int_equal(line.kind, EXEC_LINE_RESULT);
    assert_true(bytes_equal(buffer_bytes(&line.bytes), bytes_of("\0\xff", 2)));
    assert_string_equal(line.id.data, "a.1");
    exec_line_clear(&line);
    expect_kind("{\"checkpoint_base64\":\"\"}", EXEC_LINE_CHECKPOINT);
}

static void an_error_has_a_text_and_may_be_for_good(void **state)
{
    struct exec_line line =
        read_text("{\"error\":\"no such customer\",\"permanent\":true,\"bytes\":\"{}\"}");

    (void)state;
    assert_int_equal(line.kind, EXEC_LINE_ERROR);
    assert_string_equal(line.text.data, "no such customer");
    assert_true(line.is_permanent);
    assert_true(bytes_equal(buffer_bytes(&line.bytes), bytes_of_text("{}")));
    exec_line_clear(&line);
    line = read_text("{\"error\":\"\"}");
    assert_int_equal(line.kind, EXEC_LINE_ERROR);
    assert_false(line.is_permanent);
    exec_line_clear(&line);
}

static void a_log_line_has_a_level(void **state)
{
    struct exec_line line = read_text("{\"log\":\"careful\",\"level\":\"warning\"}");

    (void)state;
    assert_int_equal(line.kind, EXEC_LINE_LOG);
    assert_int_equal(line.level, LOG_WARNING);
    exec_line_clear(&line);
    line = read_text("{\"log\":\"well\",\"level\":\"loud\"}");
    assert_int_equal(line.level, LOG_INFO);
    exec_line_clear(&line);
}

static void what_is_none_of_these_is_rubbish(void **state)
{
    static const char *const rubbish[] = {
        "",
        "progress 40",
        "[1,2]",
        "{}",
        "{\"progress\":\"40\"}",
        "{\"log\":1}",
        "{\"checkpoint\":{}}",
        "{\"checkpoint\":\"a\",\"checkpoint_base64\":\"YQ==\"}",
        "{\"result_base64\":\"@@@@\"}",
        "{\"result_base64\":\"YQ\"}",
        "{\"result\":1}",
        "{\"result\":\"a\\u0000b\"}",
        "{\"result\":\"\xff\"}",
        "{\"result\":\"a\",\"result\":\"b\"}",
        "{\"result\":\"a\"} more",
        "{\"error\":true}",
        "{\"error\":\"why\",\"bytes\":1}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++) {
        expect_kind(rubbish[i], EXEC_LINE_RUBBISH);
    }
}

/* ---- bounds */

struct fixture {
    struct grove_attempt *attempt;
    struct function function;
    struct aside aside;
};

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const struct task_item item = {.max_attempts = 1};
    const struct digest digest = {{0}};

    snprintf(f->function.name, sizeof(f->function.name), "chatty");
    f->attempt = attempt_create(&item, &digest, bytes_of(NULL, 0));
    f->attempt->function = &f->function;
    aside_begin(&f->aside, f->attempt, 1000);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;

    aside_end(&f->aside, ASIDE_SUCCEEDED);
    attempt_destroy(f->attempt);
    free(f);
    return 0;
}

static void only_so_many_bytes_a_second_are_read(void **state)
{
    static const char line[] = "{\"nothing\":\"that anybody understands\"}\n";
    struct fixture *f = *state;
    size_t taken = 0;

    assert_int_equal(aside_tick(&f->aside, 1000), UINT64_MAX);
    while (aside_listens(&f->aside)) {
        aside_take(&f->aside, bytes_of_text(line), 1000);
        taken += sizeof(line) - 1;
        assert_true(taken <= ASIDE_BURST + sizeof(line));
    }
    assert_true(taken >= ASIDE_BURST);
    assert_int_equal(aside_tick(&f->aside, 1000), 1050);
    assert_false(aside_listens(&f->aside));
    (void)aside_tick(&f->aside, 2000);
    assert_true(aside_listens(&f->aside));
    assert_int_equal(f->aside.budget, ASIDE_RATE);
    (void)aside_tick(&f->aside, 1000000);
    assert_int_equal(f->aside.budget, ASIDE_BURST);
}

static void only_so_many_lines_a_second_are_logged(void **state)
{
    static const char line[] = "{\"log\":\"here I am\",\"level\":\"debug\"}\n";
    struct fixture *f = *state;

    for (unsigned i = 0; i < ASIDE_LOGS + 50; i++) {
        aside_take(&f->aside, bytes_of_text(line), 1000);
    }
    assert_int_equal(f->aside.dropped, 50);
    for (unsigned i = 0; i < 50; i++) {
        aside_take(&f->aside, bytes_of_text(line), 1000 + 10 * ASIDE_LOG_EVERY_MS);
    }
    assert_int_equal(f->aside.dropped, 90);
}

static void the_last_error_is_what_is_foretold(void **state)
{
    struct fixture *f = *state;

    aside_take(&f->aside,
               bytes_of_text("{\"error\":\"first\",\"permanent\":true}\n{\"error\":\"last\","),
               1000);
    assert_true(f->attempt->foretold.is_permanent);
    aside_take(&f->aside, bytes_of_text("\"bytes\":\"more\"}\n"), 1000);
    assert_true(bytes_equal(f->attempt->foretold.text, bytes_of_text("last")));
    assert_true(bytes_equal(f->attempt->foretold.bytes, bytes_of_text("more")));
    assert_false(f->attempt->foretold.is_permanent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_cut_into_lines_however_it_comes),
        cmocka_unit_test(a_line_that_is_too_long_is_passed_over_and_not_kept),
        cmocka_unit_test(progress_is_a_number_and_a_text),
        cmocka_unit_test(bytes_are_a_string_or_base64),
        cmocka_unit_test(an_error_has_a_text_and_may_be_for_good),
        cmocka_unit_test(a_log_line_has_a_level),
        cmocka_unit_test(what_is_none_of_these_is_rubbish),
        cmocka_unit_test_setup_teardown(only_so_many_bytes_a_second_are_read, start, stop),
        cmocka_unit_test_setup_teardown(only_so_many_lines_a_second_are_logged, start, stop),
        cmocka_unit_test_setup_teardown(the_last_error_is_what_is_foretold, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
