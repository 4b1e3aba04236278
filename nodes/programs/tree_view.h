/* SPDX-License-Identifier: MPL-2.0
 * A tree of tasks, for people. */
#ifndef GROVE_NODES_PROGRAMS_TREE_VIEW_H
#define GROVE_NODES_PROGRAMS_TREE_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/* Draws a tree (schema grove.tree/1), one line a task.
 *
 *   most      lines at most; the last one then says how many tasks were left out; 0: all
 *   returns   the lines printed */
size_t tree_print(FILE *out, const json_t *tree, size_t most);

/* Prints a line for each task that is new, or whose state or progress is.
 *
 *   seen      a JSON object that remembers what was printed */
void tree_print_changes(FILE *out, const json_t *tree, json_t *seen);

/* Whether every task of it has ended. */
bool tree_has_settled(const json_t *tree);

#endif
