/* SPDX-License-Identifier: MPL-2.0
 * Items gathered for one message: those of one batch travel as one excerpt of it. */
#ifndef GROVE_COORDINATOR_EXCERPTS_H
#define GROVE_COORDINATOR_EXCERPTS_H

#include "core/buffer.h"
#include "core/item.h"
#include "core/seal.h"
#include "nodes/coordinator/trees.h"

/* An item with what proves it; everything borrows from the forest. */
struct piece {
    const struct seal *seal; /* one address a batch */
    const struct pruned *tree;
    uint8_t index; /* in the whole batch */
    struct bytes item;
};

/* Zeroed is empty and valid. */
struct excerpts {
    struct buffer items;   /* struct excerpt_item */
    struct buffer batches; /* struct excerpt_batch */
};

void excerpts_reset(struct excerpts *excerpts);
void excerpts_clear(struct excerpts *excerpts);

/* Adds an item; adding one twice is the same as once. Returns its number, for excerpts_place. */
uint32_t excerpts_add(struct excerpts *excerpts, const struct piece *piece);

/* How many items were added, each counted once. */
size_t excerpts_count(const struct excerpts *excerpts);

/* Writes all excerpts as elements of a list of Sealed; after that no more can be added. */
void excerpts_put(struct excerpts *excerpts, struct trees *trees, struct wire_writer *writer,
                  uint32_t field);

/* Where an item lies: excerpt of the list, item of the excerpt. After excerpts_put. */
void excerpts_place(const struct excerpts *excerpts, uint32_t number, uint32_t *batch,
                    uint32_t *item);

/* The excerpt of a single item, its hashes borrowed from `hashes` (LIMIT_BATCH_ITEMS). */
void excerpt_of_piece(const struct piece *piece, struct trees *trees, struct digest *hashes,
                      struct sealed *sealed);

#endif
