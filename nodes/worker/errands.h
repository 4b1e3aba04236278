/* SPDX-License-Identifier: MPL-2.0
 * What commands ask of their node, done by the calls that a handler would make. */
#ifndef GROVE_NODES_WORKER_ERRANDS_H
#define GROVE_NODES_WORKER_ERRANDS_H

#include "nodes/host/channel.h"
#include "nodes/worker/handlers.h"

/* Does one errand after another until the other end hangs up, or says what makes no sense. On a
 * thread of the connection's own.
 *
 *   visit   zeroed; who hangs up for it ends the errand under way */
void errands_serve(struct channel *channel, struct grove_attempt *attempt, struct visit *visit);

#endif
