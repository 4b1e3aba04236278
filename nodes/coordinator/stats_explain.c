/* SPDX-License-Identifier: MPL-2.0
 * Why is this not running: reasons, from a task down to what would help. */
#include "nodes/coordinator/stats.h"

#include "core/explain.h"

/* A longer chain goes on at the `next` of its last reason. */
#define REASONS_MOST 64u

static json_t *sentence(const struct reason *reason,
                        void (*write)(const struct reason *reason, struct buffer *out))
{
    struct buffer text = {0};
    json_t *value;

    write(reason, &text);
    value = text.size > 0 ? stats_text(buffer_bytes(&text)) : json_null();
    buffer_clear(&text);
    return value;
}

static json_t *id_or_null(const struct id *id)
{
    return id_is_zero(id) ? json_null() : stats_id(id);
}

static json_t *number_or_null(uint64_t number)
{
    return number > 0 ? json_integer((json_int_t)number) : json_null();
}

static json_t *reason_of(const struct reason *reason)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s?, s:o, s:I, s:I, s:b}", "kind",
                     reason_name(reason->kind), "text", sentence(reason, reason_print), "help",
                     sentence(reason, reason_help), "task", stats_id(&reason->task), "function",
                     stats_text(reason->function), "next", id_or_null(&reason->next), "join",
                     id_or_null(&reason->join), "worker", reason->instance, "at_ms",
                     number_or_null(reason->at_ms), "number", (json_int_t)reason->number, "most",
                     (json_int_t)reason->most, "more", reason->is_more);
}

json_t *stats_explain(struct stats *stats, const char *id, const char **error)
{
    struct reason reasons[REASONS_MOST];
    struct task_view view;
    json_t *list;
    size_t size = 0;
    size_t count;

    if (!stats_find(stats, id, &view, error)) {
        return NULL;
    }
    list = json_array();
    count = forest_explain(stats->egress->forest, &view.id, reasons, REASONS_MOST);
    for (size_t i = 0; i < count; i++) {
        json_t *reason = reason_of(&reasons[i]);

        size += stats_size(reason);
        if (size > STATS_ELEMENTS_SIZE) {
            json_decref(reason);
            break;
        }
        json_array_append_new(list, reason);
    }
    return json_pack("{s:o, s:o, s:s, s:o}", "id", stats_id(&view.id), "root_id",
                     stats_id(&view.root), "state", task_state_name(view.state), "reasons", list);
}
