/* SPDX-License-Identifier: MPL-2.0
 * What `grove worker` and `grove dev` have in common. */
#ifndef GROVE_NODES_PROGRAMS_WORKER_OPTIONS_H
#define GROVE_NODES_PROGRAMS_WORKER_OPTIONS_H

#include "nodes/grove.h"
#include "nodes/programs/program.h"

/* Rows of an option table. */
#define WORKER_OPTIONS                                                                             \
    {"slots", 0, "N", "attempts that run at a time (one a processor)"},                            \
        {"exec", 0, "NAME=CMD...", "run NAME by a shell command"},                                 \
        {"coproc", 0, "NAME=CMD...", "run NAME by a command that stays: a line of JSON each way"}, \
        {"exec-dir", 0, "DIR...", "run each executable file of DIR as a function of its name"},    \
    {                                                                                              \
        "grace", 0, "DURATION", "between SIGTERM and SIGKILL of a command (2s)"                    \
    }

/* Reads --slots. Says what is wrong and returns false. */
bool worker_options_slots(const struct arguments *arguments, uint32_t *slots);

/* What [exec "NAME"] in the configuration says of a command. */
extern const struct option exec_options[];

/* Whether there is any --exec, --coproc, --exec-dir or [exec "NAME"]. */
bool worker_options_offer(const struct arguments *arguments);

/* Has the worker offer every --exec and --coproc, the files of every --exec-dir, and every
 * [exec "NAME"] that no --exec or --coproc replaces. */
enum exit_code worker_options_exec(const struct arguments *arguments, struct grove_worker *worker);

#endif
