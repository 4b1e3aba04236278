/* SPDX-License-Identifier: MPL-2.0
 * What a task may start below itself. Budgets are of roots "p" that run on w1; the children of
 * function "step" run on w2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

static struct fixture *begin(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 8, .functions = "flow");
    enlist(f, "w2", .slots = 8, .functions = "step");
    f->token = 1;
    return f;
}

static void a_task_starts_no_more_than_its_budget(void **state)
{
    struct fixture *f = begin(state);

    submit_with(f, "p", .function = "flow", .max_tasks = 2);
    expand(f, "w1", "p", "a");
    skip_effects(f);
    expand(f, "w1", "p", "b c");
    expect_effects(f, "answer 0 b ok\nanswer 1 c budget\ndone ok\nassign b w2\n");
    expand(f, "w1", "p", "a b"); /* are there already */
    expect_effects(f, "answer 0 a ok\nanswer 1 b ok\ndone ok\n");
    report_all(f, "w2", "a b", CODE_SUCCEEDED); /* gives nothing back */
    restart(f);
    skip_effects(f);
    expand(f, "w1", "p", "d");
    expect_effects(f, "answer 0 d budget\ndone ok\n");
    submit_with(f, "q", .function = "flow"); /* another tree */
    expand(f, "w1", "q", "x y z");
    expect_state(f, "z", "running");
}

static void all_below_counts(void **state)
{
    struct fixture *f = begin(state);

    submit_with(f, "p", .function = "flow", .max_tasks = 3);
    expand_with(f, "w1", "p", "m", .function = "flow");
    expand(f, "w1", "m", "a b");
    skip_effects(f);
    expand(f, "w1", "m", "c");
    expand(f, "w1", "p", "d");
    expect_effects(f, "answer 0 c budget\ndone ok\nanswer 0 d budget\ndone ok\n");
}

/* A budget of its own makes a task's less, never more. */
static void budgets_only_narrow(void **state)
{
    struct fixture *f = begin(state);

    submit_with(f, "p", .function = "flow", .max_tasks = 4);
    expand_with(f, "w1", "p", "m", .function = "flow", .max_tasks = 100);
    expand_with(f, "w1", "p", "n", .function = "flow", .max_tasks = 1);
    expand(f, "w1", "n", "a");
    skip_effects(f);
    expand(f, "w1", "n", "b");
    expect_effects(f, "answer 0 b budget\ndone ok\n");
    restart(f);
    expand(f, "w1", "m", "c d");
    expect_effects(f, "answer 0 c ok\nanswer 1 d budget\ndone ok\nassign c w2\n");
}

/* Sizes of a child's item and of its result. */
static void measure(struct fixture *f, size_t *item, size_t *result)
{
    submit_with(f, "q", .function = "flow");
    expand(f, "w1", "q", "z");
    report(f, "w2", "z", CODE_SUCCEEDED);
    *item = view_of(f, "z").item.size;
    *result = view_of(f, "z").result.size;
    skip_effects(f);
}

static void bytes_of_items_and_results_count(void **state)
{
    struct fixture *f = begin(state);
    size_t item = 0;
    size_t result = 0;

    measure(f, &item, &result);
    submit_with(f, "p", .function = "flow", .max_bytes = 3 * item + result);
    expand(f, "w1", "p", "a b");
    report(f, "w2", "a", CODE_SUCCEEDED);
    restart(f);
    skip_effects(f);
    expand(f, "w1", "p", "c");
    expand(f, "w1", "p", "d");
    expect_effects(f, "answer 0 c ok\ndone ok\nassign c w2\nanswer 0 d budget\ndone ok\n");
    report_all(f, "w2", "b c", CODE_SUCCEEDED); /* results are taken, whatever is left */
    expect_state(f, "c", "succeeded");
    submit_with(f, "o", .function = "flow", .max_bytes = item - 1);
    skip_effects(f);
    expand(f, "w1", "o", "e");
    expect_effects(f, "answer 0 e budget\ndone ok\n");
}

/* An Append is within the budget as a whole, or none of it is taken. */
static void an_append_beyond_the_budget_is_refused_whole(void **state)
{
    struct fixture *f = begin(state);

    submit_with(f, "p", .function = "flow", .max_tasks = 3);
    skip_effects(f);
    join_with(f, "w1", "p", "a b", .kind = JOIN_GATHER, .is_open = true);
    expect_effects(f, "answer 0 a ok\nanswer 1 b ok\nappended 0 ok\ndone ok\njoin j\n"
                      "assign a w2\nassign b w2\n");
    join_with(f, "w1", "p", "c d", .kind = JOIN_GATHER, .offset = 2);
    expect_effects(f, "answer 0 c budget\nanswer 1 d budget\nappended 0 budget\ndone ok\n");
    assert_int_equal(join_of(f, "j").accepted, 2);
    join_with(f, "w1", "p", "a b c", .kind = JOIN_GATHER);
    expect_effects(f, "answer 0 a ok\nanswer 1 b ok\nanswer 2 c ok\nappended 0 ok\ndone ok\n"
                      "join j\nassign c w2\n");
}

static void a_join_from_outside_has_a_budget(void **state)
{
    struct fixture *f = begin(state);

    submit_join(f, "m", .kind = JOIN_GATHER, .max_tasks = 2);
    join_with(f, NULL, "m", "a b c", .kind = JOIN_GATHER);
    skip_effects(f);
    join_with(f, NULL, "m", "a b c", .kind = JOIN_GATHER);
    expect_effects(f, "answer 0 a budget\nanswer 1 b budget\nanswer 2 c budget\nappended 0 budget\n"
                      "done ok\n");
    join_with(f, NULL, "m", "a b", .kind = JOIN_GATHER);
    expect_state(f, "b", "running");
}

/* What it has started stays counted when a parent is tried again; what answers is no new task. */
static void another_try_has_what_is_left(void **state)
{
    struct fixture *f = begin(state);

    submit_with(f, "p", .function = "flow", .max_tasks = 3, .max_attempts = 2);
    expand(f, "w1", "p", "a b");
    report(f, "w2", "a", CODE_SUCCEEDED);
    report(f, "w2", "b", CODE_FAILED);
    report(f, "w1", "p", CODE_FAILED);
    expire(f, 2000);
    expect_state(f, "p", "running");
    skip_effects(f);
    expand(f, "w1", "p", "a b c");
    expect_effects(f, "answer 0 a ok settled\nanswer 1 b ok\nanswer 2 c budget\ndone ok\n"
                      "assign b w2\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_starts_no_more_than_its_budget),
        TEST(all_below_counts),
        TEST(budgets_only_narrow),
        TEST(bytes_of_items_and_results_count),
        TEST(an_append_beyond_the_budget_is_refused_whole),
        TEST(a_join_from_outside_has_a_budget),
        TEST(another_try_has_what_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
