/* SPDX-License-Identifier: MPL-2.0
 * Who gets what: sessions, slots, windows, the cap on what waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

static void work_is_spread_over_free_slots_first(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 4);
    enlist(f, "w2", .slots = 2, .window = 0);
    skip_effects(f);
    submit(f, "a b c d");
    expect_effects(f, "assign a w1\nassign b w2\nassign c w2\nassign d w1\n");
}

static void a_session_gets_its_slots_and_its_window_and_no_more(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2, .window = 3);
    submit(f, "a b c d e f g");
    assert_int_equal(session_of(f, "w1").assigned, 5);
    expect_state(f, "f", "ready");
}

static void a_session_gets_only_what_it_offers_and_may_run(void **state)
{
    struct fixture *f = *state;
    struct certificate narrow = certificate_of(f, "w1", ROLE_WORKER, "st*");

    narrow.not_before_ms++;
    f->now_ms += 2;
    admit(f, &narrow);
    skip_effects(f);
    f->token = 1;
    enlist(f, "w1", .slots = 1, .functions = "flow step");
    enlist(f, "client", .slots = 1);
    expect_effects(f, "done right-run\ndone role\n");
    enlist(f, "w1", .slots = 1, .functions = "step");
    submit_with(f, "a", .function = "flow");
    expect_state(f, "a", "ready");
}

/* ---- fine print 6 */

static void the_same_process_resumes_its_session(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 3);
    submit(f, "a b");
    const uint64_t session = session_of(f, "w1").session;
    skip_effects(f);
    enlist(f, "w1", .slots = 3, .held = "a");
    expect_effects(f, "enlisted w1\nassign b w1\n");
    assert_int_equal(session_of(f, "w1").session, session);
}

static void a_resumed_session_is_told_what_it_missed(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2, .functions = "flow segment");
    enlist(f, "w2", .slots = 1, .functions = "step");
    submit_with(f, "p", .function = "flow");
    submit_with(f, "late", .function = "flow", .deadline_ms = 1000);
    expand_and_wait(f, "w1", "p", "a");
    report(f, "w2", "a", CODE_SUCCEEDED);
    expire(f, 1000);
    skip_effects(f);
    enlist(f, "w1", .slots = 2, .functions = "flow segment", .held = "late", .held_waiting = "p");
    expect_effects(f, "enlisted w1\nstop late w1\nresume p w1\n");
}

static void a_waiting_attempt_that_its_process_lost_is_lost(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .functions = "flow");
    submit_with(f, "p", .function = "flow");
    expand_and_wait(f, "w1", "p", "a");
    skip_effects(f);
    enlist(f, "w1", .slots = 1, .functions = "flow");
    expect_effects(f, "enlisted w1\nassign p#2 w1\n");
    assert_int_equal(view_of(f, "p").losses, 1);
}

static void what_a_session_does_not_hold_is_stopped_there(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    skip_effects(f);
    enlist(f, "w2", .slots = 1, .held = "a");
    expect_effects(f, "enlisted w2\nstop a w2 stale\n");
}

static void a_second_process_of_an_instance_is_a_duplicate_unless_the_first_is_gone(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .boot = 1);
    submit(f, "a");
    skip_effects(f);
    f->token = 1;
    enlist(f, "w1", .slots = 1, .boot = 2);
    expect_effects(f, "done duplicate-instance\n");
    enlist(f, "w1", .slots = 1, .boot = 2, .previous_exited = true);
    expect_effects(f, "retired w1\nenlisted w1\nassign a#2 w1\n");
    assert_int_equal(view_of(f, "a").losses, 1);
}

static void a_revoked_worker_is_retired_and_charges_nobody(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    revoke(f, "w1");
    expect_state(f, "a", "ready");
    assert_int_equal(view_of(f, "a").losses, 0);
    assert_int_equal(forest_counters(f->forest)->sessions, 0);
}

/* ---- fine print 12 */

static void a_large_session_is_retired_in_steps(void **state)
{
    struct fixture *f = *state;
    char names[8 * 256];

    enlist(f, "w1", .slots = 1, .window = 1499);
    for (unsigned batch = 0; batch < 15; batch++) {
        size_t size = 0;
        for (unsigned i = 0; i < 100; i++) {
            size += (size_t)snprintf(names + size, sizeof(names) - size, "t%u ", batch * 100 + i);
        }
        submit(f, names);
    }
    assert_int_equal(session_of(f, "w1").assigned, 1500);
    skip_effects(f);
    retire(f, "w1", RETIRE_SILENT);
    assert_int_equal(forest_counters(f->forest)->state[TASK_READY], 1000);
    assert_true(forest_has_more(f->forest));
    expire(f, 0);
    assert_int_equal(forest_counters(f->forest)->state[TASK_READY], 1500);
    assert_false(forest_has_more(f->forest));
}

static void a_large_worker_is_filled_in_steps(void **state)
{
    struct fixture *f = *state;
    char names[8 * 256];

    for (unsigned batch = 0; batch < 15; batch++) {
        size_t size = 0;
        for (unsigned i = 0; i < 100; i++) {
            size += (size_t)snprintf(names + size, sizeof(names) - size, "t%u ", batch * 100 + i);
        }
        submit(f, names);
    }
    enlist(f, "w1", .slots = 2000);
    assert_int_equal(session_of(f, "w1").assigned, 1000);
    assert_true(forest_has_more(f->forest));
    expire(f, 0);
    assert_int_equal(session_of(f, "w1").assigned, 1500);
}

/* ---- what waits */

/* A slot goes first to who may resume, then to children held ahead, then to roots held ahead. */
static void children_held_ahead_start_before_roots(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 2);
    submit(f, "p r1 r2");
    expand(f, "w1", "p", "c");
    expect_state(f, "c", "ready");
    wait_for(f, "w1", "p", "c"); /* r1 starts, and c is held behind it */
    report(f, "w1", "r1", CODE_SUCCEEDED);
    retire(f, "w1", RETIRE_SILENT);
    assert_int_equal(view_of(f, "p").losses, 1);
    assert_int_equal(view_of(f, "c").losses, 1);
    assert_int_equal(view_of(f, "r2").losses, 0);
}

/* A task with a loss is not assigned beside another such: but a parent that waits for it would wait
 * for ever where there is one worker; and two, one on each of two workers (simulation.meshes, seed
 * 1090). */
static void a_parent_that_waits_keeps_no_lost_child_from_its_worker(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 2, .functions = "flow step");
    submit_with(f, "p", .function = "flow");
    expand_and_wait(f, "w1", "p", "c");
    retire(f, "w1", RETIRE_SILENT);
    assert_int_equal(view_of(f, "p").losses, 1);
    assert_int_equal(view_of(f, "c").losses, 1);
    enlist(f, "w2", .slots = 2, .functions = "flow");
    expand_and_wait(f, "w2", "p", "c");
    skip_effects(f);
    enlist(f, "w2", .slots = 2, .functions = "flow step", .held_waiting = "p");
    expect_effects(f, "enlisted w2\nassign c#2 w2\n");
    report(f, "w2", "c", CODE_SUCCEEDED);
    expect_state(f, "p", "running");
}

/* Runs whatever w1 has got a slot for, by its part: a flow starts a segment and waits, a segment
 * starts a step and waits, a step succeeds, and who is resumed succeeds. */
struct play {
    struct fixture *f;
    uint32_t most_held; /* attempts at a time: threads of the worker */
    size_t settled;
};

static void play_on(struct play *play, const char *name, const char *verb)
{
    struct fixture *f = play->f;
    char child[32];

    (void)snprintf(child, sizeof(child), "%c%s", name[0] + 1, name + 1);
    if (strcmp(verb, "resume") == 0 || name[0] == 'c') {
        report(f, "w1", name, CODE_SUCCEEDED);
        play->settled++;
    } else {
        expand_and_wait(f, "w1", name, child);
    }
}

/* Takes the first line that hands out work from the transcript; false when there is none. */
static bool next_task(struct buffer *todo, size_t *at, char *verb, char *name)
{
    while (*at < todo->size) {
        const char *line = (const char *)todo->data + *at;
        *at += strcspn(line, "\n") + 1;
        if (sscanf(line, "%15s %31s", verb, name) == 2 &&
            (strcmp(verb, "assign") == 0 || strcmp(verb, "resume") == 0)) {
            return true;
        }
    }
    return false;
}

static void play_all(struct play *play)
{
    struct fixture *f = play->f;
    struct buffer todo = {0};
    char verb[16];
    char name[32];
    size_t at = 0;

    do {
        buffer_append(&todo, f->transcript.data, f->transcript.size);
        buffer_append(&todo, "", 1);
        todo.size--; /* the line after begins where the NUL stands */
        skip_effects(f);
        const struct session_view view = session_of(f, "w1");
        play->most_held = view.assigned > play->most_held ? view.assigned : play->most_held;
        if (!next_task(&todo, &at, verb, name)) {
            break;
        }
        play_on(play, name, verb);
    } while (true);
    buffer_clear(&todo);
}

static void many_flows_on_one_slot_end_with_bounded_threads(void **state)
{
    struct fixture *f = *state;
    struct play play = {.f = f};
    char names[8 * 256];

    enlist(f, "w1", .slots = 1, .window = 3, .max_waiting = 8);
    for (unsigned batch = 0; batch < 4; batch++) {
        size_t size = 0;
        for (unsigned i = 0; i < 100; i++) {
            size += (size_t)snprintf(names + size, sizeof(names) - size, "a%u ", batch * 100 + i);
        }
        submit(f, names);
    }
    play_all(&play);
    assert_int_equal(play.settled, 1200);
    assert_in_range(play.most_held, 1, 1 + 3 + 8 + 2); /* slots, window, max_waiting, depth */
}

/* When as many flows wait as may, the segments that they wait for still get every slot. */
static void what_waits_leaves_room_for_what_it_waits_for(void **state)
{
    struct fixture *f = *state;
    const struct asked later = {.delay_ms = 1000};
    char flow[16];
    char child[16];
    unsigned i = 0;

    enlist(f, "w1", .slots = 8, .window = 32, .max_waiting = 64);
    for (; i == 0 || view_of(f, flow).state == TASK_WAITING; i++) {
        (void)snprintf(flow, sizeof(flow), "p%u", i);
        (void)snprintf(child, sizeof(child), "s%u", i);
        submit(f, flow);
        if (view_of(f, flow).state == TASK_RUNNING) {
            fixture_expand(f, "w1", flow, child, FIXTURE_WAIT, &later);
        }
        skip_effects(f);
    }
    expire(f, 1000);
    struct session_view view = session_of(f, "w1");
    assert_in_range(view.waiting, 64, 8 + 64);
    assert_in_range(view.assigned - view.waiting, 8, 8 + 32);
}

static void at_its_cap_a_session_starts_no_new_tree(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 0, .max_waiting = 1, .functions = "flow");
    submit_with(f, "p q r s", .function = "flow");
    expand_and_wait(f, "w1", "p", "x");
    expand_and_wait(f, "w1", "q", "y");
    assert_int_equal(session_of(f, "w1").waiting, 2);
    expect_state(f, "r", "ready");
    expand_with(f, "w1", "p", "deep", .function = "flow");
    expect_state(f, "deep", "running");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(work_is_spread_over_free_slots_first),
        TEST(a_session_gets_its_slots_and_its_window_and_no_more),
        TEST(a_session_gets_only_what_it_offers_and_may_run),
        TEST(the_same_process_resumes_its_session),
        TEST(a_resumed_session_is_told_what_it_missed),
        TEST(a_waiting_attempt_that_its_process_lost_is_lost),
        TEST(what_a_session_does_not_hold_is_stopped_there),
        TEST(a_second_process_of_an_instance_is_a_duplicate_unless_the_first_is_gone),
        TEST(a_revoked_worker_is_retired_and_charges_nobody),
        TEST(a_large_session_is_retired_in_steps),
        TEST(a_large_worker_is_filled_in_steps),
        TEST(children_held_ahead_start_before_roots),
        TEST(a_parent_that_waits_keeps_no_lost_child_from_its_worker),
        TEST(many_flows_on_one_slot_end_with_bounded_threads),
        TEST(what_waits_leaves_room_for_what_it_waits_for),
        TEST(at_its_cap_a_session_starts_no_new_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
