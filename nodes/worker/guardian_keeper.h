/* SPDX-License-Identifier: MPL-2.0
 * The keeper of one command: its parent, and of whatever it leaves behind, so that all of it ends
 * with the command, whatever group or session it has moved to. */
#ifndef GROVE_NODES_WORKER_GUARDIAN_KEEPER_H
#define GROVE_NODES_WORKER_GUARDIAN_KEEPER_H

#include "nodes/worker/guardian_process.h"

/* In a fresh child of the guardian's: starts the command that the guardian's text says, and stays
 * until all of it has ended. The leash is the last of the descriptors. */
noreturn void guardian_keep(const struct guardian_process *process, const int fds[GUARDIAN_FDS]);

/* Tells the worker how a command ended. */
void guardian_tell(int leash, enum guardian_end end, int number);

/* Ends all children, and theirs, which become ours as their parents end. */
void guardian_end_children(void);

#endif
