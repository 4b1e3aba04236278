/* SPDX-License-Identifier: MPL-2.0
 * What comes in: roots from clients; children, inputs of joins and waits from attempts; inputs of
 * joins from clients. Every item gets its own answer at its position. */
#ifndef GROVE_CORE_ACCEPT_H
#define GROVE_CORE_ACCEPT_H

#include "core/forest_state.h"

/* Accepts roots. */
void accept_submit(struct forest *forest, const struct batch *batch);

/* Applies an Expand.
 *
 *   session   that sent it; NULL: from outside, and then only inputs of a join are accepted */
void accept_expand(struct forest *forest, struct session *session, const struct command *command);

#endif
