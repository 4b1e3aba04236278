/* SPDX-License-Identifier: MPL-2.0
 * The tasks that have failed and are kept, so that whoever looks for them need not walk all. */
#ifndef GROVE_CORE_FAILURES_H
#define GROVE_CORE_FAILURES_H

#include "core/forest_state.h"

/* A task that is FAILED joins them as it ends, and leaves them as it is freed. */
void failures_add(struct forest *forest, struct work *work);
void failures_drop(struct forest *forest, struct work *work);

/* The invariant that does not hold, or NULL.
 *
 *   failed   tasks that are FAILED */
const char *failures_check(const struct forest *forest, uint64_t failed);

#endif
