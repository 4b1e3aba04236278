/* SPDX-License-Identifier: MPL-2.0
 * What a forest asks of the world: in order, holding ids and no pointers. Every replica computes
 * them; the leader alone performs them, and they may be lost with it: forest_outstanding derives
 * what is still owed.
 *
 * Answer, Appended and Done are for whoever proposed the command, so only a command with a token
 * has them. Every command ends in one Done, but an Enlist in Enlisted, or in a Done that refuses
 * it. After the Done of a Cancel, Swept says when its counts are final; it may come before. When
 * the Done of a session's command is refused (REFUSED_NO_WORKER_SESSION), none of its items was
 * looked at. What a command made assignable is assigned after its Done. */
#ifndef GROVE_CORE_EFFECT_H
#define GROVE_CORE_EFFECT_H

#include "core/buffer.h"
#include "core/bytes.h"
#include "core/refusal.h"

enum effect_kind {
    EFFECT_ANSWER, /* one item of a Submit or Expand: token, position, task (authoritative id),
                      refusal, settled, digest (of the kept payload, on CONFLICT) */
    EFFECT_DONE,   /* the command of this token was applied; refusal says how it went as a whole */
    EFFECT_ENLISTED, /* token, session: a worker's session is open (new or resumed) */
    EFFECT_RETIRED,  /* session: ended; its peer must enlist anew */
    EFFECT_ASSIGN,   /* session, task, attempt: to be run there */
    EFFECT_RESUME,   /* session, task, attempt: goes on with its next slot */
    EFFECT_STOP, /* session, task, attempt, refusal: to be stopped there (refusal 0: the task ended)
                  */
    EFFECT_REFUSE,  /* session, task, attempt, refusal: a report, return or wait that does not count
                     */
    EFFECT_SETTLED, /* task: has its outcome now */
    EFFECT_TRUSTED, /* certificates changed: publish the roster anew */
    EFFECT_APPENDED, /* token, position: of an Append in its Expand; refusal says how it went */
    EFFECT_JOIN,     /* task: id of a join that has news; once a command */
    EFFECT_SWEPT,    /* task: a cancelled one; nothing below it is open any more */
    EFFECT_RECALL,   /* a limit was narrowed: hand back what has not started of functions that have
                        one */
};

struct effect {
    enum effect_kind kind;
    enum refusal refusal;
    uint32_t position;
    uint32_t attempt;
    uint64_t token;
    uint64_t session;
    struct id task;
    struct digest digest;
    bool settled;
};

struct notices;

/* Zeroed is empty and valid. */
struct effects {
    struct effect *list;
    size_t count;
    size_t capacity;
    struct notices *notices; /* borrowed: where what happens is noted, too; NULL: nowhere */
};

/* Appends one; aborts when out of memory. */
void effects_add(struct effects *effects, const struct effect *effect);

/* Empties it, keeping its memory. */
void effects_reset(struct effects *effects);

void effects_clear(struct effects *effects);

/* One line for people and transcripts: "assign 00112233 attempt 1 session 7". */
void effect_print(const struct effect *effect, struct buffer *out);

#endif
