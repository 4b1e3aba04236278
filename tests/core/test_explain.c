/* SPDX-License-Identifier: MPL-2.0
 * For each reason that a task can be waiting, forest_explain names it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/explain.h"
#include "tests/support/forest_fixture.h"

#define MOST 16

/* The reasons of a task as words, and the sentence of the last. */
static void expect_why(struct fixture *f, const char *task, const char *words, const char *sentence)
{
    struct reason reasons[MOST];
    const struct id id = id_of(f, task);
    const size_t count = forest_explain(f->forest, &id, reasons, MOST);
    struct buffer line = {0};

    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        const char *name = reason_name(reasons[i].kind);
        buffer_append(&line, i > 0 ? " " : "", i > 0);
        buffer_append(&line, name, strlen(name));
    }
    buffer_append(&line, "", 1);
    assert_string_equal((const char *)line.data, words);
    buffer_reset(&line);
    reason_print(&reasons[count - 1], &line);
    buffer_append(&line, "", 1);
    assert_string_equal((const char *)line.data, sentence);
    buffer_clear(&line);
}

static void expect_help(struct fixture *f, const char *task, const char *command)
{
    struct reason reasons[MOST];
    const struct id id = id_of(f, task);
    const size_t count = forest_explain(f->forest, &id, reasons, MOST);
    struct buffer line = {0};

    assert_true(count > 0);
    reason_help(&reasons[count - 1], &line);
    buffer_append(&line, "", 1);
    assert_string_equal((const char *)line.data, command);
    buffer_clear(&line);
}

static void a_function_that_nobody_offers(void **state)
{
    struct fixture *f = *state;

    submit(f, "a");
    expect_why(f, "a", "no-worker", "no worker offers step");
    expect_help(f, "a", "grove worker --exec step=COMMAND");
}

static void slots_that_are_taken(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a b c");
    expect_why(f, "a", "runs", "it runs at worker w1");
    expect_why(f, "c", "no-slot", "no slot is free at 1 workers; 1 are before it");
    expect_help(f, "c", "grove worker --slots N");
}

static void a_place_ahead(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 2);
    submit(f, "a b c");
    expect_why(f, "c", "ahead", "worker w1 has it and starts 1 others before");
}

static void a_delay_and_a_backoff(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .delay_ms = 1000);
    expect_why(f, "a", "delayed", "it is delayed");
    submit_with(f, "b", .max_attempts = 2);
    report(f, "w1", "b", CODE_FAILED);
    expect_why(f, "b", "backoff", "it has failed 1 times and is tried again later: it went wrong");
}

static void workers_that_refused(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    enlist(f, "w2", .slots = 1);
    submit(f, "a");
    return_attempt(f, "w1", "a", RETURN_REFUSED, "bad seal");
    retire(f, "w2", RETIRE_GOODBYE);
    expect_why(f, "a", "no-taker", "each worker that offers step has refused it: bad seal");
}

static void a_loss_beside_another(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2);
    submit(f, "a b");
    retire(f, "w1", RETIRE_SILENT);
    enlist(f, "w2", .slots = 2);
    expect_why(f, "a", "runs", "it runs at worker w2");
    expect_why(f, "b", "calm",
               "it was lost with 1 workers, and never runs beside another such task");
}

static void expect_until(struct fixture *f, const char *task, uint64_t at_ms)
{
    struct reason reason;
    const struct id id = id_of(f, task);

    assert_int_equal(forest_explain(f->forest, &id, &reason, 1), 1);
    assert_int_equal(reason.at_ms, at_ms);
}

static void a_limit_of_its_function(void **state)
{
    struct fixture *f = *state;
    const struct certificate certificate = certificate_of(f, "op", ROLE_OPERATOR, "*");

    admit(f, &certificate);
    enlist(f, "w1", .slots = 4);
    set_limit(f, "op", "step", .change = LIMIT_CHANGE_RUNNING, .running = 1);
    submit(f, "a b");
    expect_why(f, "b", "limit", "1 of step run, and 1 may at a time");
    expect_help(f, "b", "grove limit step --running N");
    set_limit(f, "op", "step", .change = LIMIT_CHANGE_PAUSED, .paused = true);
    expect_why(f, "b", "paused", "step is paused");
    expect_help(f, "b", "grove limit step --resume");
    set_limit(f, "op", "flow", .change = LIMIT_CHANGE_RATE, .rate = 1000);
    submit_with(f, "p q", .function = "flow");
    expect_why(f, "q", "rate", "the rate of flow lets nothing begin now");
    expect_until(f, "q", f->now_ms + 1000);
    expect_help(f, "q", "grove limit flow --rate N");
}

static void a_parent_whose_function_is_at_its_limit(void **state)
{
    struct fixture *f = *state;
    const struct certificate certificate = certificate_of(f, "op", ROLE_OPERATOR, "*");

    admit(f, &certificate);
    enlist(f, "w1", .slots = 4);
    set_limit(f, "op", "flow", .change = LIMIT_CHANGE_RUNNING, .running = 1);
    submit_with(f, "p q", .function = "flow");
    expand_and_wait(f, "w1", "p", "c");
    report(f, "w1", "c", CODE_SUCCEEDED);
    expect_why(f, "p", "barred", "it may go on when fewer than 1 of flow run");
    expect_help(f, "p", "grove limit flow --running N");
}

static void workers_full_of_what_waits(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .max_waiting = 1, .functions = "flow");
    submit_with(f, "p q r", .function = "flow");
    expand_and_wait(f, "w1", "p", "c");
    expand_and_wait(f, "w1", "q", "d");
    expect_why(f, "r", "cap", "the workers that offer flow hold as many as may wait there");
}

/* A chain from the root down to what runs. */
static void children_that_run(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "r");
    expand_and_wait(f, "w1", "r", "a b");
    expand_and_wait(f, "w1", "a", "x");
    expect_why(f, "r", "child child runs", "it runs at worker w1");
    struct reason reason;
    const struct id id = id_of(f, "r");
    assert_int_equal(forest_explain(f->forest, &id, &reason, 1), 1);
    assert_int_equal(reason.number, 2);
}

/* Nobody waits for the older one. */
static void the_child_that_is_awaited(void **state)
{
    struct fixture *f = *state;
    struct reason reason;

    enlist(f, "w1", .slots = 2);
    submit(f, "r");
    expand_with(f, "w1", "r", "a", .delay_ms = 1000);
    expand_and_wait(f, "w1", "r", "b");
    expect_why(f, "r", "child runs", "it runs at worker w1");
    const struct id id = id_of(f, "r");
    assert_int_equal(forest_explain(f->forest, &id, &reason, 1), 1);
    assert_int_equal(reason.number, 1);
}

static void a_slot_to_go_on_in(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "r");
    expand_and_wait(f, "w1", "r", "a");
    submit(f, "s");
    report(f, "w1", "a", CODE_SUCCEEDED);
    submit(f, "t");
    expand_and_wait(f, "w1", "r", "b");
    expand_and_wait(f, "w1", "b", "c d");
    enlist(f, "w2", .slots = 1);
    report(f, "w2", "d", CODE_SUCCEEDED);
    expect_why(f, "b", "slot", "it may go on when a slot falls free at worker w1");
}

static void the_window_of_a_map(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .functions = "flow");
    enlist(f, "w2", .slots = 8);
    submit_with(f, "p", .function = "flow");
    join_with(f, "w1", "p", "a b c", .kind = JOIN_MAP, .limit = 1, .wait = true);
    expect_why(f, "c", "window", "its map runs 1 at a time; 1 inputs are before it");
    expect_why(f, "p", "join runs", "it runs at worker w2");
}

static void a_join_that_is_not_closed(void **state)
{
    struct fixture *f = *state;

    submit_join(f, "m", .kind = JOIN_GATHER);
    expect_why(f, "m", "inputs", "its join has 0 inputs, all ended, and is not closed");
}

static void what_has_ended_and_what_is_held_still(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2);
    submit(f, "r");
    expand(f, "w1", "r", "a");
    report(f, "w1", "r", CODE_SUCCEEDED);
    expect_why(f, "r", "ended runs", "it runs at worker w1");
    cancel(f, "a");
    expect_why(f, "a", "stopping", "it has ended (cancelled), and worker w1 still holds it");
    return_attempt(f, "w1", "a", RETURN_STOPPED, "");
    expect_why(f, "r", "ended", "it has ended: succeeded");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_function_that_nobody_offers),
        TEST(slots_that_are_taken),
        TEST(a_place_ahead),
        TEST(a_delay_and_a_backoff),
        TEST(workers_that_refused),
        TEST(a_limit_of_its_function),
        TEST(a_parent_whose_function_is_at_its_limit),
        TEST(workers_full_of_what_waits),
        TEST(a_loss_beside_another),
        TEST(children_that_run),
        TEST(the_child_that_is_awaited),
        TEST(a_slot_to_go_on_in),
        TEST(the_window_of_a_map),
        TEST(a_join_that_is_not_closed),
        TEST(what_has_ended_and_what_is_held_still),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
