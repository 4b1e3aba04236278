/* SPDX-License-Identifier: MPL-2.0
 * Limits by function, exact in the whole mesh and at every index of the ledger: how many attempts
 * run at a time, how many begin in a time, or none.
 *
 * An attempt is *active* from its assignment until it is given back, but for the time that it
 * waits; also when it was told to stop. At most one of a limited function is assigned ahead, and
 * only where others would take every slot that falls free (core/pool.h). While its limit holds a
 * function, none of its queues is looked at; they go on all at once.
 *
 * A parent that may go on when its function is at its limit is *barred*, and gets the next free
 * place before any new attempt. A pause and a rate do not concern it: it has begun.
 *
 * The rate is a bucket that fills with ledger time, up to one attempt or 50 ms worth; an attempt
 * that begins takes its part out, and does not bring it back if it is returned; while it is ahead,
 * that part is put aside for it. So any 60 s hold at most 60 s worth and one bucket. */
#ifndef GROVE_CORE_LIMIT_H
#define GROVE_CORE_LIMIT_H

#include "core/forest_state.h"

/* Whether a function has any limit. */
bool limit_is_set(const struct function *function);

/* Sets what a command changes. EFFECT_RECALL when less may run than before.
 *
 *   returns   REFUSED_FUNCTION_NAME; REFUSED_QUOTA: too many functions are limited */
enum refusal limit_set(struct forest *forest, const struct limit *limit);

/* Whether an attempt in this place counts as running. */
bool limit_is_active(enum place place);

/* An attempt enters a place, or leaves the one it is in: for core/roster.c. */
void limit_enter(struct work *work, enum place place);
void limit_leave(struct work *work);

/* An attempt was assigned: looks what may begin beside it. */
void limit_look(struct forest *forest, struct function *function);

/* An attempt begins: takes its part of the rate. */
void limit_begin(struct forest *forest, struct function *function);

/* Something may go on: looked at when the command is done. Harmless without a limit. */
void limit_loosen(struct forest *forest, struct function *function);

/* Loosens the functions whose rate lets another attempt begin by now. */
void limit_pass_time(struct forest *forest);

/* A function that was loosened, the first by name; NULL: none. */
struct function *limit_loose(const struct forest *forest);

/* The barred attempt that gets a place now, or NULL. */
struct work *limit_admissible(const struct function *function);

/* Everything that its limit lets go on has: looks whether new attempts may begin. */
void limit_tighten(struct forest *forest, struct function *function);

/* When the next held function with READY tasks may go on, ledger ms; UINT64_MAX: only by a command.
 */
uint64_t limit_due_ms(const struct forest *forest);

/* When its rate lets another attempt begin. */
uint64_t limit_free_ms(const struct function *function);

/* Sets a limit as it stands in a snapshot; false for what no forest could have written. */
bool limit_restore(struct forest *forest, struct function *function,
                   const struct function_limit *limit);

/* ... when all attempts are where they were. */
void limit_restore_all(struct forest *forest);

/* A function ends. */
void limit_forget(struct forest *forest, struct function *function);

/* The forest ends. */
void limit_clear(struct forest *forest);

/* The invariants of limits, for forest_check: NULL, or a sentence naming the one that does not
 * hold. */
const char *limit_check(struct forest *forest);

#endif
