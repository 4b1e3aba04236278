/* SPDX-License-Identifier: MPL-2.0
 * Batches of tasks: sealed on the I/O thread, as large as what is ready. */
#include "nodes/client/batches.h"

#include <assert.h>

static_assert((int)SUBMIT_BATCH == (int)EXPAND_BATCH, "batch_make puts it for both");

void batch_seal(struct wire_writer *writer, uint32_t field, const struct sealing *sealing,
                const struct bytes *items, unsigned count)
{
    const struct credential *credential = sealing->credential;
    struct sealed sealed = {.item_count = (uint16_t)count};
    struct digest leaves[LIMIT_BATCH_ITEMS];
    struct digest root;

    seal_leaves(items, count, leaves);
    root = seal_make(credential->signer, &credential->mesh, sealing->kind, leaves, count,
                     &sealed.seal);
    if (sealing->seals) {
        seal_cache_add(sealing->seals, &sealed.seal, &credential->mesh, &root);
    }
    for (unsigned i = 0; i < count; i++) {
        sealed.index[i] = (uint8_t)i;
        sealed.item[i] = items[i];
    }
    wire_put_sealed(writer, field, &sealed);
}

/* How many of the queue's first requests one batch holds. */
static unsigned batch_count(const struct request_queue *queue)
{
    const struct request *request;
    unsigned count = 0;
    size_t size = 0;

    STAILQ_FOREACH(request, queue, queued) {
        size += request->item_size;
        if (count == LIMIT_BATCH_ITEMS || (count > 0 && size > LIMIT_BATCH_SIZE)) {
            break;
        }
        count++;
    }
    return count;
}

struct parcel *batch_make(struct request_queue *queue, struct session *session,
                          enum message_type type, struct seal_cache *seals,
                          struct wire_writer *writer)
{
    const struct sealing sealing = {session->credential, SEAL_TASK, seals};
    unsigned count = batch_count(queue);
    struct parcel *parcel = parcel_create(session, type, count);
    struct bytes items[LIMIT_BATCH_ITEMS];

    for (unsigned i = 0; i < count; i++) {
        struct request *request = STAILQ_FIRST(queue);

        STAILQ_REMOVE_HEAD(queue, queued);
        items[i] = request_item(request);
        parcel->entry[i].request = request;
    }
    wire_open(writer, &parcel->frame, type, parcel->correlation);
    batch_seal(writer, SUBMIT_BATCH, &sealing, items, count);
    return parcel;
}

void batch_refuse_request(struct request *request, const struct failing *failing,
                          struct outcomes *outcomes)
{
    struct failing copy = *failing;

    if (request->wants_outcome) {
        outcomes_forget(outcomes, request);
    }
    request_refused(request, &copy, &outcomes->finished);
}

void batch_refused(struct parcel *parcel, const struct failing *failing, struct outcomes *outcomes)
{
    for (unsigned i = 0; i < parcel->count; i++) {
        if (parcel->entry[i].request) {
            batch_refuse_request(parcel->entry[i].request, failing, outcomes);
        }
    }
}

static void refuse_items(struct parcel *parcel, struct wire_list refused, struct outcomes *outcomes)
{
    struct bytes element;
    struct item_refused item;

    while (wire_next(&refused, &element)) {
        if (wire_item_refused_decode(element, &item) == GROVE_OK && item.position < parcel->count &&
            parcel->entry[item.position].request) {
            struct failing failing = failing_of_refusal((enum refusal)item.code, item.text);

            batch_refuse_request(parcel->entry[item.position].request, &failing, outcomes);
            parcel->entry[item.position].request = NULL;
        }
    }
}

static void accept_item(struct request *request, const struct id *id, struct outcomes *outcomes)
{
    if (!id_equal(&request->id, id)) {
        if (request->wants_outcome) {
            outcomes_forget(outcomes, request);
        }
        request->id = *id;
        if (request->wants_outcome) {
            outcomes_await(outcomes, request);
        }
    }
    request_answered(request, &outcomes->finished);
}

void batch_answered(struct parcel *parcel, const struct accepted *accepted,
                    struct outcomes *outcomes)
{
    struct failing malformed =
        failing_of_status(GROVE_MALFORMED, "the answer does not say what became of it");

    refuse_items(parcel, accepted->refused, outcomes);
    for (unsigned i = 0; i < parcel->count; i++) {
        struct request *request = parcel->entry[i].request;
        struct id id;

        if (!request) {
            continue;
        }
        if (accepted->ids.size < (i + 1) * sizeof(id)) {
            batch_refuse_request(request, &malformed, outcomes);
            continue;
        }
        memcpy(&id, accepted->ids.data + i * sizeof(id), sizeof(id));
        if (id_is_zero(&id)) {
            batch_refuse_request(request, &malformed, outcomes);
        } else {
            accept_item(request, &id, outcomes);
        }
    }
}
