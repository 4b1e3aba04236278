/* SPDX-License-Identifier: MPL-2.0
 * Cancelling, of any number of tasks, a bounded number a command.
 *
 * The command that cancels marks the head of what ends: a task, or a join that is over, whose open
 * inputs are meant. From then on nothing below is assigned, accepted or counted: whatever comes to
 * touch such a task asks sweep_heed first, which ends it. The others are ended by and by, in the
 * order of the trees. Sweeps are gone on with one after the other, so that each task is counted by
 * one of them. */
#ifndef GROVE_CORE_SWEEP_H
#define GROVE_CORE_SWEEP_H

#include "core/forest_state.h"

/* Cancels a task with all that is below it; once done, work->sweep keeps the counts.  Harmless when
 * that has begun.
 *
 *   code   of the task itself, if it is open: CODE_CANCELLED or CODE_ABANDONED */
void sweep_task(struct forest *forest, struct task *task, enum outcome_code code);

/* Cancels the open inputs of a join that is over. */
void sweep_join(struct forest *forest, struct join *join);

/* Whether a task is cancelled: ends it if it still is open under a mark. */
bool sweep_heed(struct forest *forest, struct task *task);

/* Whether a task is open and lies under a mark: for readers, who cannot end it. */
bool sweep_is_doomed(const struct task *task);

/* Goes on with what is under way, as far as forest->moves allow. */
void sweep_go_on(struct forest *forest);

#endif
