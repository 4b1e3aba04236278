/* SPDX-License-Identifier: MPL-2.0
 * What needs a slot (inputs of a map, at most once, of a limited function) beside others that are
 * assigned ahead and would take every slot that falls free. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

#define SECOND_MS UINT64_C(1000)

/* w1 runs steps and has one slot, w2 runs what makes them. */
static int setup(void **state)
{
    if (fixture_setup(state) != 0) {
        return -1;
    }
    struct fixture *f = *state;
    const struct certificate operator= certificate_of(f, "op", ROLE_OPERATOR, "*");
    admit(f, &operator);
    enlist(f, "w1", .slots = 1, .window = 8, .functions = "step other");
    enlist(f, "w2", .slots = 8, .functions = "flow");
    submit_with(f, "p", .function = "flow");
    skip_effects(f);
    return 0;
}

/* A root on w2 with so many children that it is large: the first runs on w1, seven are ahead. */
static void make_large(struct fixture *f)
{
    char names[LIMIT_BATCH_ITEMS * 8];
    size_t size = 0;

    submit_with(f, "big", .function = "flow");
    for (uint32_t i = 0; i < LIMIT_TURNS + 36; i++) {
        size += (size_t)snprintf(names + size, sizeof(names) - size, "b%u ", (unsigned)i);
    }
    expand(f, "w2", "big", names);
    assert_int_equal(session_of(f, "w1").assigned, 1 + 7);
    skip_effects(f);
}

/* `next` gets the next slot: only what has started is charged when the session is lost. */
static void expect_started(struct fixture *f, const char *next, const char *not_yet)
{
    retire(f, "w1", RETIRE_SILENT);
    assert_int_equal(view_of(f, next).losses, 1);
    assert_int_equal(view_of(f, not_yet).losses, 0);
}

static void an_input_of_a_map_goes_before_what_is_ahead_of_a_large_tree(void **state)
{
    struct fixture *f = *state;

    make_large(f);
    join_with(f, "w2", "p", "x y", .kind = JOIN_MAP, .limit = 2, .wait = true);
    expect_effects(f, "join j\nassign x w1\n");
    assert_false(view_of(f, "x").is_behind);
    expect_state(f, "y", "ready");
    restart(f);
    report(f, "w1", "b0", CODE_SUCCEEDED);
    expect_effects(f, "settled b0\njoin j\nassign y w1\n");
    expect_started(f, "x", "b1");
}

static void so_does_what_may_run_once(void **state)
{
    struct fixture *f = *state;

    make_large(f);
    expand_with(f, "w2", "p", "x y", .at_most_once = true);
    expect_effects(f, "assign x w1\n");
    report(f, "w1", "b0", CODE_SUCCEEDED);
    expect_effects(f, "settled b0\nassign y w1\n");
    return_attempt(f, "w1", "y", RETURN_UNSTARTED, "");
    expect_effects(f, "assign y#2 w1\n");
    retire(f, "w1", RETIRE_GOODBYE);
    assert_int_equal(view_of(f, "x").code, CODE_LOST);
    expect_state(f, "b1", "ready");
}

static void so_does_a_limited_function(void **state)
{
    struct fixture *f = *state;

    set_limit(f, "op", "other", .change = LIMIT_CHANGE_RUNNING, .running = 3);
    make_large(f);
    expand_with(f, "w2", "p", "x y", .function = "other");
    expect_effects(f, "assign x w1\n");
    report(f, "w1", "b0", CODE_SUCCEEDED);
    expect_effects(f, "settled b0\nassign y w1\n");
    expect_started(f, "x", "b1");
}

/* The other's order of starting: a root is behind those that were there before. */
static void a_root_waits_for_the_roots_before_it(void **state)
{
    struct fixture *f = *state;

    submit(f, "a b c");
    submit_with(f, "x", .at_most_once = true);
    expect_effects(f, "assign a w1\nassign b w1\nassign c w1\nassign x w1\n");
    report_all(f, "w1", "a b c", CODE_SUCCEEDED);
    expect_started(f, "x", "p");
}

/* When the slot that falls free next is theirs anyhow, they begin when they are assigned. */
static void with_nothing_else_ahead_they_wait_for_a_free_slot(void **state)
{
    struct fixture *f = *state;

    submit(f, "a");
    join_with(f, "w2", "p", "x y", .kind = JOIN_MAP, .limit = 2, .wait = true);
    expect_effects(f, "assign a w1\n");
    submit(f, "b"); /* takes that slot; so x goes ahead, and y waits for a slot */
    expect_effects(f, "assign b w1\njoin j\nassign x w1\n");
    report(f, "w1", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\njoin j\nassign y w1\n");
    report(f, "w1", "x", CODE_SUCCEEDED);
    report(f, "w1", "y", CODE_SUCCEEDED);
    expect_effects(f, "settled x\njoin j\nsettled y\njoin j\nresume p w2\n");
    submit_with(f, "z", .at_most_once = true);
    expect_effects(f, "");
    report(f, "w1", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\nassign z w1\n");
}

static void as_many_go_ahead_as_there_are_slots(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w3", .slots = 2, .window = 8, .functions = "third");
    submit_with(f, "a b c", .function = "third");
    skip_effects(f);
    join_with(f, "w2", "p", "v x y", .kind = JOIN_MAP, .limit = 5, .function = "third");
    expect_effects(f, "join j\nassign v w3\nassign x w3\n");
    expect_state(f, "y", "ready");
    submit_with(f, "z", .function = "third", .at_most_once = true);
    submit_with(f, "d", .function = "third");
    expect_effects(f, "assign d w3\n");
    report(f, "w3", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\njoin j\nassign y w3\n");
    report(f, "w3", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\nassign z w3\n");
}

/* A large tree's stay behind what was there, and leave places to others. */
static void a_map_of_a_large_tree_takes_turns_with_another(void **state)
{
    struct fixture *f = *state;
    char names[LIMIT_BATCH_ITEMS * 8];
    size_t size = 0;

    make_large(f);
    for (uint32_t i = 0; i < LIMIT_TURNS + 2; i++) {
        size += (size_t)snprintf(names + size, sizeof(names) - size, "x%u ", (unsigned)i);
    }
    join_with(f, "w2", "p", names, .kind = JOIN_MAP, .limit = 2);
    expect_effects(f, "");
    report(f, "w1", "b0", CODE_SUCCEEDED);
    expect_effects(f, "settled b0\njoin j\nassign x0 w1\n");
    assert_true(view_of(f, "x0").is_behind);
    report(f, "w1", "b1", CODE_SUCCEEDED);
    report(f, "w1", "b2", CODE_SUCCEEDED);
    report_all(f, "w1", "b3 b4 b5 b6 b7", CODE_SUCCEEDED);
    expect_effects(
        f, "settled b1\nassign b8 w1\nsettled b2\nassign b9 w1\n"
           "settled b3\nsettled b4\nsettled b5\nsettled b6\nsettled b7\n"
           "join j\nassign x1 w1\nassign b10 w1\nassign b11 w1\nassign b12 w1\nassign b13 w1\n");
}

/* ---- limits */

/* In the whole mesh one of a limited function is ahead. */
static void of_a_limited_function_one_is_ahead(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w3", .slots = 1, .window = 4, .functions = "step other");
    submit(f, "a b c d");
    set_limit(f, "op", "other", .change = LIMIT_CHANGE_RUNNING, .running = 10);
    skip_effects(f);
    submit_with(f, "x y z", .function = "other");
    expect_effects(f, "assign x w1\n");
    report_all(f, "w1", "a c", CODE_SUCCEEDED);
    expect_effects(f, "settled a\nsettled c\nassign y w3\n");
    return_attempt(f, "w3", "y", RETURN_UNSTARTED, "");
    expect_effects(f, "assign y#2 w3\n");
    cancel(f, "y");
    expect_effects(f, "settled y\nstop y#2 w3\nswept y\n");
    return_attempt(f, "w3", "y", RETURN_UNSTARTED, "");
    expect_effects(f, "assign z w3\n");
}

/* A session that is offered nothing any more starts what it holds. */
static void when_it_begins_the_next_goes_ahead_wherever(void **state)
{
    struct fixture *f = *state;

    set_limit(f, "op", "other", .change = LIMIT_CHANGE_RUNNING, .running = 10);
    submit(f, "a b");
    submit_with(f, "x y", .function = "other");
    enlist(f, "w3", .slots = 1, .window = 4, .functions = "third other");
    submit_with(f, "c d", .function = "third");
    expect_effects(f, "recall\nassign a w1\nassign b w1\nassign x w1\nenlisted w3\n"
                      "assign y w3\nassign c w3\nassign d w3\n");
    submit_with(f, "z", .function = "other");
    enlist(f, "w1", .slots = 1, .window = 8, .functions = "", .held = "a b x");
    report(f, "w1", "a", CODE_SUCCEEDED);
    expect_effects(f, "enlisted w1\nsettled a\n");
    report(f, "w1", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\nassign z w3\n");
}

/* Of a rate of one a second, x has its part put aside until it begins; y follows a second later. */
static void put_one_aside(struct fixture *f)
{
    set_limit(f, "op", "other", .change = LIMIT_CHANGE_RATE, .rate = 1000);
    submit(f, "a b");
    submit_with(f, "x y", .function = "other");
    enlist(f, "w3", .slots = 4, .functions = "other");
    expire(f, 10 * SECOND_MS);
    expect_effects(f, "recall\nassign a w1\nassign b w1\nassign x w1\nenlisted w3\n");
}

static void expect_next_in_a_second(struct fixture *f, const char *worker)
{
    char expected[32];

    (void)snprintf(expected, sizeof(expected), "assign y %s\n", worker);
    restart(f);
    expire(f, SECOND_MS - 1);
    expect_effects(f, "");
    assert_int_equal(forest_due_ms(f->forest), f->now_ms + 1);
    expire(f, 1);
    expect_effects(f, expected);
}

static void what_is_ahead_takes_its_part_of_the_rate_when_it_begins(void **state)
{
    struct fixture *f = *state;

    put_one_aside(f);
    report(f, "w1", "a", CODE_SUCCEEDED);
    expire(f, 10 * SECOND_MS);
    expect_effects(f, "settled a\n");
    expect_state(f, "y", "held");
    report(f, "w1", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\n");
    expect_next_in_a_second(f, "w3");
}

/* It began when the slot of the one before fell free, and that is in the same message. */
static void also_when_it_ends_before_we_know_that_it_has_begun(void **state)
{
    struct fixture *f = *state;

    put_one_aside(f);
    report_all(f, "w1", "a b x", CODE_SUCCEEDED);
    expect_effects(f, "settled a\nsettled b\nsettled x\n");
    expect_next_in_a_second(f, "w1");
}

static void also_when_it_waits_before_we_know_that_it_has_begun(void **state)
{
    struct fixture *f = *state;

    put_one_aside(f);
    expand_and_wait(f, "w1", "x", "x1");
    expect_effects(f, "assign x1 w1\n");
    expect_next_in_a_second(f, "w3");
}

static void also_when_it_is_stopped_before_we_know_that_it_has_begun(void **state)
{
    struct fixture *f = *state;

    put_one_aside(f);
    cancel(f, "x");
    expect_effects(f, "settled x\nstop x w1\nswept x\n");
    return_attempt(f, "w1", "x", RETURN_STOPPED, "");
    expect_effects(f, "");
    expect_next_in_a_second(f, "w3");
}

static void what_never_began_leaves_its_part_to_the_next(void **state)
{
    struct fixture *f = *state;

    put_one_aside(f);
    return_attempt(f, "w1", "x", RETURN_UNSTARTED, "");
    expect_effects(f, "assign x#2 w3\n");
    expect_next_in_a_second(f, "w3");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_input_of_a_map_goes_before_what_is_ahead_of_a_large_tree),
        TEST(so_does_what_may_run_once),
        TEST(so_does_a_limited_function),
        TEST(a_root_waits_for_the_roots_before_it),
        TEST(with_nothing_else_ahead_they_wait_for_a_free_slot),
        TEST(as_many_go_ahead_as_there_are_slots),
        TEST(a_map_of_a_large_tree_takes_turns_with_another),
        TEST(of_a_limited_function_one_is_ahead),
        TEST(when_it_begins_the_next_goes_ahead_wherever),
        TEST(what_is_ahead_takes_its_part_of_the_rate_when_it_begins),
        TEST(also_when_it_ends_before_we_know_that_it_has_begun),
        TEST(also_when_it_waits_before_we_know_that_it_has_begun),
        TEST(also_when_it_is_stopped_before_we_know_that_it_has_begun),
        TEST(what_never_began_leaves_its_part_to_the_next),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
