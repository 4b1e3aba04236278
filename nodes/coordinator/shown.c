/* SPDX-License-Identifier: MPL-2.0
 * What one session has been shown. */
#include "nodes/coordinator/shown.h"

#include <stdlib.h>

struct shown_signer {
    struct table_link link;
    SLIST_ENTRY(shown_signer) next;
    struct key signer;
};

struct shown_root {
    struct table_link link;
    struct id root;
};

void shown_init(struct shown *shown, const uint8_t hash_key[16])
{
    *shown = (struct shown){.signers = SLIST_HEAD_INITIALIZER(shown->signers)};
    table_init(&shown->by_signer, hash_key, offsetof(struct shown_signer, link),
               offsetof(struct shown_signer, signer), sizeof(struct key));
    table_init(&shown->by_root, hash_key, offsetof(struct shown_root, link),
               offsetof(struct shown_root, root), sizeof(struct id));
}

void shown_forget_signers(struct shown *shown)
{
    struct shown_signer *entry;

    while ((entry = SLIST_FIRST(&shown->signers)) != NULL) {
        SLIST_REMOVE_HEAD(&shown->signers, next);
        table_remove(&shown->by_signer, entry);
        free(entry);
    }
}

void shown_clear(struct shown *shown)
{
    shown_forget_signers(shown);
    table_clear(&shown->by_signer);
    table_clear(&shown->by_root);
    free(shown->roots);
    shown->roots = NULL;
    shown->root_count = 0;
}

bool shown_add_signer(struct shown *shown, const struct key *signer)
{
    struct shown_signer *entry;

    if (table_find(&shown->by_signer, signer) != NULL) {
        return false;
    }
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        abort();
    }
    entry->signer = *signer;
    SLIST_INSERT_HEAD(&shown->signers, entry, next);
    table_insert(&shown->by_signer, entry);
    return true;
}

bool shown_add_root(struct shown *shown, const struct id *root)
{
    struct shown_root *entry;

    if (table_find(&shown->by_root, root) != NULL) {
        return false;
    }
    if (shown->roots == NULL) {
        shown->roots = calloc(SHOWN_ROOTS, sizeof(*shown->roots));
        if (shown->roots == NULL) {
            abort();
        }
    }
    entry = &shown->roots[shown->root_count % SHOWN_ROOTS];
    if (shown->root_count >= SHOWN_ROOTS) {
        table_remove(&shown->by_root, entry);
    }
    entry->root = *root;
    table_insert(&shown->by_root, entry);
    shown->root_count++;
    return true;
}

void shown_forget(struct shown *shown)
{
    shown_forget_signers(shown);
    for (size_t i = 0; i < shown->root_count && i < SHOWN_ROOTS; i++) {
        table_remove(&shown->by_root, &shown->roots[i]);
    }
    shown->root_count = 0;
}
