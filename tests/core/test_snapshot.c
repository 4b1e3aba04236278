/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/forest.h"
#include "core/snapshot.h"
#include "tests/support/swarm.h"

struct fixture {
    struct swarm *swarm;
    struct forest_options options;
    struct forest *forest;
    struct buffer snapshot;
};

static bool append(void *context, const void *data, size_t size)
{
    buffer_append(context, data, size);
    return true;
}

/* A forest in the middle of its life. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct effects effects = {0};

    assert_non_null(f);
    f->swarm = swarm_create(11);
    f->options = swarm_options(f->swarm, 0);
    f->forest = forest_create(&f->options);
    for (int i = 0; i < 150; i++) {
        effects_reset(&effects);
        forest_apply(f->forest, swarm_next(f->swarm, f->forest), &effects);
        swarm_learn(f->swarm, &effects);
    }
    effects_clear(&effects);
    assert_true(forest_counters(f->forest)->open_roots > 0);
    assert_true(forest_counters(f->forest)->sessions > 0);
    assert_true(forest_snapshot(f->forest, append, &f->snapshot));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    forest_destroy(f->forest);
    swarm_destroy(f->swarm);
    buffer_clear(&f->snapshot);
    free(f);
    return 0;
}

static enum grove_status restore(const struct fixture *f, struct forest **forest)
{
    return forest_restore(&f->options, buffer_bytes(&f->snapshot), forest);
}

static void a_restored_forest_writes_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    struct buffer again = {0};
    struct forest *forest = NULL;

    f->options.hash_key[0] ^= 1;
    assert_int_equal(restore(f, &forest), GROVE_OK);
    assert_null(forest_check(forest));
    assert_true(forest_snapshot(forest, append, &again));
    assert_true(bytes_equal(buffer_bytes(&f->snapshot), buffer_bytes(&again)));
    assert_true(forest_now_ms(forest) == forest_now_ms(f->forest));
    assert_true(forest_applied(forest) == forest_applied(f->forest));
    assert_true(forest_counters(forest)->applied == forest_counters(f->forest)->applied);
    forest_destroy(forest);
    buffer_clear(&again);
}

static void writing_twice_gives_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    struct buffer again = {0};

    assert_true(forest_snapshot(f->forest, append, &again));
    assert_true(bytes_equal(buffer_bytes(&f->snapshot), buffer_bytes(&again)));
    buffer_clear(&again);
}

static void an_empty_forest_is_restored(void **state)
{
    struct fixture *f = *state;
    struct forest *empty = forest_create(&f->options);
    struct forest *forest = NULL;

    buffer_reset(&f->snapshot);
    assert_true(forest_snapshot(empty, append, &f->snapshot));
    assert_int_equal(restore(f, &forest), GROVE_OK);
    forest_destroy(empty);
    forest_destroy(forest);
}

static bool give_up(void *context, const void *data, size_t size)
{
    (void)context;
    (void)data;
    (void)size;
    return false;
}

static void a_sink_that_gives_up_is_reported(void **state)
{
    struct fixture *f = *state;

    assert_false(forest_snapshot(f->forest, give_up, NULL));
}

/* The mesh key and the version come before all else that could be wrong. */
static void another_version_or_mesh_is_named(void **state)
{
    struct fixture *f = *state;
    struct forest *forest = f->forest;

    f->options.mesh.byte[0] ^= 1;
    assert_int_equal(restore(f, &forest), GROVE_WRONG_MESH);
    f->snapshot.data[sizeof(SNAPSHOT_MAGIC)]++;
    assert_int_equal(restore(f, &forest), GROVE_VERSION);
    f->snapshot.data[0]++;
    assert_int_equal(restore(f, &forest), GROVE_MALFORMED);
    assert_ptr_equal(forest, f->forest); /* untouched */
}

static void a_snapshot_cut_short_or_too_long_is_refused(void **state)
{
    struct fixture *f = *state;
    const size_t size = f->snapshot.size;
    struct forest *forest = NULL;

    for (size_t i = 0; i < size; i += i < 100 || i + 100 > size ? 1 : 97) {
        f->snapshot.size = i;
        assert_int_equal(restore(f, &forest), GROVE_MALFORMED);
    }
    f->snapshot.size = size;
    buffer_append(&f->snapshot, "", 1);
    assert_int_equal(restore(f, &forest), GROVE_MALFORMED);
    assert_null(forest);
}

/* Many numbers may be others and make sense; nothing may crash, and what is restored holds. */
static void a_changed_byte_never_breaks_an_invariant(void **state)
{
    struct fixture *f = *state;
    size_t refused = 0;

    for (size_t i = 0; i < f->snapshot.size; i += 17) {
        const uint8_t before = f->snapshot.data[i];
        struct forest *forest = NULL;
        f->snapshot.data[i] = (uint8_t)(before + 1 + swarm_draw(f->swarm, 255));
        if (restore(f, &forest) == GROVE_OK) {
            assert_null(forest_check(forest));
            forest_destroy(forest);
        } else {
            refused++;
        }
        f->snapshot.data[i] = before;
    }
    assert_true(refused > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_restored_forest_writes_the_same_bytes),
        TEST(writing_twice_gives_the_same_bytes),
        TEST(an_empty_forest_is_restored),
        TEST(a_sink_that_gives_up_is_reported),
        TEST(another_version_or_mesh_is_named),
        TEST(a_snapshot_cut_short_or_too_long_is_refused),
        TEST(a_changed_byte_never_breaks_an_invariant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
