/* SPDX-License-Identifier: MPL-2.0
 * Has the second model of the history checker judge a forest while it applies commands. */
#ifndef GROVE_TESTS_SUPPORT_WITNESS_H
#define GROVE_TESTS_SUPPORT_WITNESS_H

#include "core/command.h"
#include "core/effect.h"
#include "core/forest.h"

struct witness;

/* With GROVE_HISTORY=FILE the history is appended to that file, too. */
struct witness *witness_create(void);
void witness_destroy(struct witness *witness); /* accepts NULL */

/* From here on every command is to hold what was signed for this mesh. */
void witness_expect_seals(struct witness *witness, const struct key *mesh);

/* Sees a command that the forest has just applied, with a token so that it has answers. Every one,
 * in the order of the ledger, of whichever replica. */
void witness_see(struct witness *witness, const struct forest *forest,
                 const struct command *command, const struct effects *effects);

/* Hears one more line of the history, of what else happened (tests/history/history.h). */
void witness_hear(struct witness *witness, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Nothing more comes.
 *
 *   returns   NULL, or what is wrong; borrowed */
const char *witness_end(struct witness *witness);

/* ... and everything had to end, and be given back. */
const char *witness_end_quiet(struct witness *witness);

#endif
