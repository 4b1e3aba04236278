/* SPDX-License-Identifier: MPL-2.0
 * grove task ID: all that is known of one task, but its payload and its result. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nodes/grove.h"
#include "nodes/host/clock.h"
#include "nodes/programs/figures.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/look.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"

#define REQUEST_SIZE 64

static void print_title(const struct look *look, const char *title)
{
    printf("%s%-12s%s ", look_begin(look, TONE_STRONG), title, look_end(look));
}

static void print_member(const struct look *look, const char *title, const json_t *object,
                         const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (json_is_string(value) && json_string_length(value) > 0) {
        print_title(look, title);
        print_text(stdout, json_string_value(value));
        putchar('\n');
    } else if (json_is_integer(value) && json_integer_value(value) != 0) {
        print_title(look, title);
        printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
    }
}

/* How long ago, or how long until then. */
static void print_moment(const struct look *look, const char *title, const json_t *task,
                         const char *name)
{
    const int64_t at_ms = json_number(task, name), now_ms = (int64_t)clock_unix_ms();
    char text[DURATION_TEXT_SIZE];

    if (at_ms > 0) {
        print_title(look, title);
        printf("%s%s%s\n", at_ms > now_ms ? "in " : "",
               duration_text((uint64_t)(at_ms > now_ms ? at_ms - now_ms : now_ms - at_ms), text),
               at_ms > now_ms ? "" : " ago");
    }
}

static void print_progress(const struct look *look, const json_t *progress)
{
    if (json_number(progress, "percent") > 0 || json_text(progress, "text")[0] != '\0') {
        print_title(look, "progress");
        printf("%" PRId64 " %% ", json_number(progress, "percent"));
        print_text(stdout, json_text(progress, "text"));
        putchar('\n');
    }
}

static void print_join(const struct look *look, const json_t *join)
{
    if (json_is_object(join)) {
        print_title(look, "join");
        printf("input %" PRId64 " of a ", json_number(join, "position") + 1);
        print_text(stdout, json_text(join, "kind"));
        printf(" with %" PRId64 " (%" PRId64 " succeeded, %" PRId64 " failed), ",
               json_number(join, "accepted"), json_number(join, "succeeded"),
               json_number(join, "failed"));
        print_text(stdout, json_text(join, "state"));
        putchar('\n');
    }
}

static void print_task(const struct look *look, const json_t *task)
{
    const char *state = json_text(task, "state");

    print_member(look, "id", task, "id");
    print_member(look, "function", task, "function");
    print_title(look, "state");
    look_print(look, stdout, tone_of_state(state), state);
    putchar('\n');
    print_member(look, "waiting for", task, "waiting");
    print_member(look, "error", task, "error");
    print_progress(look, json_object_get(task, "progress"));
    print_member(look, "root", task, "root_id");
    print_member(look, "parent", task, "parent_id");
    print_member(look, "depth", task, "depth");
    print_member(look, "children", task, "children");
    print_join(look, json_object_get(task, "join"));
    print_member(look, "worker", task, "worker");
    print_member(look, "attempts", task, "attempts");
    print_member(look, "losses", task, "losses");
    print_member(look, "priority", task, "priority");
    print_moment(look, "submitted", task, "submitted_ms");
    print_moment(look, "started", task, "started_ms");
    print_moment(look, "ended", task, "ended_ms");
    print_moment(look, "due", task, "due_ms");
    print_moment(look, "deadline", task, "deadline_ms");
}

static enum exit_code run(const struct arguments *arguments)
{
    const struct look look = look_of(arguments, stdout);
    char path[PATH_MAX], request[REQUEST_SIZE];
    struct grove_id id;
    enum exit_code code;
    json_t *task;

    if (arguments->word_count != 1 || !grove_id_parse(arguments->word[0], &id)) {
        complain("task: which task? An id is 32 hexadecimal digits");
        return EXIT_USAGE;
    }
    if (!connect_choose(arguments, path, &code)) {
        return code;
    }
    struct observer *observer = observer_open(path, &code);

    if (observer == NULL) {
        return code;
    }
    snprintf(request, sizeof(request), "task %.32s", arguments->word[0]);
    code = observer_ask(observer, request, &task);
    if (code == EXIT_DONE && argument_json(arguments)) {
        print_json(task);
    } else if (code == EXIT_DONE) {
        print_task(&look, task);
        json_decref(task);
    }
    observer_close(observer);
    return code;
}

const struct subcommand task_subcommand = {
    .name = "task",
    .summary = "Show all that is known of a task, but its payload and its result",
    .usage = "ID",
    .operand = "ID",
    .run = run,
};
