/* SPDX-License-Identifier: MPL-2.0
 * A tree of tasks as linked nodes. */
#include "nodes/programs/tree_model.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "nodes/programs/json_text.h"

static const char *const names[TREE_KINDS] = {
    [TREE_FAILED] = "failed",   [TREE_CANCELLED] = "cancelled", [TREE_LOST_RACE] = "lost race",
    [TREE_RUNNING] = "running", [TREE_WAITING] = "waiting",     [TREE_READY] = "ready",
    [TREE_HELD] = "held",       [TREE_DELAYED] = "delayed",     [TREE_SUCCEEDED] = "succeeded",
};

const char *tree_kind_name(enum tree_kind kind)
{
    return names[kind];
}

bool tree_kind_is_open(enum tree_kind kind)
{
    return kind >= TREE_RUNNING && kind <= TREE_DELAYED;
}

static enum tree_kind kind_of(const json_t *task)
{
    const char *state = json_text(task, "state");
    const json_t *join = json_object_get(task, "join");

    if (strcmp(state, "cancelled") == 0 && strcmp(json_text(join, "kind"), "race") == 0 &&
        strcmp(json_text(join, "state"), "won") == 0) {
        return TREE_LOST_RACE;
    }
    for (enum tree_kind kind = TREE_FAILED; kind < TREE_KINDS; kind++) {
        if (strcmp(state, names[kind]) == 0) {
            return kind;
        }
    }
    return TREE_READY;
}

static uint64_t time_of(const json_t *task, const char *name)
{
    const int64_t ms = json_number(task, name);

    return ms > 0 ? (uint64_t)ms : 0;
}

static void set_node(struct tree_node *node, const json_t *task, size_t order)
{
    node->task = task;
    node->function = json_text(task, "function");
    node->order = order;
    node->kind = kind_of(task);
    node->submitted_ms = time_of(task, "submitted_ms");
    node->started_ms = time_of(task, "started_ms");
    node->ended_ms = tree_kind_is_open(node->kind) ? 0 : time_of(task, "ended_ms");
}

static void attach(struct tree_node *node, struct tree_node *parent)
{
    node->parent = parent;
    if (parent->last == NULL) {
        parent->first = node;
    } else {
        parent->last->next = node;
    }
    parent->last = node;
    parent->child_count++;
}

/* Depth first, so the parent is the last one seen a level higher. */
static void link_nodes(struct tree_model *model)
{
    struct tree_node *last[LIMIT_DEPTH + 2];
    size_t depth = 0; /* of the one before */

    for (size_t i = 0; i < model->count; i++) {
        const int64_t said = json_number(model->nodes[i].task, "depth");
        const size_t most = depth < LIMIT_DEPTH ? depth + 1 : LIMIT_DEPTH;

        depth = i == 0 ? 0 : said < 1 ? 1 : (size_t)said > most ? most : (size_t)said;
        last[depth] = &model->nodes[i];
        if (i > 0) {
            attach(last[depth], last[depth - 1]);
        }
    }
}

static void count_below(struct tree_model *model)
{
    for (size_t i = model->count; i-- > 1;) {
        struct tree_node *node = &model->nodes[i];

        node->parent->below += node->below + 1;
        node->parent->failures_below += node->failures_below + (node->kind == TREE_FAILED ? 1 : 0);
    }
}

/* ---- the critical path */

/* Until when it kept its parent waiting. */
static uint64_t end_of(const struct tree_node *node)
{
    return node->ended_ms != 0 ? node->ended_ms : UINT64_MAX;
}

/* The latest end first; of those that end together what was begun last, for it came behind. */
static int by_end(const void *a, const void *b)
{
    const struct tree_node *left = *(struct tree_node *const *)a;
    const struct tree_node *right = *(struct tree_node *const *)b;

    if (end_of(left) != end_of(right)) {
        return end_of(left) > end_of(right) ? -1 : 1;
    }
    if (left->submitted_ms != right->submitted_ms) {
        return left->submitted_ms > right->submitted_ms ? -1 : 1;
    }
    return left->order < right->order ? -1 : 1;
}

/* Backwards from the parent's end: what ended last before that, then what ended last before this
 * was submitted, and so on. What outlives its parent, or lost its race, kept nobody waiting. */
static void mark_children(const struct tree_node *parent, struct tree_node **children)
{
    uint64_t until_ms = end_of(parent);
    size_t count = 0;

    for (struct tree_node *child = parent->first; child != NULL; child = child->next) {
        if (child->kind != TREE_LOST_RACE) {
            children[count++] = child;
        }
    }
    if (count > 0) {
        qsort(children, count, sizeof(*children), by_end);
    }
    for (size_t i = 0; i < count && until_ms > parent->submitted_ms; i++) {
        if (end_of(children[i]) <= until_ms) {
            children[i]->is_critical = true;
            until_ms = children[i]->submitted_ms;
        }
    }
}

/* Parents come before their children. */
static void mark_critical(struct tree_model *model)
{
    struct tree_node **children = calloc(model->count, sizeof(struct tree_node *));

    if (children == NULL) {
        abort();
    }
    model->nodes[0].is_critical = true;
    for (size_t i = 0; i < model->count; i++) {
        if (model->nodes[i].is_critical) {
            mark_children(&model->nodes[i], children);
        }
    }
    free(children);
}

uint64_t tree_node_span_ms(const struct tree_model *model, const struct tree_node *node)
{
    const uint64_t end_ms = node->ended_ms != 0 ? node->ended_ms : model->now_ms;

    return end_ms > node->submitted_ms ? end_ms - node->submitted_ms : 0;
}

uint64_t tree_node_queued_ms(const struct tree_model *model, const struct tree_node *node)
{
    const uint64_t span_ms = tree_node_span_ms(model, node);

    if (node->started_ms == 0) { /* ended by itself, as a join from outside does, it never queued */
        return node->kind == TREE_RUNNING || node->kind == TREE_WAITING || node->ended_ms != 0
                   ? 0
                   : span_ms;
    }
    if (node->started_ms <= node->submitted_ms) {
        return 0;
    }
    const uint64_t queued_ms = node->started_ms - node->submitted_ms;

    return queued_ms < span_ms ? queued_ms : span_ms;
}

uint64_t tree_node_own_ms(const struct tree_model *model, const struct tree_node *node)
{
    uint64_t own_ms = tree_node_span_ms(model, node) - tree_node_queued_ms(model, node);

    for (const struct tree_node *child = node->first; child != NULL; child = child->next) {
        const uint64_t span_ms = child->is_critical ? tree_node_span_ms(model, child) : 0;

        own_ms -= span_ms < own_ms ? span_ms : own_ms;
    }
    return own_ms;
}

void tree_model_init(struct tree_model *model, const json_t *tree, uint64_t now_ms)
{
    const json_t *tasks = json_object_get(tree, "tasks");

    *model = (struct tree_model){.count = json_array_size(tasks), .now_ms = now_ms};
    if (model->count == 0) {
        return;
    }
    model->nodes = calloc(model->count, sizeof(*model->nodes));
    if (model->nodes == NULL) {
        abort();
    }
    for (size_t i = 0; i < model->count; i++) {
        set_node(&model->nodes[i], json_array_get(tasks, i), i);
    }
    link_nodes(model);
    count_below(model);
    mark_critical(model);
}

void tree_model_clear(struct tree_model *model)
{
    free(model->nodes);
    *model = (struct tree_model){0};
}
