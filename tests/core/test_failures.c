/* SPDX-License-Identifier: MPL-2.0
 * What has failed and is kept, and trees in numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/durations.h"
#include "tests/support/forest_fixture.h"

/* One that runs what fails, a millisecond after the other. */
static struct fixture *fail_all(void **state, const char *const *names, size_t count)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 4);
    for (size_t i = 0; i < count; i++) {
        submit(f, names[i]);
        f->now_ms++;
        report(f, "w1", names[i], CODE_FAILED);
    }
    return f;
}

/* The next page is these tasks, and ends the list or not. */
static void expect_page(struct fixture *f, struct failed_at *cursor, size_t most,
                        const char *expected)
{
    char text[256] = "";
    size_t size = 0;
    struct id ids[16];
    const size_t count = forest_failures(f->forest, cursor, ids, most);

    for (size_t i = 0; i < count; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s ", name_of(f, &ids[i]));
    }
    snprintf(text + size, sizeof(text) - size, "%s", cursor->ended_ms == 0 ? "." : "...");
    assert_string_equal(text, expected);
}

static void failures_come_the_last_first_and_in_pages(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    struct fixture *f = fail_all(state, names, 5);
    struct failed_at cursor = {0};

    submit(f, "good");
    report(f, "w1", "good", CODE_SUCCEEDED);
    submit(f, "open");
    expect_page(f, &cursor, 2, "e d ...");
    expect_page(f, &cursor, 2, "c b ...");
    expect_page(f, &cursor, 2, "a .");
    cursor = (struct failed_at){0};
    expect_page(f, &cursor, 5, "e d c b a .");
}

/* A cursor stands for a place, so what is forgotten meanwhile is not missed. */
static void a_page_goes_on_where_its_cursor_was_though_that_is_forgotten(void **state)
{
    static const char *const names[] = {"a", "b"};
    struct fixture *f = fail_all(state, names, 2);
    struct failed_at cursor = {0};

    expire(f, 1000);
    submit(f, "late");
    report(f, "w1", "late", CODE_FAILED);
    expect_page(f, &cursor, 1, "late ...");
    forget(f, LIMIT_RETENTION_MS - 500);
    expect_page(f, &cursor, 5, ".");
    cursor = (struct failed_at){0};
    expect_page(f, &cursor, 5, "late .");
    forget(f, 1000);
    cursor = (struct failed_at){0};
    expect_page(f, &cursor, 5, ".");
}

static void failures_and_numbers_of_trees_survive_a_restart(void **state)
{
    static const char *const names[] = {"a", "b"};
    struct fixture *f = fail_all(state, names, 2);
    struct failed_at cursor = {0};
    struct root_view root;

    submit_with(f, "p", .function = "flow");
    expand(f, "w1", "p", "x y z");
    report(f, "w1", "x", CODE_FAILED);
    report(f, "w1", "y", CODE_SUCCEEDED);
    cancel(f, "z");
    restart(f);
    expect_page(f, &cursor, 5, "x b a .");
    const struct id id = id_of(f, "p");

    assert_true(forest_root(f->forest, &id, &root));
    assert_int_equal(root.tasks, 4);
    assert_int_equal(root.open, 1);
    assert_int_equal(root.failed, 1);
    assert_int_equal(root.cancelled, 1);
    assert_int_equal(root.settled_ms, 0);
    assert_true(key_equal(&root.signer, &f->client.public_key));
    const struct id child = id_of(f, "x");

    assert_false(forest_root(f->forest, &child, &root));
}

static void a_function_counts_how_long_its_results_took(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 4);
    submit(f, "a b");
    assert_null(function_of(f, "step").runs);
    struct result_item result = result_of(f, "w1", "a", CODE_SUCCEEDED);

    result.run_ms = 40;
    report_result(f, "w1", &result);
    result = result_of(f, "w1", "b", CODE_FAILED);
    result.run_ms = 2;
    report_result(f, "w1", &result);
    assert_int_equal(function_of(f, "step").runs->total, 2);
    assert_int_equal(function_of(f, "step").runs->sum_ms, 42);
    assert_int_equal(durations_quantile_ms(function_of(f, "step").runs, 990), 47);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(failures_come_the_last_first_and_in_pages, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(
            a_page_goes_on_where_its_cursor_was_though_that_is_forgotten, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(failures_and_numbers_of_trees_survive_a_restart,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_function_counts_how_long_its_results_took, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
