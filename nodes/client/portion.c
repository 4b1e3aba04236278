/* SPDX-License-Identifier: MPL-2.0
 * Portions: made and sealed by the thread whose join it is. */
#include "nodes/client/portion.h"

#include <assert.h>
#include <stdlib.h>

#include "core/digests.h"

#define NAMED_AT_ONCE 32u /* inputs hashed side by side */

static_assert(LIMIT_BATCH_ITEMS * LIMIT_FUNCTION_LENGTH <= UINT16_MAX, "function_at reaches all");

void portion_begin(struct portion_maker *maker, uint32_t offset)
{
    struct portion *portion =
        calloc(1, sizeof(*portion) + LIMIT_BATCH_ITEMS * sizeof(portion->input[0]));

    if (!portion) {
        abort();
    }
    portion->offset = offset;
    maker->portion = portion;
    buffer_reset(&maker->items);
}

void portion_destroy(struct portion *portion)
{
    if (portion) {
        buffer_clear(&portion->body);
        buffer_clear(&portion->functions);
        free(portion);
    }
}

void portion_maker_clear(struct portion_maker *maker)
{
    portion_destroy(maker->portion);
    buffer_clear(&maker->items);
    maker->portion = NULL;
}

struct bytes portion_function(const struct portion *portion, uint32_t i)
{
    const struct input *input = &portion->input[i];

    return input->function_size > 0
               ? bytes_of(portion->functions.data + input->function_at, input->function_size)
               : bytes_of(NULL, 0);
}

/* Neighbours of one function share its name. */
static void put_function(struct portion *portion, struct input *input, struct bytes function)
{
    if (portion->count > 0 &&
        bytes_equal(portion_function(portion, portion->count - 1), function)) {
        input->function_at = portion->input[portion->count - 1].function_at;
    } else {
        input->function_at = (uint16_t)portion->functions.size;
        buffer_append(&portion->functions, function.data, function.size);
    }
    input->function_size = (uint8_t)function.size;
}

static struct bytes item_at(const struct portion_maker *maker, uint32_t i)
{
    return bytes_of(maker->items.data + maker->item_at[i],
                    maker->item_at[i + 1] - maker->item_at[i]);
}

static void put_item(struct portion_maker *maker, uint32_t i, const struct task_item *item)
{
    maker->item_at[i] = maker->items.size;
    wire_task_encode(&maker->items, item);
    maker->item_at[i + 1] = maker->items.size;
}

bool portion_add(struct portion_maker *maker, const struct task_item *item)
{
    struct portion *portion = maker->portion;
    const uint32_t i = portion->count;

    assert(i < LIMIT_BATCH_ITEMS && !portion->is_adopted && item->lineage.present);
    put_item(maker, i, item);
    if (i > 0 && maker->items.size > LIMIT_BATCH_SIZE) {
        maker->items.size = maker->item_at[i];
        return false;
    }
    put_function(portion, &portion->input[i], item->function);
    portion->count++;
    return true;
}

/* Of an adopted child the id takes the place of what is not known here. */
void portion_adopt(struct portion_maker *maker, const struct id *id)
{
    struct portion *portion = maker->portion;
    struct input *input = &portion->input[portion->count];

    assert(portion->count < LIMIT_BATCH_ITEMS);
    portion->is_adopted = true;
    input->id = *id;
    memcpy(&input->payload_digest, id, sizeof(*id));
    portion->count++;
}

static void open_items(const struct portion_maker *maker, uint32_t first, uint32_t count,
                       struct task_item *items)
{
    for (uint32_t i = 0; i < count; i++) {
        const enum grove_status status = wire_task_decode(item_at(maker, first + i), &items[i]);

        assert(status == GROVE_OK); /* we made it */
    }
}

/* Digests the payloads of some inputs, and names them. */
static void name_some(struct portion_maker *maker, uint32_t first, uint32_t count)
{
    struct input *input = &maker->portion->input[first];
    struct task_item items[NAMED_AT_ONCE];
    struct bytes payloads[NAMED_AT_ONCE];
    struct digest digests[NAMED_AT_ONCE];
    struct id ids[NAMED_AT_ONCE];

    open_items(maker, first, count, items);
    for (uint32_t i = 0; i < count; i++) {
        payloads[i] = items[i].payload;
    }
    digests_of(bytes_of(NULL, 0), payloads, count, digests);
    ids_of_tasks(NULL, items, digests, count, ids);
    for (uint32_t i = 0; i < count; i++) {
        input[i].payload_digest = digests[i];
        input[i].id = ids[i];
    }
}

static void name_all(struct portion_maker *maker)
{
    const uint32_t count = maker->portion->count;

    for (uint32_t at = 0; at < count && !maker->portion->is_adopted; at += NAMED_AT_ONCE) {
        name_some(maker, at, count - at < NAMED_AT_ONCE ? count - at : NAMED_AT_ONCE);
    }
}

struct digest portion_digest(struct portion_maker *maker)
{
    const struct portion *portion = maker->portion;
    struct bytes functions[LIMIT_BATCH_ITEMS];
    struct digest payloads[LIMIT_BATCH_ITEMS];

    name_all(maker);
    for (uint32_t i = 0; i < portion->count; i++) {
        functions[i] = portion_function(portion, i);
        payloads[i] = portion->input[i].payload_digest;
    }
    return id_of_inputs(functions, payloads, portion->count);
}

void portion_place(struct portion_maker *maker, const struct lineage *lineage)
{
    struct portion_maker unplaced = *maker;
    struct task_item item;

    maker->items = (struct buffer){0};
    for (uint32_t i = 0; i < maker->portion->count; i++) {
        open_items(&unplaced, i, 1, &item);
        item.lineage.root = lineage->root;
        item.lineage.parent = lineage->parent;
        item.lineage.occurrence = lineage->occurrence;
        put_item(maker, i, &item);
    }
    buffer_clear(&unplaced.items);
}

static void seal(const struct portion_maker *maker, struct portion *portion,
                 const struct signer *signer, const struct key *mesh)
{
    struct sealed sealed = {.item_count = (uint16_t)portion->count};
    struct digest leaves[LIMIT_BATCH_ITEMS];

    for (uint32_t i = 0; i < portion->count; i++) {
        sealed.index[i] = (uint8_t)i;
        sealed.item[i] = item_at(maker, i);
    }
    seal_leaves(sealed.item, portion->count, leaves);
    portion->root = seal_make(signer, mesh, SEAL_TASK, leaves, portion->count, &sealed.seal);
    portion->seal = sealed.seal;
    wire_sealed_encode(&portion->body, &sealed);
}

struct portion *portion_end(struct portion_maker *maker, const struct signer *signer,
                            const struct key *mesh)
{
    struct portion *portion = maker->portion;

    portion->left = portion->count;
    if (portion->is_adopted) {
        for (uint32_t i = 0; i < portion->count; i++) {
            buffer_append(&portion->body, &portion->input[i].id, sizeof(struct id));
        }
    } else if (portion->count > 0) {
        name_all(maker);
        seal(maker, portion, signer, mesh);
    }
    maker->portion = NULL;
    return portion;
}
