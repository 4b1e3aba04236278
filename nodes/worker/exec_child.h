/* SPDX-License-Identifier: MPL-2.0
 * A command that runs, seen from here: its leash, and our ends of its pipes. */
#ifndef GROVE_NODES_WORKER_EXEC_CHILD_H
#define GROVE_NODES_WORKER_EXEC_CHILD_H

#include "nodes/worker/guardian.h"

/* Each is -1 once closed. */
struct exec_child {
    int leash;
    int input, output, errors, aside; /* they never block */
};

/* Starts a command; the errand's pipes need not be set.
 *
 *   returns   0, or an errno; then there is nothing to close */
int exec_child_start(struct exec_child *child, struct guardian *guardian,
                     const struct guardian_errand *errand);

/* Closes a pipe. */
void exec_child_shut(int *fd);

/* Closes all: what still runs of it is killed. */
void exec_child_close(struct exec_child *child);

#endif
