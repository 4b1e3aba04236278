/* SPDX-License-Identifier: MPL-2.0
 * What the worker of `grove dev` offers: echo, sleep, fail; and a workflow of three levels, flow,
 * segment and step. */
#ifndef GROVE_NODES_PROGRAMS_DEV_FUNCTIONS_H
#define GROVE_NODES_PROGRAMS_DEV_FUNCTIONS_H

#include "nodes/grove.h"

enum grove_status dev_functions_offer(struct grove_worker *worker) GROVE_CHECKED;

#endif
