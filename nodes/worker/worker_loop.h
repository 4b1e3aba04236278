/* SPDX-License-Identifier: MPL-2.0
 * A worker's I/O thread, as its bus calls it. */
#ifndef GROVE_NODES_WORKER_WORKER_LOOP_H
#define GROVE_NODES_WORKER_WORKER_LOOP_H

#include "nodes/worker/worker.h"

/* Takes what handlers left: ended attempts, calls. */
void worker_collect(struct grove_worker *worker);

void worker_tick(void *context);
void worker_end_turn(void *context);
void worker_welcomed(void *context, const struct message *message, const struct welcome *welcome);
void worker_receive(void *context, const struct message *message);

#endif
