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

/* Whoever chose signatures for one set would have their own batches hashed more often. */
static unsigned set_of(const struct seal *seal)
{
    uint32_t word;

    memcpy(&word, seal->signature.byte, sizeof(word));
    return word % TREES_SETS;
}

const struct seal_tree *trees_of(struct trees *trees, const struct seal *seal,
                                 const struct pruned *pruned)
{
    const unsigned set = set_of(seal);
    const unsigned first = set * TREES_WAYS;

    for (unsigned place = first; place < first + TREES_WAYS; place++) {
        if (is_tree_of(trees, place, seal, pruned)) {
            trees->found++;
            return &trees->list[place];
        }
    }
    const unsigned place = first + trees->next[set];
    trees->next[set] = (uint8_t)((trees->next[set] + 1) % TREES_WAYS);
    trees->seals[place] = *seal;
    seal_tree_init(&trees->list[place], pruned);
    trees->hashed++;
    return &trees->list[place];
}
