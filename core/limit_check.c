/* SPDX-License-Identifier: MPL-2.0
 * The invariants of limits. */
#include "core/kept.h"
#include "core/limit.h"
#include "core/pool.h"
#include "core/roster.h"

static void count_session(const struct session *session)
{
    const struct work *work = NULL;

    for (int place = PLACE_NONE + 1; place < PLACE_COUNT; place++) {
        TAILQ_FOREACH(work, &session->places[place], held) {
            struct function *function = work->task->request.function;
            function->counted.active += limit_is_active((enum place)place);
            function->counted.ahead += pool_is_ahead((enum place)place);
            function->counted.barred += place == PLACE_BARRED;
        }
    }
}

static void count_all(struct forest *forest)
{
    struct function *function = NULL;
    const struct session *session = NULL;

    while ((function = function_after(forest, function ? function->name : NULL))) {
        function->counted.active = 0;
        function->counted.ahead = 0;
        function->counted.barred = 0;
    }
    while ((session = roster_session_after(forest, session ? session->index : 0))) {
        count_session(session);
    }
    TAILQ_FOREACH(session, &forest->leaving, leaving) {
        count_session(session);
    }
}

/* What a command had no move left for is loose, and looked at by the next. */
static const char *check_hold(const struct forest *forest, const struct function *function)
{
    const struct function_limit *limit = &function->limit;
    const bool is_short = limit_free_ms(function) > forest->now_ms;
    const bool is_full = limit->running > 0 && function->active >= limit->running;

    if (function->is_loose) {
        return NULL;
    }
    if (limit_admissible(function)) {
        return "an attempt is barred from a free place";
    }
    if (function->is_rated != is_short) {
        return "a function waits for time that has come, or does not";
    }
    if (function->is_held != (limit->paused || is_short || is_full)) {
        return "a function is held without need, or is not";
    }
    return NULL;
}

static const char *check_function(const struct forest *forest, const struct function *function)
{
    const uint32_t running = function->limit.running;

    if (function->counted.active != function->active ||
        function->counted.ahead != function->ahead ||
        function->counted.barred != function->barred_count) {
        return "a function counts its attempts wrongly";
    }
    if (running > 0 && (function->active > function->allowed || function->allowed < running)) {
        return "more attempts of a function run than its limit ever allowed";
    }
    return check_hold(forest, function);
}

const char *limit_check(struct forest *forest)
{
    const struct function *function = NULL;
    const char *fault = NULL;
    uint64_t limited = 0;

    count_all(forest);
    while (!fault && (function = function_after(forest, function ? function->name : NULL))) {
        fault = check_function(forest, function);
        limited += limit_is_set(function);
    }
    if (!fault && limited != forest->limited) {
        fault = "functions with a limit are counted wrongly";
    }
    return fault;
}
