/* SPDX-License-Identifier: MPL-2.0
 * What the ledger of a world has at each index, as whoever applied it first saw it: the log on a
 * disk ends where a snapshot stands for it. Who applies another group there, or comes to another
 * state, ends the run.
 *
 * The linker puts this between coordinators and their replicas (ld --wrap), and between forests and
 * their options: what a run keeps of settled trees is less than what a day needs. */
#ifndef GROVE_TESTS_SIMULATION_MESH_ANNALS_H
#define GROVE_TESTS_SIMULATION_MESH_ANNALS_H

#include "core/forest.h"
#include "nodes/coordinator/replica/replica.h"
#include "tests/simulation/mesh/players.h"

/* retention   bytes of settled trees that every forest keeps; 0: as many as it does */
void annals_begin(struct players *players, uint64_t retention);
void annals_end(void);

/* The group of an index; empty where there is none, a barrier say. */
struct bytes annals_group(uint64_t index);
uint64_t annals_end_index(void);

/* The digest of all that a snapshot would have. */
struct digest annals_state(const struct forest *forest);

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
enum grove_status __real_replica_open(const struct replica_options *options,
                                      const struct replica_machine *machine,
                                      struct replica **replica, struct fault *fault);
enum grove_status __wrap_replica_open(const struct replica_options *options,
                                      const struct replica_machine *machine,
                                      struct replica **replica, struct fault *fault);
struct forest *__real_forest_create(const struct forest_options *options);
struct forest *__wrap_forest_create(const struct forest_options *options);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

#endif
