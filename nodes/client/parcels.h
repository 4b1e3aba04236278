/* SPDX-License-Identifier: MPL-2.0
 * Frames that were sent, or are to be sent, and are kept until they are answered. */
#ifndef GROVE_NODES_CLIENT_PARCELS_H
#define GROVE_NODES_CLIENT_PARCELS_H

#include <sys/queue.h>

#include "nodes/client/call.h"
#include "nodes/client/session.h"

struct joining;
struct portion;

/* Whom the positions of a parcel stand for; by the parcel's type. */
union parcel_entry {
    struct request *request;       /* Submit, Expand; NULL when nobody waits any more */
    struct grove_attempt *attempt; /* Report, Return; NULL when nothing is held for it */
    struct id id;                  /* Wait */
};

struct parcel {
    TAILQ_ENTRY(parcel) link;
    enum message_type type;
    uint64_t correlation;
    uint64_t due_ms;      /* monotonic; to be sent from then on */
    uint64_t made_ms;     /* monotonic */
    uint32_t interval_ms; /* until it is sent again unanswered; doubles; 0: only in a new session */
    struct buffer frame;
    struct call *call;       /* of a Checkpoint or a Cancel, or NULL */
    struct joining *joining; /* of a portion or a Page, or NULL */
    struct portion *portion; /* that it has, or NULL */
    unsigned count;
    union parcel_entry entry[];
};

TAILQ_HEAD(parcel_list, parcel);

/* Zero it, then parcels_init. */
struct parcels {
    struct parcel_list list; /* in the order they were made */
    unsigned count;
    size_t size;          /* bytes of frames */
    uint64_t next_due_ms; /* of them all */
};

void parcels_init(struct parcels *parcels);

/* Destroys what is left; joins are told. */
void parcels_clear(struct parcels *parcels);

/* Makes a parcel with `count` entries, to be filled and then added. */
struct parcel *parcel_create(struct session *session, enum message_type type, unsigned count);
void parcel_destroy(struct parcel *parcel);

/* Takes a parcel whose frame is complete; it is sent with the next parcels_send. */
void parcels_add(struct parcels *parcels, struct parcel *parcel);

/* Unlinks the parcel that an answer is for; NULL when there is none any more. */
struct parcel *parcels_take(struct parcels *parcels, uint64_t correlation);
void parcels_remove(struct parcels *parcels, struct parcel *parcel);

/* Sends what is due, in order, until the pipe is full. */
void parcels_send(struct parcels *parcels, struct session *session, uint64_t now_ms);

/* Everything is due again: the session is a new one. */
void parcels_renew(struct parcels *parcels);

/* One is to be sent again after `delay_ms`: it was refused for now. */
void parcels_delay(struct parcels *parcels, struct parcel *parcel, uint64_t delay_ms);

/* Nobody waits for this call's requests any more. */
void parcels_forget_call(struct parcels *parcels, const struct call *call);

#endif
