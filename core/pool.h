/* SPDX-License-Identifier: MPL-2.0
 * Pools: sessions that offer the same functions, in the order in which they are asked to take a
 * task. A session stands in one line only, however many functions it offers. */
#ifndef GROVE_CORE_POOL_H
#define GROVE_CORE_POOL_H

#include "core/forest_state.h"

/* Puts a session into the pool of its functions; without functions it is in none. */
void pool_join(struct forest *forest, struct session *session);

/* Takes it out again. Accepts one that is in none. */
void pool_leave(struct forest *forest, struct session *session);

/* Puts a session where it belongs in its line, after its places have changed; out of it when it has
 * no room. */
void pool_place(struct session *session);

/* The session to take a task of this queue: one with a free slot before one that takes it ahead,
 * then the least loaded, then the oldest. NULL: none has room. */
struct session *pool_choose(const struct queue *queue);

/* Whether sessions with a free place would take the first task of this queue, were it deeper. */
bool pool_is_capped(const struct queue *queue);

/* Attempts that count against the window: those that are not waiting. */
uint32_t pool_busy(const struct session *session);

/* Those whose tasks are WAITING. */
uint32_t pool_parked(const struct session *session);

/* ... those of them that have no slot. */
uint32_t pool_ahead(const struct session *session);

#endif
