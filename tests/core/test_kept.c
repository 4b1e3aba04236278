/* SPDX-License-Identifier: MPL-2.0
 * Seals outlive most of their batch: they shrink, and still vouch for what is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/seal.h"
#include "tests/support/forest_fixture.h"

#define NAMES_SIZE ((size_t)LIMIT_BATCH_ITEMS * 8)

/* "t0 t3 t6 ": every `step`-th of the names from `first` on, below `end`. */
static const char *names_of(char names[NAMES_SIZE], unsigned first, unsigned end, unsigned step)
{
    size_t size = 0;

    for (unsigned i = first; i < end; i += step) {
        size += (size_t)snprintf(names + size, NAMES_SIZE - size, "t%u ", i);
    }
    return names;
}

/* A full batch, each of its tasks a root that w1 runs. */
static struct fixture *start(void **state)
{
    struct fixture *f = *state;
    char names[NAMES_SIZE];

    enlist(f, "w1", .slots = LIMIT_BATCH_ITEMS);
    submit(f, names_of(names, 0, LIMIT_BATCH_ITEMS, 1));
    return f;
}

static void expect_vouched(const struct fixture *f, const struct seal *seal,
                           const struct pruned *pruned, uint8_t index, struct bytes item)
{
    struct digest hashes[LIMIT_BATCH_ITEMS];
    struct seal_tree tree;
    struct sealed sealed = {.seal = *seal, .item_count = 1, .index = {index}, .item = {item}};

    seal_tree_init(&tree, pruned);
    const unsigned count = seal_tree_cut(&tree, &index, 1, hashes);
    sealed.hashes = bytes_of(hashes, count * sizeof(hashes[0]));
    assert_int_equal(seal_open(&sealed, &f->mesh.public_key, NULL), GROVE_OK);
}

static void expect_task_vouched(const struct fixture *f, unsigned i)
{
    char name[8];

    (void)snprintf(name, sizeof(name), "t%u", i);
    const struct task_view view = view_of(f, name);
    expect_vouched(f, view.seal, view.tree, view.seal_index, view.item);
    if (view.has_result) {
        expect_vouched(f, view.result_seal, view.result_tree, view.result_index, view.result);
    }
}

static uint64_t seal_size(const struct fixture *f)
{
    return forest_counters(f->forest)->seal_size;
}

static bool append(void *context, const void *data, size_t size)
{
    buffer_append(context, data, size);
    return true;
}

/* Goes on with the forest that its snapshot gives. */
static void restore(struct fixture *f)
{
    struct buffer before = {0};
    struct buffer after = {0};
    struct forest *restored = NULL;

    assert_true(forest_snapshot(f->forest, append, &before));
    assert_int_equal(forest_restore(&f->options, buffer_bytes(&before), &restored), GROVE_OK);
    assert_true(forest_counters(restored)->seal_size == seal_size(f));
    assert_true(forest_snapshot(restored, append, &after));
    assert_true(bytes_equal(buffer_bytes(&before), buffer_bytes(&after)));
    forest_destroy(f->forest);
    f->forest = restored;
    buffer_clear(&before);
    buffer_clear(&after);
}

static void a_seal_needs_what_its_items_do(void **state)
{
    struct fixture *f = start(state);
    const uint64_t whole = seal_size(f);
    char names[NAMES_SIZE];

    assert_true(whole > LIMIT_BATCH_ITEMS * sizeof(struct digest));
    report_all(f, "w1", names_of(names, 0, 200, 1), CODE_SUCCEEDED);
    forget(f, LIMIT_RETENTION_MS);
    assert_int_equal(forest_counters(f->forest)->roots, 56);
    assert_int_equal(view_of(f, "t200").tree->hash_count, 56 + 3); /* 200 = 128 + 64 + 8 */
    assert_true(seal_size(f) < whole / 3);
    for (unsigned i = 200; i < LIMIT_BATCH_ITEMS; i++) {
        expect_task_vouched(f, i);
    }
    restore(f);
    for (unsigned i = 200; i < LIMIT_BATCH_ITEMS; i++) {
        expect_task_vouched(f, i);
    }
    report_all(f, "w1", names_of(names, 200, LIMIT_BATCH_ITEMS, 1), CODE_SUCCEEDED);
    forget(f, LIMIT_RETENTION_MS);
    assert_true(seal_size(f) == 0);
}

/* Two batches of results, forgotten in turn, each of every other task. */
static void results_outlive_their_batch_as_tasks_do(void **state)
{
    struct fixture *f = start(state);
    char names[NAMES_SIZE];

    report_all(f, "w1", names_of(names, 0, 100, 1), CODE_SUCCEEDED);
    f->now_ms += 1000;
    report_all(f, "w1", names_of(names, 100, LIMIT_BATCH_ITEMS, 3), CODE_FAILED);
    forget(f, LIMIT_RETENTION_MS - 1000);
    assert_int_equal(forest_counters(f->forest)->roots, LIMIT_BATCH_ITEMS - 100);
    for (unsigned i = 100; i < LIMIT_BATCH_ITEMS; i++) {
        expect_task_vouched(f, i);
    }
    restore(f);
    forget(f, 1000);
    assert_int_equal(forest_counters(f->forest)->roots, 104);
    restore(f);
    expect_task_vouched(f, 101);
    expect_task_vouched(f, 254);
}

/* What a batch brings that nobody keeps is gone when its command ends. */
static void what_is_refused_needs_no_leaf(void **state)
{
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 4);
    submit(f, "t0 t1 t2 t3");
    const uint64_t before = seal_size(f);
    report_all(f, "w1", "t1", CODE_SUCCEEDED);
    const uint64_t alone = seal_size(f) - before;
    report_all(f, "w1", "t0 t1 t2", CODE_SUCCEEDED); /* t1 has ended */
    assert_int_equal(view_of(f, "t2").result_tree->hash_count, 3);
    report_all(f, "w1", "t0 t1 t2 t3", CODE_SUCCEEDED);
    assert_int_equal(view_of(f, "t3").result_tree->hash_count, 1 + 2);
    assert_true(seal_size(f) < before + 3 * alone + 5 * sizeof(struct digest));
    for (unsigned i = 0; i < 4; i++) {
        expect_task_vouched(f, i);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_seal_needs_what_its_items_do),
        TEST(results_outlive_their_batch_as_tasks_do),
        TEST(what_is_refused_needs_no_leaf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
