/* SPDX-License-Identifier: MPL-2.0
 * Roots, newest first, each with the numbers of its tree; and what has failed, the last first. */
#include "nodes/coordinator/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/item.h"

/* By the name in its certificate. */
static json_t *submitter_of(const struct forest *forest, const struct key *signer)
{
    const struct certificate *certificate = forest_certificate(forest, signer, NULL);

    return certificate != NULL ? json_string(certificate->name) : json_null();
}

/* A root as in a tree, and what it is the root of. */
static json_t *root_of(const struct stats *stats, const struct task_view *view)
{
    const struct forest *forest = stats->egress->forest;
    json_t *root = stats_listed(stats, view);
    struct root_view tree;

    if (forest_root(forest, &view->id, &tree)) {
        json_object_set_new(
            root, "tree",
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "tasks", (json_int_t)tree.tasks,
                      "open", (json_int_t)tree.open, "succeeded",
                      (json_int_t)(tree.tasks - tree.open - tree.failed - tree.cancelled), "failed",
                      (json_int_t)tree.failed, "cancelled", (json_int_t)tree.cancelled, "held",
                      (json_int_t)tree.held, "size", (json_int_t)tree.size));
        json_object_set_new(root, "settled_ms",
                            tree.settled_ms != 0 ? json_integer((json_int_t)tree.settled_ms)
                                                 : json_null());
        json_object_set_new(root, "submitter", submitter_of(forest, &tree.signer));
    }
    return root;
}

/* False, and the element gone, when the page is full. */
static bool add(json_t *list, json_t *element, size_t *size)
{
    *size += stats_size(element);
    if (*size > STATS_ELEMENTS_SIZE) {
        json_decref(element);
        return false;
    }
    json_array_append_new(list, element);
    return true;
}

/* ---- roots */

/* The root that a page begins with; zero: the newest. False when it is none any more. */
static bool parse_root(const struct forest *forest, const char *text, struct id *cursor,
                       const char **error)
{
    struct root_view root;

    *cursor = (struct id){{0}};
    if (text == NULL) {
        return true;
    }
    if (!id_parse(text, cursor)) {
        *error = "a cursor is 32 hexadecimal digits";
        return false;
    }
    if (!forest_root(forest, cursor, &root)) {
        *error = "forgotten: begin again without a cursor";
        return false;
    }
    return true;
}

json_t *stats_roots(struct stats *stats, const char *cursor, const char **error)
{
    const struct forest *forest = stats->egress->forest;
    struct id ids[STATS_PAGE_TASKS];
    struct task_view view;
    json_t *list, *answer;
    struct id next;
    size_t size = 0;

    if (!parse_root(forest, cursor, &next, error)) {
        return NULL;
    }
    list = json_array();
    answer = json_pack("{s:o}", "roots", list);
    const size_t count = forest_roots(forest, &next, ids, STATS_PAGE_TASKS);

    for (size_t i = 0; i < count && forest_task(forest, &ids[i], &view); i++) {
        if (!add(list, root_of(stats, &view), &size)) {
            next = ids[i];
            break;
        }
    }
    if (!id_is_zero(&next)) {
        json_object_set_new(answer, "cursor", stats_id(&next));
    }
    return answer;
}

json_t *stats_root(struct stats *stats, const char *id, const char **error)
{
    struct task_view view;

    if (!stats_find(stats, id, &view, error) ||
        !forest_task(stats->egress->forest, &view.root, &view)) {
        return NULL;
    }
    return root_of(stats, &view);
}

/* ---- failures */

/* "MS-SEQUENCE", after which a page begins; without one, at the last that failed. */
static bool parse_place(const char *text, struct failed_at *at)
{
    char *end = NULL;

    *at = (struct failed_at){0};
    if (text == NULL) {
        return true;
    }
    at->ended_ms = strtoull(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || end[0] != '-' || end[1] < '1' || end[1] > '9') {
        return false;
    }
    at->sequence = strtoull(end + 1, &end, 10);
    return *end == '\0';
}

static json_t *failure_of(const struct stats *stats, const struct task_view *view)
{
    json_t *failure = stats_listed(stats, view);

    json_object_set_new(failure, "code", json_string(outcome_code_name(view->code)));
    return failure;
}

/* A page of as many as fit: those of which the places are passed over come with the next. */
static json_t *failed(const struct stats *stats, struct failed_at *at)
{
    const struct forest *forest = stats->egress->forest;
    json_t *list = json_array();
    struct task_view view;
    size_t size = 0;
    struct id id;

    for (size_t i = 0; i < STATS_PAGE_TASKS; i++) {
        struct failed_at next = *at;

        if (forest_failures(forest, &next, &id, 1) == 1 && forest_task(forest, &id, &view) &&
            !add(list, failure_of(stats, &view), &size)) {
            break;
        }
        *at = next;
        if (next.ended_ms == 0) {
            break;
        }
    }
    return list;
}

json_t *stats_failures(struct stats *stats, const char *cursor, const char **error)
{
    struct failed_at at;
    char text[48];

    if (!parse_place(cursor, &at)) {
        *error = "a cursor is what the page before gave";
        return NULL;
    }
    json_t *answer = json_pack("{s:o}", "failures", failed(stats, &at));

    if (at.ended_ms != 0) {
        snprintf(text, sizeof(text), "%" PRIu64 "-%" PRIu64, at.ended_ms, at.sequence);
        json_object_set_new(answer, "cursor", json_string(text));
    }
    return answer;
}
