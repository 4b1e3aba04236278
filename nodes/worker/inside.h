/* SPDX-License-Identifier: MPL-2.0
 * How an attempt comes to wait and to run again, for what counts its threads. All with the lock. */
#ifndef GROVE_NODES_WORKER_INSIDE_H
#define GROVE_NODES_WORKER_INSIDE_H

#include "nodes/worker/handlers.h"

/* Gives the slot back, once every thread of the attempt waits. */
bool handlers_begin_waiting(struct handlers *handlers, struct grove_attempt *attempt);

/* It runs; those that have ended go on. */
void handlers_leave_waiting(struct handlers *handlers, struct grove_attempt *attempt);

/* The call's thread goes on. */
void handlers_give_back(struct grove_attempt *attempt, struct call *call);

#endif
