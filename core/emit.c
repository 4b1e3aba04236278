/* SPDX-License-Identifier: MPL-2.0
 * Effects of the command that is being applied. */
#include "core/emit.h"

static void count(struct forest *forest, enum refusal refusal)
{
    if (refusal != REFUSED_NOT) {
        forest->counters.refused[refusal]++;
    }
}

void emit_done(struct forest *forest, enum refusal refusal)
{
    count(forest, refusal);
    if (forest->token != 0) {
        effects_add(
            forest->effects,
            &(struct effect){.kind = EFFECT_DONE, .token = forest->token, .refusal = refusal});
    }
}

void emit_accepted(struct forest *forest, uint32_t position, const struct task *task)
{
    if (forest->token != 0) {
        effects_add(forest->effects, &(struct effect){.kind = EFFECT_ANSWER,
                                                      .token = forest->token,
                                                      .position = position,
                                                      .task = task->id,
                                                      .settled = !task_state_is_open(task->state)});
    }
}

void emit_refused(struct forest *forest, uint32_t position, const struct id *id,
                  enum refusal refusal, const struct digest *digest)
{
    struct effect effect = {.kind = EFFECT_ANSWER,
                            .token = forest->token,
                            .position = position,
                            .task = *id,
                            .refusal = refusal};

    count(forest, refusal);
    if (digest) {
        effect.digest = *digest;
    }
    if (forest->token != 0) {
        effects_add(forest->effects, &effect);
    }
}

void emit_attempt(struct forest *forest, enum effect_kind kind, const struct work *work)
{
    effects_add(forest->effects, &(struct effect){.kind = kind,
                                                  .session = work->session->index,
                                                  .task = work->task->id,
                                                  .attempt = work->task->attempts});
}

void emit_stale(struct forest *forest, enum effect_kind kind, uint64_t session,
                const struct id *task, uint32_t attempt, enum refusal refusal)
{
    count(forest, refusal);
    effects_add(forest->effects, &(struct effect){.kind = kind,
                                                  .session = session,
                                                  .task = *task,
                                                  .attempt = attempt,
                                                  .refusal = refusal});
}

void emit_session(struct forest *forest, enum effect_kind kind, uint64_t session)
{
    effects_add(forest->effects,
                &(struct effect){.kind = kind, .token = forest->token, .session = session});
}

void emit_appended(struct forest *forest, uint32_t position, enum refusal refusal)
{
    count(forest, refusal);
    if (forest->token != 0) {
        effects_add(forest->effects, &(struct effect){.kind = EFFECT_APPENDED,
                                                      .token = forest->token,
                                                      .position = position,
                                                      .refusal = refusal});
    }
}

void emit_join(struct forest *forest, const struct id *join)
{
    effects_add(forest->effects, &(struct effect){.kind = EFFECT_JOIN, .task = *join});
}

void emit_swept(struct forest *forest, const struct id *task)
{
    effects_add(forest->effects, &(struct effect){.kind = EFFECT_SWEPT, .task = *task});
}

void emit_settled(struct forest *forest, const struct task *task)
{
    effects_add(forest->effects, &(struct effect){.kind = EFFECT_SETTLED, .task = task->id});
}

void emit_trusted(struct forest *forest)
{
    if (forest->effects->notices) {
        notices_add(forest->effects->notices, NOTICE_TRUST, forest->now_ms);
    }
    effects_add(forest->effects, &(struct effect){.kind = EFFECT_TRUSTED});
}

void emit_recall(struct forest *forest)
{
    effects_add(forest->effects, &(struct effect){.kind = EFFECT_RECALL});
}

/* ---- notices */

void emit_note(struct forest *forest, enum notice_kind kind, const struct task *task,
               uint64_t session)
{
    struct notices *notices = forest->effects->notices;

    if (notices) {
        struct notice *notice = notices_add(notices, kind, forest->now_ms);

        notice->id = task->id;
        notice->session = session;
        notice->attempt = task->attempts;
    }
}

void emit_note_end(struct forest *forest, const struct task *task)
{
    struct notices *notices = forest->effects->notices;

    if (notices) {
        struct notice *notice = notices_add(notices, NOTICE_ENDED, forest->now_ms);

        notice->id = task->id;
        notice->attempt = task->attempts;
        notice->code = (uint8_t)task->work->code;
    }
}

void emit_note_join(struct forest *forest, const struct join *join)
{
    struct notices *notices = forest->effects->notices;

    if (notices) {
        struct notice *notice = notices_add(notices, NOTICE_JOINED, forest->now_ms);

        notice->id = join->id;
        notice->code = join->state;
    }
}

void emit_note_session(struct forest *forest, enum notice_kind kind, const struct session *session)
{
    struct notices *notices = forest->effects->notices;

    if (notices) {
        struct notice *notice = notices_add(notices, kind, forest->now_ms);

        notice->session = session->index;
        notices_set_name(notices, notice, bytes_of_text(session->instance));
    }
}

void emit_note_limit(struct forest *forest, struct bytes function)
{
    struct notices *notices = forest->effects->notices;

    if (notices) {
        notices_set_name(notices, notices_add(notices, NOTICE_LIMIT, forest->now_ms), function);
    }
}
