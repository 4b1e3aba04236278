/* SPDX-License-Identifier: MPL-2.0
 * What the end of a command means for its attempt. */
#ifndef GROVE_NODES_WORKER_EXEC_VERDICT_H
#define GROVE_NODES_WORKER_EXEC_VERDICT_H

#include "nodes/worker/exec.h"

/* Says it, and returns what a handler would. The verdict is the exit status:
 *
 *   0               succeeded, with what it wrote to stdout
 *   65, 66, 77      failed for good: wrong data, no input, no permission
 *   126, 127, 78    this node cannot run it: handed back, unless it may run only once
 *   any other       failed; 69 and 75 say that another time is better
 *
 * A signal is a failure. So is a limit, for good. A failure's bytes are how stderr ended. */
enum grove_status exec_judge(struct grove_attempt *attempt, const struct exec_outcome *outcome);

#endif
