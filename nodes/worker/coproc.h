/* SPDX-License-Identifier: MPL-2.0
 * Commands that stay: a child runs one attempt after the other, each a line of JSON in and a line
 * out. As many are kept as attempts run at a time; one that dies, is stopped or answers rubbish is
 * replaced when the next is needed, and only its own attempt fails. */
#ifndef GROVE_NODES_WORKER_COPROC_H
#define GROVE_NODES_WORKER_COPROC_H

#include "nodes/worker/exec.h"
#include "nodes/worker/exec_place.h"

struct coprocs;

/* Of a function; nothing is started yet.
 *
 *   function   borrowed, with its command
 *   most       children that are kept while nobody needs them */
struct coprocs *coprocs_create(struct guardian *guardian, const struct function *function,
                               unsigned most);

/* Closes their stdin, gives them the function's grace to end, and kills the rest; nobody asks them
 * any more. NULL is fine. */
void coprocs_destroy(struct coprocs *coprocs);

/* Writes an attempt as a line for them. */
void coproc_put_task(struct buffer *line, const struct grove_attempt *attempt,
                     const struct exec_place *place);

/* Has the attempt run by one of them, idle or new. The outcome is as of a command that runs once: a
 * result is its output, of an exit with 0.
 *
 *   job   with the line as input; it says nothing of a command */
void coprocs_run(struct coprocs *coprocs, struct grove_attempt *attempt, const struct exec_job *job,
                 struct exec_outcome *outcome);

#endif
