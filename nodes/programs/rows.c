/* SPDX-License-Identifier: MPL-2.0
 * The rows of lists of roots, functions and workers. */
#include "nodes/programs/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nodes/programs/figures.h"
#include "nodes/programs/json_text.h"

#define SILENT_MS 3000 /* more than a heartbeat */

static void add_duration(struct listing *listing, bool is_known, int64_t ms)
{
    char text[DURATION_TEXT_SIZE] = "";

    if (is_known) {
        duration_text(ms > 0 ? (uint64_t)ms : 0, text);
    }
    listing_add(listing, TONE_PLAIN, text);
}

/* ---- roots */

static void add_root(struct listing *listing, const json_t *root, uint64_t now_ms)
{
    const json_t *tree = json_object_get(root, "tree");
    const char *state = json_text(root, "state");
    const int64_t submitted_ms = json_number(root, "submitted_ms");
    const int64_t ended_ms = json_number(root, "ended_ms");

    listing_add(listing, TONE_PLAIN, json_text(root, "id"));
    listing_add(listing, TONE_PLAIN, json_text(root, "function"));
    listing_add(listing, tone_of_state(state), state);
    listing_add_number(listing, json_number(tree, "tasks"));
    listing_add_number(listing, json_number(tree, "open"));
    listing_add_number(listing, json_number(tree, "failed"));
    add_duration(listing, submitted_ms > 0, (int64_t)now_ms - submitted_ms);
    add_duration(listing, ended_ms > 0, ended_ms - submitted_ms);
    listing_add(listing, TONE_DIM, json_text(root, "submitter"));
}

const struct rows root_rows = {
    .name = "roots",
    .request = "roots",
    .key = "id",
    .columns = {{"ID", false},
                {"FUNCTION", false},
                {"STATE", false},
                {"TASKS", true},
                {"OPEN", true},
                {"FAILED", true},
                {"AGE", true},
                {"TOOK", true},
                {"BY", false}},
    .member = {"id", "function", "state", "tree.tasks", "tree.open", "tree.failed", "submitted_ms",
               "ended_ms", "submitter"},
    .column_count = 9,
    .add = add_root,
};

/* ---- functions */

static void add_limit(struct listing *listing, const json_t *limit)
{
    const int64_t running = json_number(limit, "running"), rate = json_number(limit, "rate");
    const bool is_paused = json_is_true(json_object_get(limit, "paused"));
    char text[96] = "";
    size_t used = 0;

    if (is_paused) {
        used += (size_t)snprintf(text, sizeof(text), "paused ");
    }
    if (running > 0) {
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "%" PRId64 " at a time ", running);
    }
    if (rate > 0) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%g/s ", (double)rate / 1000);
    }
    text[used > 0 ? used - 1 : 0] = '\0';
    listing_add(listing, is_paused ? TONE_WARN : TONE_PLAIN, text);
}

static void add_function(struct listing *listing, const json_t *function, uint64_t now_ms)
{
    const json_t *runs = json_object_get(function, "runs");

    (void)now_ms;
    listing_add(listing, TONE_PLAIN, json_text(function, "function"));
    for (size_t i = 1; i < function_rows.column_count - 3; i++) {
        listing_add_number(listing, json_number(function, function_rows.member[i]));
    }
    add_duration(listing, json_is_object(runs), json_number(runs, "p50_ms"));
    add_duration(listing, json_is_object(runs), json_number(runs, "p99_ms"));
    add_limit(listing, json_object_get(function, "limit"));
}

const struct rows function_rows = {
    .name = "functions",
    .request = "functions",
    .key = "function",
    .columns = {{"FUNCTION", false},
                {"WORKERS", true},
                {"RUNNING", true},
                {"WAITING", true},
                {"READY", true},
                {"HELD", true},
                {"DELAYED", true},
                {"SUCCEEDED", true},
                {"FAILED", true},
                {"CANCELLED", true},
                {"P50", true},
                {"P99", true},
                {"LIMIT", false}},
    .member = {"function", "workers", "running", "waiting", "ready", "held", "delayed",
               "ended_succeeded", "ended_failed", "ended_cancelled", "runs.p50_ms", "runs.p99_ms",
               "limit.running"},
    .column_count = 13,
    .add = add_function,
};

/* ---- workers */

static void add_functions(struct listing *listing, const json_t *functions)
{
    char text[256] = "";
    size_t used = 0, i;
    json_t *function;

    json_array_foreach(functions, i, function)
    {
        const char *name = json_string_value(function);

        if (name == NULL || used + strlen(name) + 6 >= sizeof(text)) {
            snprintf(text + used, sizeof(text) - used, " ...");
            break;
        }
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? " " : "", name);
    }
    listing_add(listing, TONE_PLAIN, text);
}

/* One that offers nothing finishes what it has, and leaves. */
static const char *state_of(const json_t *worker)
{
    if (!json_is_true(json_object_get(worker, "connected"))) {
        return "away";
    }
    if (json_number(worker, "silent_ms") > SILENT_MS) {
        return "silent";
    }
    return json_array_size(json_object_get(worker, "functions")) == 0 ? "leaving" : "up";
}

static void add_worker(struct listing *listing, const json_t *worker, uint64_t now_ms)
{
    const int64_t slots = json_number(worker, "slots"), waiting = json_number(worker, "waiting");
    const int64_t stopping = json_number(worker, "stopping");
    const int64_t active = json_number(worker, "assigned") - waiting - stopping;
    const int64_t running = active < slots ? active : slots;
    const char *state = state_of(worker);

    (void)now_ms;
    listing_add(listing, TONE_PLAIN, json_text(worker, "instance"));
    listing_add(listing, TONE_PLAIN, json_text(worker, "name"));
    listing_add_number(listing, slots);
    listing_add_number(listing, running > 0 ? running : 0);
    listing_add_number(listing, waiting);
    listing_add_number(listing, active > running ? active - running : 0);
    listing_add_number(listing, stopping);
    listing_add(listing, strcmp(state, "up") == 0 ? TONE_GOOD : TONE_WARN, state);
    add_functions(listing, json_object_get(worker, "functions"));
}

const struct rows worker_rows = {
    .name = "workers",
    .request = "workers",
    .key = "instance",
    .columns = {{"INSTANCE", false},
                {"NAME", false},
                {"SLOTS", true},
                {"RUNNING", true},
                {"WAITING", true},
                {"AHEAD", true},
                {"STOPPING", true},
                {"STATE", false},
                {"FUNCTIONS", false}},
    .member = {"instance", "name", "slots", "assigned", "waiting", "assigned", "stopping",
               "silent_ms", NULL},
    .column_count = 9,
    .add = add_worker,
};

const json_t *rows_value(const struct rows *rows, size_t column, const json_t *element)
{
    const char *member = rows->member[column];
    const char *dot = member != NULL ? strchr(member, '.') : NULL;
    char object[32];

    if (member == NULL) {
        return NULL;
    }
    if (dot == NULL) {
        return json_object_get(element, member);
    }
    snprintf(object, sizeof(object), "%.*s", (int)(dot - member), member);
    return json_object_get(json_object_get(element, object), dot + 1);
}
