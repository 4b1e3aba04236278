/* SPDX-License-Identifier: MPL-2.0
 * Who works: sessions, the functions they offer, the attempts they hold, and whom to ask next.
 *
 * A session holds its attempts in places (enum place). At most `slots` have a slot; at most slots +
 * window are not waiting. A slot that falls free goes first to an attempt that may resume, then to
 * the oldest child assigned ahead, then to the oldest root, then to the oldest child of a large
 * tree: a worker starts what it holds in the same order.
 *
 * In all a session holds at most slots + window + max_waiting + depth attempts, where depth is that
 * of the task to be assigned; less a part of the window that is halved with each level, so that
 * what waits leaves room for many of those it waits for. So nothing blocks for ever: when every
 * attempt of every session waits, take one of the deepest, at depth d. When the last of those its
 * session holds was assigned, it held fewer than this bound for depth d, so it holds fewer than the
 * bound for the children of depth d + 1, and none of its slots is taken. */
#ifndef GROVE_CORE_ROSTER_H
#define GROVE_CORE_ROSTER_H

#include "core/forest_state.h"

/* The live session with this index, or NULL. */
struct session *roster_session(const struct forest *forest, uint64_t index);

/* The first live session with an index above `after`; NULL at the end. */
struct session *roster_session_after(const struct forest *forest, uint64_t after);

/* The live session of a process, and of an instance; or NULL. */
struct session *roster_by_boot(const struct forest *forest, const struct key *identity,
                               const struct id *boot);
struct session *roster_by_instance(const struct forest *forest, const struct key *identity,
                                   struct bytes instance);

/* Adds a session. It is filled in but for its lists, functions and pool, and keeps its functions
 * from roster_offer. Takes it. */
void roster_add(struct forest *forest, struct session *session);

/* Makes these the functions a session offers.
 *
 *   functions   `count` distinct ones in order of name, each with a use that the session takes; may
 * be NULL for 0 */
void roster_offer(struct forest *forest, struct session *session, struct function **functions,
                  size_t count);

/* A session offers a function no more, until it enlists again. */
void roster_withdraw(struct forest *forest, struct session *session,
                     const struct function *function);

bool roster_offers(const struct session *session, const struct function *function);

/* Retires a session: from now on it is not found, and gets nothing. Its attempts are still in its
 * places. */
void roster_leave(struct forest *forest, struct session *session, enum retire_reason reason);

/* Frees a session that holds nothing, and is leaving or never was added. */
void roster_free(struct forest *forest, struct session *session);

/* Assigns what can be assigned now, at most LIMIT_MOVES attempts; the rest is due at once. Which
 * those are must not depend on what is known to be blocked: no snapshot says that. */
void roster_assign(struct forest *forest);

/* Whether an attempt was assigned ahead, and has not started as far as anybody knows. */
bool roster_is_ahead(const struct work *work);

/* Whether another task with a loss may not be assigned beside it: it has one, too. Not while it
 * waits: two parents that wait, one in each session, would else keep their children from every
 * session for ever, and one in the only session its own. */
bool roster_endangers(const struct work *work);

/* A worker says something of an attempt that only one that has started could say: it counts as
 * such, also when we do not know yet which slot it has got. Harmless when we do; call before it
 * moves. */
void roster_begin(struct forest *forest, struct work *work);

/* Takes an attempt from its session; what the session gets room for is assigned at the end of the
 * command. */
void roster_release(struct forest *forest, struct work *work);

/* Parks an attempt whose task waits, and gives its slot away. */
void roster_wait(struct forest *forest, struct work *work);

/* Something awaited has ended: puts a parked attempt in line for a slot, and tells its worker,
 * which goes by the same line and may have a slot free before we hear of it. Harmless when it is
 * there.
 */
void roster_wake(struct forest *forest, struct work *work);

/* Tells a session that the task of an attempt has ended; the attempt keeps its place until it is
 * given back. */
void roster_stop(struct forest *forest, struct work *work);

/* Takes one charge back, also from what the session that holds the task now must know. */
void roster_forgive(struct forest *forest, struct work *work);

/* Puts an attempt into a place as it was: for a forest that is restored. Call roster_place when all
 * are. */
void roster_put(struct work *work, struct session *session, enum place place);
void roster_place(struct forest *forest, struct session *session);

#endif
