/* SPDX-License-Identifier: MPL-2.0
 * Ids of roots that are forgotten and must still be recognized: until then whoever holds the signed
 * item could have it accepted a second time. Room for every root's id is taken when the root is
 * accepted, so that none is ever forgotten early; children need none, since without their parent
 * nobody accepts them. */
#ifndef GROVE_CORE_MEMORY_H
#define GROVE_CORE_MEMORY_H

#include "core/forest_state.h"

#define MEMORY_SIZE                                                                                \
    (sizeof(struct memory) + sizeof(struct timer) + sizeof(void *)) /* bytes, with its bucket */

/* Whether there is room for the id of one more root. */
bool memory_has_room(const struct forest *forest);

/* Remembers the id of a tree that is being forgotten, until it expires. */
void memory_keep(struct forest *forest, const struct tree *tree);

/* Remembers an id as it was: for a forest that is restored. It is not known yet. */
void memory_restore(struct forest *forest, const struct id *id, uint64_t expires_ms,
                    uint64_t sequence);

bool memory_has(const struct forest *forest, const struct id *id);

/* Drops those that have expired, at most forest->moves. */
void memory_fade(struct forest *forest);

void memory_clear(struct forest *forest);

#endif
