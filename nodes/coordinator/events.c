/* SPDX-License-Identifier: MPL-2.0
 * Subscriptions come in, events go out. */
#include "nodes/coordinator/events.h"

#include "nodes/host/log.h"

void events_init(struct events *events)
{
    *events = (struct events){.bus = NULL};
    notices_init(&events->notices, EVENTS_KEPT);
}

void events_clear(struct events *events)
{
    if (events->bus != NULL) {
        bus_close(events->bus, events->socket);
    }
    notices_clear(&events->notices);
    buffer_clear(&events->frame);
}

/* ---- subscriptions: a byte, 1 or 0, and a topic; there is but one topic, which is all */

/* Whoever is not taken up counts as well, for when one leaves nobody says which it was; so never
 * more are taken up than there are places. */
static void subscribe(struct events *events, const struct bus_message *message)
{
    struct stats *stats = events->stats;

    if (stats->subscribers == 0) {
        events->published = notices_last(&events->notices);
    }
    if (stats->subscribers < EVENTS_READERS && message->has_user &&
        stats_judge(stats, &message->user) == REFUSED_NOT) {
        bus_admit(events->socket);
    }
    stats->subscribers++;
}

static void on_subscription(void *context, const struct bus_message *message)
{
    struct events *events = context;
    struct bytes body;

    if (message->status != GROVE_OK) {
        return;
    }
    body = bus_frame_bytes(message->frame);
    if (body.size != 1 || body.data[0] > 1) {
        events->strays++;
    } else if (body.data[0] == 1) {
        subscribe(events, message);
    } else if (events->stats->subscribers > 0) {
        events->stats->subscribers--;
    }
}

/* ---- the socket */

enum grove_status events_bind(struct events *events)
{
    events->stats->subscribers = 0;
    events->strays = 0;
    return bus_bind_publisher(events->bus, &events->options, on_subscription, events,
                              &events->socket);
}

void events_send_away(struct events *events)
{
    if (events->stats->subscribers == 0 && events->strays == 0) {
        return;
    }
    bus_close(events->bus, events->socket);
    events->socket = NULL;
    events->stats->subscribers = 0;
}

/* A port is free again a moment after its socket was closed. */
void events_tick(struct events *events)
{
    if (events->socket != NULL &&
        (events->strays > EVENTS_STRAYS || events->stats->subscribers > EVENTS_CROWD)) {
        events_send_away(events);
    } else if (events->socket == NULL && events->options.address != NULL) {
        const enum grove_status status = events_bind(events);

        if (status != GROVE_OK && status != GROVE_IN_USE) {
            log_event(LOG_ERROR, "events", "address=%s error=\"%s\"", events->options.address,
                      grove_status_text(status));
        }
    }
}

/* ---- events */

void events_flush(struct events *events)
{
    if (events->stats->subscribers == 0 || events->published == notices_last(&events->notices)) {
        return;
    }
    buffer_reset(&events->frame);
    events->published =
        stats_put_events(events->stats, events->published, EVENTS_A_TURN, &events->frame);
    if (bus_send(events->socket, NULL, NULL, buffer_bytes(&events->frame)) == GROVE_OK) {
        events->stats->published++;
    }
}

void events_note_leader(struct events *events, const char *name)
{
    struct notice *notice =
        notices_add(&events->notices, NOTICE_LEADER, events->stats->egress->stamp_ms);

    notices_set_name(&events->notices, notice, bytes_of_text(name));
}

void events_note_room(struct events *events, enum replica_room room)
{
    notices_add(&events->notices, NOTICE_ROOM, events->stats->egress->stamp_ms)->code =
        (uint8_t)room;
}
