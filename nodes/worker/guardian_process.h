/* SPDX-License-Identifier: MPL-2.0
 * The guardian's own process: forked from one with threads, so it calls nothing but the system. */
#ifndef GROVE_NODES_WORKER_GUARDIAN_PROCESS_H
#define GROVE_NODES_WORKER_GUARDIAN_PROCESS_H

#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#include "core/limits.h"
#include "nodes/worker/guardian.h"

#define GUARDIAN_PIPES 4u                   /* stdin, stdout, stderr, fd 3 */
#define GUARDIAN_FDS (GUARDIAN_PIPES + 1)   /* ... and the leash */
#define GUARDIAN_TEXT_SIZE (64 * LIMIT_KIB) /* of a command, its directory and its environment */
#define GUARDIAN_VARIABLES 64u

/* Made before the fork. */
struct guardian_process {
    char directory[PATH_MAX]; /* removed at the end, or "" */
    pid_t pid;
    int control;
    int signals; /* signalfd: deaths of children, and SIGTERM */
    char text[GUARDIAN_TEXT_SIZE + 1];
    const char *place; /* in the text: where the command begins */
    const char *environment[GUARDIAN_VARIABLES + 1];
};

/* Serves until the other end of `control` is closed, then kills everything it looks after and
 * becomes an rm of its directory. */
noreturn void guardian_process_run(struct guardian_process *process, int control);

#endif
