/* SPDX-License-Identifier: MPL-2.0
 * The coordinators that a node knows: from its credential, and as sessions tell of others. */
#ifndef GROVE_NODES_CLIENT_PLACES_H
#define GROVE_NODES_CLIENT_PLACES_H

#include "core/certificate.h"
#include "core/message.h"
#include "nodes/host/credential.h"

#define PLACES_MOST CREDENTIAL_COORDINATORS

struct place_known {
    char endpoint[LIMIT_ENDPOINT_LENGTH + 1];
    char other[LIMIT_ENDPOINT_LENGTH + 1]; /* where it was known to be before; or empty */
    struct key identity, link;
};

struct places {
    struct key mesh;
    struct place_known list[PLACES_MOST];
    unsigned count;
};

void places_init(struct places *places, const struct credential *credential);

/* Takes a location, whose certificate must be a coordinator's of this mesh. One that is known may
 * have moved; or its name is one that other hosts know and this one does not, so that where it was
 * before is kept.
 *
 *   returns   its position; PLACES_MOST when it is refused, or there is no room */
unsigned places_add(struct places *places, const struct location *location);

/* Nobody is where it is said to be: the next try goes to where it was before. */
void places_turn(struct places *places, unsigned at);

#endif
