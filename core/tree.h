/* SPDX-License-Identifier: MPL-2.0
 * Trees of tasks: how one grows, how its tasks move and settle, and how it is forgotten. */
#ifndef GROVE_CORE_TREE_H
#define GROVE_CORE_TREE_H

#include "core/forest_state.h"

/* The task of this id, or NULL; one that is being forgotten is not found. */
struct task *tree_find(const struct forest *forest, const struct id *id);

/* What a new task is made of; everything has been judged. */
struct planting {
    const struct id *id;
    const struct digest *payload;
    const struct task_item *item;
    struct bytes bytes;    /* the item as signed; copied */
    struct task *parent;   /* NULL: a root */
    struct record *record; /* takes one use */
    uint8_t seal_index;
    enum planted as;
};

/* Adds a task, DELAYED, or as it is planted. */
struct task *tree_plant(struct forest *forest, const struct planting *planting);

/* A child's request as it is looked up; its function must be known. */
struct request tree_request(struct task *parent, struct function *function,
                            const struct digest *payload, const struct task_item *item);

/* Moves a task to another state, with its counters, its timer and its place among the ready ones.
 * The move is permitted. */
void tree_move(struct forest *forest, struct task *task, enum task_state state);

/* The work of a task, made when it has none yet. */
struct work *tree_work(struct task *task);

/* Ends a task with a worker's result: SUCCEEDED or FAILED by its code. Its parent may resume. The
 * attempt, if any, stays with its session: give it back, or tell it to stop.
 *
 *   record   takes one use */
void tree_settle_result(struct forest *forest, struct task *task, const struct result_item *result,
                        struct blob *bytes, struct record *record, uint8_t seal_index);

/* Ends a task with a verdict: CANCELLED for CODE_CANCELLED, else FAILED. */
void tree_settle_verdict(struct forest *forest, struct task *task, enum outcome_code code,
                         struct bytes text);

/* Whether it has had so many attempts, or open tasks at a time, that it takes turns with those that
 * have not begun. */
bool tree_is_large(const struct tree *tree);

/* Whether the last task of a tree has ended, no session holds an attempt and nothing is swept. */
bool tree_is_at_rest(const struct tree *tree);

/* Takes a tree that is at rest back from those that are retained, for a sweep. */
void tree_stir(struct forest *forest, struct tree *tree);

/* Retains a tree that has come to rest. */
void tree_rest(struct forest *forest, struct tree *tree);

/* Frees settled trees that are past their retention, at most forest->moves tasks. */
void tree_forget(struct forest *forest);

/* Whether tree_forget has something to do at this time. */
bool tree_is_forgettable(const struct forest *forest, uint64_t now_ms);

/* Frees one task, which has no children, as it is; of a root also its tree. */
void tree_free_task(struct forest *forest, struct task *task);

/* Bytes that a task has in tree->size. */
uint64_t tree_size_of(const struct task *task);

/* The tree that a root's task is allocated with. */
struct tree *tree_of_root(struct task *root);

/* Memory for a task and its item, all zero but for item_size; of a root with its tree. */
struct task *tree_allocate(bool is_root, size_t item_size);

#endif
