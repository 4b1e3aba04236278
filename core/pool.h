/* SPDX-License-Identifier: MPL-2.0
 * Pools: sessions that offer the same functions, in the order in which they are asked to take a
 * task. A session stands in one line only, however many functions it offers; and in a second one,
 * while it takes ahead what needs a slot.
 *
 * Such a task (at most once, an input of a map, of a limited function) should begin when it is
 * assigned, and so waits for a free slot. But a slot that falls free is filled at once with what is
 * ahead, and where other work never ends none would ever be free. So it also goes ahead, where
 * others are that do not need a slot: at most as many as there are slots, and of a limited function
 * one in the whole mesh. */
#ifndef GROVE_CORE_POOL_H
#define GROVE_CORE_POOL_H

#include "core/forest_state.h"

/* Puts a session into the pool of its functions; without functions it is in none. */
void pool_join(struct forest *forest, struct session *session);

/* Takes it out again. Accepts one that is in none. */
void pool_leave(struct forest *forest, struct session *session);

/* Puts a session where it belongs in its lines, after its places have changed; out of them when it
 * has no room. */
void pool_place(struct session *session);

/* Whether what needs a slot may go ahead in a session, if it has room. */
bool pool_takes_needy(const struct session *session);

/* The session to take a task of this queue: one with a free slot before one that takes it ahead,
 * then the least loaded, then the oldest. NULL: none has room. */
struct session *pool_choose(const struct queue *queue);

/* Whether sessions with a free place would take the first task of this queue, were it deeper. */
bool pool_is_capped(const struct queue *queue);

/* Whether an attempt in this place was assigned ahead. */
bool pool_is_ahead(enum place place);

/* Attempts that count against the window: those that are not waiting. */
uint32_t pool_busy(const struct session *session);

/* Those whose tasks are WAITING. */
uint32_t pool_parked(const struct session *session);

/* ... those of them that have no slot. */
uint32_t pool_ahead(const struct session *session);

#endif
