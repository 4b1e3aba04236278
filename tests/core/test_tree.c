/* SPDX-License-Identifier: MPL-2.0
 * Parents and children: lineage, waits, generations, settlement, retention. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

/* A flow on the one slot of w1, with what was said so far forgotten. */
static struct fixture *flow(void **state, uint32_t max_attempts)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "p", .function = "flow", .max_attempts = max_attempts);
    skip_effects(f);
    return f;
}

/* The first promise: a waiting parent holds no slot. */
static void three_levels_run_on_one_slot(void **state)
{
    struct fixture *f = flow(state, 1);

    expand_and_wait(f, "w1", "p", "s");
    expand_and_wait(f, "w1", "s", "t");
    expect_effects(f, "assign s w1\nassign t w1\n");
    report(f, "w1", "t", CODE_SUCCEEDED);
    report(f, "w1", "s", CODE_SUCCEEDED);
    report(f, "w1", "p", CODE_SUCCEEDED);
    expect_effects(f, "settled t\nresume s w1\nsettled s\nresume p w1\nsettled p\n");
}

/* Fine print 5. */
static void what_has_settled_before_the_wait_resumes_at_once(void **state)
{
    struct fixture *f = flow(state, 1);

    enlist(f, "w2", .slots = 1);
    expand(f, "w1", "p", "a b");
    report(f, "w2", "a", CODE_FAILED);
    skip_effects(f);
    wait_for(f, "w1", "p", "a b");
    expect_effects(f, "resume p w1\n");
    expect_state(f, "p", "running");
}

static void any_of_the_awaited_resumes_and_no_other(void **state)
{
    struct fixture *f = flow(state, 1);

    enlist(f, "w2", .slots = 3);
    expand(f, "w1", "p", "a b c");
    wait_for(f, "w1", "p", "a b");
    skip_effects(f);
    report(f, "w2", "c", CODE_SUCCEEDED);
    expect_effects(f, "settled c\n");
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\nresume p w1\n");
    wait_for(f, "w1", "p", "a");
    expect_effects(f, "");
    report(f, "w2", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\nresume p w1\n");
}

static void a_wait_that_comes_twice_changes_nothing(void **state)
{
    struct fixture *f = flow(state, 1);

    enlist(f, "w2", .slots = 1);
    expand(f, "w1", "p", "a");
    wait_for(f, "w1", "p", "a");
    wait_for(f, "w1", "p", "a");
    report(f, "w2", "a", CODE_SUCCEEDED);
    skip_effects(f);
    wait_for(f, "w1", "p", "a");
    expect_effects(f, "resume p w1\n");
}

/* w1 is busy when a ends; before it has a slot for p again, p says that it waits for b alone. */
static void a_later_wait_takes_the_place_of_an_earlier_one(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .functions = "flow");
    enlist(f, "w2", .slots = 2, .functions = "step");
    submit_with(f, "p x", .function = "flow");
    expand(f, "w1", "p", "a b");
    wait_for(f, "w1", "p", "a");
    report(f, "w2", "a", CODE_SUCCEEDED);
    wait_for(f, "w1", "p", "b");
    skip_effects(f);
    report(f, "w1", "x", CODE_SUCCEEDED);
    expect_effects(f, "settled x\n");
    expect_state(f, "p", "waiting");
    report(f, "w2", "b", CODE_SUCCEEDED);
    expect_effects(f, "settled b\nresume p w1\n");
}

static void only_own_children_can_be_awaited(void **state)
{
    struct fixture *f = flow(state, 1);

    enlist(f, "w2", .slots = 2);
    submit(f, "other");
    skip_effects(f);
    wait_for(f, "w1", "p", "other");
    wait_for(f, "w1", "p", "p");
    wait_for(f, "w1", "p", "");
    expect_effects(f, "refuse p w1 awaited\nrefuse p w1 awaited\nrefuse p w1 awaited\n");
    expect_state(f, "p", "running");
}

/* However many waits a message holds, its command ends soon. */
static void waits_of_one_message_are_bounded(void **state)
{
    struct fixture *f = flow(state, 1);
    struct waits *waits = calloc(2 * LIMIT_AWAITED + 1, sizeof(*waits));
    struct id *ids = calloc(LIMIT_AWAITED, sizeof(*ids));

    assert_non_null(waits);
    assert_non_null(ids);
    expand(f, "w1", "p", "a");
    for (size_t i = 0; i < LIMIT_AWAITED; i++) {
        ids[i] = id_of(f, "a");
    }
    for (size_t i = 0; i < 3; i++) {
        waits[i] = (struct waits){.task = id_of(f, "p"),
                                  .attempt = 1,
                                  .awaited = bytes_of(ids, (i < 2 ? 6000 : 1) * sizeof(*ids))};
    }
    skip_effects(f);
    wait_for_all(f, "w1", waits);
    expect_effects(f, "refuse p w1 awaited\nassign a w1\n");
    expect_state(f, "p", "waiting");

    for (size_t i = 0; i < (size_t)2 * LIMIT_AWAITED; i++) {
        waits[i] = (struct waits){.task = id_of(f, "a"), .attempt = 9};
    }
    wait_for_all(f, "w1", waits);
    assert_int_equal(f->effects.count, LIMIT_AWAITED + 1);
    free(waits);
    free(ids);
}

static void a_refused_child_does_not_block_its_parent(void **state)
{
    struct fixture *f = flow(state, 1);

    fixture_expand(f, "w1", "p", "a", FIXTURE_WAIT, &(struct asked){.function = "Bad Name"});
    expect_effects(f, "resume p w1\n");
}

static void a_resumable_parent_goes_before_new_work(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .functions = "flow step");
    submit_with(f, "p", .function = "flow");
    enlist(f, "w2", .slots = 1, .functions = "segment");
    fixture_expand(f, "w1", "p", "a", FIXTURE_WAIT, &(struct asked){.function = "segment"});
    submit(f, "x y");
    skip_effects(f);
    report(f, "w2", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\nresume p w1\n"); /* it goes on when x is out */
    expect_state(f, "p", "waiting");
    report(f, "w1", "x", CODE_SUCCEEDED);
    expect_effects(f, "settled x\n");
    expect_state(f, "p", "running");
    expect_state(f, "y", "ready");
}

/* A worker starts what it holds by itself, and tells later: what it says of a parent that it has
 * not been given a slot for yet counts. */
static void a_resumable_parent_may_have_gone_on_already(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .functions = "flow");
    enlist(f, "w2", .slots = 2, .functions = "step");
    submit_with(f, "p x", .function = "flow");
    expand_and_wait(f, "w1", "p", "a");
    report(f, "w2", "a", CODE_SUCCEEDED);
    assert_true(view_of(f, "p").is_resumable);
    expand_and_wait(f, "w1", "p", "b");
    assert_false(view_of(f, "p").is_resumable);
    report(f, "w2", "b", CODE_SUCCEEDED);
    skip_effects(f);
    report(f, "w1", "p", CODE_SUCCEEDED);
    expect_effects(f, "settled p\n");
    report(f, "w1", "x", CODE_SUCCEEDED);
    expect_state(f, "x", "succeeded");
}

/* What stands ahead in its own session has not started either. */
static void a_resumable_parent_goes_before_what_is_held_ahead(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 2, .functions = "flow step");
    submit_with(f, "p", .function = "flow");
    enlist(f, "w2", .slots = 1, .functions = "segment");
    fixture_expand(f, "w1", "p", "a", FIXTURE_WAIT, &(struct asked){.function = "segment"});
    submit(f, "x y");
    expect_state(f, "y", "running");
    skip_effects(f);
    report(f, "w2", "a", CODE_SUCCEEDED);
    expect_effects(f, "settled a\nresume p w1\n");
    report(f, "w1", "x", CODE_SUCCEEDED);
    expect_effects(f, "settled x\n");
    expect_state(f, "p", "running");
    retire(f, "w1", RETIRE_SILENT);
    assert_int_equal(view_of(f, "p").losses, 1);
    assert_int_equal(view_of(f, "y").losses, 0);
}

static void lineage_must_be_that_of_an_attempt_this_session_holds(void **state)
{
    struct fixture *f = flow(state, 1);

    enlist(f, "w2", .slots = 1);
    submit(f, "other");
    skip_effects(f);
    f->token = 1;
    expand_with(f, "w1", "p", "a", .root = "other");
    expand_with(f, "w1", "p", "b", .attempt = 2 + 1);
    expand_with(f, "w1", "p", "c", .generation = 1 + 1);
    expand_with(f, "w1", "p", "d", .signer = "w2");
    expand(f, "w2", "p", "e");
    expect_effects(
        f, "answer 0 a lineage\ndone ok\nanswer 0 b stale\ndone ok\nanswer 0 c parent\ndone ok\n"
           "answer 0 d wrong-signer\ndone ok\nanswer 0 e stale\ndone ok\n");
    report(f, "w1", "p", CODE_SUCCEEDED);
    skip_effects(f);
    expand(f, "w1", "p", "g");
    expect_effects(f, "answer 0 g parent\ndone ok\n");
    assert_int_equal(view_of(f, "p").child_count, 0);
}

/* A child needs the right of its worker and of its root's submitter. */
static void a_child_needs_both_rights(void **state)
{
    struct fixture *f = *state;
    struct certificate narrow = certificate_of(f, "client", ROLE_CLIENT, "flow");

    enlist(f, "w1", .slots = 1);
    narrow.not_before_ms++;
    f->now_ms += 2;
    admit(f, &narrow);
    submit_with(f, "p", .function = "flow");
    skip_effects(f);
    f->token = 1;
    expand(f, "w1", "p", "a");
    expand_with(f, "w1", "p", "b", .function = "flow");
    expect_effects(f, "answer 0 a right-submit\ndone ok\nanswer 0 b ok\ndone ok\n");
}

static void a_child_needs_the_right_of_its_worker(void **state)
{
    struct fixture *f = *state;
    struct certificate narrow = certificate_of(f, "w1", ROLE_WORKER, "*");

    (void)snprintf(narrow.submit[0].text, sizeof(narrow.submit[0].text), "flow");
    narrow.not_before_ms++;
    f->now_ms += 2;
    admit(f, &narrow);
    enlist(f, "w1", .slots = 1);
    submit(f, "p");
    skip_effects(f);
    f->token = 1;
    expand(f, "w1", "p", "a");
    expand_with(f, "w1", "p", "b", .function = "flow");
    expect_effects(f, "answer 0 a right-submit\ndone ok\nanswer 0 b ok\ndone ok\n");
}

/* What was accepted of it goes on; nothing is added to it. */
static void a_tree_of_a_revoked_submitter_grows_no_more(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "p");
    revoke(f, "client");
    skip_effects(f);
    f->token = 1;
    expand(f, "w1", "p", "a");
    expect_effects(f, "answer 0 a revoked\ndone ok\n");
    submit(f, "q");
    expect_effects(f, "answer 0 q revoked\ndone ok\n");
    expect_state(f, "p", "running");
}

/* The fifth promise: run again after a crash, it gets its finished children at once. */
static void a_parent_run_again_gets_the_same_children(void **state)
{
    struct fixture *f = flow(state, 1);

    enlist(f, "w2", .slots = 2);
    expand(f, "w1", "p", "a b");
    report(f, "w2", "a", CODE_SUCCEEDED);
    retire(f, "w1", RETIRE_SILENT);
    skip_effects(f);
    f->token = 1;
    expand(f, "w2", "p", "a b");
    expect_effects(f, "answer 0 a ok settled\nanswer 1 b ok\ndone ok\n");
    assert_int_equal(view_of(f, "p").child_count, 2);
}

/* Fine print 4. */
static void after_an_own_failure_what_succeeded_or_is_open_answers(void **state)
{
    struct fixture *f = flow(state, 2);

    enlist(f, "w2", .slots = 3, .functions = "step");
    expand(f, "w1", "p", "good bad open");
    report(f, "w2", "good", CODE_SUCCEEDED);
    report(f, "w2", "bad", CODE_FAILED);
    const struct id good = id_of(f, "good");
    const struct id bad = id_of(f, "bad");
    const struct id open = id_of(f, "open");
    report(f, "w1", "p", CODE_FAILED);
    expire(f, 2000);
    assert_int_equal(view_of(f, "p").generation, 1);
    skip_effects(f);

    f->token = 1;
    expand(f, "w1", "p", "good bad open");
    assert_true(id_equal(&f->effects.list[0].task, &good) && f->effects.list[0].settled);
    assert_false(id_equal(&f->effects.list[1].task, &bad));
    assert_true(id_equal(&f->effects.list[2].task, &open) && !f->effects.list[2].settled);
    assert_int_equal(view_of(f, "p").child_count, 4);
}

static void after_an_own_failure_fresh_requests_and_others_are_new(void **state)
{
    struct fixture *f = flow(state, 2);

    enlist(f, "w2", .slots = 8, .functions = "step");
    expand(f, "w1", "p", "a b");
    expand_with(f, "w1", "p", "c", .key = "k");
    report(f, "w2", "a", CODE_SUCCEEDED);
    report(f, "w2", "c", CODE_SUCCEEDED);
    report(f, "w1", "p", CODE_FAILED);
    expire(f, 2000);

    expand_with(f, "w1", "p", "a", .fresh = true);
    assert_int_equal(view_of(f, "p").child_count, 4);
    expand_with(f, "w1", "p", "b", .occurrence = 1);
    assert_int_equal(view_of(f, "p").child_count, 5);
    expand_with(f, "w1", "p", "c", .key = "other");
    assert_int_equal(view_of(f, "p").child_count, 6);
    expand_with(f, "w1", "p", "c", .key = "k");
    assert_int_equal(view_of(f, "p").child_count, 6);
}

static void children_inherit_priority_and_deadline(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .functions = "flow");
    submit_with(f, "p", .function = "flow", .priority = 5, .deadline_ms = 1000);
    expand_with(f, "w1", "p", "a", .deadline_ms = 5000);
    expand_with(f, "w1", "p", "b", .deadline_ms = 500, .has_priority = true, .priority = -1);
    assert_int_equal(view_of(f, "a").priority, 5);
    assert_int_equal(view_of(f, "a").deadline_ms, f->now_ms + 1000);
    assert_int_equal(view_of(f, "b").priority, -1);
    assert_int_equal(view_of(f, "b").deadline_ms, f->now_ms + 500);
}

static void children_nobody_joined_live_on(void **state)
{
    struct fixture *f = flow(state, 1);

    expand(f, "w1", "p", "a");
    report(f, "w1", "p", CODE_SUCCEEDED);
    expect_effects(f, "settled p\nassign a w1\n");
    assert_int_equal(forest_counters(f->forest)->open_roots, 1);
    report(f, "w1", "a", CODE_SUCCEEDED);
    assert_int_equal(forest_counters(f->forest)->open_roots, 0);
}

/* A chain as deep as it may be, and one deeper. */
static void a_tree_is_at_most_so_deep(void **state)
{
    struct fixture *f = *state;
    char parent[32];
    char child[32];

    enlist(f, "w1", .slots = 1);
    submit(f, "d0");
    for (unsigned depth = 1; depth <= LIMIT_DEPTH; depth++) {
        (void)snprintf(parent, sizeof(parent), "d%u", depth - 1);
        (void)snprintf(child, sizeof(child), "d%u", depth);
        expand_and_wait(f, "w1", parent, child);
        expect_state(f, child, "running");
    }
    skip_effects(f);
    f->token = 1;
    expand(f, "w1", child, "deeper");
    expect_effects(f, "answer 0 deeper depth\ndone ok\n");
}

/* ---- retention */

static void a_settled_tree_is_kept_for_a_day_and_then_forgotten(void **state)
{
    struct fixture *f = flow(state, 1);
    const struct id id = id_of(f, "p");

    expand(f, "w1", "p", "a");
    report(f, "w1", "p", CODE_SUCCEEDED);
    report(f, "w1", "a", CODE_SUCCEEDED);
    assert_false(forest_has_forgettable(f->forest, f->now_ms + LIMIT_RETENTION_MS - 1));
    forget(f, LIMIT_RETENTION_MS - 1);
    expect_state(f, "a", "succeeded");
    assert_true(forest_has_forgettable(f->forest, f->now_ms + 1));
    forget(f, 1);
    assert_int_equal(forest_counters(f->forest)->roots, 0);
    assert_int_equal(forest_counters(f->forest)->settled_size, 0);
    assert_false(forest_remembers(f->forest, &id));
}

/* Who holds the signed item could submit it again, as long as it has not expired. */
static void a_forgotten_id_is_remembered_until_it_expires(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .key = "k", .expires_ms = 5000);
    const struct id id = id_of(f, "a");
    report(f, "w1", "a", CODE_SUCCEEDED);
    forget(f, 0);
    skip_effects(f);
    assert_true(forest_remembers(f->forest, &id));
    restart(f);
    f->token = 1;
    submit_with(f, "a", .key = "k");
    expect_effects(f, "answer 0 a forgotten\ndone ok\n");
    expire(f, 4999);
    assert_true(forest_remembers(f->forest, &id));
    expire(f, 1);
    assert_false(forest_remembers(f->forest, &id));
    submit_with(f, "a", .key = "k");
    expect_effects(f, "done ok\ndone ok\nanswer 0 a ok\ndone ok\nassign a w1\n");
}

/* At the bound of that memory new work is refused, and nothing is forgotten early. */
static void no_room_to_remember_is_no_room_to_accept(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1);
    submit(f, "a");
    report(f, "w1", "a", CODE_SUCCEEDED);
    forget(f, 0);
    submit(f, "b");
    report(f, "w1", "b", CODE_SUCCEEDED);
    forget(f, 0);
    skip_effects(f);
    f->token = 1;
    submit(f, "c");
    expect_effects(f, "answer 0 c quota\ndone ok\n");
    expire(f, LIMIT_EXPIRES_MS);
    submit(f, "d");
    expect_state(f, "d", "running");
}

/* Fine print 12. */
static void forgetting_a_large_tree_goes_on_in_the_next_command(void **state)
{
    struct fixture *f = flow(state, 1);
    char names[20 * 64];

    for (unsigned batch = 0; batch < 30; batch++) {
        size_t size = 0;
        for (unsigned i = 0; i < 50; i++) {
            size += (size_t)snprintf(names + size, sizeof(names) - size, "c%u ", batch * 50 + i);
        }
        expand(f, "w1", "p", names);
    }
    report(f, "w1", "p", CODE_SUCCEEDED);
    for (unsigned i = 0; i < 1500; i++) {
        (void)snprintf(names, sizeof(names), "c%u", i);
        report(f, "w1", names, CODE_SUCCEEDED);
    }
    struct task_view view;
    const struct id root = id_of(f, "p");
    forget(f, LIMIT_RETENTION_MS);
    assert_int_equal(forest_counters(f->forest)->state[TASK_SUCCEEDED], 501);
    assert_false(forest_task(f->forest, &root, &view));
    assert_true(forest_has_forgettable(f->forest, f->now_ms));
    forget(f, 0);
    assert_int_equal(forest_counters(f->forest)->state[TASK_SUCCEEDED], 0);
    assert_false(forest_has_forgettable(f->forest, f->now_ms));
}

/* ---- views */

static void a_tree_is_paged_depth_first(void **state)
{
    struct fixture *f = flow(state, 1);
    const struct id root = id_of(f, "p");
    struct id cursor = {0};
    struct id ids[3];

    expand(f, "w1", "p", "a b");
    enlist(f, "w2", .slots = 2);
    expand(f, "w2", "a", "aa");
    assert_int_equal(forest_tree(f->forest, &root, &cursor, ids, 3), 3);
    const struct id expected[] = {root, id_of(f, "a"), id_of(f, "aa")};
    assert_memory_equal(ids, expected, sizeof(expected));
    assert_int_equal(forest_tree(f->forest, &root, &cursor, ids, 3), 1);
    const struct id last = id_of(f, "b");
    assert_memory_equal(ids, &last, sizeof(last));
    assert_true(id_is_zero(&cursor));
}

static void roots_are_paged_newest_first(void **state)
{
    struct fixture *f = *state;
    struct id cursor = {0};
    struct id ids[2];

    submit(f, "a b c");
    assert_int_equal(forest_roots(f->forest, &cursor, ids, 2), 2);
    const struct id expected[] = {id_of(f, "c"), id_of(f, "b")};
    assert_memory_equal(ids, expected, sizeof(expected));
    assert_int_equal(forest_roots(f->forest, &cursor, ids, 2), 1);
    assert_true(id_is_zero(&cursor));
}

static int setup_forgetful(void **state)
{
    return fixture_setup_bounded(state, &(struct forest_options){.retention_size = 1});
}

static int setup_with_two_memories(void **state)
{
    return fixture_setup_bounded(
        state, &(struct forest_options){.retention_size = 1, .remembered_size = 112});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(three_levels_run_on_one_slot),
        TEST(what_has_settled_before_the_wait_resumes_at_once),
        TEST(any_of_the_awaited_resumes_and_no_other),
        TEST(a_wait_that_comes_twice_changes_nothing),
        TEST(a_later_wait_takes_the_place_of_an_earlier_one),
        TEST(only_own_children_can_be_awaited),
        TEST(waits_of_one_message_are_bounded),
        TEST(a_refused_child_does_not_block_its_parent),
        TEST(a_resumable_parent_goes_before_new_work),
        TEST(a_resumable_parent_goes_before_what_is_held_ahead),
        TEST(a_resumable_parent_may_have_gone_on_already),
        TEST(lineage_must_be_that_of_an_attempt_this_session_holds),
        TEST(a_child_needs_both_rights),
        TEST(a_child_needs_the_right_of_its_worker),
        TEST(a_tree_of_a_revoked_submitter_grows_no_more),
        TEST(a_parent_run_again_gets_the_same_children),
        TEST(after_an_own_failure_what_succeeded_or_is_open_answers),
        TEST(after_an_own_failure_fresh_requests_and_others_are_new),
        TEST(children_inherit_priority_and_deadline),
        TEST(children_nobody_joined_live_on),
        TEST(a_tree_is_at_most_so_deep),
        TEST(a_settled_tree_is_kept_for_a_day_and_then_forgotten),
        cmocka_unit_test_setup_teardown(a_forgotten_id_is_remembered_until_it_expires,
                                        setup_forgetful, fixture_teardown),
        cmocka_unit_test_setup_teardown(no_room_to_remember_is_no_room_to_accept,
                                        setup_with_two_memories, fixture_teardown),
        TEST(forgetting_a_large_tree_goes_on_in_the_next_command),
        TEST(a_tree_is_paged_depth_first),
        TEST(roots_are_paged_newest_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
