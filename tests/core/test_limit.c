/* SPDX-License-Identifier: MPL-2.0
 * Limits by function: running, rate, pause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

#define RUNNING .change = LIMIT_CHANGE_RUNNING, .running
#define RATE .change = LIMIT_CHANGE_RATE, .rate
#define PAUSED .change = LIMIT_CHANGE_PAUSED, .paused

static int setup(void **state)
{
    if (fixture_setup(state) != 0) {
        return -1;
    }
    struct fixture *f = *state;
    const struct certificate operator= certificate_of(f, "op", ROLE_OPERATOR, "*");
    admit(f, &operator);
    skip_effects(f);
    return 0;
}

/* ---- setting */

static void only_an_operator_sets_limits(void **state)
{
    struct fixture *f = *state;

    f->token = 1;
    set_limit(f, "client", "step", RUNNING = 1);
    set_limit(f, "w1", "step", RUNNING = 1);
    set_limit(f, "nobody", "step", RUNNING = 1);
    expect_effects(f, "done role\ndone role\ndone unknown-key\n");
    set_limit(f, "op", "Bad Name", RUNNING = 1);
    set_limit(f, "op", "", RUNNING = 1);
    expect_effects(f, "done function-name\ndone function-name\n");
    set_limit(f, "op", "step", RUNNING = 1);
    expect_effects(f, "recall\ndone ok\n");
    revoke(f, "op");
    skip_effects(f);
    set_limit(f, "op", "step", RUNNING = 2);
    expect_effects(f, "done revoked\n");
    assert_int_equal(function_of(f, "step").limit.running, 1);
}

/* Each part by itself; a limit stays without tasks and workers, and over a restart. */
static void a_limit_stays_until_it_is_lifted(void **state)
{
    struct fixture *f = *state;
    struct function_view view;

    set_limit(f, "op", "step", RUNNING = 3);
    set_limit(f, "op", "step", RATE = 5000);
    set_limit(f, "op", "step", PAUSED = true);
    restart(f);
    view = function_of(f, "step");
    assert_int_equal(view.limit.running, 3);
    assert_int_equal(view.limit.rate, 5000);
    assert_true(view.limit.paused);
    set_limit(f, "op", "step", .change = LIMIT_CHANGE_RUNNING | LIMIT_CHANGE_RATE);
    restart(f);
    view = function_of(f, "step");
    assert_int_equal(view.limit.running, 0);
    assert_int_equal(view.limit.rate, 0);
    assert_true(view.limit.paused);
    set_limit(f, "op", "step", PAUSED = false);
    assert_false(forest_function(f->forest, NULL, &view));
}

static void only_what_lets_less_run_than_before_recalls(void **state)
{
    struct fixture *f = *state;

    set_limit(f, "op", "a", RUNNING = 3);
    set_limit(f, "op", "a", RUNNING = 2);
    set_limit(f, "op", "b", RATE = 5000);
    set_limit(f, "op", "b", RATE = 4999);
    set_limit(f, "op", "c", PAUSED = true);
    expect_effects(f, "recall\nrecall\nrecall\nrecall\nrecall\n");
    set_limit(f, "op", "a", RUNNING = 2);
    set_limit(f, "op", "a", RUNNING = 4);
    set_limit(f, "op", "a", RUNNING = 0);
    set_limit(f, "op", "b", RATE = 5000);
    set_limit(f, "op", "b", RATE = 0);
    set_limit(f, "op", "c", PAUSED = true);
    set_limit(f, "op", "c", PAUSED = false);
    set_limit(f, "op", "c", .change = 0);
    expect_effects(f, "");
}

/* A new leader does not know who has been told. */
static void a_new_leader_recalls_while_there_is_a_limit(void **state)
{
    struct fixture *f = *state;
    struct effects owed = {0};

    enlist(f, "w1", .slots = 1);
    forest_outstanding(f->forest, 0, &owed);
    assert_int_equal(owed.count, 0);
    set_limit(f, "op", "a", RUNNING = 3);
    forest_outstanding(f->forest, 0, &owed);
    assert_int_equal(owed.count, 1);
    assert_int_equal(owed.list[0].kind, EFFECT_RECALL);
    effects_reset(&owed);
    forest_outstanding(f->forest, session_of(f, "w1").session, &owed);
    assert_int_equal(owed.count, 0);
    effects_clear(&owed);
}

static void there_is_a_bound_of_limited_functions(void **state)
{
    struct fixture *f = *state;
    char function[32];

    for (uint32_t i = 0; i < LIMIT_LIMITED; i++) {
        (void)snprintf(function, sizeof(function), "f%u", (unsigned)i);
        set_limit(f, "op", function, RUNNING = 1);
    }
    f->token = 1;
    skip_effects(f);
    set_limit(f, "op", "more", RUNNING = 1);
    expect_effects(f, "done quota\n");
    set_limit(f, "op", "f0", RUNNING = 0);
    set_limit(f, "op", "more", RUNNING = 1);
    expect_effects(f, "done ok\nrecall\ndone ok\n");
}

/* ---- running */

static void no_more_run_than_the_limit_wherever(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2);
    enlist(f, "w2", .slots = 2);
    set_limit(f, "op", "step", RUNNING = 3);
    skip_effects(f);
    submit(f, "a b c d e");
    expect_effects(f, "assign a w1\nassign b w2\nassign c w1\n");
    submit_with(f, "x", .function = "flow");
    expect_effects(f, "assign x w2\n");
    assert_int_equal(function_of(f, "step").active, 3);
    report_all(f, "w1", "a c", CODE_SUCCEEDED);
    expect_effects(f, "settled a\nsettled c\nassign d w1\nassign e w1\n");
    restart(f);
    submit(f, "g");
    expect_effects(f, "");
    expect_state(f, "g", "held");
    report(f, "w2", "b", CODE_FAILED);
    expect_effects(f, "settled b\nassign g w2\n");
}

static void a_limited_function_waits_for_a_free_slot(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 4);
    set_limit(f, "op", "step", RUNNING = 10);
    skip_effects(f);
    submit(f, "a b");
    expect_effects(f, "assign a w1\n");
    expect_state(f, "b", "ready");
    report(f, "w1", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\nassign b w1\n");
}

/* What was assigned before counts, until it has ended or is handed back. */
static void a_limit_that_comes_later_waits_for_what_runs(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2, .window = 2);
    submit(f, "a b c d e");
    skip_effects(f);
    set_limit(f, "op", "step", RUNNING = 1);
    expect_effects(f, "recall\n");
    assert_int_equal(function_of(f, "step").active, 4);
    return_attempt(f, "w1", "c", RETURN_UNSTARTED, "");
    return_attempt(f, "w1", "d", RETURN_UNSTARTED, "");
    expect_effects(f, "");
    assert_int_equal(view_of(f, "c").losses, 0);
    expect_state(f, "c", "held");
    report(f, "w1", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\n");
    report(f, "w1", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\nassign c#2 w1\n");
    set_limit(f, "op", "step", RUNNING = 0);
    expect_effects(f, "assign d#2 w1\nassign e w1\n");
}

static void a_cancelled_attempt_keeps_its_place_until_it_is_given_back(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 4);
    set_limit(f, "op", "step", RUNNING = 1);
    submit(f, "a b");
    skip_effects(f);
    cancel(f, "a");
    expect_effects(f, "settled a\nstop a w1\nswept a\n");
    assert_int_equal(function_of(f, "step").active, 1);
    return_attempt(f, "w1", "a", RETURN_STOPPED, "");
    expect_effects(f, "assign b w1\n");
}

/* ... or its session is drained. */
static void a_lost_worker_gives_its_places_back(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    enlist(f, "w2", .slots = 1);
    set_limit(f, "op", "step", RUNNING = 1);
    submit(f, "a b");
    skip_effects(f);
    retire(f, "w1", RETIRE_SILENT);
    expect_effects(f, "retired w1\nassign a#2 w2\n");
}

/* ---- waking parents */

/* Two parents p and q of function "flow" that wait for a child each, on w1; another has their
 * place. */
static void let_two_wait(struct fixture *f)
{
    enlist(f, "w1", .slots = 4, .functions = "flow");
    enlist(f, "w2", .slots = 4, .functions = "step");
    set_limit(f, "op", "flow", RUNNING = 1);
    submit_with(f, "p q r s", .function = "flow");
    expand_and_wait(f, "w1", "p", "p1");
    expand_and_wait(f, "w1", "q", "q1");
    expect_state(f, "r", "running");
    skip_effects(f);
}

static void a_waking_parent_goes_before_any_new_attempt(void **state)
{
    struct fixture *f = *state;

    let_two_wait(f);
    report(f, "w2", "p1", CODE_SUCCEEDED);
    expect_effects(f, "settled p1\n");
    expect_state(f, "p", "waiting");
    assert_false(view_of(f, "p").is_resumable);
    assert_int_equal(function_of(f, "flow").barred, 1);
    assert_int_equal(session_of(f, "w1").waiting, 2);
    report(f, "w1", "r", CODE_SUCCEEDED);
    expect_effects(f, "settled r\nresume p w1\n");
    expect_state(f, "p", "running");
    report(f, "w1", "p", CODE_SUCCEEDED);
    expect_effects(f, "settled p\nassign s w1\n");
}

static void the_oldest_parent_goes_first_whoever_woke_first(void **state)
{
    struct fixture *f = *state;

    let_two_wait(f);
    report(f, "w2", "q1", CODE_SUCCEEDED);
    report(f, "w2", "p1", CODE_SUCCEEDED);
    restart(f);
    assert_int_equal(function_of(f, "flow").barred, 2);
    skip_effects(f);
    report(f, "w1", "r", CODE_SUCCEEDED);
    expect_effects(f, "settled r\nresume p w1\n");
    report(f, "w1", "p", CODE_SUCCEEDED);
    expect_effects(f, "settled p\nresume q w1\n");
}

static void a_parent_that_waits_gives_its_place_to_another(void **state)
{
    struct fixture *f = *state;

    let_two_wait(f);
    report_all(f, "w2", "p1 q1", CODE_SUCCEEDED);
    skip_effects(f);
    expand_and_wait(f, "w1", "r", "r1");
    expect_effects(f, "resume p w1\nassign r1 w2\n");
    wait_for(f, "w1", "q", "q1"); /* has ended: it stays in line */
    expand_and_wait(f, "w1", "q", "q2");
    expect_effects(f, "assign q2 w2\n");
    assert_int_equal(function_of(f, "flow").barred, 0);
    report(f, "w1", "p", CODE_SUCCEEDED);
    expect_effects(f, "settled p\nassign s w1\n");
}

/* Whoever is cancelled or lost while it stands in line leaves it. */
static void a_barred_parent_may_end(void **state)
{
    struct fixture *f = *state;

    let_two_wait(f);
    report_all(f, "w2", "p1 q1", CODE_SUCCEEDED);
    skip_effects(f);
    cancel(f, "p");
    expect_effects(f, "settled p\nstop p w1\nswept p\n");
    report(f, "w1", "r", CODE_SUCCEEDED);
    expect_effects(f, "settled r\nresume q w1\n");
    return_attempt(f, "w1", "p", RETURN_STOPPED, "");
    submit_with(f, "t", .function = "flow");
    retire(f, "w1", RETIRE_SILENT);
    assert_int_equal(view_of(f, "q").losses, 1);
    assert_int_equal(function_of(f, "flow").active, 0);
}

/* A new leader, and a worker that resumes its session, do not tell a barred parent to go on. */
static void a_barred_parent_is_owed_nothing(void **state)
{
    struct fixture *f = *state;
    struct effects owed = {0};

    let_two_wait(f);
    report(f, "w2", "p1", CODE_SUCCEEDED);
    skip_effects(f);
    forest_outstanding(f->forest, session_of(f, "w1").session, &owed);
    assert_int_equal(owed.count, 1); /* r */
    effects_clear(&owed);
    enlist(f, "w1", .slots = 4, .functions = "flow", .held = "r", .held_waiting = "p q");
    expect_effects(f, "enlisted w1\n");
    enlist(f, "w1", .slots = 4, .functions = "flow", .held = "r", .held_waiting = "q");
    assert_int_equal(view_of(f, "p").losses, 1); /* it had started, and is gone */
}

/* More than a command may move: the rest goes on with the next. */
static void lifting_a_limit_goes_on_with_a_thousand_at_a_time(void **state)
{
    struct fixture *f = *state;
    char name[32];
    char child[32];

    enlist(f, "w1", .slots = 1, .functions = "flow", .window = 100);
    enlist(f, "w2", .slots = 4096, .functions = "step");
    for (int i = 0; i < 1010; i++) {
        (void)snprintf(name, sizeof(name), "p%d", i);
        (void)snprintf(child, sizeof(child), "c%d", i);
        submit_with(f, name, .function = "flow");
        expand_and_wait(f, "w1", name, child);
    }
    assert_int_equal(function_of(f, "flow").state[TASK_WAITING], 1010);
    submit_with(f, "x", .function = "flow");
    set_limit(f, "op", "flow", RUNNING = 1);
    for (int i = 0; i < 1010; i++) {
        (void)snprintf(child, sizeof(child), "c%d", i);
        report(f, "w2", child, CODE_SUCCEEDED);
    }
    assert_int_equal(function_of(f, "flow").barred, 1010);
    assert_false(forest_has_more(f->forest));
    set_limit(f, "op", "flow", RUNNING = 0);
    assert_int_equal(function_of(f, "flow").barred, 10);
    assert_true(forest_has_more(f->forest));
    restart(f);
    assert_true(forest_has_more(f->forest));
    sweep(f);
    assert_int_equal(function_of(f, "flow").barred, 0);
    assert_false(forest_has_more(f->forest));
}

/* ---- pause */

static void a_pause_lets_what_has_begun_go_on(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 4);
    submit_with(f, "p", .function = "flow", .max_attempts = 2);
    expand_and_wait(f, "w1", "p", "p1");
    skip_effects(f);
    set_limit(f, "op", "flow", PAUSED = true);
    expect_effects(f, "recall\n");
    submit_with(f, "q", .function = "flow");
    expect_effects(f, "");
    expect_state(f, "q", "held");
    report(f, "w1", "p1", CODE_SUCCEEDED);
    expect_effects(f, "settled p1\nresume p w1\n");
    report(f, "w1", "p", CODE_FAILED);
    expire(f, 2000);
    expect_effects(f, "");
    expect_state(f, "p", "held");
    restart(f);
    assert_int_equal(forest_due_ms(f->forest), UINT64_MAX);
    set_limit(f, "op", "flow", PAUSED = false);
    expect_effects(f, "assign p#2 w1\nassign q w1\n");
}

/* ---- rate */

/* Ends what runs on w1, w2 and w3 at random, and notes when attempts begin. */
struct pace {
    struct fixture *f;
    uint64_t random;
    uint64_t begun_ms[4096];
    size_t begun;
};

static uint32_t draw(struct pace *pace, uint32_t below)
{
    pace->random = pace->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)((pace->random >> 33) % below);
}

static void note_begun(struct pace *pace)
{
    const struct effects *effects = &pace->f->effects;

    for (size_t i = 0; i < effects->count; i++) {
        if (effects->list[i].kind == EFFECT_ASSIGN) {
            assert_true(pace->begun < 4096);
            pace->begun_ms[pace->begun++] = pace->f->now_ms;
        }
    }
}

static void end_one(struct pace *pace)
{
    static const char *const workers[] = {"w1", "w2", "w3"};
    const char *worker = workers[draw(pace, 3)];
    const uint64_t session = session_of(pace->f, worker).session;
    struct effects owed = {0};

    forest_outstanding(pace->f->forest, session, &owed);
    if (owed.count > 0) {
        const size_t which = draw(pace, (uint32_t)owed.count);
        report(pace->f, worker, name_of(pace->f, &owed.list[which].task), CODE_SUCCEEDED);
        note_begun(pace);
    }
    effects_clear(&owed);
}

/* Time passes to when something is due, or a bit; now and then something ends. */
static void run_for(struct pace *pace, uint64_t ms)
{
    struct fixture *f = pace->f;
    const uint64_t end_ms = f->now_ms + ms;

    while (f->now_ms < end_ms) {
        const uint64_t due_ms = forest_due_ms(f->forest);
        if (draw(pace, 4) == 0) {
            f->now_ms += draw(pace, 40);
            end_one(pace);
        } else if (due_ms != UINT64_MAX) {
            expire(f, due_ms > f->now_ms ? due_ms - f->now_ms : 0);
            note_begun(pace);
        }
    }
}

static void submit_many(struct fixture *f, uint32_t from, uint32_t count)
{
    char names[256 * 8];

    while (count > 0) {
        size_t size = 0;
        for (uint32_t i = 0; i < 200 && count > 0; i++, count--) {
            size += (size_t)snprintf(names + size, sizeof(names) - size, "t%u ", (unsigned)from++);
        }
        submit(f, names);
    }
}

/* Of any span of time no more begin than the rate allows and one bucket; over all of it no fewer
 * than the rate allows. */
static void expect_pace(const struct pace *pace, uint64_t rate, uint64_t burst, uint64_t ms)
{
    for (size_t i = 0; i < pace->begun; i++) {
        for (size_t k = i; k < pace->begun; k++) {
            const uint64_t span_ms = pace->begun_ms[k] - pace->begun_ms[i];
            assert_true(k - i + 1 <= burst + span_ms * rate / 1000000);
        }
    }
    assert_true(pace->begun >= ms * rate / 1000000);
}

static void the_rate_holds_to_the_unit_over_a_minute(void **state)
{
    struct fixture *f = *state;
    struct pace *pace = calloc(1, sizeof(*pace));

    assert_non_null(pace);
    pace->f = f;
    pace->random = 7;
    set_limit(f, "op", "step", RATE = 2300); /* 2.3 a second: one at a time */
    enlist(f, "w1", .slots = 40, .window = 10);
    enlist(f, "w2", .slots = 40, .window = 10);
    enlist(f, "w3", .slots = 40, .window = 10);
    submit_many(f, 0, 200);
    note_begun(pace);
    run_for(pace, 60000);
    expect_pace(pace, 2300, 1, 60000);
    assert_in_range(pace->begun, 138, 139);
    set_limit(f, "op", "step", RATE = 40000); /* 40 a second: two at a time */
    f->now_ms += 10000;
    set_limit(f, "op", "step", RUNNING = 100);
    pace->begun = 0;
    submit_many(f, 200, 3000);
    note_begun(pace);
    for (int i = 0; i < 60; i++) {
        run_for(pace, 500);
        restart(f);
    }
    expect_pace(pace, 40000, 2, 0);
    free(pace);
}

static void a_rate_cannot_be_filled_up_by_setting_it_again(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 10);
    set_limit(f, "op", "step", RATE = 1000);
    submit(f, "a b c d");
    expect_effects(f, "enlisted w1\nrecall\nassign a w1\n");
    set_limit(f, "op", "step", RATE = 1000);
    set_limit(f, "op", "step", RATE = 2000);
    set_limit(f, "op", "step", RATE = 1000);
    expect_effects(f, "recall\n");
    f->now_ms += 999;
    set_limit(f, "op", "step", RATE = 1000);
    expect_effects(f, "");
    assert_int_equal(forest_due_ms(f->forest), f->now_ms + 1);
    expire(f, 1);
    expect_effects(f, "assign b w1\n");
    set_limit(f, "op", "step", RATE = 0);
    expect_effects(f, "assign c w1\nassign d w1\n");
}

/* Any command lets time pass; what has waited longer is not more than a bucket. */
static void a_bucket_holds_fifty_milliseconds_worth(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 100);
    set_limit(f, "op", "step", RATE = 100000); /* 100 a second: 5 in 50 ms */
    skip_effects(f);
    f->now_ms += UINT64_C(3600) * 1000;
    submit(f, "a b c d e f g h");
    expect_effects(f, "assign a w1\nassign b w1\nassign c w1\nassign d w1\nassign e w1\n");
    f->now_ms += 20;
    submit_with(f, "x", .function = "flow");
    expect_effects(f, "assign f w1\nassign g w1\nassign x w1\n");
}

/* Nothing is due for a function without work. */
static void a_rate_without_work_is_not_due(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 100);
    set_limit(f, "op", "step", RATE = 1000);
    submit(f, "a");
    assert_int_equal(forest_due_ms(f->forest), UINT64_MAX);
    submit(f, "b");
    expect_state(f, "b", "held");
    assert_int_equal(forest_due_ms(f->forest), f->now_ms + 1000);
}

/* A parent that goes on, and an attempt that is recalled, do not begin; one that is run again does.
 */
static void a_waking_parent_takes_nothing_of_the_rate(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 4);
    set_limit(f, "op", "flow", RATE = 1000);
    submit_with(f, "p q", .function = "flow");
    expand_and_wait(f, "w1", "p", "p1");
    skip_effects(f);
    report(f, "w1", "p1", CODE_SUCCEEDED);
    expect_effects(f, "settled p1\nresume p w1\n");
    return_attempt(f, "w1", "p", RETURN_UNSTARTED, "");
    expect_effects(f, "");
    expire(f, 1000);
    expect_effects(f, "assign p#2 w1\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_an_operator_sets_limits),
        TEST(a_limit_stays_until_it_is_lifted),
        TEST(only_what_lets_less_run_than_before_recalls),
        TEST(a_new_leader_recalls_while_there_is_a_limit),
        TEST(there_is_a_bound_of_limited_functions),
        TEST(no_more_run_than_the_limit_wherever),
        TEST(a_limited_function_waits_for_a_free_slot),
        TEST(a_limit_that_comes_later_waits_for_what_runs),
        TEST(a_cancelled_attempt_keeps_its_place_until_it_is_given_back),
        TEST(a_lost_worker_gives_its_places_back),
        TEST(a_waking_parent_goes_before_any_new_attempt),
        TEST(the_oldest_parent_goes_first_whoever_woke_first),
        TEST(a_parent_that_waits_gives_its_place_to_another),
        TEST(a_barred_parent_may_end),
        TEST(a_barred_parent_is_owed_nothing),
        TEST(lifting_a_limit_goes_on_with_a_thousand_at_a_time),
        TEST(a_pause_lets_what_has_begun_go_on),
        TEST(the_rate_holds_to_the_unit_over_a_minute),
        TEST(a_rate_cannot_be_filled_up_by_setting_it_again),
        TEST(a_bucket_holds_fifty_milliseconds_worth),
        TEST(a_rate_without_work_is_not_due),
        TEST(a_waking_parent_takes_nothing_of_the_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
