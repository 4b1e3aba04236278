/* SPDX-License-Identifier: MPL-2.0
 * Workers that an operator wants to leave. */
#ifndef GROVE_COORDINATOR_DRAIN_H
#define GROVE_COORDINATOR_DRAIN_H

#include "nodes/coordinator/egress.h"

/* Answers a Drain: says Goodbye to every worker of that instance, or of a certificate of that name,
 * which then leaves as if it had been stopped where it runs. Soft: one that is not connected hears
 * nothing, and whoever asks goes on asking until the worker has left.
 *
 *   session   an operator's
 *   message   hostile
 *   answers   Done; NOT_FOUND: no worker is called that */
void drain_workers(struct egress *egress, struct session *session, const struct bus_message *from,
                   const struct message *message);

#endif
