/* SPDX-License-Identifier: MPL-2.0
 * What runs next. Priority, then round robin over the trees begun, within a tree the deeper, then
 * the oldest. A tree that has begun is finished before another of its priority begins, so that few
 * are open at a time; but only up to LIMIT_TURNS attempts, or so many open tasks. From then on it
 * is large: it comes after the small ones, and takes turns with the other large ones and with the
 * line of roots that have not begun, the oldest in front. So a root that comes behind a hundred
 * thousand tasks begins with the next attempt or the one after, and is finished before that large
 * tree goes on.
 *
 * Ready tasks stand in queues. All tasks of a queue may go to exactly the same sessions, so that
 * when its first finds none, none does, and the whole queue is blocked until a session that offers
 * its function gets room: work that cannot run is never scanned. In a queue the tasks of one tree
 * stand in a lane. A tree that is served moves behind the others, and behind all small ones as it
 * becomes large; its lanes elsewhere follow when they come to the front, which gives the same
 * order, since a tree only ever moves back. Roots that have not begun have queues of their own. */
#ifndef GROVE_CORE_READY_H
#define GROVE_CORE_READY_H

#include "core/forest_state.h"

/* Whether a task should begin when it is assigned, whatever the limit of its function
 * (core/pool.h).
 */
bool ready_needs_slot(const struct task *task);

/* Puts a task that became READY into its queue. */
void ready_add(struct forest *forest, struct task *task);

/* Takes it out again; it stands in one. */
void ready_remove(struct forest *forest, struct task *task);

/* The queue whose first task is served next, or NULL when all are blocked or there is none. */
struct queue *ready_next(struct forest *forest);

/* The task of a queue that is served next. */
struct task *ready_first(struct queue *queue);

/* When the task was submitted that is here longest of those first in their queues; 0: none is. */
uint64_t ready_oldest_ms(const struct forest *forest);

/* How many READY tasks of its tree, priority and queue stand before one; counts to `most`. */
uint32_t ready_before(const struct task *task, uint32_t most);

/* An attempt of this tree is assigned: then it is the turn of others. */
void ready_serve(struct forest *forest, struct tree *tree);

/* No session has room for this queue: sets it aside. */
void ready_block(struct forest *forest, struct queue *queue);

/* ... for all queues for which no session has room: of a forest that was restored, so that its next
 * command need not. */
void ready_block_stuck(struct forest *forest);

/* A session that offers this function got room: its queues may run again, if its limit does not
 * hold them. */
void ready_unblock(struct forest *forest, struct function *function);

#endif
