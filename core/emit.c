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
    effects_add(forest->effects, &(struct effect){.kind = EFFECT_TRUSTED});
}

void emit_recall(struct forest *forest)
{
    effects_add(forest->effects, &(struct effect){.kind = EFFECT_RECALL});
}
