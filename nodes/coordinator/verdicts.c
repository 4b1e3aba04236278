/* SPDX-License-Identifier: MPL-2.0
 * Verdicts of one turn. */
#include "nodes/coordinator/verdicts.h"

#include "core/item.h"

struct verdict {
    struct table_link link;
    struct id task;
    size_t offset, size; /* of its item */
};

struct verdict_seal {
    struct seal seal;
    struct pruned tree; /* of a part of verdicts->leaves */
};

static struct verdict *list(const struct verdicts *verdicts)
{
    return (struct verdict *)(void *)verdicts->list.data;
}

static size_t count(const struct verdicts *verdicts)
{
    return verdicts->list.size / sizeof(struct verdict);
}

static struct bytes item_at(const struct verdicts *verdicts, size_t i)
{
    return bytes_of(verdicts->items.data + list(verdicts)[i].offset, list(verdicts)[i].size);
}

void verdicts_init(struct verdicts *verdicts, const uint8_t hash_key[16])
{
    *verdicts = (struct verdicts){.is_sealed = false};
    memcpy(verdicts->hash_key, hash_key, sizeof(verdicts->hash_key));
    table_init(&verdicts->by_task, hash_key, offsetof(struct verdict, link),
               offsetof(struct verdict, task), sizeof(struct id));
}

void verdicts_clear(struct verdicts *verdicts)
{
    table_clear(&verdicts->by_task);
    buffer_clear(&verdicts->list);
    buffer_clear(&verdicts->items);
    buffer_clear(&verdicts->leaves);
    buffer_clear(&verdicts->seals);
}

void verdicts_reset(struct verdicts *verdicts)
{
    if (verdicts->is_sealed) {
        table_clear(&verdicts->by_task);
    }
    buffer_reset(&verdicts->list);
    buffer_reset(&verdicts->items);
    buffer_reset(&verdicts->leaves);
    buffer_reset(&verdicts->seals);
    verdicts->is_sealed = false;
}

void verdicts_add(struct verdicts *verdicts, const struct task_view *view)
{
    const struct verdict_item item = {
        .task = view->id,
        .root = view->root,
        .has_parent = !view->is_root,
        .parent = view->parent,
        .function = view->function,
        .payload_digest = view->payload_digest,
        .code = view->code,
        .text = view->verdict_text,
        .at_ms = view->ended_ms,
    };
    struct verdict verdict = {.task = view->id, .offset = verdicts->items.size};

    wire_verdict_encode(&verdicts->items, &item);
    verdict.size = verdicts->items.size - verdict.offset;
    buffer_append(&verdicts->list, &verdict, sizeof(verdict));
}

/* The same task may have been added for several sessions: one of its items is enough. */
static void index_all(struct verdicts *verdicts)
{
    for (size_t i = 0; i < count(verdicts); i++) {
        if (table_find(&verdicts->by_task, &list(verdicts)[i].task) == NULL) {
            table_insert(&verdicts->by_task, &list(verdicts)[i]);
        }
    }
}

void verdicts_seal(struct verdicts *verdicts, const struct signer *signer, const struct key *mesh)
{
    const size_t all = count(verdicts);

    for (size_t i = 0; i < all; i++) {
        const struct digest leaf = seal_leaf(item_at(verdicts, i));

        buffer_append(&verdicts->leaves, &leaf, sizeof(leaf));
    }
    for (size_t i = 0; i < all; i += LIMIT_BATCH_ITEMS) {
        const size_t most = all - i < LIMIT_BATCH_ITEMS ? all - i : LIMIT_BATCH_ITEMS;
        struct digest *leaves = (struct digest *)(void *)verdicts->leaves.data + i;
        struct verdict_seal seal = {.tree = pruned_whole(leaves, (unsigned)most)};

        seal_make(signer, mesh, SEAL_VERDICT, leaves, (unsigned)most, &seal.seal);
        buffer_append(&verdicts->seals, &seal, sizeof(seal));
        verdicts->signatures++;
    }
    index_all(verdicts);
    verdicts->is_sealed = true;
}

bool verdicts_find(const struct verdicts *verdicts, const struct id *task, struct piece *piece)
{
    const struct verdict *verdict = table_find(&verdicts->by_task, task);
    const struct verdict_seal *seal;
    size_t at;

    if (verdict == NULL) {
        return false;
    }
    at = (size_t)(verdict - list(verdicts));
    seal = (const struct verdict_seal *)(void *)verdicts->seals.data + at / LIMIT_BATCH_ITEMS;
    *piece = (struct piece){
        .seal = &seal->seal,
        .tree = &seal->tree,
        .index = (uint8_t)(at % LIMIT_BATCH_ITEMS),
        .item = item_at(verdicts, at),
    };
    return true;
}
