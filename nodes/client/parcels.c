/* SPDX-License-Identifier: MPL-2.0
 * A list in the order of sending; answers come in about that order, so finding one is short. */
#include "nodes/client/parcels.h"

#include <stdlib.h>

#include "nodes/client/joining.h"
#include "nodes/host/clock.h"

#define INTERVAL_FIRST_MS 1000u
#define INTERVAL_LAST_MS 8000u

void parcels_init(struct parcels *parcels)
{
    TAILQ_INIT(&parcels->list);
    parcels->count = 0;
    parcels->size = 0;
    parcels->next_due_ms = UINT64_MAX;
}

struct parcel *parcel_create(struct session *session, enum message_type type, unsigned count)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel) + count * sizeof(parcel->entry[0]));

    if (!parcel) {
        abort();
    }
    parcel->type = type;
    parcel->correlation = session_correlation(session);
    parcel->made_ms = clock_monotonic_ms();
    parcel->interval_ms = type == MESSAGE_SUBMIT ? INTERVAL_FIRST_MS : 0;
    parcel->count = count;
    return parcel;
}

void parcel_destroy(struct parcel *parcel)
{
    if (parcel) {
        buffer_clear(&parcel->frame);
        free(parcel);
    }
}

void parcels_add(struct parcels *parcels, struct parcel *parcel)
{
    TAILQ_INSERT_TAIL(&parcels->list, parcel, link);
    parcels->count++;
    parcels->size += parcel->frame.size;
    parcel->due_ms = 0;
    parcels->next_due_ms = 0;
}

void parcels_remove(struct parcels *parcels, struct parcel *parcel)
{
    TAILQ_REMOVE(&parcels->list, parcel, link);
    parcels->count--;
    parcels->size -= parcel->frame.size;
}

struct parcel *parcels_take(struct parcels *parcels, uint64_t correlation)
{
    struct parcel *parcel;

    TAILQ_FOREACH(parcel, &parcels->list, link) {
        if (parcel->correlation == correlation) {
            parcels_remove(parcels, parcel);
            return parcel;
        }
    }
    return NULL;
}

void parcels_clear(struct parcels *parcels)
{
    struct parcel *parcel;
    struct parcel *next;

    TAILQ_FOREACH_SAFE(parcel, &parcels->list, link, next) {
        parcels_remove(parcels, parcel);
        if (parcel->joining) {
            joining_lose(parcel);
        }
        parcel_destroy(parcel);
    }
}

void parcels_send(struct parcels *parcels, struct session *session, uint64_t now_ms)
{
    struct parcel *parcel;
    uint64_t next = UINT64_MAX;

    if (!session->is_welcome || now_ms < parcels->next_due_ms) {
        return;
    }
    TAILQ_FOREACH(parcel, &parcels->list, link) {
        if (parcel->due_ms <= now_ms) {
            if (session_send(session, buffer_bytes(&parcel->frame)) != GROVE_OK) {
                next = now_ms;
                break;
            }
            parcel->due_ms = parcel->interval_ms > 0 ? now_ms + parcel->interval_ms : UINT64_MAX;
            parcel->interval_ms =
                parcel->interval_ms < INTERVAL_LAST_MS ? 2 * parcel->interval_ms : INTERVAL_LAST_MS;
        }
        next = parcel->due_ms < next ? parcel->due_ms : next;
    }
    parcels->next_due_ms = next;
}

void parcels_renew(struct parcels *parcels)
{
    struct parcel *parcel;

    TAILQ_FOREACH(parcel, &parcels->list, link) {
        parcel->due_ms = 0;
    }
    parcels->next_due_ms = 0;
}

void parcels_delay(struct parcels *parcels, struct parcel *parcel, uint64_t delay_ms)
{
    parcel->due_ms = clock_monotonic_ms() + delay_ms;
    if (parcel->due_ms < parcels->next_due_ms) {
        parcels->next_due_ms = parcel->due_ms;
    }
}

void parcels_forget_call(struct parcels *parcels, const struct call *call)
{
    struct parcel *parcel;

    TAILQ_FOREACH(parcel, &parcels->list, link) {
        if (parcel->call == call) {
            parcel->call = NULL;
        }
        if (parcel->type != MESSAGE_SUBMIT && parcel->type != MESSAGE_EXPAND) {
            continue;
        }
        for (unsigned i = 0; i < parcel->count; i++) {
            if (parcel->entry[i].request && parcel->entry[i].request->call == call) {
                parcel->entry[i].request = NULL;
            }
        }
    }
}
