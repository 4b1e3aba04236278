/* SPDX-License-Identifier: MPL-2.0
 * The invariants of joins, windows and sweeps, for forest_check. */
#ifndef GROVE_CORE_JOIN_CHECK_H
#define GROVE_CORE_JOIN_CHECK_H

#include "core/forest_state.h"

/* NULL, or a sentence naming the invariant that does not hold. */
const char *join_check(const struct forest *forest);

/* Bytes that the joins of a task have in tree->size. */
uint64_t join_check_size(const struct task *task);

#endif
