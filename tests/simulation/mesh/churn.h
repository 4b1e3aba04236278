/* SPDX-License-Identifier: MPL-2.0
 * Changes of who keeps the ledger, as an operator's commands make them (nodes/programs/operator.h),
 * and coordinators whose disks are lost: they come back with new ones, and are replaced. */
#ifndef GROVE_TESTS_SIMULATION_MESH_CHURN_H
#define GROVE_TESTS_SIMULATION_MESH_CHURN_H

#include "tests/simulation/mesh/players.h"

/* Draws whether there is any, and lets the operator begin. */
void churn_begin(struct players *players);

/* Lets a disk be lost, lie or rot now and then, one at a time; gives a new one to who was removed.
 *
 *   chance    permille */
void churn_trouble(struct players *players, unsigned chance);

/* Its disk is of no use: it gets a new one, and is replaced. */
void churn_lose(struct player *player);

/* The operator comes to an end when all that is lost has been replaced. */
void churn_calm(void);
bool churn_is_over(void);

#endif
