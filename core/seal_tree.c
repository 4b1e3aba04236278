/* SPDX-License-Identifier: MPL-2.0
 * Merkle trees of at most LIMIT_BATCH_ITEMS leaves. Recursion is at most as deep as those: 8. */
#include "core/seal_tree.h"

#include "core/digests.h"
#include <assert.h>

/* A leaf can never stand for a node, nor a node for a leaf. */
static const uint8_t prefix_leaf = 0x00;
static const uint8_t prefix_node = 0x01;

#define DEPTH 8 /* of a tree of LIMIT_BATCH_ITEMS leaves */

void seal_leaves(const struct bytes *items, unsigned count, struct digest *leaves)
{
    digests_of(bytes_of(&prefix_leaf, 1), items, count, leaves);
}

struct digest seal_leaf(struct bytes item)
{
    struct digest leaf;

    seal_leaves(&item, 1, &leaf);
    return leaf;
}

/* One node above each two hashes that stand side by side. */
static void hash_pairs(const struct digest *hashes, unsigned count, struct digest *nodes)
{
    struct bytes pairs[LIMIT_BATCH_ITEMS / 2];

    for (unsigned i = 0; i < count; i++) {
        pairs[i] = bytes_of(&hashes[2 * (size_t)i], 2 * sizeof(*hashes));
    }
    digests_of(bytes_of(&prefix_node, 1), pairs, count, nodes);
}

struct digest seal_node(const struct digest *left, const struct digest *right)
{
    const struct digest both[2] = {*left, *right};
    struct digest node;

    hash_pairs(both, 1, &node);
    return node;
}

unsigned seal_left(unsigned count)
{
    unsigned left = 1;

    while (left * 2 < count) {
        left *= 2;
    }
    return left;
}

/* Row by row, each hashed at once: two that stand side by side make one of the row above, and the
 * last of an odd row is of the row above as it is. All rows above the leaves together have fewer
 * nodes than there may be leaves. */
struct digest seal_root(const struct digest *leaves, unsigned count)
{
    struct digest nodes[LIMIT_BATCH_ITEMS];
    struct digest *above = nodes;
    const struct digest *row = leaves;

    assert(count >= 1 && count <= LIMIT_BATCH_ITEMS);
    while (count > 1) {
        hash_pairs(row, count / 2, above);
        if (count % 2 == 1) {
            above[count / 2] = row[count - 1];
        }
        count = count / 2 + count % 2;
        row = above;
        above += count;
    }
    return *row;
}

/* ---- sets */

#define WORD_BITS 64u

bool seal_set_has(const struct seal_set *set, unsigned position)
{
    return set->word[position / WORD_BITS] >> position % WORD_BITS & 1;
}

void seal_set_add(struct seal_set *set, unsigned position)
{
    set->word[position / WORD_BITS] |= UINT64_C(1) << position % WORD_BITS;
}

static void set_remove(struct seal_set *set, unsigned position)
{
    set->word[position / WORD_BITS] &= ~(UINT64_C(1) << position % WORD_BITS);
}

/* Adds neighbours up in fields of 2, 4, then 8 bits, and the fields by a product. */
static unsigned bit_count(uint64_t bits)
{
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(bits * UINT64_C(0x0101010101010101) >> 56);
}

/* How many of `count` positions from `first` on are in the set. */
static unsigned count_in(const struct seal_set *set, unsigned first, unsigned count)
{
    const unsigned end = first + count;
    unsigned found = 0;

    while (first < end) {
        const unsigned rest = WORD_BITS - first % WORD_BITS;
        const unsigned bits = end - first < rest ? end - first : rest;
        const uint64_t mask = UINT64_MAX >> (WORD_BITS - bits);
        found += bit_count(set->word[first / WORD_BITS] >> first % WORD_BITS & mask);
        first += bits;
    }
    return found;
}

unsigned seal_set_count(const struct seal_set *set)
{
    return count_in(set, 0, LIMIT_BATCH_ITEMS);
}

bool seal_set_is_within(const struct seal_set *set, const struct seal_set *other)
{
    for (size_t i = 0; i < sizeof(set->word) / sizeof(set->word[0]); i++) {
        if (set->word[i] & ~other->word[i]) {
            return false;
        }
    }
    return true;
}

bool seal_set_is_valid(const struct seal_set *set, unsigned count)
{
    const unsigned kept = seal_set_count(set);

    return kept > 0 && kept == count_in(set, 0, count);
}

/* ---- parts */

struct part {
    unsigned first, count; /* leaves */
    unsigned at;           /* of its node in a seal_tree: a part of n leaves has 2n - 1 nodes */
};

static struct part whole(unsigned count)
{
    return (struct part){.count = count};
}

static struct part left_of(struct part part)
{
    return (struct part){part.first, seal_left(part.count), part.at + 1};
}

static struct part right_of(struct part part)
{
    const unsigned left = seal_left(part.count);

    return (struct part){part.first + left, part.count - left, part.at + 2 * left};
}

static unsigned kept_of(const struct seal_set *kept, struct part part)
{
    return count_in(kept, part.first, part.count);
}

/* ---- pruned */

/* A part of 2, 4 ... 64 leaves in one look at each depth: each node without anything kept below it
 * makes one hash of two. After each step a bit stands for a node of the next depth, in the place of
 * its first leaf. */
static unsigned size_of_word(const struct seal_set *kept, struct part part)
{
    static const uint64_t firsts[] = {UINT64_MAX / 0x3,        UINT64_MAX / 0xf,
                                      UINT64_MAX / 0xff,       UINT64_MAX / 0xffff,
                                      UINT64_MAX / 0xffffffff, 1};
    const uint64_t leaves = UINT64_MAX >> (WORD_BITS - part.count);
    uint64_t gone = ~kept->word[part.first / WORD_BITS] >> part.first % WORD_BITS & leaves;
    unsigned size = part.count;

    for (unsigned depth = 0; gone && 1u << depth < part.count; depth++) {
        gone &= gone >> (1u << depth) & firsts[depth];
        size -= bit_count(gone);
    }
    return size;
}

/* How many hashes are left of a part. */
static unsigned size_of(const struct seal_set *kept, struct part part)
{
    if (part.count <= WORD_BITS && (part.count & (part.count - 1)) == 0) {
        return size_of_word(kept, part);
    }
    return kept_of(kept, part) == 0 ? 1
                                    : size_of(kept, left_of(part)) + size_of(kept, right_of(part));
}

unsigned pruned_size(const struct seal_set *kept, unsigned count)
{
    return size_of(kept, whole(count));
}

struct pruned pruned_whole(struct digest *leaves, unsigned count)
{
    struct pruned pruned = {
        .count = (uint16_t)count, .hash_count = (uint16_t)count, .hashes = leaves};

    for (unsigned i = 0; i < count; i++) {
        seal_set_add(&pruned.kept, i);
    }
    return pruned;
}

/* What is written never overtakes the leaves still to be read. */
static void close_part(struct pruned *pruned, struct part part)
{
    struct digest *to = pruned->hashes + pruned->hash_count;
    const unsigned kept = kept_of(&pruned->kept, part);

    if (kept == 0) {
        *to = seal_root(pruned->hashes + part.first, part.count);
        pruned->hash_count++;
    } else if (kept == part.count) {
        memmove(to, pruned->hashes + part.first, kept * sizeof(*to));
        pruned->hash_count = (uint16_t)(pruned->hash_count + kept);
    } else {
        close_part(pruned, left_of(part));
        close_part(pruned, right_of(part));
    }
}

void pruned_close(struct pruned *pruned)
{
    pruned->hash_count = 0;
    close_part(pruned, whole(pruned->count));
}

/* The item's hash and those beside it that are now of one part with it give way to one. */
void pruned_drop(struct pruned *pruned, unsigned position)
{
    struct digest *hashes = pruned->hashes;
    struct part part = whole(pruned->count);
    struct part beside[DEPTH]; /* siblings from the root down */
    unsigned depth = 0;
    unsigned first = 0; /* of those that give way */

    assert(position < pruned->count && seal_set_has(&pruned->kept, position));
    while (part.count > 1) {
        const struct part left = left_of(part);
        const struct part right = right_of(part);
        const bool is_left = position < right.first;
        first += is_left ? 0 : size_of(&pruned->kept, left);
        beside[depth++] = is_left ? right : left;
        part = is_left ? left : right;
    }
    unsigned end = first + 1;
    struct digest hash = hashes[first];
    set_remove(&pruned->kept, position);
    while (depth > 0 && kept_of(&pruned->kept, beside[depth - 1]) == 0) {
        hash = beside[--depth].first > position ? seal_node(&hash, &hashes[end++])
                                                : seal_node(&hashes[--first], &hash);
    }
    hashes[first] = hash;
    memmove(hashes + first + 1, hashes + end, (pruned->hash_count - end) * sizeof(*hashes));
    pruned->hash_count = (uint16_t)(pruned->hash_count - (end - first - 1));
}

/* ---- excerpts */

/* Takes from `hashes` what is left of this part; returns what follows. */
static const struct digest *grow(struct seal_tree *tree, struct part part,
                                 const struct digest *hashes)
{
    struct digest *node = &tree->node[part.at];

    if (part.count == 1 || kept_of(&tree->kept, part) == 0) {
        *node = *hashes;
        return hashes + 1;
    }
    const struct part left = left_of(part);
    const struct part right = right_of(part);
    hashes = grow(tree, left, hashes);
    hashes = grow(tree, right, hashes);
    *node = seal_node(&tree->node[left.at], &tree->node[right.at]);
    return hashes;
}

void seal_tree_init(struct seal_tree *tree, const struct pruned *pruned)
{
    tree->kept = pruned->kept;
    tree->count = pruned->count;
    const struct digest *end = grow(tree, whole(pruned->count), pruned->hashes);
    assert(end == pruned->hashes + pruned->hash_count);
}

struct cut {
    const struct seal_tree *tree;
    const uint8_t *indices; /* that are still to come */
    unsigned index_count;
    struct digest *hashes;
    unsigned hash_count;
};

/* Depth first, left before right: a part without any of the items is one hash, and any other part
 * is walked into. */
static void cut_part(struct cut *cut, struct part part)
{
    if (cut->index_count == 0 || cut->indices[0] >= part.first + part.count) {
        cut->hashes[cut->hash_count++] = cut->tree->node[part.at];
    } else if (part.count == 1) {
        assert(seal_set_has(&cut->tree->kept, part.first));
        cut->indices++;
        cut->index_count--;
    } else {
        cut_part(cut, left_of(part));
        cut_part(cut, right_of(part));
    }
}

unsigned seal_tree_cut(const struct seal_tree *tree, const uint8_t *indices, unsigned index_count,
                       struct digest *hashes)
{
    struct cut cut = {
        .tree = tree, .indices = indices, .index_count = index_count, .hashes = hashes};

    assert(index_count >= 1 && index_count <= tree->count);
    cut_part(&cut, whole(tree->count));
    assert(cut.index_count == 0);
    return cut.hash_count;
}

unsigned seal_cut(const struct digest *leaves, unsigned count, const uint8_t *indices,
                  unsigned index_count, struct digest *hashes)
{
    struct digest own_leaves[LIMIT_BATCH_ITEMS];
    struct seal_tree tree;

    assert(count >= 1 && count <= LIMIT_BATCH_ITEMS);
    memcpy(own_leaves, leaves, count * sizeof(*leaves));
    const struct pruned pruned = pruned_whole(own_leaves, count);
    seal_tree_init(&tree, &pruned);
    return seal_tree_cut(&tree, indices, index_count, hashes);
}
