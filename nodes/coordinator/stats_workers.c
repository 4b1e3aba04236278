/* SPDX-License-Identifier: MPL-2.0
 * The workers, in order of their sessions. */
#include "nodes/coordinator/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *offered(const struct session_view *view)
{
    json_t *list = json_array();

    for (size_t i = 0; i < view->function_count; i++) {
        json_array_append_new(list, json_string(view->functions[i]));
    }
    return list;
}

static json_t *worker(const struct stats *stats, const struct session_view *view)
{
    const struct certificate *certificate =
        forest_certificate(stats->egress->forest, &view->identity, NULL);
    const struct seat *seat = seats_find(stats->egress->seats, view->session);
    const uint64_t silent_ms = seat != NULL ? stats->egress->now_ms - seat->heard_ms : 0;

    return json_pack("{s:I, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:I, s:I, s:o}", "session",
                     (json_int_t)view->session, "instance", view->instance, "name",
                     certificate != NULL ? certificate->name : "", "slots", (int)view->slots,
                     "window", (int)view->window, "max_waiting", (int)view->max_waiting, "assigned",
                     (int)view->assigned, "waiting", (int)view->waiting, "stopping",
                     (int)view->stopping, "connected", seat != NULL && seat->session != NULL,
                     "silent_ms", (json_int_t)silent_ms, "enlisted_ms",
                     (json_int_t)view->enlisted_ms, "functions", offered(view));
}

/* An index as a page's cursor says it; false when it is none. */
static bool parse_cursor(const char *text, uint64_t *index)
{
    char *end = NULL;

    *index = 0;
    if (text == NULL) {
        return true;
    }
    *index = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

json_t *stats_workers(struct stats *stats, const char *cursor, const char **error)
{
    struct session_view view;
    json_t *list, *answer;
    size_t size = 0;
    uint64_t after;
    bool is_more;

    if (!parse_cursor(cursor, &after)) {
        *error = "a cursor is a number";
        return NULL;
    }
    list = json_array();
    while ((is_more = forest_session(stats->egress->forest, after, &view))) {
        json_t *element = worker(stats, &view);

        size += stats_size(element);
        if (size > STATS_ELEMENTS_SIZE) {
            json_decref(element);
            break;
        }
        json_array_append_new(list, element);
        after = view.session;
    }
    answer = json_pack("{s:o}", "workers", list);
    if (is_more) {
        char text[24];

        snprintf(text, sizeof(text), "%" PRIu64, after);
        json_object_set_new(answer, "cursor", json_string(text));
    }
    return answer;
}
