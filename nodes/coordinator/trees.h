/* SPDX-License-Identifier: MPL-2.0
 * The hash trees of batches that excerpts were cut of lately. Outcomes of one batch go to many
 * clients, and its tasks to many sessions and in many turns: its nodes are hashed once for all.
 *
 * There are sets of places, and the signature names the set: so it is found in a few looks, however
 * many batches are on their way. */
#ifndef GROVE_COORDINATOR_TREES_H
#define GROVE_COORDINATOR_TREES_H

#include "core/seal.h"

#define TREES_SETS 128u /* about 8 MiB in all, of which what was never used takes none */
#define TREES_WAYS 4u
#define TREES_MOST ((size_t)TREES_SETS * TREES_WAYS)

struct trees {
    struct seal_tree *list;   /* TREES_WAYS places a set; a newer one takes that of the oldest */
    struct seal *seals;       /* ... and whose they are; count 0: nobody's */
    uint8_t next[TREES_SETS]; /* way of the next */
    uint64_t hashed, found;   /* trees, ever */
};

void trees_init(struct trees *trees);
void trees_clear(struct trees *trees);

/* The tree of a batch, with at least what is kept of it in `pruned`.
 *
 *   returns   borrowed until the next call */
const struct seal_tree *trees_of(struct trees *trees, const struct seal *seal,
                                 const struct pruned *pruned);

#endif
