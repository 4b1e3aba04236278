/* SPDX-License-Identifier: MPL-2.0
 * Trees, page by page, and single tasks. */
#include "nodes/coordinator/stats.h"

#include <stdio.h>

#include "core/id.h"

static bool is_offered(const struct forest *forest, struct bytes function)
{
    struct function_view view;

    return forest_function_named(forest, function, &view) && view.sessions > 0;
}

/* The session that holds the task, or that made its result; 0: none did. */
static uint64_t session_of(const struct task_view *view)
{
    struct result_item item;

    if (view->session != 0 || !view->has_result ||
        wire_result_decode(view->result, &item) != GROVE_OK) {
        return view->session;
    }
    return item.session;
}

/* The instance; of a result whose worker has left, the name that signed it. */
static json_t *worker_of(const struct forest *forest, const struct task_view *view)
{
    const uint64_t session = session_of(view);
    const struct certificate *certificate;
    struct session_view holder;

    if (session == 0) {
        return json_null();
    }
    if (forest_session(forest, session - 1, &holder) && holder.session == session) {
        return json_string(holder.instance);
    }
    certificate =
        view->has_result ? forest_certificate(forest, &view->result_seal->signer, NULL) : NULL;
    return certificate != NULL ? json_string(certificate->name) : json_null();
}

/* The fresher of what a command carried and what was streamed since. */
static json_t *progress_of(const struct stats *stats, const struct task_view *view)
{
    const struct progress_note *note =
        progress_find(stats->egress->progress, &view->id, view->attempt);
    const uint32_t percent = note != NULL ? note->percent : view->percent;
    const struct bytes text =
        note != NULL ? bytes_of(note->text, note->text_size) : view->progress_text;

    return json_pack("{s:i, s:o}", "percent", (int)percent, "text", stats_text(text));
}

static json_t *error_of(const struct task_view *view)
{
    if (!task_state_is_open(view->state) && !view->has_result) {
        return stats_text(view->verdict_text);
    }
    return view->failure_text.size > 0 && view->state != TASK_SUCCEEDED
               ? stats_text(view->failure_text)
               : json_null();
}

static json_t *time_of(uint64_t ms)
{
    return ms != 0 ? json_integer((json_int_t)ms) : json_null();
}

/* Why it does not run, where that is not plain from its state. */
static void put_waiting(const struct stats *stats, const struct task_view *view, json_t *task)
{
    char text[LIMIT_FUNCTION_LENGTH + 32];

    if (view->is_resumable) {
        json_object_set_new(task, "waiting", json_string("a slot of its worker"));
    } else if (view->state == TASK_READY && !is_offered(stats->egress->forest, view->function)) {
        snprintf(text, sizeof(text), "no worker offers %.*s", (int)view->function.size,
                 (const char *)view->function.data);
        json_object_set_new(task, "waiting", json_string(text));
    }
}

/* The join that it is an input of: which, and what for. */
static json_t *place_of(const struct stats *stats, const struct task_view *view,
                        struct join_view *join)
{
    static const char *const kinds[] = {"none", "gather", "race", "map"};
    static const char *const states[] = {"open", "complete", "won", "failed", "cancelled"};

    if (!forest_join(stats->egress->forest, &view->join, join)) {
        return json_null();
    }
    return json_pack("{s:o, s:s, s:s, s:i}", "id", stats_id(&join->id), "kind", kinds[join->kind],
                     "state", states[join->state], "position", (int)view->join_position);
}

/* Which root a root runs again. */
static void put_retry(const struct task_view *view, json_t *task)
{
    struct task_item item;

    if (view->is_root && wire_task_decode(view->item, &item) == GROVE_OK && item.has_retry_of) {
        json_object_set_new(task, "retry_of", stats_id(&item.retry_of));
    }
}

static json_t *task_of(const struct stats *stats, const struct task_view *view)
{
    struct join_view join;
    json_t *task = json_pack(
        "{s:o, s:o, s:o, s:i, s:o, s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
        stats_id(&view->id), "parent_id", view->is_root ? json_null() : stats_id(&view->parent),
        "root_id", stats_id(&view->root), "depth", (int)view->depth, "function",
        stats_text(view->function), "state", task_state_name(view->state), "attempts",
        (int)view->attempts_started, "losses", (int)view->losses, "worker",
        worker_of(stats->egress->forest, view), "submitted_ms", time_of(view->submitted_ms),
        "started_ms", time_of(view->started_ms), "ended_ms", time_of(view->ended_ms), "progress",
        progress_of(stats, view), "error", error_of(view), "join", place_of(stats, view, &join));

    put_retry(view, task);
    put_waiting(stats, view, task);
    return task;
}

/* Adds as many of the tasks as fit into a page; returns how many. */
static size_t add_tasks(const struct stats *stats, const struct id *ids, size_t count, json_t *list)
{
    struct task_view view;
    size_t size = 0;
    size_t i;

    for (i = 0; i < count && forest_task(stats->egress->forest, &ids[i], &view); i++) {
        json_t *task = task_of(stats, &view);

        size += stats_size(task);
        if (size > STATS_ELEMENTS_SIZE) {
            json_decref(task);
            break;
        }
        json_array_append_new(list, task);
    }
    return i;
}

/* The page from `cursor` on, and the cursor of the next. */
static json_t *page(const struct stats *stats, const struct id *root, struct id *cursor)
{
    const struct forest *forest = stats->egress->forest;
    struct id ids[STATS_PAGE_TASKS];
    struct id next = *cursor;
    json_t *list = json_array();
    const size_t count = forest_tree(forest, root, &next, ids, STATS_PAGE_TASKS);
    const size_t added = add_tasks(stats, ids, count, list);

    if (added < count) {
        next = *cursor;
        forest_tree(forest, root, &next, ids, added);
    }
    *cursor = next;
    return list;
}

bool stats_find(const struct stats *stats, const char *text, struct task_view *view,
                const char **error)
{
    struct id id;

    if (text == NULL || !id_parse(text, &id)) {
        *error = "an id is 32 hexadecimal digits";
        return false;
    }
    if (!forest_task(stats->egress->forest, &id, view)) {
        *error = forest_remembers(stats->egress->forest, &id) ? "forgotten" : "not found";
        return false;
    }
    return true;
}

json_t *stats_tree(struct stats *stats, const char *id, const char *cursor, const char **error)
{
    struct id at = {{0}};
    struct task_view view, root;
    json_t *answer, *tasks;

    if (!stats_find(stats, id, &view, error) ||
        !forest_task(stats->egress->forest, &view.root, &root)) {
        return NULL;
    }
    if (cursor != NULL && !id_parse(cursor, &at)) {
        *error = "a cursor is 32 hexadecimal digits";
        return NULL;
    }
    tasks = page(stats, &root.id, &at);
    answer = json_pack("{s:o, s:s, s:o}", "root_id", stats_id(&root.id), "state",
                       task_state_name(root.state), "tasks", tasks);
    if (!id_is_zero(&at)) {
        json_object_set_new(answer, "cursor", stats_id(&at));
    }
    return answer;
}

/* How far its join is. */
static void put_join(const struct stats *stats, const struct task_view *view, json_t *task)
{
    struct join_view join;

    if (forest_join(stats->egress->forest, &view->join, &join)) {
        json_t *more = json_pack("{s:i, s:i, s:i, s:i, s:b}", "accepted", (int)join.accepted,
                                 "succeeded", (int)join.succeeded, "failed", (int)join.failed,
                                 "running", (int)join.running, "closed", join.closed);

        json_object_update(json_object_get(task, "join"), more);
        json_decref(more);
    }
}

json_t *stats_task(struct stats *stats, const char *id, const char **error)
{
    struct task_view view;
    json_t *answer;

    if (!stats_find(stats, id, &view, error)) {
        return NULL;
    }
    answer = task_of(stats, &view);
    put_join(stats, &view, answer);
    json_object_set_new(answer, "attempt", json_integer(view.attempt));
    json_object_set_new(answer, "generation", json_integer(view.generation));
    json_object_set_new(answer, "priority", json_integer(view.priority));
    json_object_set_new(answer, "deadline_ms", time_of(view.deadline_ms));
    json_object_set_new(answer, "due_ms", time_of(view.due_ms));
    json_object_set_new(answer, "children", json_integer((json_int_t)view.child_count));
    json_object_set_new(answer, "code",
                        task_state_is_open(view.state) ? json_null()
                                                       : json_string(outcome_code_name(view.code)));
    return answer;
}

json_t *stats_listed(const struct stats *stats, const struct task_view *view)
{
    return task_of(stats, view);
}
