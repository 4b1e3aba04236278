/* SPDX-License-Identifier: MPL-2.0
 * Trees by signature. There is only one tree that a signature is good for, so what was hashed once
 * stays right; but a batch that came twice may be kept in two parts. */
#include "nodes/coordinator/trees.h"

#include <stdlib.h>

void trees_init(struct trees *trees)
{
    *trees = (struct trees){
        .list = calloc(TREES_MOST, sizeof(*trees->list)),
        .seals = calloc(TREES_MOST, sizeof(*trees->seals)),
    };
    if (trees->list == NULL || trees->seals == NULL) {
        abort();
    }
}

void trees_clear(struct trees *trees)
{
    free(trees->list);
    free(trees->seals);
    *trees = (struct trees){0};
}

static bool is_tree_of(const struct trees *trees, unsigned place, const struct seal *seal,
                       const struct pruned *pruned)
{
    const struct seal *known = &trees->seals[place];

    return known->count == seal->count &&
           memcmp(&known->signature, &seal->signature, sizeof(seal->signature)) == 0 &&
           seal_set_is_within(&pruned->kept, &trees->list[place].kept);
}

const struct seal_tree *trees_of(struct trees *trees, const struct seal *seal,
                                 const struct pruned *pruned)
{
    for (unsigned i = 0; i < TREES_MOST; i++) {
        const unsigned place = (trees->recent + i) % TREES_MOST;

        if (is_tree_of(trees, place, seal, pruned)) {
            trees->recent = place;
            trees->found++;
            return &trees->list[place];
        }
    }
    trees->recent = trees->next;
    trees->next = (trees->next + 1) % TREES_MOST;
    trees->seals[trees->recent] = *seal;
    seal_tree_init(&trees->list[trees->recent], pruned);
    trees->hashed++;
    return &trees->list[trees->recent];
}
