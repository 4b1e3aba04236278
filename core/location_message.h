/* SPDX-License-Identifier: MPL-2.0
 * Where coordinators are, and who takes part in the ledger, as it travels. */
#ifndef GROVE_CORE_LOCATION_MESSAGE_H
#define GROVE_CORE_LOCATION_MESSAGE_H

#include "core/frame.h"

struct location {
    struct bytes certificate; /* signed form */
    struct bytes endpoint;    /* tcp://HOST:PORT */
};

enum change_kind { CHANGE_ADD = 1, CHANGE_REMOVE = 2, CHANGE_TRANSFER = 3 };

struct change {
    uint32_t kind; /* enum change_kind */
    struct bytes name;
};

extern const struct shape location_shape;

enum grove_status wire_location_decode(struct bytes element, struct location *location)
    GROVE_CHECKED;
void wire_put_location(struct wire_writer *writer, uint32_t field, const struct location *location);

enum grove_status wire_change_decode(struct bytes body, struct change *change) GROVE_CHECKED;
void wire_change_encode(struct buffer *out, uint64_t correlation, const struct change *change);

#endif
