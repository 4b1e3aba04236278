/* SPDX-License-Identifier: MPL-2.0
 * A task from a command line: what `grove run` and `grove submit` have in common. */
#ifndef GROVE_NODES_PROGRAMS_TASK_OPTIONS_H
#define GROVE_NODES_PROGRAMS_TASK_OPTIONS_H

#include "core/buffer.h"
#include "nodes/grove.h"
#include "nodes/programs/program.h"

/* Rows of an option table. */
#define TASK_OPTIONS                                                                               \
    {"task", 't', "FUNCTION", "the function to run"},                                              \
        {"key", 0, "KEY", "the same key by the same signer is the same task"},                     \
        {"priority", 0, "N", "-100 to 100, greater first (0)"},                                    \
        {"delay", 0, "DURATION", "do not start before this long from now"},                        \
        {"deadline", 0, "DURATION", "it and its children have ended this long from now"},          \
        {"attempts", 0, "N", "attempts if it fails (1)"},                                          \
        {"timeout", 0, "DURATION", "of one attempt, while it runs"},                               \
        {"at-most-once", 0, NULL, "never start it again once it may have started"},                \
    {                                                                                              \
        "content-type", 0, "TYPE", "of the payload, for the handler"                               \
    }

/* Reads the options, but not the payload. Says what is wrong and returns false. */
bool task_options_parse(const struct arguments *arguments, struct grove_task *task);

/* The payload: the one word, else all of stdin.
 *
 *   memory    out: what was read; outlives the task
 *   code      out: what to exit with when it returns false */
bool task_options_payload(const struct arguments *arguments, struct buffer *memory,
                          struct grove_bytes *payload, enum exit_code *code);

/* Says on stderr why a task was refused; returns the exit code for it.
 *
 *   where   which task, as "line 3: ", or "" */
enum exit_code task_options_refused(const char *where, const struct grove_failure *failure);

#endif
