/* SPDX-License-Identifier: MPL-2.0
 * For the files of a joining alone: all of this with its lock. */
#ifndef GROVE_NODES_CLIENT_JOINING_STATE_H
#define GROVE_NODES_CLIENT_JOINING_STATE_H

#include "nodes/client/joining.h"

bool locked_is_over(const struct joining *joining);

/* All that will ever come has come. */
bool locked_is_complete(const struct joining *joining);

/* Whether the mesh has to say how far it is before anything can be awaited of it: its thread may
 * have inputs that are there already. */
bool locked_is_to_be_seen(const struct joining *joining);

/* Whether so many more inputs may be given now. What is over takes what it has, to be compared with
 * that. */
bool locked_takes(const struct joining *joining, uint32_t more);

/* Ends its thread's call, or wakes it, if there is news. */
void locked_tell(struct joining *joining, const struct joining_io *io);

void locked_fail(struct joining *joining, const struct joining_io *io,
                 const struct failing *failing);

/* Releases the lock; true: its thread has left it, nobody holds it, and it is gone. */
bool locked_leave(struct joining *joining);

/* Forgets a portion that is taken and whose inputs have all ended. */
void locked_forget(struct joining *joining, struct portion *portion);

/* Judges the outcomes of a page, and keeps them (endings.c). */
void locked_take_page(struct joining *joining, const struct joining_io *io,
                      const struct paged *paged);

#endif
