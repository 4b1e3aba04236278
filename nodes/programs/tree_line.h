/* SPDX-License-Identifier: MPL-2.0
 * What one line of a tree says: of a task, or of many siblings. */
#ifndef GROVE_NODES_PROGRAMS_TREE_LINE_H
#define GROVE_NODES_PROGRAMS_TREE_LINE_H

#include <stdio.h>

#include "nodes/programs/tree_model.h"
#include "nodes/programs/tree_view.h"

#define TREE_ID_SHOWN 8 /* digits of an id: enough to tell the tasks of a tree apart */

/* A task, and a newline; of the model alone. */
void tree_print_node(FILE *out, const struct tree_model *model, const struct tree_node *node,
                     const struct tree_style *style);

/* Siblings of one function: how many in which state, and how long they took. */
void tree_print_group(FILE *out, struct tree_node *const *members, size_t count,
                      const struct tree_style *style);

/* Which task of the critical path took most of it. */
void tree_print_path(FILE *out, const struct tree_model *model, const struct tree_style *style);

#endif
