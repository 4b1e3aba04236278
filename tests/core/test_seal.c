/* SPDX-License-Identifier: MPL-2.0
 * Seals: whole batches and excerpts verify, and nothing that differs from them does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/id.h"
#include "tests/support/samples.h"

#define COUNT 5u

struct fixture {
    struct key mesh;
    struct buffer items;
    struct sealed whole;
    struct digest leaves[LIMIT_BATCH_ITEMS];
    struct digest hashes[LIMIT_BATCH_ITEMS];
    struct sealed excerpt; /* of items 1 and 3 */
};

static void make(struct fixture *f, enum seal_kind kind, unsigned count)
{
    sample_batch(kind, count, &f->items, &f->whole, f->leaves);
}

static void cut(struct fixture *f, const uint8_t *indices, unsigned index_count)
{
    sample_excerpt(&f->whole, f->leaves, indices, index_count, f->hashes, &f->excerpt);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    static const uint8_t indices[] = {1, 3};

    assert_true(sodium_init() >= 0);
    fixture.mesh = sample_signer(1).public_key;
    make(&fixture, SEAL_RESULT, COUNT);
    cut(&fixture, indices, 2);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    buffer_clear(&f->items);
    return 0;
}

static enum grove_status open_it(const struct fixture *f, const struct sealed *sealed)
{
    return seal_open(sealed, &f->mesh, NULL);
}

static void whole_batches_of_every_size_open(void **state)
{
    struct fixture *f = *state;
    struct digest leaves[LIMIT_BATCH_ITEMS];

    for (unsigned count = 1; count <= LIMIT_BATCH_ITEMS; count += count < 20 ? 1 : 59) {
        make(f, SEAL_TASK, count);
        assert_int_equal(seal_open(&f->whole, &f->mesh, leaves), GROVE_OK);
        assert_memory_equal(leaves, f->leaves, count * sizeof(leaves[0]));
    }
}

/* Every subset of every small batch. */
static void every_excerpt_opens_with_its_own_hashes_only(void **state)
{
    struct fixture *f = *state;

    for (unsigned count = 1; count <= 8; count++) {
        make(f, SEAL_TASK, count);
        for (unsigned set = 1; set < 1u << count; set++) {
            uint8_t indices[8];
            unsigned chosen = 0;

            for (unsigned i = 0; i < count; i++) {
                if (set >> i & 1) {
                    indices[chosen++] = (uint8_t)i;
                }
            }
            cut(f, indices, chosen);
            assert_int_equal(open_it(f, &f->excerpt), GROVE_OK);
            f->excerpt.hashes.size += sizeof(struct digest);
            assert_int_equal(open_it(f, &f->excerpt), GROVE_MALFORMED);
            f->excerpt.hashes.size -= sizeof(struct digest);
            if (f->excerpt.hashes.size > 0) {
                f->excerpt.hashes.size -= sizeof(struct digest);
                assert_int_equal(open_it(f, &f->excerpt), GROVE_MALFORMED);
            }
        }
    }
}

static void one_of_a_full_batch_needs_eight_hashes(void **state)
{
    struct fixture *f = *state;

    make(f, SEAL_TASK, LIMIT_BATCH_ITEMS);
    for (unsigned i = 0; i < LIMIT_BATCH_ITEMS; i += 51) {
        const uint8_t index = (uint8_t)i;

        cut(f, &index, 1);
        assert_int_equal(f->excerpt.hashes.size, 8 * sizeof(struct digest));
        assert_int_equal(open_it(f, &f->excerpt), GROVE_OK);
    }
}

/* Flips each bit of a Sealed message in turn: function, parent, payload, attempt, result, all of
 * it. */
static void check_every_flip(struct fixture *f, const struct sealed *sealed)
{
    struct digest untouched = {{77}};
    struct buffer bytes = {0};

    wire_sealed_encode(&bytes, sealed);
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        struct sealed opened;
        struct digest leaves[LIMIT_BATCH_ITEMS] = {{{77}}};

        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (wire_sealed_decode(buffer_bytes(&bytes), &opened) == GROVE_OK) {
            assert_int_not_equal(seal_open(&opened, &f->mesh, leaves), GROVE_OK);
            assert_true(digest_equal(&leaves[0], &untouched));
        }
        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buffer_clear(&bytes);
}

static void no_flipped_bit_of_a_batch_is_accepted(void **state)
{
    struct fixture *f = *state;

    make(f, SEAL_TASK, 2);
    check_every_flip(f, &f->whole);
    make(f, SEAL_RESULT, 1);
    check_every_flip(f, &f->whole);
}

static void no_flipped_bit_of_an_excerpt_is_accepted(void **state)
{
    struct fixture *f = *state;

    check_every_flip(f, &f->excerpt);
}

static void another_mesh_kind_signer_or_count_is_refused(void **state)
{
    struct fixture *f = *state;
    struct sealed sealed = f->excerpt;
    const struct key other = sample_signer(3).public_key;

    assert_int_equal(seal_open(&sealed, &other, NULL), GROVE_BAD_SIGNATURE);
    sealed.seal.signer = other;
    assert_int_equal(open_it(f, &sealed), GROVE_BAD_SIGNATURE);
    sealed = f->excerpt;
    sealed.seal.kind = SEAL_TASK;
    assert_int_equal(open_it(f, &sealed), GROVE_BAD_SIGNATURE);
    for (uint16_t count = 0; count <= LIMIT_BATCH_ITEMS + 1; count++) {
        sealed = f->excerpt;
        sealed.seal.count = count;
        assert_int_equal(open_it(f, &sealed) == GROVE_OK, count == COUNT);
    }
}

static void items_out_of_place_are_refused(void **state)
{
    struct fixture *f = *state;
    struct sealed sealed = f->excerpt;

    sealed.index[0] = 0;
    assert_int_not_equal(open_it(f, &sealed), GROVE_OK);
    sealed = f->excerpt;
    sealed.index[1] = sealed.index[0];
    assert_int_equal(open_it(f, &sealed), GROVE_MALFORMED);
    sealed.index[0] = 3;
    sealed.index[1] = 1;
    assert_int_equal(open_it(f, &sealed), GROVE_MALFORMED);
    sealed = f->excerpt;
    sealed.index[1] = COUNT;
    assert_int_equal(open_it(f, &sealed), GROVE_MALFORMED);
    sealed = f->excerpt;
    sealed.item[0] = f->excerpt.item[1];
    sealed.item[1] = f->excerpt.item[0];
    assert_int_equal(open_it(f, &sealed), GROVE_BAD_SIGNATURE);
    sealed = f->excerpt;
    sealed.item_count = 0;
    assert_int_equal(open_it(f, &sealed), GROVE_MALFORMED);
}

/* The two leaves of an inner node, offered as one item of a smaller batch. */
static void an_inner_node_is_no_leaf(void **state)
{
    struct fixture *f = *state;
    struct digest pair[2];

    make(f, SEAL_TASK, 2);
    memcpy(pair, f->leaves, sizeof(pair));
    struct sealed sealed = f->whole;
    sealed.item_count = 1;
    sealed.seal.count = 1;
    sealed.item[0] = bytes_of(pair, sizeof(pair));
    assert_int_equal(open_it(f, &sealed), GROVE_BAD_SIGNATURE);
    struct digest leaf = seal_leaf(sealed.item[0]);
    struct digest root = seal_root(f->leaves, 2);
    assert_false(digest_equal(&leaf, &root));
}

/* An odd leaf is not doubled: the root of 3 differs from that of the same 3 with the last one
 * twice. */
static void an_odd_leaf_stands_alone(void **state)
{
    struct fixture *f = *state;
    struct digest leaves[4];

    make(f, SEAL_TASK, 3);
    memcpy(leaves, f->leaves, 3 * sizeof(leaves[0]));
    leaves[3] = leaves[2];
    struct digest three = seal_root(leaves, 3);
    struct digest four = seal_root(leaves, 4);
    assert_false(digest_equal(&three, &four));
}

static void the_cache_keeps_successes_only(void **state)
{
    static const uint8_t hash_key[16] = {1};
    struct fixture *f = *state;
    struct seal_cache *cache = seal_cache_create(2, hash_key);
    struct sealed bad = f->excerpt;

    bad.seal.signature.byte[0] ^= 1;
    for (int again = 0; again < 3; again++) {
        assert_int_equal(seal_cache_open(cache, &f->excerpt, &f->mesh, NULL), GROVE_OK);
        assert_int_equal(seal_cache_open(cache, &f->whole, &f->mesh, NULL), GROVE_OK);
        assert_int_equal(seal_cache_open(cache, &bad, &f->mesh, NULL), GROVE_BAD_SIGNATURE);
        bad.seal.kind = SEAL_TASK;
        assert_int_equal(seal_cache_open(cache, &bad, &f->mesh, NULL), GROVE_BAD_SIGNATURE);
    }
    const struct key other = sample_signer(3).public_key;
    assert_int_equal(seal_cache_open(cache, &f->excerpt, &other, NULL), GROVE_BAD_SIGNATURE);
    seal_cache_destroy(cache);
}

/* Told by a signature that is none: what was added is not verified again, and nothing else. */
static void what_a_node_sealed_itself_is_known(void **state)
{
    struct fixture *f = *state;
    static const uint8_t hash_key[16] = {7};
    struct seal_cache *cache = seal_cache_create(2, hash_key);
    struct digest root = seal_root(f->leaves, COUNT);
    struct key other = sample_signer(2).public_key;

    f->whole.seal.signature.byte[0] ^= 1;
    f->excerpt.seal.signature.byte[0] ^= 1;
    assert_int_equal(seal_cache_open(cache, &f->whole, &f->mesh, NULL), GROVE_BAD_SIGNATURE);
    seal_cache_add(cache, &f->whole.seal, &f->mesh, &root);
    assert_int_equal(seal_cache_open(cache, &f->whole, &f->mesh, NULL), GROVE_OK);
    assert_int_equal(seal_cache_open(cache, &f->excerpt, &f->mesh, NULL), GROVE_OK);
    assert_int_equal(seal_cache_open(cache, &f->whole, &other, NULL), GROVE_BAD_SIGNATURE);
    f->excerpt.item[0].size--;
    assert_int_equal(seal_cache_open(cache, &f->excerpt, &f->mesh, NULL), GROVE_BAD_SIGNATURE);
    seal_cache_destroy(cache);
}

static void a_full_cache_forgets_and_still_judges(void **state)
{
    static const uint8_t hash_key[16] = {1};
    struct fixture *f = *state;
    struct seal_cache *cache = seal_cache_create(2, hash_key);

    for (unsigned count = 1; count <= 12; count++) {
        make(f, SEAL_TASK, count);
        assert_int_equal(seal_cache_open(cache, &f->whole, &f->mesh, NULL), GROVE_OK);
        f->whole.seal.signature.byte[40] ^= 1;
        assert_int_equal(seal_cache_open(cache, &f->whole, &f->mesh, NULL), GROVE_BAD_SIGNATURE);
    }
    seal_cache_destroy(cache);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole_batches_of_every_size_open),
        TEST(every_excerpt_opens_with_its_own_hashes_only),
        TEST(one_of_a_full_batch_needs_eight_hashes),
        TEST(no_flipped_bit_of_a_batch_is_accepted),
        TEST(no_flipped_bit_of_an_excerpt_is_accepted),
        TEST(another_mesh_kind_signer_or_count_is_refused),
        TEST(items_out_of_place_are_refused),
        TEST(an_inner_node_is_no_leaf),
        TEST(an_odd_leaf_stands_alone),
        TEST(the_cache_keeps_successes_only),
        TEST(what_a_node_sealed_itself_is_known),
        TEST(a_full_cache_forgets_and_still_judges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
