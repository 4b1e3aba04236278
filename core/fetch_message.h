/* SPDX-License-Identifier: MPL-2.0
 * A task as it was signed, asked for by who may read it. */
#ifndef GROVE_CORE_FETCH_MESSAGE_H
#define GROVE_CORE_FETCH_MESSAGE_H

#include "core/frame.h"

enum fetched_field { FETCHED_BATCH = 1, FETCHED_CERTIFICATES = 2 };

/* The answer; batch and certificates borrow from the body. */
struct fetched {
    struct bytes batch;            /* Sealed, of one item */
    struct wire_list certificates; /* of its signer, signed form; where the coordinator has it */
    bool has_ended;
    uint32_t code; /* enum outcome_code, when it has ended */
};

enum grove_status wire_fetch_decode(struct bytes body, struct id *task) GROVE_CHECKED;
void wire_fetch_encode(struct buffer *out, uint64_t correlation, const struct id *task);

enum grove_status wire_fetched_decode(struct bytes body, struct fetched *fetched) GROVE_CHECKED;

/* Puts all but the lists of an open Fetched. */
void wire_put_fetched(struct wire_writer *writer, const struct fetched *fetched);

#endif
