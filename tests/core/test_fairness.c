/* SPDX-License-Identifier: MPL-2.0
 * Large trees and small ones on the same slots: what has begun is finished first, and nobody waits
 * for the end of a large tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

/* Submits children of `parent`, held by w2, named prefix-0, prefix-1, ... */
static void expand_many(struct fixture *f, const char *parent, const char *prefix, uint32_t count)
{
    char names[LIMIT_BATCH_ITEMS * 16];

    for (uint32_t next = 0; next < count;) {
        size_t size = 0;
        for (uint32_t i = 0; i < LIMIT_BATCH_ITEMS && next < count; i++, next++) {
            size += (size_t)snprintf(names + size, sizeof(names) - size, "%s-%u ", prefix,
                                     (unsigned)next);
        }
        expand(f, "w2", parent, names);
    }
}

/* A root that runs on w2, with so many children that it is large at once. */
static void make_large(struct fixture *f, const char *name, const char *prefix)
{
    submit_with(f, name, .function = "flow");
    expand_many(f, name, prefix, LIMIT_TURNS + 36);
}

/* Ends the first of `order` on w1, then what is assigned there, which is the rest of it. */
static void expect_order(struct fixture *f, const char *order)
{
    char ending[32];
    char expected[96];

    skip_effects(f);
    for (size_t size = strcspn(order, " "); order[size] != '\0'; size = strcspn(order, " ")) {
        (void)snprintf(ending, sizeof(ending), "%.*s", (int)size, order);
        order += size + 1;
        report(f, "w1", ending, CODE_SUCCEEDED);
        (void)snprintf(expected, sizeof(expected), "settled %s\nassign %.*s w1\n", ending,
                       (int)strcspn(order, " "), order);
        expect_effects(f, expected);
    }
}

static void enlist_both(struct fixture *f)
{
    enlist(f, "w1", .slots = 1, .functions = "step");
    enlist(f, "w2", .slots = 8, .functions = "flow");
}

static void a_small_root_does_not_wait_for_a_large_tree(void **state)
{
    struct fixture *f = *state;

    enlist_both(f);
    make_large(f, "big", "b");
    submit(f, "a");
    submit_with(f, "p", .function = "flow");
    expand(f, "w2", "p", "p1 p2");
    expect_order(f, "b-0 p1 p2 a b-1 b-2 b-3");
}

/* What has begun is finished before the large tree goes on, and before another root begins. */
static void roots_take_turns_with_a_large_tree_and_are_finished_once_begun(void **state)
{
    struct fixture *f = *state;

    enlist_both(f);
    make_large(f, "big", "b");
    submit(f, "p q r");
    expect_order(f, "b-0 p");
    enlist(f, "w3", .slots = 1, .functions = "flow");
    expand(f, "w1", "p", "p1 p2");
    expect_order(f, "p p1 p2 b-1 q b-2 r b-3 b-4");
}

static void large_trees_take_turns_and_fresh_roots_count_as_one(void **state)
{
    struct fixture *f = *state;

    enlist_both(f);
    make_large(f, "big", "b");
    make_large(f, "vast", "v");
    expect_order(f, "b-0 b-1 v-0 b-2");
    submit(f, "a c d");
    expect_order(f, "b-2 a v-1 b-3 c v-2 b-4 d v-3 b-5");
}

/* A tree that has had so many attempts, one after the other, and makes two children more while "x"
 * has the slot and "a" waits. */
static void let_a_chain_have(struct fixture *f, uint32_t attempts)
{
    char name[32];

    enlist_both(f);
    submit_with(f, "chain", .function = "flow");
    for (uint32_t i = 1; i < attempts; i++) {
        (void)snprintf(name, sizeof(name), "c%u", (unsigned)i);
        expand(f, "w2", "chain", name);
        report(f, "w1", name, CODE_SUCCEEDED);
    }
    restart(f);
    submit(f, "x");
    expand(f, "w2", "chain", "y z");
    submit(f, "a");
}

static void a_tree_becomes_large_by_its_attempts_too(void **state)
{
    struct fixture *f = *state;

    let_a_chain_have(f, LIMIT_TURNS);
    expect_order(f, "x y a z");
}

static void up_to_that_it_is_finished_first(void **state)
{
    struct fixture *f = *state;

    let_a_chain_have(f, LIMIT_TURNS - 2);
    expect_order(f, "x y z a");
}

/* What begins elsewhere, of another function, is no turn of theirs. */
static void roots_begun_elsewhere_take_no_turn_away(void **state)
{
    struct fixture *f = *state;

    enlist_both(f);
    make_large(f, "big", "b");
    submit(f, "a c");
    expect_order(f, "b-0 a");
    submit_with(f, "x", .function = "flow");
    expect_order(f, "a b-1");
    submit_with(f, "y", .function = "flow");
    expect_order(f, "b-1 c b-2");
}

static void a_higher_priority_comes_before_any_turn(void **state)
{
    struct fixture *f = *state;

    enlist_both(f);
    make_large(f, "big", "b");
    submit(f, "a");
    submit_with(f, "low", .priority = -1);
    submit_with(f, "high", .priority = 1);
    submit_with(f, "p", .function = "flow");
    expand_with(f, "w2", "p", "low2", .priority = -1);
    expect_order(f, "b-0 high b-1 a b-2");
}

/* However many roots wait, on one slot there is never more than one that has begun and not ended.
 */
static void few_small_trees_are_open_at_a_time(void **state)
{
    struct fixture *f = *state;
    char name[32];
    char children[64];
    char expected[160];

    enlist(f, "w1", .slots = 1);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "r%d", i);
        submit(f, name);
    }
    for (int i = 0; i < 39; i++) {
        (void)snprintf(name, sizeof(name), "r%d", i);
        (void)snprintf(children, sizeof(children), "r%d.1 r%d.2", i, i);
        skip_effects(f);
        expand_and_wait(f, "w1", name, children);
        (void)snprintf(expected, sizeof(expected), "assign r%d.1 w1\n", i);
        expect_effects(f, expected);
        (void)snprintf(children, sizeof(children), "r%d.1", i);
        report(f, "w1", children, CODE_SUCCEEDED);
        (void)snprintf(expected, sizeof(expected), "settled r%d.1\nresume r%d w1\n", i, i);
        expect_effects(f, expected);
        report(f, "w1", name, CODE_SUCCEEDED);
        (void)snprintf(expected, sizeof(expected), "settled r%d\nassign r%d.2 w1\n", i, i);
        expect_effects(f, expected);
        (void)snprintf(children, sizeof(children), "r%d.2", i);
        report(f, "w1", children, CODE_SUCCEEDED);
        (void)snprintf(expected, sizeof(expected), "settled r%d.2\nassign r%d w1\n", i, i + 1);
        expect_effects(f, expected);
    }
}

static void turns_outlive_a_restart(void **state)
{
    struct fixture *f = *state;

    enlist_both(f);
    make_large(f, "big", "b");
    submit(f, "a c");
    expect_order(f, "b-0 a");
    restart(f);
    expect_order(f, "a b-1");
    restart(f);
    expect_order(f, "b-1 c b-2");
}

/* ---- within a session */

/* A part of the window is left to others, so that a new root is assigned at once; and it starts
 * before what the session holds ahead of the large tree. Who has started shows when the session is
 * lost. */
static void what_is_ahead_of_a_large_tree_lets_others_pass(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 8, .functions = "step");
    enlist(f, "w2", .slots = 8, .functions = "flow");
    make_large(f, "big", "b");
    assert_int_equal(session_of(f, "w1").assigned, 1 + 7);
    assert_false(view_of(f, "b-0").is_behind); /* has the slot */
    assert_true(view_of(f, "b-7").is_behind);
    expect_state(f, "b-8", "ready");
    skip_effects(f);
    submit(f, "a");
    expect_effects(f, "assign a w1\n");
    submit(f, "c");
    expect_state(f, "c", "ready");
    report(f, "w1", "b-0", CODE_SUCCEEDED);
    expect_effects(f, "settled b-0\nassign c w1\n");
    retire(f, "w1", RETIRE_SILENT);
    assert_int_equal(view_of(f, "a").losses, 1);
    assert_int_equal(view_of(f, "b-1").losses, 0);
    assert_int_equal(view_of(f, "c").losses, 0);
}

/* A queue that was blocked because only places for small trees are left goes on for those. */
static void a_small_tree_takes_what_a_large_one_must_leave(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .window = 8, .functions = "step");
    enlist(f, "w2", .slots = 8, .functions = "flow");
    make_large(f, "big", "b");
    submit_with(f, "p", .function = "flow");
    skip_effects(f);
    expand(f, "w2", "p", "p1 p2");
    expect_effects(f, "assign p1 w1\n");
    assert_false(view_of(f, "p1").is_behind);
    report(f, "w1", "b-0", CODE_SUCCEEDED);
    expect_effects(f, "settled b-0\nassign p2 w1\n");
    restart(f);
    report(f, "w1", "p1", CODE_SUCCEEDED);
    expect_effects(f, "settled p1\n");
    report(f, "w1", "p2", CODE_SUCCEEDED);
    expect_effects(f, "settled p2\nassign b-8 w1\n");
}

/* ---- how long a small root takes */

#define TASK_MS 10u
#define MODEL_MOST 512

/* A worker w1 with two slots, as real ones are: what it holds starts as soon as it has a slot. */
struct model {
    struct fixture *f;
    struct held_attempt {
        struct id task;
        uint32_t line; /* what starts first: 0 children, 1 roots, 2 those behind */
        uint64_t ends_ms;
        bool has_started;
    } held[MODEL_MOST];
    size_t count;
    uint32_t running;
};

static void start_what_can(struct model *model)
{
    for (uint32_t line = 0; line <= 2; line++) {
        for (size_t i = 0; i < model->count && model->running < 2; i++) {
            struct held_attempt *held = &model->held[i];
            if (held->line == line && !held->has_started) {
                held->has_started = true;
                held->ends_ms = model->f->now_ms + TASK_MS;
                model->running++;
            }
        }
    }
}

static void hear(struct model *model)
{
    const struct effects *effects = &model->f->effects;
    struct task_view view;

    for (size_t i = 0; i < effects->count; i++) {
        if (effects->list[i].kind == EFFECT_ASSIGN &&
            forest_task(model->f->forest, &effects->list[i].task, &view) &&
            !bytes_equal(view.function, bytes_of_text("segment"))) {
            assert_true(model->count < MODEL_MOST);
            model->held[model->count++] = (struct held_attempt){.task = view.id,
                                                                .line = view.is_behind   ? 2
                                                                        : view.depth > 0 ? 0
                                                                                         : 1};
        }
    }
    start_what_can(model);
}

/* Ends what ends next; the root "p" makes three children and waits for them. */
static void go_on(struct model *model)
{
    struct fixture *f = model->f;
    size_t next = SIZE_MAX;
    char name[32];

    for (size_t i = 0; i < model->count; i++) {
        if (model->held[i].has_started &&
            (next == SIZE_MAX || model->held[i].ends_ms < model->held[next].ends_ms)) {
            next = i;
        }
    }
    assert_true(next != SIZE_MAX);
    f->now_ms = model->held[next].ends_ms;
    (void)snprintf(name, sizeof(name), "%s", name_of(f, &model->held[next].task));
    for (size_t i = next; i + 1 < model->count; i++) {
        model->held[i] = model->held[i + 1];
    }
    model->count--;
    model->running--;
    start_what_can(model);
    if (strcmp(name, "p") == 0) {
        expand_and_wait(f, "w1", "p", "p1 p2 p3");
    } else {
        report(f, "w1", name, CODE_SUCCEEDED);
    }
    hear(model);
}

/* From the submission of "p" until its children have ended. */
static uint64_t time_of_a_small_tree(struct model *model)
{
    struct fixture *f = model->f;
    const uint64_t start_ms = f->now_ms;

    submit_with(f, "p", .function = "flow");
    hear(model);
    while (view_of(f, "p").child_count == 0 || task_state_is_open(view_of(f, "p1").state) ||
           task_state_is_open(view_of(f, "p2").state) ||
           task_state_is_open(view_of(f, "p3").state)) {
        go_on(model);
    }
    return f->now_ms - start_ms;
}

static void enlist_model(struct fixture *f)
{
    enlist(f, "w1", .slots = 2, .window = 64, .functions = "flow step");
    enlist(f, "w2", .slots = 1, .functions = "segment");
}

/* Beside a root of 2,048, when `ended` of its children have. */
static uint64_t time_beside_a_large_tree(uint32_t ended)
{
    struct model busy = {.f = NULL};
    void *state = NULL;
    char prefix[16];

    assert_int_equal(fixture_setup(&state), 0);
    busy.f = state;
    enlist_model(busy.f);
    submit_with(busy.f, "big", .function = "segment");
    for (int i = 0; i < 8; i++) {
        (void)snprintf(prefix, sizeof(prefix), "b%d", i);
        expand_many(busy.f, "big", prefix, LIMIT_BATCH_ITEMS);
        hear(&busy);
    }
    while (ended-- > 0) {
        go_on(&busy);
    }
    const uint64_t busy_ms = time_of_a_small_tree(&busy);
    assert_int_equal(fixture_teardown(&state), 0);
    return busy_ms;
}

static void a_small_root_beside_a_large_one_takes_twice_as_long_at_most(void **state)
{
    struct model idle = {.f = *state};

    enlist_model(idle.f);
    const uint64_t idle_ms = time_of_a_small_tree(&idle);
    assert_int_equal(idle_ms, 3 * TASK_MS);
    assert_in_range(time_beside_a_large_tree(0), idle_ms, 2 * idle_ms);
    assert_in_range(time_beside_a_large_tree(400), idle_ms, 2 * idle_ms);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_small_root_does_not_wait_for_a_large_tree),
        TEST(roots_take_turns_with_a_large_tree_and_are_finished_once_begun),
        TEST(large_trees_take_turns_and_fresh_roots_count_as_one),
        TEST(a_tree_becomes_large_by_its_attempts_too),
        TEST(up_to_that_it_is_finished_first),
        TEST(roots_begun_elsewhere_take_no_turn_away),
        TEST(a_higher_priority_comes_before_any_turn),
        TEST(few_small_trees_are_open_at_a_time),
        TEST(turns_outlive_a_restart),
        TEST(what_is_ahead_of_a_large_tree_lets_others_pass),
        TEST(a_small_tree_takes_what_a_large_one_must_leave),
        TEST(a_small_root_beside_a_large_one_takes_twice_as_long_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
