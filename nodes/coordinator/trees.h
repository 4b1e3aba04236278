/* SPDX-License-Identifier: MPL-2.0
 * The hash trees of batches that excerpts were cut of lately. Outcomes of one batch go to many
 * clients, and its tasks to many sessions and in many turns: its nodes are hashed once for all. */
#ifndef GROVE_COORDINATOR_TREES_H
#define GROVE_COORDINATOR_TREES_H

#include "core/seal.h"

#define TREES_MOST 64u /* about 1 MiB */

struct trees {
    struct seal_tree *list; /* TREES_MOST places; a newer one takes that of the oldest */
    struct seal *seals;     /* ... and whose they are; count 0: nobody's */
    unsigned next;          /* place of the next */
    unsigned recent;        /* place of the last that was asked for */
    uint64_t hashed, found; /* trees, ever */
};

void trees_init(struct trees *trees);
void trees_clear(struct trees *trees);

/* The tree of a batch, with at least what is kept of it in `pruned`.
 *
 *   returns   borrowed until the next call */
const struct seal_tree *trees_of(struct trees *trees, const struct seal *seal,
                                 const struct pruned *pruned);

#endif
