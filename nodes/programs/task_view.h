/* SPDX-License-Identifier: MPL-2.0
 * One task, for people: what is known of it, and why it is not done. */
#ifndef GROVE_NODES_PROGRAMS_TASK_VIEW_H
#define GROVE_NODES_PROGRAMS_TASK_VIEW_H

#include <jansson.h>

#include "nodes/programs/look.h"

/* A task (schema grove.task/1): a line for each thing that there is to say. */
void task_print(FILE *out, const struct look *look, const json_t *task);

/* Why it is not done (schema grove.explain/1): from the task down to what it waits for in the end,
 * each line is a reason for the one above. */
void reasons_print(FILE *out, const struct look *look, const json_t *answer);

#endif
