/* SPDX-License-Identifier: MPL-2.0
 * What an attempt waits for, and how it is parked. */
#ifndef GROVE_CORE_WAIT_H
#define GROVE_CORE_WAIT_H

#include "core/forest_state.h"

/* Lets the attempts in a list of struct waits wait, which their sessions held when it was sent.
 *
 *   answered   what became of each position of the batch beside; NULL where refused */
void wait_all(struct forest *forest, struct session *session, struct wire_list waits,
              struct task *const *answered, size_t answered_count);

#endif
