/* SPDX-License-Identifier: MPL-2.0
 * A task as its caller gives it: checked, and made an item. */
#ifndef GROVE_NODES_CLIENT_TASK_H
#define GROVE_NODES_CLIENT_TASK_H

#include "core/item.h"
#include "nodes/grove.h"

/* Copies a task of any library's size to one of ours.
 *
 *   returns   NULL; else what is wrong with it, for people; `status` is then what to return for it,
 *             and `copy` has no more than a function, if that */
const char *task_take(const struct grove_task *task, struct grove_task *copy,
                      enum grove_status *status);

/* The item of a root, with a nonce of its own; borrows from the task.
 *
 *   ledger_ms  ledger time now, from which expires_ms counts */
struct task_item task_make_item(const struct grove_task *task, uint64_t ledger_ms);

/* How long submitting it may take. */
uint64_t task_expires_ms(const struct grove_task *task);

/* The i-th of an array, whose elements need not be of the size that this library knows. */
const struct grove_task *task_at(const struct grove_task *tasks, size_t i);

#endif
