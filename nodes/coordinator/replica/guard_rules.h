/* SPDX-License-Identifier: MPL-2.0
 * Between the files of the guard. */
#ifndef GROVE_COORDINATOR_REPLICA_GUARD_RULES_H
#define GROVE_COORDINATOR_REPLICA_GUARD_RULES_H

#include "nodes/coordinator/replica/guard.h"

#define GUARD_NO_LIMIT (~(raft_index)0)

/* raft_io.send. */
int guard_send(struct raft_io *io, struct raft_io_send *request, const struct raft_message *message,
               raft_io_send_cb done);

/* Ends the process. */
void guard_die(struct guard *guard, const char *text) __attribute__((noreturn));

/* The term of an entry of the library's log in memory, or of its snapshot; 0 when it has none. */
raft_term guard_term_of(const struct raft *raft, raft_index index);

/* The entry at an index of the log in memory; NULL when it is not there. */
const struct raft_entry *guard_entry(const struct raft *raft, raft_index index);

raft_index guard_last_index(const struct raft *raft);

bool guard_is_lone_voter(const struct raft *raft);

/* The first index at which the log in memory must give way to the message; 0 for none. */
raft_index guard_conflict(const struct raft *raft, const struct raft_append_entries *append);

/* Rule 7: makes the configuration that of the log before `index`, from which on it is truncated. */
void guard_take_back(struct guard *guard, raft_index index);

/* Rule 8: notes, at the start, that the newest configuration in the log may not be committed. */
void guard_doubt(struct guard *guard);

/* Keeps the configuration of the newest snapshot. */
void guard_keep(struct guard *guard, const struct raft_configuration *configuration,
                raft_index index);

#endif
