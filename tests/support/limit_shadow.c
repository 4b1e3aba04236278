/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/limit_shadow.h"

#include <assert.h>
#include <string.h>

#include "core/explain.h"

#define ATTEMPT INT64_C(1000000)

static struct shadowed *shadow_of(struct limit_shadow *shadow, const char *function)
{
    for (size_t i = 0; i < shadow->count; i++) {
        if (strcmp(shadow->functions[i].function, function) == 0) {
            return &shadow->functions[i];
        }
    }
    assert(shadow->count < SHADOW_FUNCTIONS);
    strncpy(shadow->functions[shadow->count].function, function, LIMIT_FUNCTION_LENGTH);
    return &shadow->functions[shadow->count++];
}

static bool is_new(struct limit_shadow *shadow, const struct effect *assign)
{
    for (size_t i = 0; i < SHADOW_RECENT; i++) {
        if (shadow->recent[i].attempt == assign->attempt &&
            id_equal(&shadow->recent[i].task, &assign->task)) {
            return false;
        }
    }
    shadow->recent[shadow->recent_next].task = assign->task;
    shadow->recent[shadow->recent_next].attempt = assign->attempt;
    shadow->recent_next = (shadow->recent_next + 1) % SHADOW_RECENT;
    return true;
}

static bool is_ahead(const struct forest *forest, const struct id *task)
{
    struct reason reason;

    return forest_explain(forest, task, &reason, 1) == 1 && reason.kind == REASON_AHEAD;
}

/* What was ahead has begun, or is ahead no more, or still is. */
static void look_ahead(struct shadowed *known, const struct forest *forest)
{
    struct task_view task;
    const bool is_there = known->has_ahead && forest_task(forest, &known->ahead, &task) &&
                          task.attempt == known->ahead_attempt;

    known->has_ahead = is_there && is_ahead(forest, &known->ahead);
    known->begun = is_there && !known->has_ahead &&
                   (task.state == TASK_RUNNING || task.state == TASK_WAITING || task.has_result);
}

static bool is_limited(const struct forest *forest, const char *function)
{
    struct function_view view = {.function = NULL};

    while (forest_function(forest, view.function, &view)) {
        if (strcmp(view.function, function) == 0) {
            return view.limit.running > 0 || view.limit.rate > 0 || view.limit.paused;
        }
    }
    return false;
}

/* Returns false when one is assigned ahead beside another. */
static bool count_assigned(struct limit_shadow *shadow, const struct forest *forest,
                           const struct effect *effect, const struct task_view *task)
{
    char function[LIMIT_FUNCTION_LENGTH + 1] = "";
    struct shadowed *known;

    memcpy(function, task->function.data, task->function.size);
    known = shadow_of(shadow, function);
    known->assigned++;
    if (!is_ahead(forest, &effect->task)) {
        known->begun++;
    } else if (is_limited(forest, function)) {
        if (known->has_ahead) {
            return false;
        }
        shadow->ahead++;
        known->has_ahead = true;
        known->ahead = effect->task;
        known->ahead_attempt = effect->attempt;
    }
    return true;
}

static bool count_begun(struct limit_shadow *shadow, const struct forest *forest,
                        const struct effects *effects)
{
    bool is_kept = true;
    struct task_view task;

    for (size_t i = 0; i < shadow->count; i++) {
        shadow->functions[i].assigned = 0;
        look_ahead(&shadow->functions[i], forest);
    }
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->list[i];
        if (effect->kind == EFFECT_ASSIGN && forest_task(forest, &effect->task, &task) &&
            task.started_ms == forest_now_ms(forest) && is_new(shadow, effect)) {
            is_kept &= count_assigned(shadow, forest, effect, &task);
        }
    }
    return is_kept;
}

static int64_t bucket(uint32_t rate)
{
    return (int64_t)rate * 50 > ATTEMPT ? (int64_t)rate * 50 : ATTEMPT;
}

static bool rate_is_kept(struct shadowed *known, const struct function_view *view, uint64_t now_ms)
{
    const int64_t full = bucket(view->limit.rate);

    if (known->rate != view->limit.rate || view->limit.rate == 0) {
        known->level = full;
    } else {
        known->level += (int64_t)((now_ms - known->level_ms) * view->limit.rate);
        known->level = known->level < full ? known->level : full;
    }
    known->level -= (int64_t)known->begun * ATTEMPT;
    known->level_ms = now_ms;
    return view->limit.rate == 0 || known->level >= 0;
}

/* What was told to go on before the limit came may get a slot later, so all that is active counts.
 */
static bool running_is_kept(struct shadowed *known, const struct function_view *view)
{
    const uint64_t most = view->active > view->limit.running ? view->active : view->limit.running;
    bool is_kept = view->state[TASK_RUNNING] <= view->active;

    if (known->running != view->limit.running) {
        known->allowed = most;
    } else if (view->limit.running > 0) {
        is_kept &= view->active <= known->allowed;
        known->allowed = most < known->allowed ? most : known->allowed;
    }
    return is_kept;
}

const char *limit_shadow_watch(struct limit_shadow *shadow, const struct forest *forest,
                               const struct effects *effects)
{
    struct function_view view = {.function = NULL};
    const char *fault = count_begun(shadow, forest, effects) ? NULL : "two are ahead of a limit";

    while (forest_function(forest, view.function, &view)) {
        struct shadowed *known = shadow_of(shadow, view.function);
        if (!running_is_kept(known, &view)) {
            fault = "more run than the limit";
        }
        if (!rate_is_kept(known, &view, forest_now_ms(forest))) {
            fault = "more begin than the rate";
        }
        if (known->paused && view.limit.paused && known->assigned > 0) {
            fault = "something is assigned in a pause";
        }
        known->running = view.limit.running;
        known->rate = view.limit.rate;
        known->paused = view.limit.paused;
        shadow->barred += view.barred > 0;
        shadow->full += view.limit.running > 0 && view.active >= view.limit.running;
        shadow->short_of_time += view.limit.rate > 0 && known->level < ATTEMPT;
    }
    return fault;
}
