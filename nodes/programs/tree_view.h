/* SPDX-License-Identifier: MPL-2.0
 * A tree of tasks, for people. */
#ifndef GROVE_NODES_PROGRAMS_TREE_VIEW_H
#define GROVE_NODES_PROGRAMS_TREE_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "nodes/programs/look.h"

struct tree_style {
    struct look look;
    bool is_whole;      /* every task has its line: nothing is folded */
    size_t most;        /* lines at most; the last one then says how many are left out; 0: all */
    uint64_t now_ms;    /* Unix; what runs has run until now */
    const char *sought; /* id of a task that is shown in any case, and marked; may be NULL */
};

/* Draws a tree (schema grove.tree/1), one line a task. More than a few siblings of one function
 * share a line of counts and durations, below which those stand that failed, or that a person would
 * look for. Marks the chain of tasks that took the time, and says which of them took most of it.
 *
 *   returns   the lines printed */
size_t tree_print(FILE *out, const json_t *tree, const struct tree_style *style);

/* Prints a line for each task that is new, or whose state or progress is.
 *
 *   seen      a JSON object that remembers what was printed */
void tree_print_changes(FILE *out, const json_t *tree, json_t *seen);

/* Whether every task of it has ended. */
bool tree_has_settled(const json_t *tree);

#endif
