/* SPDX-License-Identifier: MPL-2.0
 * A message of consensus on its way: a copy of what libraft gave to send, as libraft wants to
 * receive it. */
#ifndef GROVE_TESTS_SUPPORT_PARCEL_H
#define GROVE_TESTS_SUPPORT_PARCEL_H

#include <raft.h>
#include <sys/queue.h>

struct parcel {
    raft_id from, to;
    char address[64]; /* of the sender */
    struct raft_message message;
    STAILQ_ENTRY(parcel) link; /* for whoever keeps it */
};

STAILQ_HEAD(parcels, parcel);

/* Copies `message`, whose server_id is `to`, for its receiver. */
struct parcel *parcel_pack(raft_id from, const char *address, const struct raft_message *message);

struct parcel *parcel_copy(const struct parcel *parcel);

/* Gives the message away: libraft takes what it points to. Frees the parcel when that is done. */
void parcel_deliver(struct parcel *parcel, void (*receive)(void *context, struct raft_message *),
                    void *context);

void parcel_free(struct parcel *parcel);

#endif
