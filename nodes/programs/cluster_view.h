/* SPDX-License-Identifier: MPL-2.0
 * grove cluster status. */
#ifndef GROVE_NODES_PROGRAMS_CLUSTER_VIEW_H
#define GROVE_NODES_PROGRAMS_CLUSTER_VIEW_H

#include "nodes/programs/program.h"

/* Asks any coordinator who takes part, and each of them how it stands; prints a line for each. */
enum exit_code cluster_status(const struct arguments *arguments);

#endif
