/* SPDX-License-Identifier: MPL-2.0
 * The worker sessions of the ledger, each with the session that speaks for it now, if any, and when
 * it was last heard. A worker that loses its connection keeps its seat until it has been silent for
 * a session time, by the leader's monotonic clock; a new leader starts that time afresh. */
#ifndef GROVE_COORDINATOR_SEATS_H
#define GROVE_COORDINATOR_SEATS_H

#include <sys/queue.h>

#include "core/effect.h"
#include "core/table.h"

struct session;

struct seat {
    struct table_link link;
    TAILQ_ENTRY(seat) order;
    uint64_t index; /* of the ledger entry that enlisted it */
    uint64_t heard_ms;
    struct session *session; /* NULL: not connected */
    bool is_retiring;        /* a Retire is on its way */
    struct effects missing;  /* owed, and not reflected in the last heartbeat */
};

struct seats {
    struct table by_index;
    TAILQ_HEAD(, seat) oldest_first;
};

void seats_init(struct seats *seats, const uint8_t hash_key[16]);
void seats_clear(struct seats *seats);

/* NULL when there is no such worker session. */
struct seat *seats_find(const struct seats *seats, uint64_t index);

/* The seat of a worker session, made when it is new; heard now. */
struct seat *seats_take(struct seats *seats, uint64_t index, uint64_t now_ms);

/* Lets `session` speak for it; another that did so cannot any more. */
void seat_bind(struct seat *seat, struct session *session);

/* The session speaks for no worker any more; accepts one that never did. */
void seat_unbind(struct session *session);

void seats_heard(struct seats *seats, struct seat *seat, uint64_t now_ms);
void seats_remove(struct seats *seats, struct seat *seat);

/* The next seat that is silent since `session_ms` and not retiring, NULL when there is none. */
struct seat *seats_silent(const struct seats *seats, uint64_t now_ms, uint64_t session_ms);

#endif
