/* SPDX-License-Identifier: MPL-2.0
 * Gather, race and map: what settles them, what they stop, and how they outlive an attempt of their
 * parent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

/* A flow at w1, and w2 with slots for its children; what was said so far forgotten. */
static struct fixture *flow(void **state, uint32_t slots, uint32_t max_attempts)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .functions = "flow");
    enlist(f, "w2", .slots = slots, .functions = "step other");
    submit_with(f, "p", .function = "flow", .max_attempts = max_attempts);
    skip_effects(f);
    return f;
}

static void expect_join(struct fixture *f, const char *join, enum join_state state,
                        uint32_t succeeded, uint32_t failed)
{
    const struct join_view view = join_of(f, join);

    assert_int_equal(view.state, state);
    assert_int_equal(view.succeeded, succeeded);
    assert_int_equal(view.failed, failed);
}

static void expect_id(struct fixture *f, const char *task, const struct id *id)
{
    const struct id expected = id_of(f, task);

    assert_memory_equal(id, &expected, sizeof(expected));
}

/* ---- gather */

static void a_gather_wakes_its_parent_once(void **state)
{
    struct fixture *f = flow(state, 3, 1);

    join_with(f, "w1", "p", "a b c", .kind = JOIN_GATHER, .wait = true);
    expect_effects(f, "join j\nassign a w2\nassign b w2\nassign c w2\n");
    expect_state(f, "p", "waiting");
    report(f, "w2", "b", CODE_SUCCEEDED);
    report(f, "w2", "a", CODE_FAILED);
    expect_effects(f, "settled b\njoin j\nsettled a\njoin j\n");
    report(f, "w2", "c", CODE_SUCCEEDED);
    expect_effects(f, "settled c\njoin j\nresume p w1\n");
    expect_join(f, "j", JOIN_COMPLETE, 2, 1);
}

static void an_open_ended_gather_does_not_run_out(void **state)
{
    struct fixture *f = flow(state, 3, 1);

    join_with(f, "w1", "p", "a", .kind = JOIN_GATHER, .is_open = true, .wait = true);
    report(f, "w2", "a", CODE_SUCCEEDED);
    expect_join(f, "j", JOIN_OPEN, 1, 0);
    expect_state(f, "p", "waiting");
    join_with(f, "w1", "p", "b", .kind = JOIN_GATHER, .offset = 1);
    skip_effects(f);
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\njoin j\nresume p w1\n");
}

static void an_empty_join_is_over_at_once(void **state)
{
    struct fixture *f = flow(state, 1, 1);

    join_with(f, "w1", "p", "", .kind = JOIN_GATHER, .wait = true);
    expect_effects(f, "join j\nresume p w1\n");
    expect_join(f, "j", JOIN_COMPLETE, 0, 0);
    join_with(f, "w1", "p", "", .name = "r", .kind = JOIN_RACE, .wait = true);
    expect_join(f, "r", JOIN_FAILED, 0, 0);
}

static void a_gather_stops_at_its_first_failure(void **state)
{
    struct fixture *f = flow(state, 2, 1);

    join_with(f, "w1", "p", "a b c", .kind = JOIN_GATHER, .stop = 1, .wait = true);
    skip_effects(f);
    report(f, "w2", "a", CODE_FAILED);
    expect_effects(f, "settled a\njoin j\nresume p w1\nsettled b\nstop b w2\nsettled c\n");
    expect_join(f, "j", JOIN_FAILED, 0, 3);
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_effects(f, "refuse b w2 stale\n");
    expect_state(f, "b", "cancelled");
}

static void a_gather_takes_children_submitted_before(void **state)
{
    struct fixture *f = flow(state, 2, 1);

    expand(f, "w1", "p", "a b");
    report(f, "w2", "a", CODE_SUCCEEDED);
    join_with(f, "w1", "p", "", .kind = JOIN_GATHER, .adopted = "a b", .wait = true);
    skip_effects(f);
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\njoin j\nresume p w1\n");
}

static void a_gather_takes_no_child_of_another(void **state)
{
    struct fixture *f = flow(state, 2, 1);

    f->token = 1;
    submit(f, "x");
    skip_effects(f);
    join_with(f, "w1", "p", "", .kind = JOIN_GATHER, .adopted = "x");
    expect_effects(f, "appended 0 awaited\ndone ok\n");
}

/* ---- race */

static void a_race_is_settled_by_its_first_success(void **state)
{
    struct fixture *f = flow(state, 2, 1);

    join_with(f, "w1", "p", "a b c", .kind = JOIN_RACE, .wait = true);
    expect_effects(f, "join j\nassign a w2\nassign b w2\n");
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\njoin j\nresume p w1\nsettled a\nstop a w2\nsettled c\n");
    expect_join(f, "j", JOIN_WON, 1, 2);
    assert_int_equal(join_of(f, "j").winners[0], 1);
}

/* A fast failure does not win it. */
static void a_slow_success_beats_a_fast_failure(void **state)
{
    struct fixture *f = flow(state, 2, 1);

    join_with(f, "w1", "p", "a b", .kind = JOIN_RACE, .wait = true);
    report(f, "w2", "a", CODE_FAILED);
    expect_join(f, "j", JOIN_OPEN, 0, 1);
    expect_state(f, "p", "waiting");
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_join(f, "j", JOIN_WON, 1, 1);
    expect_state(f, "p", "running");
}

static void a_race_of_failures_fails(void **state)
{
    struct fixture *f = flow(state, 2, 1);

    join_with(f, "w1", "p", "a b", .kind = JOIN_RACE, .wait = true);
    report_all(f, "w2", "a b", CODE_FAILED);
    expect_join(f, "j", JOIN_FAILED, 0, 2);
    expect_state(f, "p", "running");
}

static void whoever_ends_first_wins_when_that_is_asked(void **state)
{
    struct fixture *f = flow(state, 2, 1);

    join_with(f, "w1", "p", "a b", .kind = JOIN_RACE, .first_settled = true, .wait = true);
    report(f, "w2", "b", CODE_FAILED);
    expect_join(f, "j", JOIN_WON, 0, 2);
    assert_int_equal(join_of(f, "j").winners[0], 1);
}

static void a_race_may_have_several_winners(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    join_with(f, "w1", "p", "a b c d", .kind = JOIN_RACE, .stop = 2, .wait = true);
    report_all(f, "w2", "d a b", CODE_SUCCEEDED);
    const struct join_view view = join_of(f, "j");
    assert_int_equal(view.state, JOIN_WON);
    assert_int_equal(view.winner_count, 2);
    assert_int_equal(view.winners[0], 3);
    assert_int_equal(view.winners[1], 0);
    expect_state(f, "b", "cancelled");
}

/* All of 2 to 16 contenders report in one batch: one winner, by the order of the ledger. */
static void exactly_one_of_many_that_end_together_wins(void **state)
{
    static const char *const contenders = "a b c d e f g h i k l m n o q r";
    struct fixture *f = flow(state, 16, 1);

    for (size_t count = 2; count <= 16; count++) {
        char inputs[64], name[8];
        (void)snprintf(inputs, 2 * count, "%s", contenders);
        (void)snprintf(name, sizeof(name), "j%zu", count);
        join_with(f, "w1", "p", inputs, .name = name, .kind = JOIN_RACE, .payload = name);
        report_all(f, "w2", inputs, CODE_SUCCEEDED);
        for (int look = 0; look < 3; look++) {
            expect_join(f, name, JOIN_WON, 1, (uint32_t)count - 1);
            assert_int_equal(join_of(f, name).winner_count, 1);
            assert_int_equal(join_of(f, name).winners[0], 0);
            expect_state(f, "a", "succeeded");
            expect_state(f, "b", "cancelled");
            restart(f);
            report_all(f, "w2", inputs, CODE_SUCCEEDED);
        }
        skip_effects(f);
    }
}

/* With a loser everything below it is cancelled, in the entry that settles the race. */
static void losers_go_with_their_descendants(void **state)
{
    struct fixture *f = flow(state, 2, 1);

    enlist(f, "w3", .slots = 4, .functions = "deep");
    join_with(f, "w1", "p", "a b", .kind = JOIN_RACE, .wait = true);
    fixture_expand(f, "w2", "b", "x y", FIXTURE_WAIT, &(struct asked){.function = "deep"});
    skip_effects(f);
    report(f, "w2", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\njoin j\nresume p w1\nsettled b\nstop b w2\nsettled x\nstop x "
                      "w3\nsettled y\nstop y w3\n");
    report(f, "w3", "x", CODE_SUCCEEDED);
    expect_effects(f, "refuse x w3 stale\n");
    expand_with(f, "w3", "y", "z", .function = "deep");
    assert_int_equal(forest_counters(f->forest)->refused[REFUSED_PARENT], 1);
}

/* Fine print 2: what was told to stop keeps its slot until it is given back. */
static void a_loser_keeps_its_slot_until_it_is_given_back(void **state)
{
    struct fixture *f = flow(state, 2, 1);

    join_with(f, "w1", "p", "a b", .kind = JOIN_RACE);
    expand(f, "w1", "p", "c d");
    skip_effects(f);
    report(f, "w2", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\njoin j\nsettled b\nstop b w2\nassign c w2\n");
    return_attempt(f, "w2", "b", RETURN_STOPPED, "");
    expect_effects(f, "assign d w2\n");
}

/* ---- map */

static void a_map_never_has_more_than_its_limit(void **state)
{
    struct fixture *f = flow(state, 8, 1);

    join_with(f, "w1", "p", "a b c d e", .kind = JOIN_MAP, .limit = 2, .wait = true);
    expect_effects(f, "join j\nassign a w2\nassign b w2\n");
    expect_state(f, "c", "held");
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\njoin j\nassign c w2\n");
    report_all(f, "w2", "a c", CODE_SUCCEEDED);
    expect_effects(f, "settled a\njoin j\nsettled c\nassign d w2\nassign e w2\n");
    report_all(f, "w2", "d e", CODE_SUCCEEDED);
    expect_effects(f, "settled d\njoin j\nsettled e\nresume p w1\n");
    expect_join(f, "j", JOIN_COMPLETE, 5, 0);
}

static void an_input_that_waits_keeps_its_place_in_the_window(void **state)
{
    struct fixture *f = flow(state, 8, 1);

    join_with(f, "w1", "p", "a b", .kind = JOIN_MAP, .limit = 1);
    expand_and_wait(f, "w2", "a", "x");
    expect_state(f, "a", "waiting");
    expect_state(f, "b", "held");
    report(f, "w2", "x", CODE_SUCCEEDED);
    report(f, "w2", "a", CODE_SUCCEEDED);
    expect_state(f, "b", "running");
}

/* One in backoff is out of the window, and comes back before those that have not begun. */
static void an_input_in_backoff_is_out_of_the_window(void **state)
{
    struct fixture *f = flow(state, 8, 1);

    join_with(f, "w1", "p", "a b c", .kind = JOIN_MAP, .limit = 1, .max_attempts = 2);
    skip_effects(f);
    report(f, "w2", "a", CODE_FAILED);
    expect_effects(f, "join j\nassign b w2\n");
    expect_state(f, "a", "delayed");
    expire(f, 5000);
    expect_state(f, "a", "held");
    skip_effects(f);
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\njoin j\nassign a#2 w2\n");
}

static void a_cancelled_input_keeps_its_place_until_it_is_given_back(void **state)
{
    struct fixture *f = flow(state, 8, 1);

    join_with(f, "w1", "p", "a b", .kind = JOIN_MAP, .limit = 1);
    cancel(f, "a");
    expect_state(f, "a", "cancelled");
    expect_state(f, "b", "held");
    return_attempt(f, "w2", "a", RETURN_STOPPED, "");
    expect_state(f, "b", "running");
}

static void nothing_starts_after_a_map_has_stopped(void **state)
{
    struct fixture *f = flow(state, 8, 1);

    join_with(f, "w1", "p", "a b c d e", .kind = JOIN_MAP, .limit = 2, .stop = 1, .wait = true);
    skip_effects(f);
    report(f, "w2", "a", CODE_FAILED);
    expect_effects(
        f,
        "settled a\njoin j\nresume p w1\nsettled b\nstop b w2\nsettled c\nsettled d\nsettled e\n");
    expect_join(f, "j", JOIN_FAILED, 0, 5);
    return_attempt(f, "w2", "b", RETURN_STOPPED, "");
    expect_effects(f, "");
    assert_int_equal(forest_counters(f->forest)->attempts, 3);
}

static void a_map_may_bear_some_failures(void **state)
{
    struct fixture *f = flow(state, 8, 1);

    join_with(f, "w1", "p", "a b c d", .kind = JOIN_MAP, .limit = 4, .stop = 2);
    report(f, "w2", "a", CODE_FAILED);
    expect_join(f, "j", JOIN_OPEN, 0, 1);
    report(f, "w2", "b", CODE_FAILED);
    expect_join(f, "j", JOIN_FAILED, 0, 4);
}

static void a_map_takes_no_more_than_its_credit(void **state)
{
    struct fixture *f = flow(state, 1, 1);

    f->token = 1;
    join_with(f, "w1", "p", "a b c", .kind = JOIN_MAP, .limit = 1, .is_open = true);
    assert_int_equal(join_of(f, "j").room, LIMIT_JOIN_CREDIT - 2);
    for (uint32_t offset = 3; join_of(f, "j").room > 0; offset++) {
        join_with(f, "w1", "p", "x", .kind = JOIN_MAP, .limit = 1, .is_open = true,
                  .offset = offset);
    }
    skip_effects(f);
    join_with(f, "w1", "p", "y", .kind = JOIN_MAP, .limit = 1, .is_open = true,
              .offset = LIMIT_JOIN_CREDIT + 1);
    expect_effects(f, "answer 0 y credit\nappended 0 credit\ndone ok\n");
    wait_for(f, "w1", "p", "b");
    report(f, "w2", "a", CODE_SUCCEEDED);
    assert_int_equal(join_of(f, "j").room, 1);
}

/* A parent that streams its inputs waits for room, or for the next outcome. */
static void a_wait_ends_with_room_or_with_an_outcome(void **state)
{
    struct fixture *f = flow(state, 1, 1);

    join_with(f, "w1", "p", "a b c", .kind = JOIN_MAP, .limit = 1, .is_open = true, .wait = true,
              .room = LIMIT_JOIN_CREDIT - 1);
    expect_state(f, "p", "waiting");
    report(f, "w2", "a", CODE_SUCCEEDED);
    expect_state(f, "p", "running");
    join_with(f, "w1", "p", "", .kind = JOIN_MAP, .limit = 1, .is_open = true, .offset = 3,
              .wait = true, .until = 2);
    expect_state(f, "p", "waiting");
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_state(f, "p", "running");
}

/* ---- appending */

static void inputs_sent_again_are_harmless(void **state)
{
    struct fixture *f = flow(state, 2, 1);

    f->token = 1;
    join_with(f, "w1", "p", "a b", .kind = JOIN_GATHER);
    report(f, "w2", "a", CODE_SUCCEEDED);
    skip_effects(f);
    join_with(f, "w1", "p", "a b", .kind = JOIN_GATHER);
    expect_effects(f, "answer 0 a ok settled\nanswer 1 b ok\nappended 0 ok\ndone ok\n");
    assert_int_equal(join_of(f, "j").accepted, 2);
}

/* Fine print 3: the handler took another path. */
static void other_inputs_end_the_join_and_those_that_succeeded_answer_in_the_next(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    f->token = 1;
    join_with(f, "w1", "p", "a b c", .kind = JOIN_MAP, .limit = 2);
    report(f, "w2", "a", CODE_SUCCEEDED);
    skip_effects(f);
    join_with(f, "w1", "p", "a x c", .kind = JOIN_MAP, .limit = 2);
    expect_effects(f, "join j\nanswer 0 a differs\nanswer 1 x differs\nanswer 2 c differs\n"
                      "appended 0 differs\ndone ok\nsettled b\nstop b w2\nsettled c\nstop c w2\n");
    join_with(f, "w1", "p", "a x c", .kind = JOIN_MAP, .limit = 2, .revision = 1);
    expect_effects(f, "answer 0 a ok settled\njoin j\nanswer 1 x ok\nanswer 2 c ok\n"
                      "appended 0 ok\ndone ok\nassign x w2\nassign c w2\n");
}

static void inputs_that_do_not_fit_are_refused_whole(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    f->token = 1;
    join_with(f, "w1", "p", "a b", .kind = JOIN_GATHER, .offset = 1);
    expect_effects(f, "answer 0 a join\nanswer 1 b join\nappended 0 join\ndone ok\n");
    join_with(f, "w1", "p", "a", .kind = JOIN_MAP, .limit = 1, .terms_of = "other");
    expect_effects(f, "answer 0 a join\nappended 0 join\ndone ok\n");
    join_with(f, "w1", "p", "a b", .kind = JOIN_GATHER, .position = 1);
    expect_effects(f, "answer 0 a join\nanswer 1 b join\nappended 0 join\ndone ok\n");
    join_with(f, "w1", "p", "a", .kind = JOIN_GATHER);
    assert_int_equal(view_of(f, "p").child_count, 1);
}

/* Its attempt goes on, and waits when the inputs, sent again, are there. */
static void what_was_not_taken_is_not_awaited(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    f->token = 1;
    join_with(f, "w1", "p", "a", .kind = JOIN_GATHER, .offset = 1, .wait = true);
    expect_effects(f, "answer 0 a join\nappended 0 join\nrefuse p w1 awaited\ndone ok\n");
    expect_state(f, "p", "running");
}

static void what_is_over_takes_no_more(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    f->token = 1;
    join_with(f, "w1", "p", "a", .kind = JOIN_GATHER, .stop = 1, .is_open = true);
    report(f, "w2", "a", CODE_FAILED);
    skip_effects(f);
    join_with(f, "w1", "p", "b", .kind = JOIN_GATHER, .stop = 1, .offset = 1);
    expect_effects(f, "answer 0 b over\nappended 0 over\ndone ok\n");
}

/* As many inputs as there are is a part of its path. */
static void more_inputs_than_a_closed_join_has_end_it(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    f->token = 1;
    join_with(f, "w1", "p", "a", .kind = JOIN_GATHER);
    skip_effects(f);
    join_with(f, "w1", "p", "b", .kind = JOIN_GATHER, .offset = 1);
    expect_effects(f, "join j\nanswer 0 b differs\nappended 0 differs\ndone ok\n"
                      "settled a\nstop a w2\n");
    assert_int_equal(view_of(f, "p").child_count, 1);
}

/* It would be one task with two places in the window. */
static void an_input_of_a_map_has_no_key(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    f->token = 1;
    join_with(f, "w1", "p", "a", .kind = JOIN_MAP, .limit = 1, .key = "k");
    expect_effects(f, "answer 0 a option\nappended 0 option\ndone ok\n");
}

/* The second would be answered with what the first was asked for. */
static void inputs_by_one_key_are_the_same(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    f->token = 1;
    join_with(f, "w1", "p", "a b", .kind = JOIN_GATHER, .key = "k");
    expect_effects(f, "answer 0 a conflict\nanswer 1 a conflict\nappended 0 conflict\ndone ok\n");
    join_with(f, "w1", "p", "c d", .kind = JOIN_GATHER, .key = "k", .payload = "same");
    assert_int_equal(join_of(f, "j").accepted, 2);
    assert_int_equal(view_of(f, "p").child_count, 1);
}

static void a_child_is_an_input_of_so_many_joins(void **state)
{
    struct fixture *f = flow(state, 4, 1);
    char name[8];

    f->token = 1;
    expand(f, "w1", "p", "a");
    for (unsigned i = 0; i < LIMIT_MEMBERSHIPS; i++) {
        (void)snprintf(name, sizeof(name), "j%u", i);
        join_with(f, "w1", "p", "", .name = name, .kind = JOIN_GATHER, .adopted = "a");
    }
    skip_effects(f);
    join_with(f, "w1", "p", "", .kind = JOIN_GATHER, .adopted = "a");
    expect_effects(f, "appended 0 quota\ndone ok\n");
}

static void a_worker_appends_only_to_what_it_holds(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    f->token = 1;
    join_with(f, "w2", "p", "a", .kind = JOIN_GATHER);
    expect_effects(f, "answer 0 a stale\nappended 0 stale\ndone ok\n");
}

/* ---- the parent */

/* Its worker dies in the middle: the map goes on, and the parent's next attempt gets it. */
static void a_map_survives_its_parents_worker(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    join_with(f, "w1", "p", "a b c", .kind = JOIN_MAP, .limit = 1, .wait = true);
    report(f, "w2", "a", CODE_SUCCEEDED);
    retire(f, "w1", RETIRE_SILENT);
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_state(f, "c", "running");
    enlist(f, "w3", .slots = 1, .functions = "flow");
    skip_effects(f);
    join_with(f, "w3", "p", "a b c", .kind = JOIN_MAP, .limit = 1, .wait = true);
    expect_effects(f, "");
    report(f, "w2", "c", CODE_SUCCEEDED);
    expect_effects(f, "settled c\njoin j\nresume p#2 w3\n");
    expect_join(f, "j", JOIN_COMPLETE, 3, 0);
    assert_int_equal(view_of(f, "p").child_count, 3);
}

/* Fine print 4: a failure of its own ends the joins of that generation. */
static void a_join_ends_with_its_parents_failure(void **state)
{
    struct fixture *f = flow(state, 1, 2);

    f->token = 1;
    join_with(f, "w1", "p", "a b", .kind = JOIN_MAP, .limit = 1);
    report(f, "w2", "a", CODE_SUCCEEDED);
    report(f, "w1", "p", CODE_FAILED);
    expect_join(f, "j", JOIN_CANCELLED, 1, 1);
    expect_state(f, "b", "cancelled");
    return_attempt(f, "w2", "b", RETURN_STOPPED, "");
    expire(f, 5000);
    skip_effects(f);
    join_with(f, "w1", "p", "a b", .kind = JOIN_MAP, .limit = 1);
    expect_effects(f, "answer 0 a ok settled\njoin j\nanswer 1 b ok\nappended 0 ok\n"
                      "done ok\nassign b w2\n");
    expect_state(f, "b", "running");
}

/* Children of its open joins end with a parent; others live on. */
static void open_joins_end_with_their_parent_and_other_children_live_on(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    join_with(f, "w1", "p", "a b", .kind = JOIN_GATHER);
    expand(f, "w1", "p", "c");
    report(f, "w1", "p", CODE_SUCCEEDED);
    expect_state(f, "a", "cancelled");
    expect_state(f, "b", "cancelled");
    expect_state(f, "c", "running");
}

/* ---- from outside */

static void a_join_from_outside_is_a_root_that_no_worker_runs(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    submit_join(f, "m", .kind = JOIN_MAP, .limit = 1);
    expect_state(f, "m", "waiting");
    join_with(f, NULL, "m", "a b", .kind = JOIN_MAP, .limit = 1);
    skip_effects(f);
    report(f, "w2", "a", CODE_SUCCEEDED);
    report(f, "w2", "b", CODE_FAILED);
    expect_effects(f, "settled a\njoin m\nassign b w2\nsettled b\njoin m\nsettled m\n");
    expect_state(f, "m", "succeeded");
    assert_int_equal(view_of(f, "m").code, CODE_JOINED);
    assert_true(bytes_equal(view_of(f, "m").verdict_text, bytes_of_text("1 succeeded, 1 did not")));
}

static void who_may_submit_nothing_joins_nothing(void **state)
{
    struct fixture *f = flow(state, 4, 1);
    struct certificate observer = certificate_of(f, "client", ROLE_OBSERVER, "*");

    memset(&observer.serial, 255, sizeof(observer.serial)); /* the newer one */
    admit(f, &observer);
    skip_effects(f);
    f->token = 1;
    submit_join(f, "m", .kind = JOIN_GATHER);
    expect_effects(f, "answer 0 m role\ndone ok\n");
}

static void a_failed_race_from_outside_fails(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    submit_join(f, "m", .kind = JOIN_RACE);
    join_with(f, NULL, "m", "a b", .kind = JOIN_RACE);
    report_all(f, "w2", "a b", CODE_FAILED);
    expect_state(f, "m", "failed");
    assert_int_equal(view_of(f, "m").code, CODE_JOIN_FAILED);
}

static void only_its_signer_appends_from_outside(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    f->token = 1;
    submit_join(f, "m", .kind = JOIN_GATHER);
    skip_effects(f);
    join_with(f, "w1", "m", "a", .kind = JOIN_GATHER);
    expect_effects(f, "answer 0 a stale\nappended 0 stale\ndone ok\n");
    join_with(f, NULL, "p", "a", .kind = JOIN_GATHER);
    expect_effects(f, "answer 0 a join\nappended 0 join\ndone ok\n");
}

static void a_join_from_outside_is_not_harmed_by_other_inputs(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    f->token = 1;
    submit_join(f, "m", .kind = JOIN_GATHER);
    join_with(f, NULL, "m", "a b", .kind = JOIN_GATHER);
    skip_effects(f);
    join_with(f, NULL, "m", "a c", .kind = JOIN_GATHER);
    expect_effects(f, "answer 0 a differs\nanswer 1 c differs\nappended 0 differs\ndone ok\n");
    join_with(f, NULL, "m", "c", .kind = JOIN_GATHER, .offset = 2);
    expect_effects(f, "answer 0 c differs\nappended 0 differs\ndone ok\n");
    report_all(f, "w2", "a b", CODE_SUCCEEDED);
    expect_state(f, "m", "succeeded");
}

static void a_join_from_outside_is_cancelled_like_any_tree(void **state)
{
    struct fixture *f = flow(state, 4, 1);

    submit_join(f, "m", .kind = JOIN_GATHER);
    join_with(f, NULL, "m", "a b", .kind = JOIN_GATHER, .is_open = true);
    cancel(f, "m");
    expect_state(f, "m", "cancelled");
    expect_state(f, "a", "cancelled");
    expect_join(f, "m", JOIN_CANCELLED, 0, 2);
}

static void open_joins_from_outside_are_found_one_after_the_other(void **state)
{
    struct fixture *f = flow(state, 4, 1);
    struct id at = {0};
    struct key signer;

    submit_join(f, "m", .kind = JOIN_GATHER);
    submit_join(f, "n", .kind = JOIN_GATHER);
    assert_true(forest_outside_join(f->forest, &at, &at, &signer));
    expect_id(f, "m", &at);
    assert_true(forest_outside_join(f->forest, &at, &at, &signer));
    expect_id(f, "n", &at);
    assert_memory_equal(&signer, &f->client.public_key, sizeof(signer));
    assert_false(forest_outside_join(f->forest, &at, &at, &signer));
}

static void outcomes_are_paged_in_the_order_of_inputs(void **state)
{
    struct fixture *f = flow(state, 4, 1);
    struct id ids[8];

    join_with(f, "w1", "p", "a b c d", .kind = JOIN_GATHER);
    const struct id j = id_of(f, "j");
    report_all(f, "w2", "b d", CODE_SUCCEEDED);
    assert_int_equal(forest_join_page(f->forest, &j, 0, ids, 8), 0);
    report(f, "w2", "a", CODE_FAILED);
    assert_int_equal(forest_join_page(f->forest, &j, 0, ids, 8), 2);
    expect_id(f, "b", &ids[1]);
    assert_int_equal(forest_join_page(f->forest, &j, 1, ids, 1), 1);
    assert_true(forest_join_has_ended(f->forest, &j, 3));
    assert_false(forest_join_has_ended(f->forest, &j, 2));
    assert_false(forest_join_has_ended(f->forest, &j, 4));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_gather_wakes_its_parent_once),
        TEST(an_open_ended_gather_does_not_run_out),
        TEST(an_empty_join_is_over_at_once),
        TEST(a_gather_stops_at_its_first_failure),
        TEST(a_gather_takes_children_submitted_before),
        TEST(a_gather_takes_no_child_of_another),
        TEST(a_race_is_settled_by_its_first_success),
        TEST(a_slow_success_beats_a_fast_failure),
        TEST(a_race_of_failures_fails),
        TEST(whoever_ends_first_wins_when_that_is_asked),
        TEST(a_race_may_have_several_winners),
        TEST(exactly_one_of_many_that_end_together_wins),
        TEST(losers_go_with_their_descendants),
        TEST(a_loser_keeps_its_slot_until_it_is_given_back),
        TEST(a_map_never_has_more_than_its_limit),
        TEST(an_input_that_waits_keeps_its_place_in_the_window),
        TEST(an_input_in_backoff_is_out_of_the_window),
        TEST(a_cancelled_input_keeps_its_place_until_it_is_given_back),
        TEST(nothing_starts_after_a_map_has_stopped),
        TEST(a_map_may_bear_some_failures),
        TEST(a_map_takes_no_more_than_its_credit),
        TEST(a_wait_ends_with_room_or_with_an_outcome),
        TEST(inputs_sent_again_are_harmless),
        TEST(other_inputs_end_the_join_and_those_that_succeeded_answer_in_the_next),
        TEST(inputs_that_do_not_fit_are_refused_whole),
        TEST(what_was_not_taken_is_not_awaited),
        TEST(what_is_over_takes_no_more),
        TEST(more_inputs_than_a_closed_join_has_end_it),
        TEST(an_input_of_a_map_has_no_key),
        TEST(inputs_by_one_key_are_the_same),
        TEST(a_child_is_an_input_of_so_many_joins),
        TEST(a_worker_appends_only_to_what_it_holds),
        TEST(a_map_survives_its_parents_worker),
        TEST(a_join_ends_with_its_parents_failure),
        TEST(open_joins_end_with_their_parent_and_other_children_live_on),
        TEST(a_join_from_outside_is_a_root_that_no_worker_runs),
        TEST(who_may_submit_nothing_joins_nothing),
        TEST(a_failed_race_from_outside_fails),
        TEST(only_its_signer_appends_from_outside),
        TEST(a_join_from_outside_is_not_harmed_by_other_inputs),
        TEST(a_join_from_outside_is_cancelled_like_any_tree),
        TEST(open_joins_from_outside_are_found_one_after_the_other),
        TEST(outcomes_are_paged_in_the_order_of_inputs),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
