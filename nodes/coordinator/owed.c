/* SPDX-License-Identifier: MPL-2.0
 * What a heartbeat shows to be missing. */
#include "nodes/coordinator/owed.h"

#include <stdlib.h>

/* Attempts that a worker may list: slots, window and the waiting ones, more than once over. */
#define HELD_MOST (2 * ((size_t)LIMIT_SLOTS + LIMIT_WINDOW + LIMIT_MAX_WAITING))

static int compare_held(const void *a, const void *b)
{
    return memcmp(&((const struct held *)a)->task, &((const struct held *)b)->task,
                  sizeof(struct id));
}

static size_t read_held(struct buffer *out, struct wire_list *list)
{
    struct bytes element;
    struct held held;
    size_t count = 0;

    buffer_reset(out);
    while (count < HELD_MOST && wire_next(list, &element)) {
        if (wire_held_decode(element, &held) == GROVE_OK) {
            buffer_append(out, &held, sizeof(held));
            count++;
        }
    }
    if (count > 0) {
        qsort(out->data, count, sizeof(held), compare_held);
    }
    return count;
}

static const struct held *find_held(const struct buffer *held, size_t count, const struct id *task)
{
    const struct held key = {.task = *task};

    return count > 0 ? bsearch(&key, held->data, count, sizeof(key), compare_held) : NULL;
}

/* Whether the worker's list shows that it never got this. */
static bool is_missing(const struct effect *effect, const struct held *held)
{
    const bool has_it = held != NULL && held->attempt == effect->attempt;

    switch (effect->kind) {
    case EFFECT_ASSIGN:
        return !has_it;
    case EFFECT_RESUME:
        return !has_it || held->state == HELD_WAITING;
    case EFFECT_STOP:
        return true;
    case EFFECT_ANSWER:
    case EFFECT_DONE:
    case EFFECT_ENLISTED:
    case EFFECT_RETIRED:
    case EFFECT_REFUSE:
    case EFFECT_SETTLED:
    case EFFECT_TRUSTED:
    case EFFECT_APPENDED:
    case EFFECT_JOIN:
    case EFFECT_SWEPT:
    case EFFECT_RECALL:
        break;
    }
    return false;
}

static int compare_effects(const void *a, const void *b)
{
    const struct effect *left = a;
    const struct effect *right = b;
    const int order = memcmp(&left->task, &right->task, sizeof(struct id));

    if (order != 0 || left->attempt != right->attempt) {
        return order != 0 ? order : left->attempt < right->attempt ? -1 : 1;
    }
    return (int)left->kind - (int)right->kind;
}

static void sort_effects(struct effects *effects)
{
    if (effects->count > 0) {
        qsort(effects->list, effects->count, sizeof(*effects->list), compare_effects);
    }
}

static bool was_missing(const struct effects *before, const struct effect *effect)
{
    return before->count > 0 &&
           bsearch(effect, before->list, before->count, sizeof(*effect), compare_effects) != NULL;
}

/* Missing for the second time: sent again, and counted anew. A worker that waits for a Resume of an
 * attempt it does not know needs the task itself. */
static void note(struct egress *egress, struct session *session, const struct effect *effect,
                 bool is_held, struct effects *missing)
{
    struct buffer *errands = &session->stops;

    if (!was_missing(&session->seat->missing, effect)) {
        effects_add(missing, effect);
        return;
    }
    if (effect->kind == EFFECT_ASSIGN || (effect->kind == EFFECT_RESUME && !is_held)) {
        errands = &session->assigns;
    } else if (effect->kind == EFFECT_RESUME) {
        errands = &session->resumes;
    }
    session_owe(errands, &effect->task, effect->attempt, effect->refusal);
    egress_due(egress, session);
    egress->counters.resent++;
}

/* An attempt that the forest knows nothing of, or gave to somebody else meanwhile. */
static bool is_stray(const struct egress *egress, const struct session *session,
                     const struct held *held)
{
    struct task_view view;

    return !forest_task(egress->forest, &held->task, &view) ||
           view.session != session->seat->index || view.attempt != held->attempt;
}

void owed_check(struct egress *egress, struct session *session, struct wire_list held_list)
{
    struct seat *seat = session->seat;
    struct effects owed = {.count = 0};
    struct effects missing = {.count = 0};
    const size_t count = read_held(&egress->ids, &held_list);
    const struct held *list = (const struct held *)(void *)egress->ids.data;

    forest_outstanding(egress->forest, seat->index, &owed);
    for (size_t i = 0; i < owed.count; i++) {
        const struct held *held = find_held(&egress->ids, count, &owed.list[i].task);

        if (is_missing(&owed.list[i], held)) {
            note(egress, session, &owed.list[i], held != NULL, &missing);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (is_stray(egress, session, &list[i])) {
            const struct effect stop = {.kind = EFFECT_STOP,
                                        .refusal = REFUSED_STALE,
                                        .task = list[i].task,
                                        .attempt = list[i].attempt};

            note(egress, session, &stop, true, &missing);
        }
    }
    sort_effects(&missing);
    effects_clear(&seat->missing);
    seat->missing = missing;
    effects_clear(&owed);
}
