/* SPDX-License-Identifier: MPL-2.0
 * A join from a command line: what `grove map`, `gather` and `race` have in common. */
#ifndef GROVE_NODES_PROGRAMS_JOIN_OPTIONS_H
#define GROVE_NODES_PROGRAMS_JOIN_OPTIONS_H

#include "nodes/grove.h"
#include "nodes/programs/program.h"

/* Rows of an option table. */
#define JOIN_OPTIONS                                                                               \
    {"key", 0, "KEY", "the same key by the same signer is the same join, and is gone on with"},    \
        {"priority", 0, "N", "-100 to 100, greater first (0)"},                                    \
        {"deadline", 0, "DURATION", "all of it has ended this long from now"},                     \
        {"attempts", 0, "N", "attempts of an input if it fails (1)"},                              \
        {"timeout", 0, "DURATION", "of one attempt, while it runs"},                               \
    {                                                                                              \
        "content-type", 0, "TYPE", "of the payloads, for the handlers"                             \
    }

#define FAILURE_OPTIONS                                                                            \
    {"stop-on-failure", 0, NULL, "the first failure cancels the rest"},                            \
    {                                                                                              \
        "max-failures", 0, "K", "so many failures do"                                              \
    }

/* Reads them: what is of the join as a whole, and what is of each input. Says what is wrong and
 * returns false. */
bool join_options_parse(const struct arguments *arguments, struct grove_join_options *options,
                        struct grove_task *model);

#define JOIN_FUNCTION_SIZE 64 /* of a function's name, with its NUL */

/* The task that a word such as FUNCTION=PAYLOAD stands for; borrows both.
 *
 *   function   out: where its name goes */
struct grove_task join_options_task(const struct grove_task *model, const char *word,
                                    char function[JOIN_FUNCTION_SIZE]);

#endif
