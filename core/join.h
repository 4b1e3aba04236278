/* SPDX-License-Identifier: MPL-2.0
 * Gather, race, map: the inputs of a parent's call, and whether they have done enough.
 *
 * A join takes its inputs one after the other until it is closed. It ends when all of them have, or
 * before: a gather or map at its `stop`th failure, a race with its last winner, any with its
 * parent. What is open of it then is cancelled with everything below (core/sweep.h).
 *
 * Of a map at most `limit` inputs are in its window: READY, RUNNING, WAITING, or ended and not
 * given back yet. The others are HELD, or DELAYED. */
#ifndef GROVE_CORE_JOIN_H
#define GROVE_CORE_JOIN_H

#include "core/forest_state.h"

/* The join of this id, or NULL; none of a tree that is being forgotten. */
struct join *join_find(const struct forest *forest, const struct id *id);

/* Opens a join of a task, which is open and has fewer than LIMIT_OPEN_JOINS. */
struct join *join_open(struct forest *forest, struct task *parent, const struct id *id,
                       const struct join_terms *terms);

/* A map has one function and a limit, and so on: what is not plain from decoding. */
uint32_t join_room(const struct join *join); /* inputs that it takes now */

/* The input at a position below count. */
struct member *join_at(const struct join *join, uint32_t position);

/* Adds a child of the parent as the next input; what has ended counts at once. */
void join_add(struct forest *forest, struct join *join, struct task *task);

/* No more inputs follow. */
void join_close(struct forest *forest, struct join *join);

/* Ends a join that is open: wakes its parent, or settles a grove.join root; cancels what is open.
 */
void join_finish(struct forest *forest, struct join *join, enum join_state state);

/* A task has ended: its joins count it; the open ones of its own end with it. */
void join_settle(struct forest *forest, const struct task *task);

/* Its open joins end, as it has failed and will be tried again. */
void join_abandon(struct forest *forest, const struct task *task);

/* The first attempt of an input was assigned. */
void join_start(struct forest *forest, const struct task *task);

/* A session holds an attempt of an input, or holds it no more. */
void join_hold(const struct task *task, int change);

/* Whether a wait on it is over, by what its parent asked. */
bool join_wakes(const struct join *join);

/* ---- the window of a map */

/* The map whose window a TASK_WINDOWED needs. */
struct join *join_window(const struct task *task);

bool join_is_inside(const struct task *task); /* it has a place there */

/* A task may have entered or left the window: it was there, or not, before. */
void join_turn(struct forest *forest, const struct task *task, bool was_inside);

/* Puts a HELD input where it waits for a place, and takes it out. */
void join_queue(struct forest *forest, struct task *task);
void join_unqueue(struct task *task);

/* How many HELD inputs of its map stand before a HELD one; counts to `most`. */
uint32_t join_held_before(const struct task *task, uint32_t most);

/* Gives free places away: at the end of a command. */
void join_admit(struct forest *forest);

/* For a forest that is restored: a join as it was, and its inputs, whose ends count and wake
 * nobody.
 *
 *   like   what stands in a snapshot; its function and its winners are taken */
struct join *join_restore(struct forest *forest, struct task *parent, const struct join *like);
void join_restore_input(struct join *join, struct task *task);

/* Frees a join, and takes it from its parent; its inputs are not touched. */
void join_free(struct forest *forest, struct join *join);

uint64_t join_size(const struct join *join); /* bytes that it has in tree->size */

#endif
