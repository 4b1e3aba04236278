/* SPDX-License-Identifier: MPL-2.0
 * Functions that this worker finds it cannot run: their tasks go back, for others to run, and they
 * are not offered any more for a while. I/O thread. */
#ifndef GROVE_NODES_WORKER_HEALTH_H
#define GROVE_NODES_WORKER_HEALTH_H

#include "nodes/worker/worker.h"

#define HEALTH_FIRST_MS                                                                            \
    5000u /* until it is offered again; doubles each time that this was no use */
#define HEALTH_LAST_MS 300000u /* and stops doubling here */

/* An attempt's handler has said so: it goes back, and what has not started of its function. */
void health_fell_ill(struct grove_worker *worker, struct grove_attempt *attempt);

/* An attempt's handler has ended otherwise. */
void health_is_well(struct grove_worker *worker, const struct grove_attempt *attempt);

/* Whether a function is offered now. */
bool health_is_offered(const struct function *function);

/* Whether there is one to be offered again, by another Enlist: it counts as offered from now on. */
bool health_may_return(struct grove_worker *worker, uint64_t now_ms);

#endif
