/* SPDX-License-Identifier: MPL-2.0
 * `grove top` on a terminal. */
#ifndef GROVE_NODES_PROGRAMS_TOP_SCREEN_H
#define GROVE_NODES_PROGRAMS_TOP_SCREEN_H

#include "nodes/programs/top_state.h"

/* Draws and takes keys until the user has had enough, or a signal ends it; then the terminal is as
 * it was.
 *
 *   returns   the number of the signal, or 0 */
int top_screen_run(struct top_state *state, const struct look *look);

#endif
