/* SPDX-License-Identifier: MPL-2.0
 * Trees under seals, whole and pruned, against the plain definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/seal_tree.h"

#define ROUNDS 40

struct fixture {
    uint64_t seed;
    unsigned count;
    struct digest leaves[LIMIT_BATCH_ITEMS];
    struct digest hashes[LIMIT_BATCH_ITEMS]; /* of `pruned` */
    struct pruned pruned;
};

/* splitmix64: the same run each time. */
static unsigned below(struct fixture *f, unsigned bound)
{
    uint64_t mixed = f->seed += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((mixed ^ mixed >> 31) % bound);
}

static void plant(struct fixture *f, unsigned count)
{
    f->count = count;
    for (unsigned i = 0; i < count; i++) {
        f->leaves[i] = seal_leaf(bytes_of(&i, sizeof(i)));
    }
    memcpy(f->hashes, f->leaves, sizeof(f->hashes));
    f->pruned = pruned_whole(f->hashes, count);
}

static int set_up(void **state)
{
    static struct fixture fixture;

    assert_true(sodium_init() >= 0);
    fixture = (struct fixture){.seed = 5};
    *state = &fixture;
    return 0;
}

static unsigned random_count(struct fixture *f)
{
    return 1 + below(f, below(f, 2) ? 9 : LIMIT_BATCH_ITEMS);
}

/* Some of what is kept, at least one. */
static unsigned choose(struct fixture *f, const struct seal_set *kept, uint8_t *indices)
{
    const unsigned one_of = 1 + below(f, 20);
    unsigned chosen = 0;
    unsigned last = 0;

    for (unsigned i = 0; i < f->count; i++) {
        if (seal_set_has(kept, i)) {
            last = i;
            if (below(f, one_of) == 0) {
                indices[chosen++] = (uint8_t)i;
            }
        }
    }
    if (chosen == 0) {
        indices[chosen++] = (uint8_t)last;
    }
    return chosen;
}

/* As PROTOCOL.md says it, each part hashed anew. */
static unsigned cut_plainly(const struct fixture *f, const struct seal_set *wanted, unsigned first,
                            unsigned count, struct digest *hashes)
{
    unsigned found = 0;

    for (unsigned i = first; i < first + count; i++) {
        found += seal_set_has(wanted, i);
    }
    if (found == 0) {
        *hashes = seal_root(f->leaves + first, count);
        return 1;
    }
    if (count == 1) {
        return 0;
    }
    const unsigned left = seal_left(count);
    const unsigned cut = cut_plainly(f, wanted, first, left, hashes);
    return cut + cut_plainly(f, wanted, first + left, count - left, hashes + cut);
}

static void expect_cuts(struct fixture *f, const struct seal_tree *tree,
                        const struct seal_set *kept)
{
    struct digest expected[LIMIT_BATCH_ITEMS];
    struct digest hashes[LIMIT_BATCH_ITEMS];
    uint8_t indices[LIMIT_BATCH_ITEMS];
    struct seal_set wanted = {0};
    const unsigned chosen = choose(f, kept, indices);

    for (unsigned i = 0; i < chosen; i++) {
        seal_set_add(&wanted, indices[i]);
    }
    const unsigned count = cut_plainly(f, &wanted, 0, f->count, expected);
    assert_int_equal(seal_tree_cut(tree, indices, chosen, hashes), count);
    assert_memory_equal(hashes, expected, count * sizeof(hashes[0]));
    assert_int_equal(seal_cut(f->leaves, f->count, indices, chosen, hashes), count);
    assert_memory_equal(hashes, expected, count * sizeof(hashes[0]));
}

/* Drops some of the items, never all. */
static void prune(struct fixture *f)
{
    unsigned drops = below(f, f->count);

    while (drops > 0) {
        const unsigned position = below(f, f->count);

        if (seal_set_has(&f->pruned.kept, position)) {
            pruned_drop(&f->pruned, position);
            drops--;
        }
    }
}

/* RFC 6962, section 2.1, word for word. */
static struct digest root_plainly(const struct digest *leaves, unsigned count)
{
    if (count == 1) {
        return leaves[0];
    }
    const unsigned left = seal_left(count);
    const struct digest first = root_plainly(leaves, left);
    const struct digest second = root_plainly(leaves + left, count - left);

    return seal_node(&first, &second);
}

static void a_root_is_the_same_row_by_row(void **state)
{
    struct fixture *f = *state;

    plant(f, LIMIT_BATCH_ITEMS);
    for (unsigned count = 1; count <= LIMIT_BATCH_ITEMS; count++) {
        const struct digest expected = root_plainly(f->leaves, count);
        const struct digest root = seal_root(f->leaves, count);
        assert_memory_equal(&root, &expected, sizeof(root));
    }
}

static void leaves_are_the_same_side_by_side(void **state)
{
    struct bytes items[LIMIT_BATCH_ITEMS];
    struct digest leaves[LIMIT_BATCH_ITEMS];
    uint8_t bytes[LIMIT_BATCH_ITEMS] = {1, 2, 3};

    (void)state;
    for (unsigned i = 0; i < LIMIT_BATCH_ITEMS; i++) {
        items[i] = bytes_of(bytes, i);
    }
    seal_leaves(items, LIMIT_BATCH_ITEMS, leaves);
    for (unsigned i = 0; i < LIMIT_BATCH_ITEMS; i++) {
        const struct digest leaf = seal_leaf(items[i]);
        assert_memory_equal(&leaves[i], &leaf, sizeof(leaf));
    }
}

static void a_tree_cuts_what_its_leaves_do(void **state)
{
    struct fixture *f = *state;
    struct seal_tree tree;

    for (int round = 0; round < ROUNDS; round++) {
        plant(f, random_count(f));
        seal_tree_init(&tree, &f->pruned);
        const struct digest root = seal_root(f->leaves, f->count);
        assert_memory_equal(&tree.node[0], &root, sizeof(root));
        for (int i = 0; i < 5; i++) {
            expect_cuts(f, &tree, &f->pruned.kept);
        }
    }
}

static void a_pruned_tree_cuts_all_that_it_keeps(void **state)
{
    struct fixture *f = *state;
    struct seal_tree tree;

    for (int round = 0; round < ROUNDS; round++) {
        plant(f, random_count(f));
        prune(f);
        seal_tree_init(&tree, &f->pruned);
        for (int i = 0; i < 5; i++) {
            expect_cuts(f, &tree, &f->pruned.kept);
        }
    }
}

/* One by one, or all at once from the leaves: what is left depends on what is kept alone. */
static void the_way_there_does_not_show(void **state)
{
    struct fixture *f = *state;
    struct digest hashes[LIMIT_BATCH_ITEMS];

    for (int round = 0; round < ROUNDS; round++) {
        plant(f, random_count(f));
        prune(f);
        struct pruned at_once = f->pruned;
        memcpy(hashes, f->leaves, sizeof(hashes));
        at_once.hashes = hashes;
        pruned_close(&at_once);
        assert_int_equal(f->pruned.hash_count, at_once.hash_count);
        assert_int_equal(f->pruned.hash_count, pruned_size(&f->pruned.kept, f->count));
        assert_memory_equal(f->hashes, hashes, at_once.hash_count * sizeof(hashes[0]));
    }
}

static void the_last_item_has_its_path(void **state)
{
    struct fixture *f = *state;

    plant(f, LIMIT_BATCH_ITEMS);
    for (unsigned i = 0; i < LIMIT_BATCH_ITEMS; i++) {
        if (i != 77) {
            pruned_drop(&f->pruned, i);
        }
    }
    assert_int_equal(f->pruned.hash_count, 1 + 8);
}

static void a_set_is_of_some_batches(void **state)
{
    struct seal_set set = {{0}};
    struct seal_set more;

    (void)state;
    assert_false(seal_set_is_valid(&set, 1));
    seal_set_add(&set, 70);
    more = set;
    seal_set_add(&more, 255);
    assert_int_equal(seal_set_count(&more), 2);
    assert_true(seal_set_is_valid(&set, 71));
    assert_false(seal_set_is_valid(&set, 70));
    assert_false(seal_set_is_valid(&more, 255));
    assert_true(seal_set_is_within(&set, &more));
    assert_false(seal_set_is_within(&more, &set));
}

#define TEST(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_root_is_the_same_row_by_row),  TEST(leaves_are_the_same_side_by_side),
        TEST(a_tree_cuts_what_its_leaves_do), TEST(a_pruned_tree_cuts_all_that_it_keeps),
        TEST(the_way_there_does_not_show),    TEST(the_last_item_has_its_path),
        TEST(a_set_is_of_some_batches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
