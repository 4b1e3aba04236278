/* SPDX-License-Identifier: MPL-2.0
 * Writes what a forest was asked and what it made of it as lines of a history
 * (tests/history/history.h). */
#ifndef GROVE_TESTS_SUPPORT_SCRIBE_H
#define GROVE_TESTS_SUPPORT_SCRIBE_H

#include "core/buffer.h"
#include "core/command.h"
#include "core/effect.h"
#include "core/forest.h"

/* Appends whose seals count, before the first command. */
void scribe_mesh(struct buffer *out, const struct key *mesh);

/* Appends what a command holds as it was signed, before the command. */
void scribe_signed(struct buffer *out, const struct command *command);

/* Appends the lines of a command that a forest has just applied, and of its effects. It had a
 * token, so that it has answers.
 *
 *   forest   what ended, and how, is looked up in it */
void scribe_command(struct buffer *out, const struct forest *forest, const struct command *command,
                    const struct effects *effects);

#endif
