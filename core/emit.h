/* SPDX-License-Identifier: MPL-2.0
 * What a command says to the world, while it is applied; refusals are counted here and nowhere
 * else. */
#ifndef GROVE_CORE_EMIT_H
#define GROVE_CORE_EMIT_H

#include "core/forest_state.h"
#include "core/notice.h"

/* EFFECT_DONE. It and the answers are for whoever proposed the command here; without a token nobody
 * is told. */
void emit_done(struct forest *forest, enum refusal refusal);

/* EFFECT_ANSWER: the item at this position is this task. */
void emit_accepted(struct forest *forest, uint32_t position, const struct task *task);

/* EFFECT_ANSWER: ... is refused.
 *
 *   digest   of the payload that is kept, on REFUSED_CONFLICT; else NULL */
void emit_refused(struct forest *forest, uint32_t position, const struct id *id,
                  enum refusal refusal, const struct digest *digest);

/* EFFECT_ASSIGN, EFFECT_RESUME or EFFECT_STOP (the task ended) of the attempt that a session holds.
 */
void emit_attempt(struct forest *forest, enum effect_kind kind, const struct work *work);

/* EFFECT_REFUSE or EFFECT_STOP of an attempt that does not count. */
void emit_stale(struct forest *forest, enum effect_kind kind, uint64_t session,
                const struct id *task, uint32_t attempt, enum refusal refusal);

/* EFFECT_ENLISTED or EFFECT_RETIRED. */
void emit_session(struct forest *forest, enum effect_kind kind, uint64_t session);

/* EFFECT_APPENDED: of the Append at this position. */
void emit_appended(struct forest *forest, uint32_t position, enum refusal refusal);

void emit_join(struct forest *forest, const struct id *join);
void emit_swept(struct forest *forest, const struct id *task);
void emit_settled(struct forest *forest, const struct task *task);
void emit_trusted(struct forest *forest);
void emit_recall(struct forest *forest);

/* ---- for those who watch: no effect, but a notice, where somebody keeps them */

/* Of a task and the attempt in force, or the last.
 *
 *   session   that holds or held it; 0: none */
void emit_note(struct forest *forest, enum notice_kind kind, const struct task *task,
               uint64_t session);

void emit_note_end(struct forest *forest, const struct task *task);
void emit_note_join(struct forest *forest, const struct join *join);
void emit_note_session(struct forest *forest, enum notice_kind kind, const struct session *session);
void emit_note_limit(struct forest *forest, struct bytes function);

#endif
