/* SPDX-License-Identifier: MPL-2.0
 * Inputs for joins: an Append is taken whole, or refused whole. */
#ifndef GROVE_CORE_APPEND_H
#define GROVE_CORE_APPEND_H

#include "core/entry.h"

/* An Expand while it is applied. */
struct expansion {
    struct forest *forest;
    struct session *session;                  /* NULL: from outside */
    struct key asker;                         /* whose items they are */
    struct entry entry;                       /* entry.batch may be NULL */
    struct task *answered[LIMIT_BATCH_ITEMS]; /* by position; NULL where refused */
};

/* Marks the positions of a batch that some Append names: they are no plain children. */
void append_claim(struct wire_list appends, bool claimed[LIMIT_BATCH_ITEMS]);

/* Applies all of a list.
 *
 *   joins   an id each */
void append_all(struct expansion *expansion, struct wire_list appends, const struct id *joins);

#endif
