/* SPDX-License-Identifier: MPL-2.0
 * Tasks as they were signed, for those who may read them. */
#include "nodes/coordinator/fetch.h"

#include "core/fetch_message.h"
#include "nodes/coordinator/reading.h"

static void put_task(struct egress *egress, struct wire_writer *writer,
                     const struct task_view *view)
{
    const struct piece piece = {
        .seal = view->seal,
        .tree = view->tree,
        .index = view->seal_index,
        .item = view->item,
    };
    struct digest hashes[LIMIT_BATCH_ITEMS];
    struct bytes certificate;
    struct sealed sealed;

    excerpt_of_piece(&piece, &egress->trees, hashes, &sealed);
    wire_put_sealed(writer, FETCHED_BATCH, &sealed);
    if (forest_certificate(egress->forest, &view->seal->signer, &certificate) != NULL) {
        wire_put_bytes(writer, FETCHED_CERTIFICATES, certificate);
    }
}

void fetch_task(struct egress *egress, struct session *session, const struct bus_message *from,
                const struct message *message)
{
    enum refusal refusal = REFUSED_MALFORMED;
    struct wire_writer writer;
    struct task_view view;
    struct id task;

    if (wire_fetch_decode(message->body, &task) == GROVE_OK) {
        refusal = reading_judge(egress->forest, session, &task, &view);
    }
    if (refusal != REFUSED_NOT) {
        egress_refuse(egress, session, from, message->correlation, refusal, 0);
        return;
    }
    const struct fetched fetched = {.has_ended = !task_state_is_open(view.state),
                                    .code = (uint32_t)view.code};

    buffer_reset(&egress->frame);
    wire_open(&writer, &egress->frame, MESSAGE_FETCHED, message->correlation);
    put_task(egress, &writer, &view);
    wire_put_fetched(&writer, &fetched);
    wire_close(&writer);
    egress_send(egress, session, &from->envelope, buffer_bytes(&egress->frame));
}
