/* SPDX-License-Identifier: MPL-2.0
 * The functions, in byte order: their tasks and who offers them. */
#include "nodes/coordinator/stats.h"

#include "core/durations.h"

static void put(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

json_t *stats_states(const uint64_t state[TASK_STATE_COUNT])
{
    json_t *object = json_object();

    for (unsigned i = 0; i < TASK_STATE_COUNT; i++) {
        put(object, task_state_name((enum task_state)i), state[i]);
    }
    return object;
}

json_t *stats_function(const struct function_view *view)
{
    json_t *function = stats_states(view->state);

    put(function, "ended_succeeded", view->succeeded);
    put(function, "ended_failed", view->failed);
    put(function, "ended_cancelled", view->cancelled);
    put(function, "workers", view->sessions);
    return function;
}

static json_t *limit_of(const struct function_view *view)
{
    return json_pack("{s:I, s:I, s:b}", "running", (json_int_t)view->limit.running, "rate",
                     (json_int_t)view->limit.rate, "paused", view->limit.paused);
}

/* How long their attempts ran, as the workers measured it; null of a function that has no result
 * yet. */
static json_t *runs_of(const struct function_view *view)
{
    if (view->runs == NULL) {
        return json_null();
    }
    return json_pack("{s:I, s:I, s:I, s:I}", "count", (json_int_t)view->runs->total, "sum_ms",
                     (json_int_t)view->runs->sum_ms, "p50_ms",
                     (json_int_t)durations_quantile_ms(view->runs, 500), "p99_ms",
                     (json_int_t)durations_quantile_ms(view->runs, 990));
}

json_t *stats_functions(struct stats *stats, const char *cursor, const char **error)
{
    const char *after = cursor;
    struct function_view view;
    json_t *list = json_array();
    json_t *answer = json_pack("{s:o}", "functions", list);
    size_t size = 0;

    (void)error;
    while (forest_function(stats->egress->forest, after, &view)) {
        json_t *function = json_pack("{s:s, s:o, s:I, s:I, s:o}", "function", view.function,
                                     "limit", limit_of(&view), "active", (json_int_t)view.active,
                                     "barred", (json_int_t)view.barred, "runs", runs_of(&view));
        json_t *counts = stats_function(&view);

        json_object_update(function, counts);
        json_decref(counts);
        size += stats_size(function);
        if (size > STATS_ELEMENTS_SIZE) {
            json_decref(function);
            json_object_set_new(answer, "cursor", json_string(after));
            break;
        }
        json_array_append_new(list, function);
        after = view.function;
    }
    return answer;
}
