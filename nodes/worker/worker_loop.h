/* SPDX-License-Identifier: MPL-2.0
 * A worker's I/O thread, as its bus calls it. */
#ifndef GROVE_NODES_WORKER_WORKER_LOOP_H
#define GROVE_NODES_WORKER_WORKER_LOOP_H

#include "nodes/worker/worker.h"

/* Takes what handlers left: ended attempts, calls. */
void worker_collect(struct grove_worker *worker);

void worker_tick(void *worker);
void worker_end_turn(void *worker);
void worker_welcomed(void *worker, const struct message *message, const struct welcome *welcome);
void worker_receive(void *worker, const struct message *message);

#endif
