/* SPDX-License-Identifier: MPL-2.0
 * Which attempt the calling thread is in the handler of: lineage without an argument. */
#ifndef GROVE_NODES_WORKER_CONTEXT_H
#define GROVE_NODES_WORKER_CONTEXT_H

#include "nodes/client/joining.h"
#include "nodes/worker/attempt.h"

/* NULL outside a handler. */
struct grove_attempt *context_attempt(void);

/* For a thread that makes the calls of an attempt's command, in the place of adopting it: between
 * the two it is the attempt's.
 *
 *   visit     zeroed; outlives that */
struct visit;
void context_begin_visit(struct grove_attempt *attempt, struct visit *visit);
void context_end_visit(void);

/* Within: what a call gave has been handed on, or the next has to be waited for. */
void context_rest(void);

/* Runs the attempt's handler on this thread, and concludes it by what that returns. */
void context_run(struct grove_attempt *attempt);

/* Who seals what this attempt submits, and ledger time. */
const struct key *context_signer(const struct grove_attempt *attempt);
uint64_t context_ledger_ms(const struct grove_attempt *attempt);

const struct credential *context_credential(const struct grove_attempt *attempt);

/* Which of its equals a join of this attempt is. */
uint32_t context_count_join(struct grove_attempt *attempt, const struct join_terms *terms);

/* Has the I/O thread send what is new of a join. */
void context_kick(struct grove_attempt *attempt, struct joining *joining);

/* Waits for a CALL_JOIN without a slot. Comes back before it has ended, without
 * call->has_returned, when the join takes more inputs: give them, and wait on. */
void context_wait(struct call *call);
void context_wait_on(struct call *call);

/* grove_progress and grove_checkpoint, of an attempt that need not be this thread's. */
void context_progress(struct grove_attempt *attempt, unsigned percent, const char *text);
enum grove_status context_checkpoint(struct grove_attempt *attempt, const void *data, size_t size)
    GROVE_CHECKED;

/* The latter in two steps, for at most LIMIT_CHECKPOINT_SIZE bytes: true when it has ended, and the
 * call is freed. */
enum patience { PATIENCE_NONE, PATIENCE_ENDLESS };
struct call *context_begin_checkpoint(struct grove_attempt *attempt, struct bytes bytes);
bool context_end_checkpoint(struct call *call, enum patience patience);

/* Has the worker's I/O thread do what the call asks, and waits for it; without a slot, if it awaits
 * children. */
void context_perform(struct call *call);

#endif
