/* SPDX-License-Identifier: MPL-2.0
 * Excerpts verify however a batch is cut up, and no batch is hashed twice for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "nodes/coordinator/excerpts.h"
#include "tests/support/samples.h"

/* A batch as a forest keeps it. */
struct kept_batch {
    struct buffer items;
    struct sealed whole;
    struct digest leaves[LIMIT_BATCH_ITEMS];
    struct pruned tree;
};

struct fixture {
    struct trees trees;
    struct excerpts excerpts;
    struct buffer out;
    struct kept_batch batch;
};

static void keep(struct kept_batch *batch, enum seal_kind kind, unsigned count)
{
    buffer_reset(&batch->items);
    sample_batch(kind, count, &batch->items, &batch->whole, batch->leaves);
    batch->tree = pruned_whole(batch->leaves, count);
}

static int set_up(void **state)
{
    static struct fixture fixture;

    assert_true(sodium_init() >= 0);
    fixture = (struct fixture){.out = {0}};
    trees_init(&fixture.trees);
    keep(&fixture.batch, SEAL_RESULT, LIMIT_BATCH_ITEMS);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    trees_clear(&f->trees);
    excerpts_clear(&f->excerpts);
    buffer_clear(&f->out);
    buffer_clear(&f->batch.items);
    return 0;
}

static struct piece piece_of(const struct kept_batch *batch, unsigned i)
{
    return (struct piece){.seal = &batch->whole.seal,
                          .tree = &batch->tree,
                          .index = (uint8_t)i,
                          .item = batch->whole.item[i]};
}

/* Items from `first` to `last`, in one message. */
static void send(struct fixture *f, const struct kept_batch *batch, unsigned first, unsigned last)
{
    const struct key mesh = sample_signer(1).public_key;
    struct wire_writer writer;
    struct message message;
    struct sealed sealed;
    struct notify notify;
    struct bytes element;

    excerpts_reset(&f->excerpts);
    for (unsigned i = first; i <= last; i++) {
        const struct piece piece = piece_of(batch, i);

        (void)excerpts_add(&f->excerpts, &piece);
    }
    buffer_reset(&f->out);
    wire_open(&writer, &f->out, MESSAGE_NOTIFY, 0);
    excerpts_put(&f->excerpts, &f->trees, &writer, NOTIFY_OUTCOMES);
    wire_close(&writer);
    assert_int_equal(wire_message_open(buffer_bytes(&f->out), &message), GROVE_OK);
    assert_int_equal(wire_notify_decode(message.body, &notify), GROVE_OK);
    assert_true(wire_next(&notify.outcomes, &element));
    assert_int_equal(wire_sealed_decode(element, &sealed), GROVE_OK);
    assert_int_equal(sealed.item_count, last - first + 1);
    assert_int_equal(seal_open(&sealed, &mesh, NULL), GROVE_OK);
}

static void a_batch_for_many_is_hashed_once(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 200; i++) {
        send(f, &f->batch, i, i);
    }
    assert_int_equal(f->trees.hashed, 1);
    assert_int_equal(f->trees.found, 199);
}

static void a_whole_batch_is_not_hashed_at_all(void **state)
{
    struct fixture *f = *state;

    send(f, &f->batch, 0, LIMIT_BATCH_ITEMS - 1);
    assert_int_equal(f->trees.hashed + f->trees.found, 0);
}

static void what_is_gone_meanwhile_changes_nothing(void **state)
{
    struct fixture *f = *state;

    send(f, &f->batch, 7, 9);
    for (unsigned i = 0; i < 200; i++) {
        pruned_drop(&f->batch.tree, i);
    }
    send(f, &f->batch, 201, 201);
    assert_int_equal(f->trees.hashed, 1);
}

/* A batch that came twice, each time accepted in part: neither tree serves for the other. */
static void a_batch_kept_in_two_parts_has_two_trees(void **state)
{
    struct fixture *f = *state;
    static struct kept_batch other;

    other = f->batch;
    other.tree.hashes = other.leaves;
    for (unsigned i = 0; i < LIMIT_BATCH_ITEMS; i++) {
        pruned_drop(i < 128 ? &other.tree : &f->batch.tree, i);
    }
    for (int again = 0; again < 3; again++) {
        send(f, &f->batch, 3, 5);
        send(f, &other, 200, 220);
    }
    assert_int_equal(f->trees.hashed, 2);
}

static unsigned set_of(const struct kept_batch *batch)
{
    uint32_t word;

    memcpy(&word, batch->whole.seal.signature.byte, sizeof(word));
    return word % TREES_SETS;
}

/* Other batches whose trees have the places that the fixture's may have. */
static void find_rivals(const struct fixture *f, struct kept_batch *rivals, unsigned wanted)
{
    unsigned found = 0;

    for (unsigned kind = SEAL_TASK; kind <= SEAL_VERDICT; kind++) {
        for (unsigned count = 2; count < LIMIT_BATCH_ITEMS && found < wanted; count++) {
            keep(&rivals[found], (enum seal_kind)kind, count);
            found += set_of(&rivals[found]) == set_of(&f->batch);
        }
    }
    assert_int_equal(found, wanted);
}

static void the_oldest_tree_gives_way(void **state)
{
    struct fixture *f = *state;
    static struct kept_batch rivals[TREES_WAYS];

    find_rivals(f, rivals, TREES_WAYS);
    send(f, &f->batch, 0, 0);
    for (unsigned i = 0; i < TREES_WAYS; i++) {
        send(f, &rivals[i], 1, 1);
    }
    for (unsigned i = 0; i < TREES_WAYS; i++) {
        send(f, &rivals[i], 0, 0);
    }
    assert_int_equal(f->trees.hashed, 1 + TREES_WAYS);
    send(f, &f->batch, 1, 1);
    assert_int_equal(f->trees.hashed, 2 + TREES_WAYS);
    for (unsigned i = 0; i < TREES_WAYS; i++) {
        buffer_clear(&rivals[i].items);
    }
}

/* However many batches are on their way, within what there are places for. */
static void many_batches_have_their_trees(void **state)
{
    struct fixture *f = *state;
    static struct kept_batch others[100];
    const unsigned most = sizeof(others) / sizeof(others[0]);

    for (unsigned i = 0; i < most; i++) {
        keep(&others[i], SEAL_TASK, 2 + i);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < most; i++) {
            send(f, &others[i], round, round);
        }
    }
    assert_int_equal(f->trees.hashed, most);
    for (unsigned i = 0; i < most; i++) {
        buffer_clear(&others[i].items);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_for_many_is_hashed_once),
        TEST(a_whole_batch_is_not_hashed_at_all),
        TEST(what_is_gone_meanwhile_changes_nothing),
        TEST(a_batch_kept_in_two_parts_has_two_trees),
        TEST(the_oldest_tree_gives_way),
        TEST(many_batches_have_their_trees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
