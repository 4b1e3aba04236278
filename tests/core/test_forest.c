/* SPDX-License-Identifier: MPL-2.0
 * Attempts and what comes of them: fences, retries, losses, deadlines, sameness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/forest_state.h"
#include "tests/support/forest_fixture.h"

static void a_task_is_assigned_reported_and_settled(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    report(f, "w1", "a", CODE_SUCCEEDED);
    expect_effects(f, "enlisted w1\nassign a w1\nsettled a\n");
    expect_state(f, "a", "succeeded");
    assert_true(view_of(f, "a").has_result);
    assert_int_equal(forest_counters(f->forest)->succeeded, 1);
}

static void each_item_gets_its_own_answer(void **state)
{
    struct fixture *f = *state;

    f->token = 7;
    submit(f, "a b");
    expect_effects(f, "answer 0 a ok\nanswer 1 b ok\ndone ok\n");
    submit_with(f, "c", .priority = 101);
    submit_with(f, "d", .function = "Bad Name");
    submit_with(f, "e", .signer = "stranger");
    submit_with(f, "g", .root = "a");
    expect_effects(f, "answer 0 c option\ndone ok\nanswer 0 d function-name\ndone ok\n"
                      "answer 0 e unknown-key\ndone ok\nanswer 0 g lineage\ndone ok\n");
    assert_int_equal(forest_counters(f->forest)->submitted, 2);
}

static void the_same_task_submitted_again_is_answered(void **state)
{
    struct fixture *f = *state;

    f->token = 7;
    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    submit(f, "a");
    skip_effects(f);
    report(f, "w1", "a", CODE_SUCCEEDED);
    submit(f, "a");
    expect_effects(f, "settled a\ndone ok\nanswer 0 a ok settled\ndone ok\n");
    assert_int_equal(forest_counters(f->forest)->submitted, 1);
}

static void the_same_key_with_another_payload_is_a_conflict(void **state)
{
    struct fixture *f = *state;

    f->token = 7;
    submit_with(f, "a", .key = "k");
    submit_with(f, "b", .key = "k", .payload = "a", .function = "flow");
    submit_with(f, "c", .key = "k");
    const struct digest kept = view_of(f, "a").payload_digest;
    assert_true(digest_equal(&f->effects.list[0].digest, &kept));
    expect_effects(
        f, "answer 0 a ok\ndone ok\nanswer 0 a conflict\ndone ok\nanswer 0 a conflict\ndone ok\n");
}

/* Fine print 16. What is not there any more is nobody's. */
static void a_root_is_run_again_by_its_submitter_or_an_operator(void **state)
{
    struct fixture *f = *state;
    struct certificate chief = certificate_of(f, "w4", ROLE_CLIENT | ROLE_OPERATOR, "*");
    struct task_item item;

    chief.not_before_ms++;
    f->now_ms += 2;
    admit(f, &chief);
    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .function = "flow");
    expand(f, "w1", "a", "child");
    skip_effects(f);
    f->token = 7;
    submit_with(f, "b", .retry_of = "a", .signer = "w2");
    submit_with(f, "c", .retry_of = "child");
    expect_effects(f, "answer 0 b not-found\ndone ok\nanswer 0 c option\ndone ok\n");
    submit_with(f, "d", .retry_of = "a");
    submit_with(f, "e", .retry_of = "a", .signer = "w4");
    submit_with(f, "g", .retry_of = "b", .signer = "w2");
    expect_effects(f, "answer 0 d ok\ndone ok\nanswer 0 e ok\ndone ok\nanswer 0 g ok\ndone ok\n");

    restart(f);
    const struct id old = id_of(f, "a");
    assert_int_equal(wire_task_decode(view_of(f, "e").item, &item), GROVE_OK);
    assert_true(item.has_retry_of && id_equal(&item.retry_of, &old));
}

static void a_child_runs_no_root_again(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .function = "flow");
    skip_effects(f);
    f->token = 7;
    expand_with(f, "w1", "a", "b", .retry_of = "a");
    expect_effects(f, "answer 0 b option\ndone ok\n");
}

static void an_item_past_its_expiry_or_too_far_ahead_is_refused(void **state)
{
    struct fixture *f = *state;

    f->token = 7;
    submit_with(f, "a", .expires_ms = -1);
    submit_with(f, "b", .expires_ms = INT64_C(1) + LIMIT_RETENTION_MS);
    submit_with(f, "c", .expires_ms = INT64_C(0) + LIMIT_RETENTION_MS);
    expect_effects(
        f, "answer 0 a expired\ndone ok\nanswer 0 b expired\ndone ok\nanswer 0 c ok\ndone ok\n");
}

static void who_may_not_submit_a_function_is_refused(void **state)
{
    struct fixture *f = *state;
    struct certificate narrow = certificate_of(f, "w4", ROLE_CLIENT, "st*");

    narrow.not_before_ms++;
    f->now_ms += 2;
    admit(f, &narrow);
    skip_effects(f);
    f->token = 7;
    submit_with(f, "a", .signer = "w4");
    submit_with(f, "b", .signer = "w4", .function = "flow");
    expect_effects(f, "answer 0 a ok\ndone ok\nanswer 0 b right-submit\ndone ok\n");
}

static void no_more_is_accepted_than_there_is_room_for(void **state)
{
    struct fixture *f = *state;

    f->token = 7;
    submit(f, "a b c");
    expect_effects(f, "answer 0 a ok\nanswer 1 b ok\nanswer 2 c quota\ndone ok\n");
}

/* Fence: task, attempt and session. */
static void a_report_that_is_not_of_the_attempt_in_force_is_refused(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    const struct result_item right = result_of(f, "w1", "a", CODE_SUCCEEDED);
    struct result_item wrong = right;
    skip_effects(f);

    wrong.attempt = 2;
    report_result(f, "w1", &wrong);
    expect_effects(f, "refuse a#2 w1 stale\n");
    wrong = right;
    wrong.session++;
    report_result(f, "w1", &wrong);
    expect_effects(f, "refuse a w1 stale\n");
    report_result(f, "w1", &right);
    report_result(f, "w1", &right);
    expect_effects(f, "settled a\nrefuse a w1 stale\n");
}

/* Fine print 13. */
static void a_result_must_name_its_task_word_for_word(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    const struct result_item right = result_of(f, "w1", "a", CODE_SUCCEEDED);
    struct result_item wrong[4] = {right, right, right, right};
    skip_effects(f);

    wrong[0].root.byte[0] ^= 1;
    wrong[1].has_parent = true;
    wrong[2].function = bytes_of_text("flow");
    wrong[3].payload_digest.byte[31] ^= 1;
    for (size_t i = 0; i < 4; i++) {
        report_result(f, "w1", &wrong[i]);
        expect_effects(f, "refuse a w1 mismatch\n");
    }
    expect_state(f, "a", "running");
}

static void a_result_of_a_child_must_name_its_parent(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    expand_and_wait(f, "w1", "a", "b");
    const struct result_item right = result_of(f, "w1", "b", CODE_SUCCEEDED);
    struct result_item wrong[2] = {right, right};
    skip_effects(f);

    wrong[0].has_parent = false;
    wrong[1].parent.byte[15] ^= 1;
    for (size_t i = 0; i < 2; i++) {
        report_result(f, "w1", &wrong[i]);
        expect_effects(f, "refuse b w1 mismatch\n");
    }
    expect_state(f, "b", "running");
}

static void a_result_sealed_by_another_is_refused(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    enlist(f, "w2", .slots = 1);
    submit(f, "a");
    const struct result_item stolen = result_of(f, "w1", "a", CODE_SUCCEEDED);
    skip_effects(f);
    report_result(f, "w2", &stolen);
    expect_effects(f, "refuse a w2 stale\n");
    report_sealed_by(f, "w1", "w2", &stolen);
    expect_effects(f, "refuse a w1 wrong-signer\n");
    report_sealed_by(f, "w1", "client", &stolen);
    expect_effects(f, "refuse a w1 wrong-signer\n");
    expect_state(f, "a", "running");
}

static void an_own_failure_is_retried_after_a_backoff_that_doubles(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .max_attempts = 3);
    skip_effects(f);
    report(f, "w1", "a", CODE_FAILED);
    expect_state(f, "a", "delayed");
    const uint64_t first_ms = view_of(f, "a").due_ms - f->now_ms;
    assert_in_range(first_ms, 1000, 1250);
    assert_true(bytes_equal(view_of(f, "a").failure_text, bytes_of_text("it went wrong")));
    expire(f, first_ms - 1);
    expect_effects(f, "");
    expire(f, 1);
    expect_effects(f, "assign a#2 w1\n");
    assert_int_equal(view_of(f, "a").generation, 1);

    report(f, "w1", "a", CODE_TIMEOUT);
    const uint64_t second_ms = view_of(f, "a").due_ms - f->now_ms;
    assert_in_range(second_ms, 2000, 2500);
    expire(f, second_ms);
    report(f, "w1", "a", CODE_FAILED);
    expect_effects(f, "assign a#3 w1\nsettled a\n");
    expect_state(f, "a", "failed");
}

static void a_permanent_failure_is_not_retried(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .max_attempts = 3);
    report(f, "w1", "a", CODE_PERMANENT);
    expect_state(f, "a", "failed");
}

static void three_losses_are_poison_and_say_so(void **state)
{
    struct fixture *f = *state;

    submit(f, "a");
    for (uint8_t boot = 1; boot <= 3; boot++) {
        enlist(f, "w1", .slots = 1, .boot = boot);
        retire(f, "w1", RETIRE_SILENT);
    }
    expect_effects(f, "enlisted w1\nassign a w1\nretired w1\n"
                      "enlisted w1\nassign a#2 w1\nretired w1\n"
                      "enlisted w1\nassign a#3 w1\nretired w1\nsettled a\n");
    const struct task_view view = view_of(f, "a");
    assert_int_equal(view.code, CODE_POISON);
    assert_false(view.has_result);
    assert_true(
        bytes_equal(view.verdict_text, bytes_of_text("lost 3 workers, the limit for a task is 3")));
    assert_int_equal(view.generation, 0);
}

/* Fine print 1: the first `slots` have started, what stands behind them has not. */
static void only_started_attempts_are_charged(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 2);
    submit(f, "a b c");
    skip_effects(f);
    retire(f, "w1", RETIRE_SILENT);
    assert_int_equal(view_of(f, "a").losses, 1);
    assert_int_equal(view_of(f, "b").losses, 0);
    assert_int_equal(view_of(f, "c").losses, 0);
    expect_state(f, "b", "ready");
}

static void a_waiting_attempt_has_started(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .functions = "flow");
    submit_with(f, "a", .function = "flow");
    expand_and_wait(f, "w1", "a", "x");
    retire(f, "w1", RETIRE_SILENT);
    assert_int_equal(view_of(f, "a").losses, 1);
}

static void a_polite_end_charges_nobody(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    retire(f, "w1", RETIRE_GOODBYE);
    assert_int_equal(view_of(f, "a").losses, 0);
    expect_state(f, "a", "ready");
}

/* Fine print 1: a killer does not take its neighbours with it. */
static void two_lost_tasks_never_run_in_one_session(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2);
    submit(f, "a b");
    retire(f, "w1", RETIRE_SILENT);
    skip_effects(f);
    enlist(f, "w2", .slots = 2);
    submit(f, "c");
    expect_effects(f, "enlisted w2\nassign a#2 w2\nassign c w2\n");
    report(f, "w2", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\nassign b#2 w2\n");
}

/* Fine print 1: the charge is taken back for what the process still holds. */
static void a_worker_that_was_only_silent_takes_its_charge_back(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2);
    submit(f, "a b");
    retire(f, "w1", RETIRE_SILENT);
    assert_int_equal(view_of(f, "a").losses, 1);
    skip_effects(f);
    enlist(f, "w1", .slots = 2, .held = "a");
    expect_effects(f, "enlisted w1\nstop a w1 stale\nassign a#2 w1\nassign b#2 w1\n");
    assert_int_equal(view_of(f, "a").losses, 0);
    assert_int_equal(view_of(f, "b").losses, 1);
}

/* A new process can have nothing of the old one's, whatever it lists. */
static void only_the_same_process_takes_a_charge_back(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    retire(f, "w1", RETIRE_SILENT);
    skip_effects(f);
    enlist(f, "w1", .slots = 1, .boot = 2, .held = "a");
    expect_effects(f, "enlisted w1\nstop a w1 stale\nassign a#2 w1\n");
    assert_int_equal(view_of(f, "a").losses, 1);
}

/* Fine print 10. */
static void what_may_run_once_is_lost_with_its_worker(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .at_most_once = true, .max_attempts = 5);
    retire(f, "w1", RETIRE_GOODBYE);
    assert_int_equal(view_of(f, "a").code, CODE_LOST);
}

static void what_may_run_once_and_was_not_started_runs(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .at_most_once = true);
    skip_effects(f);
    return_attempt(f, "w1", "a", RETURN_UNSTARTED, "");
    expect_effects(f, "assign a#2 w1\n");
    return_attempt(f, "w1", "a", RETURN_STOPPED, "");
    expect_effects(f, "settled a\n");
    assert_int_equal(view_of(f, "a").code, CODE_LOST);
}

static void what_may_run_once_waits_for_a_free_slot_and_is_never_retried(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 5);
    submit_with(f, "a b", .at_most_once = true, .max_attempts = 5);
    expect_effects(f, "enlisted w1\nassign a w1\n");
    report(f, "w1", "a", CODE_FAILED);
    expect_effects(f, "settled a\nassign b w1\n");
    expect_state(f, "a", "failed");
}

/* Fine print 2: final at once, but its slot is taken until the worker answers. */
static void a_deadline_ends_a_task_at_once_and_its_slot_later(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .deadline_ms = 1000);
    submit(f, "b");
    skip_effects(f);
    assert_int_equal(forest_due_ms(f->forest), f->now_ms + 1000);
    expire(f, 1000);
    expect_effects(f, "settled a\nstop a w1\n");
    expect_state(f, "a", "failed");
    assert_int_equal(view_of(f, "a").code, CODE_DEADLINE);
    assert_int_equal(session_of(f, "w1").stopping, 1);
    return_attempt(f, "w1", "a", RETURN_STOPPED, "");
    expect_effects(f, "assign b w1\n");
}

static void a_result_of_a_stopped_attempt_only_gives_the_slot_back(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .deadline_ms = 1000);
    submit(f, "b");
    expire(f, 1000);
    skip_effects(f);
    report(f, "w1", "a", CODE_SUCCEEDED);
    expect_effects(f, "refuse a w1 stale\nassign b w1\n");
    assert_int_equal(view_of(f, "a").code, CODE_DEADLINE);
}

static void a_delayed_task_waits_for_its_time(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .delay_ms = 500);
    skip_effects(f);
    expect_state(f, "a", "delayed");
    expire(f, 499);
    expect_effects(f, "");
    expire(f, 1);
    expect_effects(f, "assign a w1\n");
}

/* Fine print 9. */
static void a_function_that_cannot_run_there_goes_elsewhere_until_it_enlists_again(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    skip_effects(f);
    return_attempt(f, "w1", "a", RETURN_CANNOT_RUN, "no such command");
    expect_state(f, "a", "ready");
    expect_effects(f, "");
    submit_with(f, "b", .function = "flow");
    expect_effects(f, "assign b w1\n");
    report(f, "w1", "b", CODE_SUCCEEDED);
    enlist(f, "w1", .slots = 1);
    expect_effects(f, "settled b\nenlisted w1\nassign a#2 w1\n");
}

static void a_task_never_returns_to_a_session_that_refused_it(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    enlist(f, "w2", .slots = 1);
    submit(f, "a");
    skip_effects(f);
    return_attempt(f, "w1", "a", RETURN_REFUSED, "bad seal");
    expect_effects(f, "assign a#2 w2\n");
    return_attempt(f, "w2", "a", RETURN_REFUSED, "bad seal here");
    expect_effects(f, "settled a\n");
    assert_int_equal(view_of(f, "a").code, CODE_REFUSED);
    assert_true(
        bytes_equal(view_of(f, "a").verdict_text, bytes_of_text("bad seal; bad seal here")));
}

static void refused_by_three_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const workers[] = {"w1", "w2", "w3", "w4"};

    for (size_t i = 0; i < 4; i++) {
        enlist(f, workers[i], .slots = 1);
    }
    submit(f, "a");
    for (size_t i = 0; i < 3; i++) {
        return_attempt(f, workers[i], "a", RETURN_REFUSED, "no");
    }
    assert_int_equal(view_of(f, "a").code, CODE_REFUSED);
}

static void the_last_checkpoint_and_progress_survive_the_attempt(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    checkpoint(f, "w1", "a", "first");
    checkpoint(f, "w1", "a", "second");
    retire(f, "w1", RETIRE_SILENT);
    assert_true(bytes_equal(view_of(f, "a").checkpoint, bytes_of_text("second")));
    assert_int_equal(view_of(f, "a").percent, 50);
    assert_true(bytes_equal(view_of(f, "a").progress_text, bytes_of_text("half")));
}

static void a_retired_session_is_told_and_counts_for_nothing(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    const struct result_item late = result_of(f, "w1", "a", CODE_SUCCEEDED);
    retire(f, "w1", RETIRE_SILENT);
    skip_effects(f);
    report_result(f, "w1", &late);
    expect_effects(f, "retired w1\n");
    expect_state(f, "a", "ready");
}

/* What DESIGN section 5 allows: 320 bytes beside the signed item. */
static void a_queued_task_costs_little(void **state)
{
    (void)state;
    assert_true(sizeof(struct task) + sizeof(struct tree) <= 320);
}

static int setup_with_room_for_two_bodies(void **state)
{
    return fixture_setup_bounded(state, &(struct forest_options){.body_size = 100});
}

static int setup_with_room_for_two(void **state)
{
    return fixture_setup_bounded(state, &(struct forest_options){.live_tasks = 2});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_is_assigned_reported_and_settled),
        TEST(each_item_gets_its_own_answer),
        TEST(the_same_task_submitted_again_is_answered),
        TEST(the_same_key_with_another_payload_is_a_conflict),
        TEST(a_root_is_run_again_by_its_submitter_or_an_operator),
        TEST(a_child_runs_no_root_again),
        TEST(an_item_past_its_expiry_or_too_far_ahead_is_refused),
        TEST(who_may_not_submit_a_function_is_refused),
        cmocka_unit_test_setup_teardown(no_more_is_accepted_than_there_is_room_for,
                                        setup_with_room_for_two, fixture_teardown),
        cmocka_unit_test_setup_teardown(no_more_is_accepted_than_there_is_room_for,
                                        setup_with_room_for_two_bodies, fixture_teardown),
        TEST(a_report_that_is_not_of_the_attempt_in_force_is_refused),
        TEST(a_result_must_name_its_task_word_for_word),
        TEST(a_result_of_a_child_must_name_its_parent),
        TEST(a_result_sealed_by_another_is_refused),
        TEST(an_own_failure_is_retried_after_a_backoff_that_doubles),
        TEST(a_permanent_failure_is_not_retried),
        TEST(three_losses_are_poison_and_say_so),
        TEST(only_started_attempts_are_charged),
        TEST(a_waiting_attempt_has_started),
        TEST(a_polite_end_charges_nobody),
        TEST(two_lost_tasks_never_run_in_one_session),
        TEST(a_worker_that_was_only_silent_takes_its_charge_back),
        TEST(only_the_same_process_takes_a_charge_back),
        TEST(what_may_run_once_is_lost_with_its_worker),
        TEST(what_may_run_once_and_was_not_started_runs),
        TEST(what_may_run_once_waits_for_a_free_slot_and_is_never_retried),
        TEST(a_deadline_ends_a_task_at_once_and_its_slot_later),
        TEST(a_result_of_a_stopped_attempt_only_gives_the_slot_back),
        TEST(a_delayed_task_waits_for_its_time),
        TEST(a_function_that_cannot_run_there_goes_elsewhere_until_it_enlists_again),
        TEST(a_task_never_returns_to_a_session_that_refused_it),
        TEST(refused_by_three_is_refused),
        TEST(the_last_checkpoint_and_progress_survive_the_attempt),
        TEST(a_retired_session_is_told_and_counts_for_nothing),
        TEST(a_queued_task_costs_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
