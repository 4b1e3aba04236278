/* SPDX-License-Identifier: MPL-2.0
 * Maps of all lengths about their limit: at each index of the ledger as many run as may, each input
 * once, and the outcomes stand in the order of the inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

/* A map of `count` with `limit`, whose inputs are "NAME.0", "NAME.1" ... */
struct map {
    struct fixture *f;
    uint32_t limit, count;
    char name[16];
};

static const char *input(const struct map *map, uint32_t i)
{
    static char name[32];

    (void)snprintf(name, sizeof(name), "%s.%u", map->name, (unsigned)i);
    return name;
}

static void open_map(struct map *map)
{
    char inputs[LIMIT_BATCH_ITEMS * 16] = "";
    size_t size = 0;

    (void)snprintf(map->name, sizeof(map->name), "%u-%u", (unsigned)map->limit,
                   (unsigned)map->count);
    for (uint32_t i = 0; i < map->count; i++) {
        size += (size_t)snprintf(inputs + size, sizeof(inputs) - size, "%s ", input(map, i));
    }
    join_with(map->f, "w1", "p", inputs, .name = map->name, .kind = JOIN_MAP, .limit = map->limit);
}

/* One that runs: the `nth` of them. */
static uint32_t find_running(const struct map *map, uint32_t nth)
{
    for (uint32_t i = 0; i < map->count; i++) {
        if (view_of(map->f, input(map, i)).state == TASK_RUNNING && nth-- == 0) {
            return i;
        }
    }
    fail_msg("fewer run than may");
    return 0;
}

static void expect_running(const struct map *map, uint32_t left)
{
    assert_int_equal(session_of(map->f, "w2").assigned, left < map->limit ? left : map->limit);
}

static void expect_whole(const struct map *map)
{
    const struct join_view view = join_of(map->f, map->name);
    const struct id join = id_of(map->f, map->name);
    struct id ids[LIMIT_BATCH_ITEMS];

    assert_int_equal(view.state, JOIN_COMPLETE);
    assert_int_equal(view.succeeded, map->count);
    assert_int_equal(forest_join_page(map->f->forest, &join, 0, ids, LIMIT_BATCH_ITEMS),
                     map->count);
    for (uint32_t i = 0; i < map->count; i++) {
        const struct id id = id_of(map->f, input(map, i));
        assert_memory_equal(&ids[i], &id, sizeof(id));
    }
}

/* The inputs end one after the other, out of order; now and then the forest is another. */
static void run(struct fixture *f, uint32_t limit, uint32_t count)
{
    struct map map = {.f = f, .limit = limit, .count = count};
    const uint64_t attempts = forest_counters(f->forest)->attempts;

    open_map(&map);
    for (uint32_t left = count; left > 0; left--) {
        expect_running(&map, left);
        const uint32_t running = left < limit ? left : limit;
        report(f, "w2", input(&map, find_running(&map, left * 7 % running)), CODE_SUCCEEDED);
        if (left % 50 == 0) {
            restart(f);
        }
    }
    expect_running(&map, 0);
    expect_whole(&map);
    assert_int_equal(forest_counters(f->forest)->attempts - attempts, count);
}

static void a_map_of_any_length_has_its_limit_at_every_index(void **state)
{
    static const uint32_t limits[] = {1, 2, 7, 64};
    struct fixture *f = *state;

    enlist(f, "w1", .slots = 1, .functions = "flow");
    enlist(f, "w2", .slots = 100, .functions = "step");
    submit_with(f, "p", .function = "flow");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const uint32_t limit = limits[i];
        const uint32_t counts[] = {0, 1, limit - 1, limit, limit + 1, 3 * limit + 5};
        for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
            if (k < 2 || counts[k] > 1) { /* not 0 and 1 again */
                run(f, limit, counts[k]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_map_of_any_length_has_its_limit_at_every_index,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
