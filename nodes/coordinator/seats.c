/* SPDX-License-Identifier: MPL-2.0
 * Worker sessions and their silence. */
#include "nodes/coordinator/seats.h"

#include <stdlib.h>

#include "nodes/coordinator/sessions.h"

void seats_init(struct seats *seats, const uint8_t hash_key[16])
{
    TAILQ_INIT(&seats->oldest_first);
    table_init(&seats->by_index, hash_key, offsetof(struct seat, link),
               offsetof(struct seat, index), sizeof(uint64_t));
}

void seats_clear(struct seats *seats)
{
    struct seat *seat;

    while ((seat = TAILQ_FIRST(&seats->oldest_first)) != NULL) {
        seats_remove(seats, seat);
    }
    table_clear(&seats->by_index);
}

struct seat *seats_find(const struct seats *seats, uint64_t index)
{
    return table_find(&seats->by_index, &index);
}

struct seat *seats_take(struct seats *seats, uint64_t index, uint64_t now_ms)
{
    struct seat *seat = seats_find(seats, index);

    if (seat != NULL) {
        seats_heard(seats, seat, now_ms);
        return seat;
    }
    seat = calloc(1, sizeof(*seat));
    if (seat == NULL) {
        abort();
    }
    seat->index = index;
    seat->heard_ms = now_ms;
    table_insert(&seats->by_index, seat);
    TAILQ_INSERT_TAIL(&seats->oldest_first, seat, order);
    return seat;
}

void seat_unbind(struct session *session)
{
    if (session->seat != NULL) {
        session->seat->session = NULL;
        session->seat = NULL;
    }
}

void seat_bind(struct seat *seat, struct session *session)
{
    if (seat->session != NULL) {
        seat->session->seat = NULL;
    }
    seat_unbind(session);
    seat->session = session;
    session->seat = seat;
    effects_reset(&seat->missing);
}

void seats_heard(struct seats *seats, struct seat *seat, uint64_t now_ms)
{
    seat->heard_ms = now_ms;
    TAILQ_REMOVE(&seats->oldest_first, seat, order);
    TAILQ_INSERT_TAIL(&seats->oldest_first, seat, order);
}

void seats_remove(struct seats *seats, struct seat *seat)
{
    if (seat->session != NULL) {
        seat_unbind(seat->session);
    }
    table_remove(&seats->by_index, seat);
    TAILQ_REMOVE(&seats->oldest_first, seat, order);
    effects_clear(&seat->missing);
    free(seat);
}

struct seat *seats_silent(const struct seats *seats, uint64_t now_ms, uint64_t session_ms)
{
    struct seat *seat;

    TAILQ_FOREACH(seat, &seats->oldest_first, order) {
        if (now_ms - seat->heard_ms < session_ms) {
            return NULL;
        }
        if (!seat->is_retiring) {
            return seat;
        }
    }
    return NULL;
}
