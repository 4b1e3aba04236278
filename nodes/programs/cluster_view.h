/* SPDX-License-Identifier: MPL-2.0
 * grove cluster status: who keeps the ledger, and how far each of them is. */
#ifndef GROVE_NODES_PROGRAMS_CLUSTER_VIEW_H
#define GROVE_NODES_PROGRAMS_CLUSTER_VIEW_H

#include "core/limits.h"
#include "nodes/programs/observer.h"

enum exit_code cluster_status(const struct arguments *arguments);

/* Asks who keeps the ledger, and then each of these whether it answers, and how far it is: members
 * of the answer have `answers`, and if so `pid`, `term`, `index` and `lag`. Of one that was
 * removed or hears no leader the answer is not taken when a member that does has a better one. As
 * observer_ask; but from then on the observer asks the last of them alone. */
enum exit_code cluster_ask(struct observer *observer, json_t **answer);

/* The name of the coordinator that leads and says so itself; false: there is none now.
 *
 *   path   of the credential to ask with */
bool cluster_leader(const char *path, char name[LIMIT_NAME_LENGTH + 1]);

#endif
