/* SPDX-License-Identifier: MPL-2.0
 * A tree of tasks, for people. */
#include "nodes/programs/tree_view.h"

#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "nodes/programs/json_text.h"
#include "nodes/programs/tree_line.h"

#define FOLD_FROM 9      /* siblings of one function that share a line */
#define FAILURES_SHOWN 5 /* of a fold */
#define OPEN_SHOWN 3

bool tree_has_settled(const json_t *tree)
{
    size_t i;
    json_t *task;

    json_array_foreach(json_object_get(tree, "tasks"), i, task)
    {
        const char *state = json_text(task, "state");

        if (strcmp(state, "succeeded") != 0 && strcmp(state, "failed") != 0 &&
            strcmp(state, "cancelled") != 0) {
            return false;
        }
    }
    return true;
}

/* ---- folding */

/* A line below a parent, and what is below that: a child, or many of one function. */
struct entry {
    struct tree_node **members; /* within the parent's list */
    size_t count;               /* over 1: folded */
};

static int by_function(const void *a, const void *b)
{
    const struct tree_node *left = *(struct tree_node *const *)a;
    const struct tree_node *right = *(struct tree_node *const *)b;
    const int order = strcmp(left->function, right->function);

    return order != 0 ? order : left->order < right->order ? -1 : 1;
}

static int by_first(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    return left->members[0]->order < right->members[0]->order ? -1 : 1;
}

/* Where the run of one function ends that begins at `i`. */
static size_t end_of_run(struct tree_node *const *children, size_t i, size_t count)
{
    size_t end = i + 1;

    while (end < count && strcmp(children[i]->function, children[end]->function) == 0) {
        end++;
    }
    return end;
}

/* The entries of a parent, in the order of their first; returns how many.
 *
 *   children, entries   room for all its children; `children` must outlive the entries */
static size_t fold(const struct tree_node *parent, bool is_whole, struct tree_node **children,
                   struct entry *entries)
{
    size_t count = 0, entry_count = 0;

    for (struct tree_node *child = parent->first; child != NULL; child = child->next) {
        children[count++] = child;
    }
    if (!is_whole) {
        qsort(children, count, sizeof(*children), by_function);
    }
    for (size_t i = 0; i < count;) {
        const size_t end = is_whole ? i + 1 : end_of_run(children, i, count);
        const bool is_folded = end - i >= FOLD_FROM;

        for (size_t k = i; k < end; k += is_folded ? end - i : 1) {
            entries[entry_count++] = (struct entry){&children[k], is_folded ? end - i : 1};
        }
        i = end;
    }
    qsort(entries, entry_count, sizeof(*entries), by_first);
    return entry_count;
}

/* Which of a fold are shown: what failed, or failed below; the slowest of the critical path; what
 * runs; the sought one. The rest is only counted. */
static size_t choose(const struct tree_model *model, const struct tree_style *style,
                     const struct entry *fold, struct tree_node **shown)
{
    const struct tree_node *slowest = NULL;
    size_t failed = 0, open = 0, count = 0;

    for (size_t i = 0; i < fold->count; i++) {
        const struct tree_node *node = fold->members[i];

        if (node->is_critical && (slowest == NULL || tree_node_span_ms(model, node) >
                                                         tree_node_span_ms(model, slowest))) {
            slowest = node;
        }
    }
    for (size_t i = 0; i < fold->count; i++) {
        struct tree_node *node = fold->members[i];
        const bool has_failed = node->kind == TREE_FAILED || node->failures_below > 0;
        const bool is_busy = node->kind == TREE_RUNNING || node->kind == TREE_WAITING;

        if ((has_failed && failed < FAILURES_SHOWN) || node == slowest ||
            (is_busy && open < OPEN_SHOWN) ||
            (style->sought != NULL && strcmp(json_text(node->task, "id"), style->sought) == 0)) {
            failed += has_failed ? 1 : 0;
            open += is_busy ? 1 : 0;
            shown[count++] = node;
        }
    }
    return count;
}

static int failures_first(const void *a, const void *b)
{
    const struct tree_node *left = *(struct tree_node *const *)a;
    const struct tree_node *right = *(struct tree_node *const *)b;
    const int left_rank = left->kind == TREE_FAILED ? 0 : left->failures_below > 0 ? 1 : 2;
    const int right_rank = right->kind == TREE_FAILED ? 0 : right->failures_below > 0 ? 1 : 2;

    return left_rank != right_rank ? left_rank - right_rank : left->order < right->order ? -1 : 1;
}

/* ---- drawing */

struct drawing {
    FILE *out;
    const struct tree_model *model;
    const struct tree_style *style;
    struct buffer indent;
    size_t lines, left_out;
};

static void draw_below(struct drawing *drawing, const struct tree_node *node);

/* Begins a line, if there is room for it. */
static bool begin_line(struct drawing *drawing, bool is_last)
{
    const struct glyphs *glyphs = drawing->style->look.glyphs;

    if (drawing->style->most != 0 && drawing->lines + 1 >= drawing->style->most) {
        drawing->left_out++;
        return false;
    }
    if (drawing->indent.size > 0) {
        fwrite(drawing->indent.data, 1, drawing->indent.size, drawing->out);
    }
    fputs(is_last ? glyphs->last : glyphs->branch, drawing->out);
    drawing->lines++;
    return true;
}

/* Indents what is below a line; returns what `indent.size` is to be again. */
static size_t push_indent(struct drawing *drawing, bool is_last)
{
    const struct glyphs *glyphs = drawing->style->look.glyphs;
    const char *below = is_last ? glyphs->blank : glyphs->pass;
    const size_t before = drawing->indent.size;

    buffer_append(&drawing->indent, below, strlen(below));
    return before;
}

static void draw_node(struct drawing *drawing, const struct tree_node *node, bool is_last)
{
    if (begin_line(drawing, is_last)) {
        tree_print_node(drawing->out, drawing->model, node, drawing->style);
    }
    const size_t before = push_indent(drawing, is_last);

    draw_below(drawing, node);
    drawing->indent.size = before;
}

static void draw_fold(struct drawing *drawing, const struct entry *fold, bool is_last)
{
    struct tree_node **shown = calloc(fold->count, sizeof(struct tree_node *));

    if (shown == NULL) {
        abort();
    }
    const size_t count = choose(drawing->model, drawing->style, fold, shown);

    if (begin_line(drawing, is_last)) {
        tree_print_group(drawing->out, fold->members, fold->count, drawing->style);
    }
    const size_t before = push_indent(drawing, is_last);

    qsort(shown, count, sizeof(*shown), failures_first);
    for (size_t i = 0; i < count; i++) {
        draw_node(drawing, shown[i], i + 1 == count && count == fold->count);
    }
    if (count > 0 && count < fold->count && begin_line(drawing, true)) {
        fprintf(drawing->out, "%s %zu more\n", drawing->style->look.glyphs->ellipsis,
                fold->count - count);
    }
    drawing->indent.size = before;
    free(shown);
}

static void draw_below(struct drawing *drawing, const struct tree_node *node)
{
    if (node->child_count == 0) {
        return;
    }
    struct tree_node **children = calloc(node->child_count, sizeof(struct tree_node *));
    struct entry *entries = calloc(node->child_count, sizeof(*entries));

    if (children == NULL || entries == NULL) {
        abort();
    }
    const size_t count = fold(node, drawing->style->is_whole, children, entries);

    for (size_t i = 0; i < count; i++) {
        if (entries[i].count > 1) {
            draw_fold(drawing, &entries[i], i + 1 == count);
        } else {
            draw_node(drawing, entries[i].members[0], i + 1 == count);
        }
    }
    free(entries);
    free(children);
}

size_t tree_print(FILE *out, const json_t *tree, const struct tree_style *style)
{
    struct tree_model model;
    struct drawing drawing = {.out = out, .model = &model, .style = style, .lines = 1};

    tree_model_init(&model, tree, style->now_ms);
    if (model.count == 0) {
        return 0;
    }
    tree_print_node(out, &model, &model.nodes[0], style);
    draw_below(&drawing, &model.nodes[0]);
    if (drawing.left_out > 0) {
        fprintf(out, "... and %zu more lines\n", drawing.left_out);
        drawing.lines++;
    } else if (model.count > 1) {
        tree_print_path(out, &model, style);
        drawing.lines++;
    }
    tree_model_clear(&model);
    buffer_clear(&drawing.indent);
    return drawing.lines;
}

/* ---- changes */

void tree_print_changes(FILE *out, const json_t *tree, json_t *seen)
{
    const struct tree_style style = {0};
    struct tree_model model;

    tree_model_init(&model, tree, 0);
    for (size_t i = 0; i < model.count; i++) {
        struct tree_node *node = &model.nodes[i];
        const char *id = json_text(node->task, "id");
        json_t *now = json_pack("[O?, O?, O?]", json_object_get(node->task, "state"),
                                json_object_get(node->task, "progress"),
                                json_object_get(node->task, "attempts"));

        node->is_critical = false; /* nobody knows yet */
        if (!json_equal(now, json_object_get(seen, id))) {
            fprintf(out, "%*s", (int)(2 * (json_number(node->task, "depth") % 40)), "");
            tree_print_node(out, &model, node, &style);
        }
        json_object_set_new(seen, id, now);
    }
    tree_model_clear(&model);
    fflush(out);
}
