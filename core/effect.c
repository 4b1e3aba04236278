/* SPDX-License-Identifier: MPL-2.0
 * A growing list of effects, and their one-line form. */
#include "core/effect.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"

void effects_add(struct effects *effects, const struct effect *effect)
{
    if (effects->count == effects->capacity) {
        const size_t capacity = effects->capacity ? effects->capacity * 2 : 64;
        struct effect *list = reallocarray(effects->list, capacity, sizeof(*list));
        if (!list) {
            abort();
        }
        effects->list = list;
        effects->capacity = capacity;
    }
    effects->list[effects->count++] = *effect;
}

void effects_reset(struct effects *effects)
{
    effects->count = 0;
}

void effects_clear(struct effects *effects)
{
    free(effects->list);
    *effects = (struct effects){.notices = effects->notices};
}

static const char *kind_name(enum effect_kind kind)
{
    static const char *const names[] = {
        [EFFECT_ANSWER] = "answer",     [EFFECT_DONE] = "done",
        [EFFECT_ENLISTED] = "enlisted", [EFFECT_RETIRED] = "retired",
        [EFFECT_ASSIGN] = "assign",     [EFFECT_RESUME] = "resume",
        [EFFECT_STOP] = "stop",         [EFFECT_REFUSE] = "refuse",
        [EFFECT_SETTLED] = "settled",   [EFFECT_TRUSTED] = "trusted",
        [EFFECT_APPENDED] = "appended", [EFFECT_JOIN] = "join",
        [EFFECT_SWEPT] = "swept",       [EFFECT_RECALL] = "recall",
    };

    return names[kind];
}

/* What follows the kind; "" where a kind has nothing of its own. */
static int print_rest(const struct effect *effect, const char *task, char *line, size_t size)
{
    const char *refusal = effect->refusal ? refusal_name(effect->refusal) : "ok";

    switch (effect->kind) {
    case EFFECT_ANSWER:
        return snprintf(line, size, " %" PRIu64 "/%" PRIu32 " %s %s%s", effect->token,
                        effect->position, task, refusal, effect->settled ? " settled" : "");
    case EFFECT_DONE:
        return snprintf(line, size, " %" PRIu64 " %s", effect->token, refusal);
    case EFFECT_ENLISTED:
        return snprintf(line, size, " %" PRIu64 " session %" PRIu64, effect->token,
                        effect->session);
    case EFFECT_RETIRED:
        return snprintf(line, size, " session %" PRIu64, effect->session);
    case EFFECT_ASSIGN:
    case EFFECT_RESUME:
        return snprintf(line, size, " %s attempt %" PRIu32 " session %" PRIu64, task,
                        effect->attempt, effect->session);
    case EFFECT_STOP:
    case EFFECT_REFUSE:
        return snprintf(line, size, " %s attempt %" PRIu32 " session %" PRIu64 " %s", task,
                        effect->attempt, effect->session, refusal);
    case EFFECT_APPENDED:
        return snprintf(line, size, " %" PRIu64 "/%" PRIu32 " %s", effect->token, effect->position,
                        refusal);
    case EFFECT_SETTLED:
    case EFFECT_JOIN:
    case EFFECT_SWEPT:
        return snprintf(line, size, " %s", task);
    case EFFECT_TRUSTED:
    case EFFECT_RECALL:
        break;
    }
    line[0] = '\0';
    return 0;
}

void effect_print(const struct effect *effect, struct buffer *out)
{
    char task[ID_TEXT_SIZE];
    char line[192];

    id_format(&effect->task, task);
    task[8] = '\0'; /* enough to tell tasks of a transcript apart */
    const int size = print_rest(effect, task, line, sizeof(line));
    assert(size >= 0 && (size_t)size < sizeof(line));
    buffer_append(out, kind_name(effect->kind), strlen(kind_name(effect->kind)));
    buffer_append(out, line, (size_t)size);
}
