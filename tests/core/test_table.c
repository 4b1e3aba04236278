/* SPDX-License-Identifier: MPL-2.0 */
#include "core/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ENTRIES 5000u

struct entry {
    uint64_t before;
    struct table_link link;
    uint8_t key[16];
    bool present;
};

struct fixture {
    struct table table;
    struct entry entries[ENTRIES];
    uint64_t random;
};

static uint32_t draw(struct fixture *f, uint32_t below)
{
    f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(f->random >> 33) % below;
}

static int set_up(void **state)
{
    static const uint8_t hash_key[16] = {1, 2, 3};
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    table_init(&f->table, hash_key, offsetof(struct entry, link), offsetof(struct entry, key),
               sizeof(f->entries[0].key));
    for (uint32_t i = 0; i < ENTRIES; i++) {
        memcpy(f->entries[i].key, &i, sizeof(i));
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    table_clear(&f->table);
    free(f);
    return 0;
}

static size_t links_in(struct table_link *const *buckets, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; buckets && i < size; i++) {
        for (const struct table_link *link = buckets[i]; link; link = link->next) {
            count++;
        }
    }
    return count;
}

static size_t links_to_move(const struct table *table)
{
    return table->old ? links_in(table->old, table->old_size) : 0;
}

static void toggle(struct fixture *f, struct entry *entry)
{
    if (entry->present) {
        table_remove(&f->table, entry);
    } else {
        table_insert(&f->table, entry);
    }
    entry->present = !entry->present;
}

/* The model is the `present` of each entry. */
static void expect_equal_to_model(struct fixture *f)
{
    size_t count = 0;

    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *entry = &f->entries[i];
        assert_ptr_equal(table_find(&f->table, entry->key), entry->present ? entry : NULL);
        count += entry->present;
    }
    assert_int_equal(f->table.count, count);
}

static void an_empty_table_finds_nothing(void **state)
{
    struct fixture *f = *state;

    expect_equal_to_model(f);
    table_clear(&f->table);
    table_clear(&f->table);
    expect_equal_to_model(f);
}

static void random_inserts_and_removes_agree_with_a_model(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 100000; i++) {
        /* The range breathes, so that the table grows and shrinks in turn. */
        const uint32_t range = 1 + (uint32_t)(i / 20000 % 2 ? ENTRIES / 50 : ENTRIES - 1);
        struct entry *entry = &f->entries[draw(f, range)];
        toggle(f, entry);
        assert_ptr_equal(table_find(&f->table, entry->key), entry->present ? entry : NULL);
        if (i % 997 == 0) {
            expect_equal_to_model(f);
        }
    }
    expect_equal_to_model(f);
}

static void entries_stay_found_at_every_step_of_a_move(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 300; i++) {
        toggle(f, &f->entries[i]);
        expect_equal_to_model(f);
    }
    for (size_t i = 0; i < 300; i++) {
        toggle(f, &f->entries[i * 7 % 300]);
        expect_equal_to_model(f);
    }
}

/* Counts links, not time: this is what makes the worst insert as cheap as any. */
static void no_insert_or_remove_moves_more_than_a_few(void **state)
{
    struct fixture *f = *state;
    size_t moves = 0;

    for (size_t i = 0; i < 2 * (size_t)ENTRIES; i++) {
        const size_t size = f->table.size;
        size_t to_move = links_to_move(&f->table);
        toggle(f, &f->entries[i % ENTRIES]);
        if (f->table.size != size && size > 0) {
            moves++;
            to_move = f->table.count;
        }
        assert_true(to_move <= links_to_move(&f->table) + TABLE_STEPS + 1);
    }
    assert_true(moves >= 9); /* it was seen growing and shrinking */
}

static void it_grows_to_hold_what_it_gets_and_shrinks_again(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ENTRIES; i++) {
        toggle(f, &f->entries[i]);
        assert_true(f->table.count <= 2 * f->table.size);
    }
    assert_true(f->table.size >= ENTRIES / 2);
    for (size_t i = 100; i < ENTRIES; i++) {
        toggle(f, &f->entries[i]);
    }
    for (int i = 0; i < 2 * (int)ENTRIES; i++) {
        toggle(f, &f->entries[0]);
    }
    assert_true(f->table.size <= 1024);
    expect_equal_to_model(f);
}

static void keys_may_be_as_long_as_a_public_key(void **state)
{
    static const uint8_t hash_key[16] = {9};
    struct wide {
        uint8_t key[32];
        struct table_link link;
    } wide[2] = {{.key = {1}}, {.key = {1}}};
    struct table table;

    (void)state;
    wide[1].key[31] = 1;
    table_init(&table, hash_key, offsetof(struct wide, link), offsetof(struct wide, key), 32);
    table_insert(&table, &wide[0]);
    assert_null(table_find(&table, wide[1].key));
    table_insert(&table, &wide[1]);
    assert_ptr_equal(table_find(&table, wide[0].key), &wide[0]);
    assert_ptr_equal(table_find(&table, wide[1].key), &wide[1]);
    table_clear(&table);
}

/* At every stage of every move, of keys that are there and of others, from the empty table on. */
static void expecting_keys_changes_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t keys[200][sizeof(f->entries[0].key)];

    for (uint32_t i = 0; i < ENTRIES; i++) {
        for (uint32_t k = 0; k < 200; k++) {
            memcpy(keys[k], f->entries[(i + 7 * k) % ENTRIES].key, sizeof(keys[k]));
        }
        const struct table before = f->table;
        const size_t to_move = links_to_move(&f->table);
        table_expect(&f->table, keys, i % 201);
        assert_memory_equal(&f->table, &before, sizeof(before));
        assert_int_equal(links_to_move(&f->table), to_move);
        toggle(f, &f->entries[i]);
    }
    for (uint32_t i = 0; i < ENTRIES; i++) {
        assert_ptr_equal(table_find(&f->table, f->entries[i].key), &f->entries[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_table_finds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_inserts_and_removes_agree_with_a_model, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(entries_stay_found_at_every_step_of_a_move, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_insert_or_remove_moves_more_than_a_few, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_grows_to_hold_what_it_gets_and_shrinks_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(expecting_keys_changes_nothing, set_up, tear_down),
        cmocka_unit_test(keys_may_be_as_long_as_a_public_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
