/* SPDX-License-Identifier: MPL-2.0
 * Tasks on their way: whatever is queued goes under one seal, in one frame, and its answer is
 * dealt out again. Submit and Expand alike. */
#ifndef GROVE_NODES_CLIENT_BATCHES_H
#define GROVE_NODES_CLIENT_BATCHES_H

#include "nodes/client/outcomes.h"
#include "nodes/client/parcels.h"

/* Who seals, what, and where it is remembered. */
struct sealing {
    const struct credential *credential;
    enum seal_kind kind;
    struct seal_cache *seals; /* of who may be sent it again; or NULL */
};

/* Takes from the queue as much as one batch holds (at least one item), seals it and begins its
 * frame; the caller adds what else belongs in it and closes the writer.
 *
 *   type      MESSAGE_SUBMIT or MESSAGE_EXPAND; in both the batch is field 1
 *   seals     as in struct sealing */
struct parcel *batch_make(struct request_queue *queue, struct session *session,
                          enum message_type type, struct seal_cache *seals,
                          struct wire_writer *writer);

/* Deals out the answer to a batch. Ids in it are authoritative; who awaits another is moved. */
void batch_answered(struct parcel *parcel, const struct accepted *accepted,
                    struct outcomes *outcomes);

/* No answer will come, or it is no as a whole: ends every request of the batch. */
void batch_refused(struct parcel *parcel, const struct failing *failing, struct outcomes *outcomes);

/* Ends one request, wherever it stands. */
void batch_refuse_request(struct request *request, const struct failing *failing,
                          struct outcomes *outcomes);

/* Puts items in a frame, sealed: `count` of them under the credential's signature. */
void batch_seal(struct wire_writer *writer, uint32_t field, const struct sealing *sealing,
                const struct bytes *items, unsigned count);

#endif
