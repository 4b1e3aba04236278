/* SPDX-License-Identifier: MPL-2.0
 * What comes in: roots from clients, children and waits from attempts. Every item is judged by
 * itself and gets its own answer at its position. */
#ifndef GROVE_CORE_ACCEPT_H
#define GROVE_CORE_ACCEPT_H

#include "core/forest_state.h"

/* Accepts roots. */
void accept_submit(struct forest *forest, const struct batch *batch);

/* Accepts children of attempts that this session holds, then lets the attempts in `waits` wait. */
void accept_expand(struct forest *forest, struct session *session, const struct batch *batch,
                   struct wire_list waits);

#endif
