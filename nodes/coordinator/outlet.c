/* SPDX-License-Identifier: MPL-2.0
 * Frames to pipes. A pipe holds few messages by design; a burst of answers waits here, in order. */
#include "nodes/coordinator/egress.h"

/* Before each frame that is kept. */
struct kept {
    size_t size;
    struct envelope envelope;
};

static size_t kept_size(const struct session *session)
{
    return session->backlog.size - session->backlog_sent;
}

bool session_has_room(const struct session *session)
{
    return kept_size(session) < EGRESS_ROOM;
}

static enum grove_status send_now(struct egress *egress, const struct session *session,
                                  const struct envelope *envelope, struct bytes frame)
{
    const enum grove_status status = bus_send(egress->socket, &session->route, envelope, frame);

    if (status == GROVE_BUSY) {
        egress->counters.full++;
    } else if (status == GROVE_OK) {
        egress->counters.sent++;
        egress->counters.sent_size += frame.size;
    } else {
        /* It will be back with another route, or fall silent. */
        egress->counters.gone++;
    }
    return status;
}

static void keep(struct egress *egress, struct session *session, const struct envelope *envelope,
                 struct bytes frame)
{
    const struct kept kept = {.size = frame.size, .envelope = *envelope};

    if (kept_size(session) > EGRESS_MOST) {
        session->is_choked = true;
        egress_due(egress, session);
        return;
    }
    buffer_append(&session->backlog, &kept, sizeof(kept));
    buffer_append(&session->backlog, frame.data, frame.size);
    egress_due(egress, session);
}

void egress_send(struct egress *egress, struct session *session, const struct envelope *envelope,
                 struct bytes frame)
{
    if (envelope == NULL) {
        envelope = &session->envelope;
    }
    if (!session->is_open) {
        return;
    }
    if (kept_size(session) > 0 || send_now(egress, session, envelope, frame) == GROVE_BUSY) {
        keep(egress, session, envelope, frame);
    }
}

bool egress_drain(struct egress *egress, struct session *session)
{
    while (kept_size(session) > 0) {
        const uint8_t *at = session->backlog.data + session->backlog_sent;
        struct kept kept;

        memcpy(&kept, at, sizeof(kept));
        if (send_now(egress, session, &kept.envelope, bytes_of(at + sizeof(kept), kept.size)) ==
            GROVE_BUSY) {
            return false;
        }
        session->backlog_sent += sizeof(kept) + kept.size;
    }
    if (session->backlog_sent > 0) {
        buffer_clear(&session->backlog);
        session->backlog_sent = 0;
    }
    return true;
}
