/* SPDX-License-Identifier: MPL-2.0
 * One task, for people. */
#include "nodes/programs/task_view.h"

#include <inttypes.h>

#include "nodes/host/clock.h"
#include "nodes/programs/figures.h"
#include "nodes/programs/json_text.h"

static void print_title(FILE *out, const struct look *look, const char *title)
{
    fprintf(out, "%s%-12s%s ", look_begin(look, TONE_STRONG), title, look_end(look));
}

static void print_member(FILE *out, const struct look *look, const char *title,
                         const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (json_is_string(value) && json_string_length(value) > 0) {
        print_title(out, look, title);
        print_text(out, json_string_value(value));
        fputc('\n', out);
    } else if (json_is_integer(value) && json_integer_value(value) != 0) {
        print_title(out, look, title);
        fprintf(out, "%" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
    }
}

/* How long ago, or how long until then. */
static void print_moment(FILE *out, const struct look *look, const char *title, const json_t *task,
                         const char *name)
{
    const int64_t at_ms = json_number(task, name), now_ms = (int64_t)clock_unix_ms();
    char text[DURATION_TEXT_SIZE];

    if (at_ms > 0) {
        print_title(out, look, title);
        fprintf(out, "%s%s%s\n", at_ms > now_ms ? "in " : "",
                duration_text((uint64_t)(at_ms > now_ms ? at_ms - now_ms : now_ms - at_ms), text),
                at_ms > now_ms ? "" : " ago");
    }
}

static void print_progress(FILE *out, const struct look *look, const json_t *progress)
{
    if (json_number(progress, "percent") > 0 || json_text(progress, "text")[0] != '\0') {
        print_title(out, look, "progress");
        fprintf(out, "%" PRId64 " %% ", json_number(progress, "percent"));
        print_text(out, json_text(progress, "text"));
        fputc('\n', out);
    }
}

static void print_join(FILE *out, const struct look *look, const json_t *join)
{
    if (json_is_object(join)) {
        print_title(out, look, "join");
        fprintf(out, "input %" PRId64 " of a ", json_number(join, "position") + 1);
        print_text(out, json_text(join, "kind"));
        fprintf(out, " with %" PRId64 " (%" PRId64 " succeeded, %" PRId64 " failed), ",
                json_number(join, "accepted"), json_number(join, "succeeded"),
                json_number(join, "failed"));
        print_text(out, json_text(join, "state"));
        fputc('\n', out);
    }
}

void task_print(FILE *out, const struct look *look, const json_t *task)
{
    const char *state = json_text(task, "state");

    print_member(out, look, "id", task, "id");
    print_member(out, look, "function", task, "function");
    print_title(out, look, "state");
    look_print(look, out, tone_of_state(state), state);
    fputc('\n', out);
    print_member(out, look, "waiting for", task, "waiting");
    print_member(out, look, "error", task, "error");
    print_progress(out, look, json_object_get(task, "progress"));
    print_member(out, look, "root", task, "root_id");
    print_member(out, look, "parent", task, "parent_id");
    print_member(out, look, "retry of", task, "retry_of");
    print_member(out, look, "depth", task, "depth");
    print_member(out, look, "children", task, "children");
    print_join(out, look, json_object_get(task, "join"));
    print_member(out, look, "worker", task, "worker");
    print_member(out, look, "attempts", task, "attempts");
    print_member(out, look, "losses", task, "losses");
    print_member(out, look, "priority", task, "priority");
    print_moment(out, look, "submitted", task, "submitted_ms");
    print_moment(out, look, "started", task, "started_ms");
    print_moment(out, look, "ended", task, "ended_ms");
    print_moment(out, look, "due", task, "due_ms");
    print_moment(out, look, "deadline", task, "deadline_ms");
}

/* ---- reasons */

void reasons_print(FILE *out, const struct look *look, const json_t *answer)
{
    const json_t *reason;
    size_t i;

    print_text(out, json_text(answer, "id"));
    fputc(' ', out);
    look_print(look, out, tone_of_state(json_text(answer, "state")), json_text(answer, "state"));
    fputc('\n', out);
    json_array_foreach(json_object_get(answer, "reasons"), i, reason)
    {
        const char *help = json_text(reason, "help");

        fprintf(out, "%*s", (int)(2 * (i < 20 ? i + 1 : 21)), "");
        print_text(out, json_text(reason, "function"));
        fputs(": ", out);
        print_text(out, json_text(reason, "text"));
        if (help[0] != '\0') {
            fputs("; try: ", out);
            look_print(look, out, TONE_STRONG, help);
        }
        fputc('\n', out);
    }
}
