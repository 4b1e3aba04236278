/* SPDX-License-Identifier: MPL-2.0
 * Excerpts, one for each batch, in the order in which their first items came. */
#include "nodes/coordinator/excerpts.h"

#define NONE UINT32_MAX

struct excerpt_item {
    uint8_t index; /* in the whole batch */
    struct bytes item;
    uint32_t next; /* of the same batch, by ascending index; NONE at the end */
    uint32_t batch;
    uint32_t position; /* in its excerpt, once written */
};

struct excerpt_batch {
    struct piece piece; /* any of its items: for seal and tree */
    uint32_t first, last;
};

static struct excerpt_item *items(const struct excerpts *excerpts)
{
    return (struct excerpt_item *)(void *)excerpts->items.data;
}

static struct excerpt_batch *batches(const struct excerpts *excerpts)
{
    return (struct excerpt_batch *)(void *)excerpts->batches.data;
}

static uint32_t batch_count(const struct excerpts *excerpts)
{
    return (uint32_t)(excerpts->batches.size / sizeof(struct excerpt_batch));
}

size_t excerpts_count(const struct excerpts *excerpts)
{
    return excerpts->items.size / sizeof(struct excerpt_item);
}

void excerpts_reset(struct excerpts *excerpts)
{
    buffer_reset(&excerpts->items);
    buffer_reset(&excerpts->batches);
}

void excerpts_clear(struct excerpts *excerpts)
{
    buffer_clear(&excerpts->items);
    buffer_clear(&excerpts->batches);
}

/* The excerpt that this item goes to. Neighbours nearly always share a batch, so the search starts
 * at the last. */
static uint32_t find_batch(const struct excerpts *excerpts, const struct piece *piece)
{
    const struct excerpt_batch *list = batches(excerpts);

    for (uint32_t i = batch_count(excerpts); i > 0; i--) {
        if (list[i - 1].piece.seal == piece->seal) {
            return i - 1;
        }
    }
    return NONE;
}

static uint32_t append_item(struct excerpts *excerpts, const struct piece *piece, uint32_t batch)
{
    const uint32_t number = (uint32_t)excerpts_count(excerpts);
    const struct excerpt_item item = {
        .index = piece->index, .item = piece->item, .next = NONE, .batch = batch};

    buffer_append(&excerpts->items, &item, sizeof(item));
    return number;
}

/* Puts an item where its index belongs, or finds it there. */
static uint32_t insert_item(struct excerpts *excerpts, const struct piece *piece, uint32_t at)
{
    const uint32_t number = (uint32_t)excerpts_count(excerpts);
    struct excerpt_batch *batch = &batches(excerpts)[at];
    uint32_t before = NONE;
    uint32_t after = batch->first;

    if (items(excerpts)[batch->last].index < piece->index) {
        before = batch->last;
        after = NONE;
    }
    while (after != NONE && items(excerpts)[after].index < piece->index) {
        before = after;
        after = items(excerpts)[after].next;
    }
    if (after != NONE && items(excerpts)[after].index == piece->index) {
        return after;
    }
    append_item(excerpts, piece, at);
    items(excerpts)[number].next = after;
    *(before == NONE ? &batch->first : &items(excerpts)[before].next) = number;
    if (after == NONE) {
        batch->last = number;
    }
    return number;
}

uint32_t excerpts_add(struct excerpts *excerpts, const struct piece *piece)
{
    const uint32_t at = find_batch(excerpts, piece);
    uint32_t number;
    struct excerpt_batch batch;

    if (at != NONE) {
        return insert_item(excerpts, piece, at);
    }
    number = append_item(excerpts, piece, batch_count(excerpts));
    batch = (struct excerpt_batch){.piece = *piece, .first = number, .last = number};
    buffer_append(&excerpts->batches, &batch, sizeof(batch));
    return number;
}

/* The hashes that the items of `sealed` need; none when they are the whole batch. */
static void cut(const struct piece *piece, struct trees *trees, struct digest *hashes,
                struct sealed *sealed)
{
    unsigned count = 0;

    sealed->seal = *piece->seal;
    if (sealed->item_count < piece->seal->count) {
        const struct seal_tree *tree = trees_of(trees, piece->seal, piece->tree);

        count = seal_tree_cut(tree, sealed->index, sealed->item_count, hashes);
    }
    sealed->hashes = bytes_of(hashes, count * sizeof(struct digest));
}

void excerpt_of_piece(const struct piece *piece, struct trees *trees, struct digest *hashes,
                      struct sealed *sealed)
{
    sealed->item_count = 1;
    sealed->index[0] = piece->index;
    sealed->item[0] = piece->item;
    cut(piece, trees, hashes, sealed);
}

void excerpts_put(struct excerpts *excerpts, struct trees *trees, struct wire_writer *writer,
                  uint32_t field)
{
    const struct excerpt_batch *list = batches(excerpts);
    struct digest hashes[LIMIT_BATCH_ITEMS];
    struct sealed sealed;

    for (uint32_t i = 0; i < batch_count(excerpts); i++) {
        uint16_t count = 0;

        for (uint32_t at = list[i].first; at != NONE; at = items(excerpts)[at].next) {
            struct excerpt_item *item = &items(excerpts)[at];

            item->position = count;
            sealed.index[count] = item->index;
            sealed.item[count] = item->item;
            count++;
        }
        sealed.item_count = count;
        cut(&list[i].piece, trees, hashes, &sealed);
        wire_put_sealed(writer, field, &sealed);
    }
}

void excerpts_place(const struct excerpts *excerpts, uint32_t number, uint32_t *batch,
                    uint32_t *item)
{
    *batch = items(excerpts)[number].batch;
    *item = items(excerpts)[number].position;
}
