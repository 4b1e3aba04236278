/* SPDX-License-Identifier: MPL-2.0
 * Tasks as they were signed, for those who may read them. */
#ifndef GROVE_COORDINATOR_FETCH_H
#define GROVE_COORDINATOR_FETCH_H

#include "nodes/coordinator/egress.h"

/* Answers a Fetch: the task's item in an excerpt of its batch, with its signer's certificate.
 *
 *   message   hostile
 *   answers   Fetched; NOT_FOUND, FORGOTTEN, as reading_judge says */
void fetch_task(struct egress *egress, struct session *session, const struct bus_message *from,
                const struct message *message);

#endif
