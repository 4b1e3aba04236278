/* SPDX-License-Identifier: MPL-2.0
 * Workers that an operator wants to leave. */
#include "nodes/coordinator/drain.h"

#include "core/message.h"

static bool is_called(const struct egress *egress, const struct session_view *view,
                      struct bytes name)
{
    const struct certificate *certificate =
        forest_certificate(egress->forest, &view->identity, NULL);

    return bytes_equal(bytes_of_text(view->instance), name) ||
           (certificate != NULL && bytes_equal(bytes_of_text(certificate->name), name));
}

static void tell(struct egress *egress, uint64_t index)
{
    const struct seat *seat = seats_find(egress->seats, index);

    if (seat != NULL && seat->session != NULL) {
        buffer_reset(&egress->frame);
        wire_empty_encode(&egress->frame, 0, MESSAGE_GOODBYE);
        egress_send(egress, seat->session, NULL, buffer_bytes(&egress->frame));
    }
}

void drain_workers(struct egress *egress, struct session *session, const struct bus_message *from,
                   const struct message *message)
{
    struct session_view view = {0};
    struct bytes name;
    size_t count = 0;

    if (wire_drain_decode(message->body, &name) != GROVE_OK) {
        egress_refuse(egress, session, from, message->correlation, REFUSED_MALFORMED, 0);
        return;
    }
    while (forest_session(egress->forest, view.session, &view)) {
        if (is_called(egress, &view, name)) {
            tell(egress, view.session);
            count++;
        }
    }
    if (count == 0) {
        egress_refuse_saying(egress, session, &from->envelope, message->correlation,
                             REFUSED_NOT_FOUND, "no worker of that name or instance");
    } else {
        egress_done(egress, session, &from->envelope, message->correlation);
    }
}
