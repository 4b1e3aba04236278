/* SPDX-License-Identifier: MPL-2.0
 * What a task may start below itself: so many tasks, and so many bytes of their items and results.
 *
 * Each budget above a task counts it, so that one of its own never widens what it was given. Tasks
 * and items beyond are refused; results are always taken, and count. Nothing is given back when a
 * task ends. */
#ifndef GROVE_CORE_BUDGET_H
#define GROVE_CORE_BUDGET_H

#include "core/forest_state.h"

/* The budget of what is below a task, for its work: its own, made anew, or its parent's. */
struct budget *budget_make(const struct task *task);

/* Whether a task has room for `count` children with items of `size` bytes in all: REFUSED_BUDGET.
 */
enum refusal budget_judge(const struct task *parent, size_t count, size_t size);

/* A child was added. */
void budget_take(const struct task *child);

/* A result of so many bytes was added to it. */
void budget_take_result(const struct task *child, size_t size);

/* The budget that a task has itself, or NULL. */
struct budget *budget_own(const struct task *task);

/* The invariants of a task's budget, for forest_check: NULL, or a sentence. */
const char *budget_check(const struct task *task);

#endif
