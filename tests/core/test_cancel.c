/* SPDX-License-Identifier: MPL-2.0
 * Cancelling: the whole tree, final, counted, and never much at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

static void expect_counts(struct fixture *f, const char *task, uint64_t never_started,
                          uint64_t stopped, uint64_t already_done)
{
    const struct id id = id_of(f, task);
    struct cancelled counts;

    assert_true(forest_cancelled(f->forest, &id, &counts));
    assert_int_equal(counts.never_started, never_started);
    assert_int_equal(counts.stopped, stopped);
    assert_int_equal(counts.already_done, already_done);
}

static void a_cancel_takes_the_whole_tree(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 3);
    submit(f, "r");
    expand(f, "w1", "r", "a b c d");
    report(f, "w1", "a", CODE_SUCCEEDED);
    expand_and_wait(f, "w1", "b", "x");
    skip_effects(f);
    cancel(f, "r");
    expect_effects(f, "settled r\nstop r w1\nsettled b\nstop b w1\nsettled x\nstop x w1\n"
                      "settled c\nstop c w1\nsettled d\nswept r\n");
    expect_counts(f, "r", 1, 4, 1);
    report(f, "w1", "c", CODE_SUCCEEDED);
    expect_effects(f, "refuse c w1 stale\n");
    expect_state(f, "c", "cancelled");
}

static void what_was_assigned_ahead_had_not_started(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 2);
    submit(f, "r s");
    skip_effects(f);
    cancel(f, "s");
    expect_effects(f, "settled s\nstop s w1\nswept s\n");
    expect_counts(f, "s", 1, 0, 0);
}

/* r -> a -> b -> c -> d, cancelled when `steps` of its messages have come; whatever comes later
 * changes nothing, and every task is counted once. */
static void grow(struct fixture *f, size_t steps)
{
    static const char *const path[] = {"r", "a", "b", "c", "d"};

    for (size_t i = 0; i < steps; i++) {
        if (i < 4) {
            expand_and_wait(f, "w1", path[i], path[i + 1]);
        } else {
            report(f, "w1", path[8 - i], CODE_SUCCEEDED);
        }
    }
}

static void cancel_is_final_at_every_step_of_five_levels(void **state)
{
    static const char *const path[] = {"r", "a", "b", "c", "d"};
    static const char *const keys[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    struct fixture *f = *state;

    for (size_t steps = 0; steps <= 9; steps++) {
        const size_t tasks = steps < 4 ? steps + 1 : 5;
        const size_t done = steps < 4 ? 0 : steps - 4;
        const uint64_t submitted = forest_counters(f->forest)->submitted;
        enlist(f, "w1", .slots = 8, .boot = (uint8_t)(steps + 1), .previous_exited = true);
        submit_with(f, "r", .key = keys[steps]);
        grow(f, steps);
        cancel(f, "r");
        assert_int_equal(forest_counters(f->forest)->submitted - submitted, tasks);
        if (steps < 9) {
            expect_counts(f, "r", 0, tasks - done, done);
        }
        for (size_t i = 0; i < tasks; i++) {
            report(f, "w1", path[i], CODE_SUCCEEDED);
            expect_state(f, path[i], i < tasks - done ? "cancelled" : "succeeded");
        }
        for (size_t i = 0; i + done < tasks; i++) {
            expand(f, "w1", path[i], "late");
        }
        assert_int_equal(forest_counters(f->forest)->submitted - submitted, tasks);
    }
}

static void a_cancelled_subtree_leaves_the_rest_alone(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "r");
    expand_and_wait(f, "w1", "r", "a b");
    skip_effects(f);
    cancel(f, "b");
    expect_effects(f, "settled b\nresume r w1\nswept b\n");
    expect_counts(f, "b", 1, 0, 0);
    report(f, "w1", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\n");
}

static void what_was_cancelled_before_is_done_already(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "r");
    expand_and_wait(f, "w1", "r", "a b");
    expand(f, "w1", "a", "x y");
    cancel(f, "x");
    cancel(f, "b");
    expect_counts(f, "b", 1, 0, 0);
    cancel(f, "r");
    expect_counts(f, "r", 1, 2, 2);
}

/* Its worker owes an answer to the Stop; a refusal would have it forget the attempt instead. */
static void a_wait_that_crosses_its_stop_is_left_unanswered(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "r s");
    expand(f, "w1", "r", "a");
    cancel(f, "r");
    skip_effects(f);
    wait_for(f, "w1", "r", "a");
    expect_effects(f, "");
    assert_int_equal(session_of(f, "w1").stopping, 1);
    return_attempt(f, "w1", "r", RETURN_STOPPED, "");
    expect_effects(f, "assign s w1\n");
    wait_for(f, "w1", "r", "a");
    expect_effects(f, "refuse r w1 stale\n");
}

static void the_same_cancel_again_gets_the_same_counts(void **state)
{
    struct fixture *f = *state;

    f->token = 1;
    submit(f, "r");
    cancel(f, "r");
    skip_effects(f);
    cancel(f, "r");
    expect_effects(f, "done ok\n");
    expect_counts(f, "r", 1, 0, 0);
}

/* A tree that had come to rest is retained again, and can still be forgotten. */
static void cancelling_what_is_over_counts_it(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2);
    submit(f, "r");
    expand(f, "w1", "r", "a");
    report_all(f, "w1", "a r", CODE_SUCCEEDED);
    cancel(f, "r");
    expect_state(f, "r", "succeeded");
    expect_counts(f, "r", 0, 0, 2);
    forget(f, LIMIT_RETENTION_MS + 1);
    const struct id id = id_of(f, "r");
    assert_false(forest_cancelled(f->forest, &id, &(struct cancelled){0}));
}

static void a_task_in_a_cancelled_tree_is_cancelled_already(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2);
    submit(f, "r");
    expand(f, "w1", "r", "a b");
    cancel(f, "r");
    cancel(f, "a");
    expect_counts(f, "r", 1, 2, 0);
    expect_counts(f, "a", 0, 0, 1);
}

static void what_a_revoked_identity_has_queued_never_begins(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a b");
    revoke(f, "client");
    skip_effects(f);
    report(f, "w1", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\nsettled b\n");
    sweep(f);
    expect_effects(f, "swept b\n");
    expect_state(f, "b", "cancelled");
}

/* A new leader does not know who has been told. */
static void a_new_leader_stops_what_was_cancelled(void **state)
{
    struct fixture *f = *state;
    struct effects owed = {0};

    enlist(f, "w1", .slots = 2);
    submit(f, "a b");
    cancel(f, "a");

    const struct id a = id_of(f, "a");

    restart(f);
    forest_outstanding(f->forest, 0, &owed);
    assert_int_equal(owed.count, 2);
    for (size_t i = 0; i < owed.count; i++) {
        const bool is_cancelled = id_equal(&owed.list[i].task, &a);

        assert_int_equal(owed.list[i].kind, is_cancelled ? EFFECT_STOP : EFFECT_ASSIGN);
    }
    effects_clear(&owed);
}

/* ---- who may */

static void others_find_no_such_task(void **state)
{
    struct fixture *f = *state;
    const struct certificate other = certificate_of(f, "other", ROLE_CLIENT, "*");
    const struct certificate operator= certificate_of(f, "boss", ROLE_OPERATOR, "*");

    admit(f, &other);
    admit(f, &operator);
    f->token = 1;
    submit(f, "r");
    skip_effects(f);
    cancel_by(f, "other", NULL, "r");
    expect_effects(f, "done not-found\n");
    expect_state(f, "r", "ready");
    cancel_by(f, "boss", NULL, "r");
    expect_state(f, "r", "cancelled");
}

static void an_attempt_cancels_only_what_is_below_it(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 4);
    enlist(f, "w2", .slots = 4, .functions = "other");
    submit(f, "r s");
    expand(f, "w1", "r", "a");
    f->token = 1;
    skip_effects(f);
    cancel_by(f, "w1", "r", "s");
    cancel_by(f, "w1", "r", "r");
    cancel_by(f, "w2", "r", "a");
    expect_effects(f, "done not-found\ndone not-found\ndone not-found\n");
    cancel_by(f, "w1", "r", "a");
    expect_effects(f, "settled a\nstop a w1\ndone ok\nswept a\n");
}

/* ---- a bounded number at a time */

#define MANY 5000

/* A root that waits for many children, of which `slots` run. */
static void plant_many(struct fixture *f, uint32_t slots)
{
    char names[LIMIT_BATCH_ITEMS * 6];

    enlist(f, "w2", .slots = 1, .functions = "flow");
    enlist(f, "w1", .slots = slots);
    submit_with(f, "r", .function = "flow");
    for (size_t made = 0; made < MANY; made += 200) {
        size_t size = 0;
        f->task_count = 1;
        for (size_t i = 0; i < 200; i++) {
            size += (size_t)snprintf(names + size, sizeof(names) - size, "c%zu ", i);
        }
        expand_with(f, "w2", "r", names, .occurrence = (uint32_t)made);
    }
}

static uint64_t count_cancelled(const struct fixture *f)
{
    return forest_counters(f->forest)->state[TASK_CANCELLED];
}

static void no_command_moves_more_than_a_thousand(void **state)
{
    struct fixture *f = *state;
    uint64_t before = 0;

    plant_many(f, 10);
    assert_int_equal(forest_counters(f->forest)->submitted, MANY + 1);
    cancel(f, "r");
    while (forest_has_more(f->forest)) {
        assert_in_range(count_cancelled(f) - before, 1, LIMIT_MOVES + 1);
        before = count_cancelled(f);
        sweep(f);
    }
    assert_int_equal(count_cancelled(f), MANY + 1);
    expect_counts(f, "r", MANY - 10, 11, 0);
}

/* What is under the mark is not assigned, accepted or counted, long before the sweep has come by.
 */
static void a_mark_holds_before_the_sweep_has_come_by(void **state)
{
    struct fixture *f = *state;

    plant_many(f, 3);
    cancel(f, "r");
    assert_true(forest_has_more(f->forest));
    assert_int_equal(forest_counters(f->forest)->attempts, 4);
    expand(f, "w1", "c199", "late");
    enlist(f, "w3", .slots = 100);
    assert_int_equal(forest_counters(f->forest)->attempts, 4);
    assert_int_equal(forest_counters(f->forest)->submitted, MANY + 1);
    while (forest_has_more(f->forest)) {
        sweep(f);
    }
    expect_counts(f, "r", MANY - 3, 4, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_cancel_takes_the_whole_tree),
        TEST(what_was_assigned_ahead_had_not_started),
        TEST(cancel_is_final_at_every_step_of_five_levels),
        TEST(a_cancelled_subtree_leaves_the_rest_alone),
        TEST(what_was_cancelled_before_is_done_already),
        TEST(a_wait_that_crosses_its_stop_is_left_unanswered),
        TEST(the_same_cancel_again_gets_the_same_counts),
        TEST(cancelling_what_is_over_counts_it),
        TEST(a_task_in_a_cancelled_tree_is_cancelled_already),
        TEST(what_a_revoked_identity_has_queued_never_begins),
        TEST(a_new_leader_stops_what_was_cancelled),
        TEST(others_find_no_such_task),
        TEST(an_attempt_cancels_only_what_is_below_it),
        TEST(no_command_moves_more_than_a_thousand),
        TEST(a_mark_holds_before_the_sweep_has_come_by),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
