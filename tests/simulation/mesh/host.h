/* SPDX-License-Identifier: MPL-2.0
 * Who is let in: as zap.h has it, asked by the simulated bus. */
#ifndef GROVE_TESTS_SIMULATION_MESH_HOST_H
#define GROVE_TESTS_SIMULATION_MESH_HOST_H

#include "nodes/host/zap.h"

/* Is this link key let in, and as whom? */
bool zap_knows(const struct zap *zap, const struct key *link, struct key *identity);

#endif
