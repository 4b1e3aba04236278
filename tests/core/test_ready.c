/* SPDX-License-Identifier: MPL-2.0
 * What runs next. Each test fills the one slot of w1, lets work queue up, and sees what comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

/* Ends what runs on w1, one after the other; expects what is assigned then, in this order. */
static void expect_order(struct fixture *f, const char *first, const char *order)
{
    char running[32];
    char expected[96];

    (void)snprintf(running, sizeof(running), "%s", first);
    while (*order) {
        size_t size = strcspn(order, " ");
        skip_effects(f);
        report(f, "w1", running, CODE_SUCCEEDED);
        (void)snprintf(expected, sizeof(expected), "settled %s\nassign %.*s w1\n", running,
                       (int)size, order);
        expect_effects(f, expected);
        (void)snprintf(running, sizeof(running), "%.*s", (int)size, order);
        order += size + (order[size] == ' ');
    }
}

static void the_oldest_first_when_all_else_is_equal(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "x");
    submit(f, "a b");
    submit_with(f, "c", .function = "flow");
    submit(f, "d");
    expect_order(f, "x", "a b c d");
}

static void priority_before_age(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "x");
    submit(f, "low");
    submit_with(f, "high", .priority = 1);
    submit_with(f, "highest", .priority = 100, .function = "flow");
    submit_with(f, "lowest", .priority = -100);
    expect_order(f, "x", "highest high low lowest");
}

static void trees_begun_before_new_roots_and_in_turn(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w2", .slots = 2, .functions = "flow");
    submit_with(f, "p q", .function = "flow");
    enlist(f, "w1", .slots = 1, .functions = "step");
    submit(f, "x");
    submit(f, "new");
    expand(f, "w2", "p", "p1 p2 p3");
    expand(f, "w2", "q", "q1 q2");
    expect_order(f, "x", "p1 q1 p2 q2 p3 new");
}

static void trees_take_turns_whatever_their_functions(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w2", .slots = 2, .functions = "flow");
    submit_with(f, "p q", .function = "flow");
    enlist(f, "w1", .slots = 1, .functions = "step segment");
    submit(f, "x");
    expand(f, "w2", "p", "p1 p2 p3");
    expand_with(f, "w2", "q", "q1 q2", .function = "segment");
    expect_order(f, "x", "p1 q1 p2 q2 p3");
}

static void within_a_tree_the_deeper_first_whatever_its_function(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w2", .slots = 3, .functions = "flow");
    submit_with(f, "p", .function = "flow");
    expand_with(f, "w2", "p", "m", .function = "flow");
    enlist(f, "w1", .slots = 1, .functions = "step segment");
    submit(f, "x");
    expand_with(f, "w2", "p", "a1 a2", .function = "segment");
    expand(f, "w2", "m", "b1 b2");
    expect_order(f, "x", "b1 b2 a1 a2");
}

static void what_nobody_offers_waits_and_blocks_nobody(void **state)
{
    struct fixture *f = *state;
    struct function_view view;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "odd", .function = "unknown", .priority = 100);
    submit(f, "a");
    expect_state(f, "odd", "ready");
    expect_state(f, "a", "running");
    assert_true(forest_function(f->forest, "step", &view));
    assert_string_equal(view.function, "unknown");
    assert_int_equal(view.state[TASK_READY], 1);
    assert_int_equal(view.sessions, 0);
    skip_effects(f);
    enlist(f, "w2", .slots = 1, .functions = "unknown");
    expect_effects(f, "enlisted w2\nassign odd w2\n");
}

/* A parent that is run again goes on before new roots. */
static void a_retried_root_has_begun(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "p", .max_attempts = 2);
    submit(f, "x a b");
    report(f, "w1", "p", CODE_FAILED);
    expire(f, 2000);
    skip_effects(f);
    report(f, "w1", "x", CODE_SUCCEEDED);
    expect_effects(f, "settled x\nassign p#2 w1\n");
}

/* No worker runs the root, so nothing else could begin its tree. */
static void inputs_of_a_join_from_outside_are_of_a_tree_begun(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "x a");
    submit_join(f, "m", .kind = JOIN_GATHER);
    join_with(f, NULL, "m", "m1 m2 m3", .kind = JOIN_GATHER, .name = "m");
    report(f, "w1", "x", CODE_SUCCEEDED);
    expect_state(f, "m1", "running");
    report(f, "w1", "m1", CODE_SUCCEEDED);
    expect_state(f, "m2", "running");
    expect_state(f, "a", "ready");
}

/* More queues without a taker than a command may move tasks, all before one that has: a replica
 * that comes from a snapshot assigns what the others do. */
static void what_is_blocked_costs_no_assignment_after_a_restart(void **state)
{
    struct fixture *f = *state;
    char function[32];

    enlist(f, "w1", .slots = 1);
    for (uint32_t i = 0; i < LIMIT_MOVES + 1; i++) {
        (void)snprintf(function, sizeof(function), "nobody-%u", (unsigned)i);
        submit_with(f, "a", .function = function, .payload = function, .priority = 1);
    }
    assert_true(forest_due_ms(f->forest) > f->now_ms);
    restart(f);
    assert_true(forest_due_ms(f->forest) > f->now_ms);
    skip_effects(f);
    submit(f, "b");
    expect_effects(f, "assign b w1\n");
}

/* Ready or assigned ahead: both wait for a slot; what runs does not. */
static void the_backlog_is_what_waits_for_a_slot_and_since_when(void **state)
{
    struct fixture *f = *state;
    struct backlog_view view;

    enlist(f, "w1", .slots = 1, .window = 1);
    submit(f, "x");
    forest_backlog(f->forest, &view);
    assert_int_equal(view.tasks, 0);
    assert_int_equal(view.oldest_ms, 0);
    expire(f, 1000);
    submit(f, "a");
    const uint64_t ahead_ms = f->now_ms;
    expire(f, 1000);
    submit(f, "b");
    submit_with(f, "c", .function = "unknown");
    forest_backlog(f->forest, &view);
    assert_int_equal(view.tasks, 3);
    assert_int_equal(view.oldest_ms, ahead_ms);
    report(f, "w1", "x", CODE_SUCCEEDED);
    forest_backlog(f->forest, &view);
    assert_int_equal(view.tasks, 2);
    assert_int_equal(view.oldest_ms, ahead_ms + 1000);
    report(f, "w1", "a", CODE_SUCCEEDED);
    report(f, "w1", "b", CODE_SUCCEEDED);
    forest_backlog(f->forest, &view);
    assert_int_equal(view.tasks, 1);
    assert_int_equal(view.oldest_ms, ahead_ms + 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_oldest_first_when_all_else_is_equal),
        TEST(priority_before_age),
        TEST(trees_begun_before_new_roots_and_in_turn),
        TEST(trees_take_turns_whatever_their_functions),
        TEST(within_a_tree_the_deeper_first_whatever_its_function),
        TEST(what_nobody_offers_waits_and_blocks_nobody),
        TEST(a_retried_root_has_begun),
        TEST(inputs_of_a_join_from_outside_are_of_a_tree_begun),
        TEST(the_backlog_is_what_waits_for_a_slot_and_since_when),
        TEST(what_is_blocked_costs_no_assignment_after_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
