/* SPDX-License-Identifier: MPL-2.0
 * Whom the ledger knows, published to the guard of the sockets. */
#ifndef GROVE_COORDINATOR_ROSTER_H
#define GROVE_COORDINATOR_ROSTER_H

#include "core/forest.h"
#include "nodes/host/zap.h"

struct credential;

/* Publishes every certificate that was admitted, with its dates and whether it is revoked; and the
 * coordinators that the credential names, so that one that knows no ledger yet can be reached. */
void roster_publish(const struct forest *forest, const struct credential *credential,
                    struct zap *zap);

#endif
