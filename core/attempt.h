/* SPDX-License-Identifier: MPL-2.0
 * How an attempt goes and ends: reported, returned, lost. The fence is here: only the attempt in
 * force counts, from the session that holds it. */
#ifndef GROVE_CORE_ATTEMPT_H
#define GROVE_CORE_ATTEMPT_H

#include "core/forest_state.h"

/* The work of a task if this session holds this attempt of it, told to stop or not; else NULL. What
 * is under a mark is ended first. */
struct work *attempt_held(struct forest *forest, const struct session *session, const struct id *id,
                          uint32_t attempt);

/* ... and only if its task has not ended. */
struct work *attempt_in_force(struct forest *forest, const struct session *session,
                              const struct id *id, uint32_t attempt);

/* Applies the results of a batch, item by item; what does not count is refused by an effect. */
void attempt_report(struct forest *forest, struct session *session, const struct batch *batch);

/* Takes an attempt back that its worker will not go on with. */
void attempt_return(struct forest *forest, struct session *session,
                    const struct returned *returned);

enum charge { CHARGE_NONE, CHARGE_LOSS };

/* Takes an attempt from a session that is gone. If it had started, that is a loss of its task
 * (CHARGE_LOSS), or counts as nothing (CHARGE_NONE); one that may run at most once is over either
 * way. */
void attempt_lose(struct forest *forest, struct work *work, enum charge charge);

/* The process with this boot id is back and still has the attempt: takes the charge for it back. */
void attempt_forgive(struct forest *forest, const struct id *boot, const struct id *id,
                     uint32_t attempt);

/* Keeps the last progress of attempts that this session holds; others are ignored. */
void attempt_progress(struct forest *forest, const struct session *session,
                      struct wire_list progress);

#endif
