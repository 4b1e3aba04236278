/* SPDX-License-Identifier: MPL-2.0
 * What falls due, soonest first: a binary heap of owners. */
#ifndef GROVE_CORE_TIMERS_H
#define GROVE_CORE_TIMERS_H

#include "core/forest_state.h"

void timers_clear(struct timers *timers);

/* Adds one that is never moved or taken out before it is the first. Out of memory aborts. */
void timers_add(struct timers *timers, uint64_t at_ms, uint64_t sequence, void *owner);

/* Takes the first out and returns its owner. There is one. */
void *timers_take(struct timers *timers);

/* Tasks know their place (task->timer), so that theirs can be moved and taken out. */

/* Makes the task's timer what its state asks for: the end of its delay, its deadline, or none. */
void timers_set(struct timers *timers, struct task *task);

/* Takes the task's timer out, if there is one. */
void timers_drop(struct timers *timers, struct task *task);

/* When the first is due; UINT64_MAX: there is none. */
uint64_t timers_due_ms(const struct timers *timers);

/* When a task wants its timer; UINT64_MAX: it needs none. */
uint64_t timers_wanted_ms(const struct task *task);

#endif
