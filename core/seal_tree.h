/* SPDX-License-Identifier: MPL-2.0
 * The tree under a seal: its root, what an excerpt needs of it, and what is left of it when most
 * items of the batch are gone.
 *
 * It is the RFC 6962 tree over the items, with leaf = H(0x00, item) and node = H(0x01, left,
 * right). A part is a node with all below it. */
#ifndef GROVE_CORE_SEAL_TREE_H
#define GROVE_CORE_SEAL_TREE_H

#include "core/bytes.h"
#include "core/limits.h"

#define SEAL_TREE_NODES (2 * LIMIT_BATCH_ITEMS - 1)

struct digest seal_leaf(struct bytes item);
void seal_leaves(const struct bytes *items, unsigned count, struct digest *leaves);
struct digest seal_node(const struct digest *left, const struct digest *right);

/* The leaves left of the root of a tree of `count` (2 and up): the largest power of two below. */
unsigned seal_left(unsigned count);

/* The root from all leaves. */
struct digest seal_root(const struct digest *leaves, unsigned count);

/* ---- pruned: some items are kept, and of a largest part without any of them only its hash */

/* Positions in a batch, a bit each. */
struct seal_set {
    uint64_t word[LIMIT_BATCH_ITEMS / 64];
};

struct pruned {
    struct seal_set kept;
    uint16_t count;        /* items of the whole batch */
    uint16_t hash_count;   /* as many as `kept` makes it */
    struct digest *hashes; /* leaves of what is kept, and hashes of parts, from left to right */
};

bool seal_set_has(const struct seal_set *set, unsigned position);
void seal_set_add(struct seal_set *set, unsigned position);
unsigned seal_set_count(const struct seal_set *set);
bool seal_set_is_within(const struct seal_set *set, const struct seal_set *other);

/* Whether `kept` could be of a batch of `count`: not empty, nothing past the end. */
bool seal_set_is_valid(const struct seal_set *set, unsigned count);

/* How many hashes are left of a tree when `kept` is. */
unsigned pruned_size(const struct seal_set *kept, unsigned count);

/* Nothing is pruned yet; borrows the leaves. */
struct pruned pruned_whole(struct digest *leaves, unsigned count);

/* From all leaves in `hashes` to what is left of them when pruned->kept is, in their place. */
void pruned_close(struct pruned *pruned);

/* Lets one item go that is kept: at most as many nodes are hashed as the tree is deep, and over the
 * life of a batch each at most once. */
void pruned_drop(struct pruned *pruned, unsigned position);

/* ---- excerpts */

/* Every node that the kept items of a batch have above them, with its hash; then any excerpt of
 * them is cut without hashing. */
struct seal_tree {
    struct seal_set kept;
    uint16_t count;
    struct digest node[SEAL_TREE_NODES]; /* parents first, what is left before what is right */
};

void seal_tree_init(struct seal_tree *tree, const struct pruned *pruned);

/* The sibling hashes that an excerpt of `indices` (ascending, distinct, kept) needs, in the order
 * of PROTOCOL.md. Writes at most LIMIT_BATCH_ITEMS of them to `hashes` and returns how many. */
unsigned seal_tree_cut(const struct seal_tree *tree, const uint8_t *indices, unsigned index_count,
                       struct digest *hashes);

/* ... from all leaves, for whoever cuts one excerpt only. */
unsigned seal_cut(const struct digest *leaves, unsigned count, const uint8_t *indices,
                  unsigned index_count, struct digest *hashes);

#endif
