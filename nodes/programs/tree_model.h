/* SPDX-License-Identifier: MPL-2.0
 * A tree of tasks (schema grove.tree/1) as linked nodes: who is below whom, what went wrong below,
 * and which chain of tasks took the time. */
#ifndef GROVE_NODES_PROGRAMS_TREE_MODEL_H
#define GROVE_NODES_PROGRAMS_TREE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* What a person wants to tell apart. In the order in which they are told. */
enum tree_kind {
    TREE_FAILED,
    TREE_CANCELLED,
    TREE_LOST_RACE, /* cancelled, because another input of its race was faster */
    TREE_RUNNING,
    TREE_WAITING,
    TREE_READY,
    TREE_HELD,
    TREE_DELAYED,
    TREE_SUCCEEDED,
    TREE_KINDS
};

struct tree_node {
    const json_t *task;   /* borrowed of the tree */
    const char *function; /* likewise */
    struct tree_node *parent, *first, *last, *next;
    size_t order; /* depth first */
    enum tree_kind kind;
    uint64_t submitted_ms, started_ms, ended_ms; /* 0: not yet */
    size_t child_count;
    size_t below, failures_below; /* tasks, at any depth */
    bool is_critical;             /* its parent would have ended, or gone on, earlier without it */
};

struct tree_model {
    struct tree_node *nodes; /* depth first; the first is the root */
    size_t count;
    uint64_t now_ms; /* where open tasks are by now, in Unix ms */
};

/* Borrows `tree` for as long as the model is used. What makes no sense in it is put where it does
 * no harm. */
void tree_model_init(struct tree_model *model, const json_t *tree, uint64_t now_ms);
void tree_model_clear(struct tree_model *model);

/* From when it was submitted until it ended, or until now. */
uint64_t tree_node_span_ms(const struct tree_model *model, const struct tree_node *node);

/* What of that was before it started, for the last time; or until now. */
uint64_t tree_node_queued_ms(const struct tree_model *model, const struct tree_node *node);

/* What of it is its own: neither in a queue nor in the tasks of the critical path below it. */
uint64_t tree_node_own_ms(const struct tree_model *model, const struct tree_node *node);

bool tree_kind_is_open(enum tree_kind kind);
const char *tree_kind_name(enum tree_kind kind);

#endif
