/* SPDX-License-Identifier: MPL-2.0
 * Messages are lost with a connection, a full pipe or a leader. What a worker holds, by its
 * heartbeat, is compared with what the forest says it should hold; what is missing in two
 * heartbeats running is sent again. */
#ifndef GROVE_COORDINATOR_OWED_H
#define GROVE_COORDINATOR_OWED_H

#include "core/message.h"
#include "nodes/coordinator/egress.h"

/* Compares, and lets the end of the turn send again what was missing the last time too. What the
 * worker holds and should not is told to stop, by the same rule.
 *
 *   session   speaks for a worker
 *   held      struct held; decoded, still hostile in what it says */
void owed_check(struct egress *egress, struct session *session, struct wire_list held);

#endif
