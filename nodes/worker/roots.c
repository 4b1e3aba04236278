/* SPDX-License-Identifier: MPL-2.0
 * First in, first out; one that comes again is the newest. */
#include "nodes/worker/roots.h"

#include <stdlib.h>

struct root {
    struct table_link link;
    TAILQ_ENTRY(root) next;
    struct id id;
    struct root_facts facts;
};

void roots_init(struct roots *roots, const uint8_t hash_key[16])
{
    table_init(&roots->by_id, hash_key, offsetof(struct root, link), offsetof(struct root, id),
               sizeof(struct id));
    TAILQ_INIT(&roots->list);
    roots->count = 0;
}

static void forget(struct roots *roots, struct root *root)
{
    table_remove(&roots->by_id, root);
    TAILQ_REMOVE(&roots->list, root, next);
    roots->count--;
    free(root);
}

void roots_clear(struct roots *roots)
{
    while (!TAILQ_EMPTY(&roots->list)) {
        forget(roots, TAILQ_FIRST(&roots->list));
    }
    table_clear(&roots->by_id);
}

void roots_remember(struct roots *roots, const struct id *id, const struct root_facts *facts)
{
    struct root *root = table_find(&roots->by_id, id);

    if (root) {
        forget(roots, root);
    } else if (roots->count == ROOTS_REMEMBERED) {
        forget(roots, TAILQ_FIRST(&roots->list));
    }
    root = calloc(1, sizeof(*root));
    if (!root) {
        abort();
    }
    root->id = *id;
    root->facts = *facts;
    table_insert(&roots->by_id, root);
    TAILQ_INSERT_TAIL(&roots->list, root, next);
    roots->count++;
}

const struct root_facts *roots_find(const struct roots *roots, const struct id *id)
{
    const struct root *root = table_find(&roots->by_id, id);

    return root ? &root->facts : NULL;
}
