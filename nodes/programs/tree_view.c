/* SPDX-License-Identifier: MPL-2.0
 * A tree of tasks, for people. */
#include "nodes/programs/tree_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "nodes/programs/program.h"

#define ID_SHOWN 8 /* digits of an id: enough to tell the tasks of a tree apart */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static bool has_ended(const json_t *task)
{
    const char *state = text_of(task, "state");

    return strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0 ||
           strcmp(state, "cancelled") == 0;
}

bool tree_has_settled(const json_t *tree)
{
    size_t i;
    json_t *task;

    json_array_foreach(json_object_get(tree, "tasks"), i, task)
    {
        if (!has_ended(task)) {
            return false;
        }
    }
    return true;
}

/* One after the other, each only when there is something to say. */
static void print_task(FILE *out, const json_t *task)
{
    const json_t *progress = json_object_get(task, "progress");
    const int64_t percent = number_of(progress, "percent");
    const int64_t started_ms = number_of(task, "started_ms");
    const int64_t ended_ms = number_of(task, "ended_ms");

    print_text(out, text_of(task, "function"));
    fprintf(out, " %.*s %s", ID_SHOWN, text_of(task, "id"), text_of(task, "state"));
    if (number_of(task, "attempts") > 1) {
        fprintf(out, " attempt %" PRId64, number_of(task, "attempts"));
    }
    if (percent > 0 || text_of(progress, "text")[0] != '\0') {
        fprintf(out, " %" PRId64 " %% ", percent);
        print_text(out, text_of(progress, "text"));
    }
    if (ended_ms != 0 && started_ms != 0 && ended_ms >= started_ms) {
        fprintf(out, " (%" PRId64 " ms)", ended_ms - started_ms);
    }
    if (!has_ended(task) && text_of(task, "waiting")[0] != '\0') {
        fputs(": ", out);
        print_text(out, text_of(task, "waiting"));
    }
    if (text_of(task, "error")[0] != '\0') {
        fputs(": ", out);
        print_text(out, text_of(task, "error"));
    }
    fputc('\n', out);
}

/* ---- drawing */

struct drawing {
    FILE *out;
    json_t *children; /* parent's id -> array of tasks */
    struct buffer indent;
    size_t most, lines, left_out;
};

static void draw(struct drawing *drawing, const json_t *task, const char *branch, const char *below)
{
    const json_t *children = json_object_get(drawing->children, text_of(task, "id"));
    const size_t indent = drawing->indent.size;
    const size_t count = json_array_size(children);

    if (drawing->most != 0 && drawing->lines + 1 >= drawing->most) {
        drawing->left_out++;
    } else {
        if (indent > 0) {
            fwrite(drawing->indent.data, 1, indent, drawing->out);
        }
        fputs(branch, drawing->out);
        print_task(drawing->out, task);
        drawing->lines++;
    }
    buffer_append(&drawing->indent, below, strlen(below));
    for (size_t i = 0; i < count; i++) {
        const bool is_last = i + 1 == count;

        draw(drawing, json_array_get(children, i), is_last ? "└─ " : "├─ ",
             is_last ? "   " : "│  ");
    }
    drawing->indent.size = indent;
}

size_t tree_print(FILE *out, const json_t *tree, size_t most)
{
    struct drawing drawing = {.out = out, .children = json_object(), .most = most};
    const json_t *root = NULL;
    size_t i;
    json_t *task;

    json_array_foreach(json_object_get(tree, "tasks"), i, task)
    {
        const char *parent = text_of(task, "parent_id");
        json_t *siblings = json_object_get(drawing.children, parent);

        if (parent[0] == '\0') {
            root = task;
            continue;
        }
        if (siblings == NULL) {
            siblings = json_array();
            json_object_set_new(drawing.children, parent, siblings);
        }
        json_array_append(siblings, task);
    }
    if (root != NULL) {
        draw(&drawing, root, "", "");
    }
    if (drawing.left_out > 0) {
        fprintf(out, "... and %zu more\n", drawing.left_out);
        drawing.lines++;
    }
    json_decref(drawing.children);
    buffer_clear(&drawing.indent);
    return drawing.lines;
}

/* ---- changes */

void tree_print_changes(FILE *out, const json_t *tree, json_t *seen)
{
    size_t i;
    json_t *task;

    json_array_foreach(json_object_get(tree, "tasks"), i, task)
    {
        const char *id = text_of(task, "id");
        json_t *now =
            json_pack("[O, O, O]", json_object_get(task, "state"),
                      json_object_get(task, "progress"), json_object_get(task, "attempts"));

        if (!json_equal(now, json_object_get(seen, id))) {
            fprintf(out, "%*s", (int)(2 * (number_of(task, "depth") % 40)), "");
            print_task(out, task);
        }
        json_object_set_new(seen, id, now);
    }
    fflush(out);
}
