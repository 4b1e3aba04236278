/* SPDX-License-Identifier: MPL-2.0
 * What a command is told: its environment, and nothing else of ours. */
#ifndef GROVE_NODES_WORKER_EXEC_ENVIRONMENT_H
#define GROVE_NODES_WORKER_EXEC_ENVIRONMENT_H

#include "core/buffer.h"
#include "nodes/worker/exec_place.h"

#define EXEC_VARIABLES 32u

/* Zeroed is empty. */
struct exec_environment {
    struct buffer text; /* NAME=VALUE, each with its NUL */
    size_t at[EXEC_VARIABLES];
    unsigned count;
    const char *list[EXEC_VARIABLES + 1]; /* into the text; ended by NULL */
};

/* Of our own environment only what a program needs to find its way, and what any attempt of a
 * function is told; or also what one attempt is. */
void exec_environment_of_function(struct exec_environment *environment,
                                  const struct function *function);
void exec_environment_of_attempt(struct exec_environment *environment,
                                 const struct grove_attempt *attempt,
                                 const struct exec_place *place);

void exec_environment_clear(struct exec_environment *environment);

#endif
