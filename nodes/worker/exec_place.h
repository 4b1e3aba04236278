/* SPDX-License-Identifier: MPL-2.0
 * Where commands work: a directory of the worker's, in it one for each attempt, and for each child
 * that stays, removed when that has ended; the guardian removes what is left.
 *
 *   $TMPDIR/grove-worker.XXXXXX/TASK.ATTEMPT/work         where the command begins
 *                                           /checkpoint   what an earlier attempt left, or nothing
 *                                           /socket       to ask its node (grants.h)
 */
#ifndef GROVE_NODES_WORKER_EXEC_PLACE_H
#define GROVE_NODES_WORKER_EXEC_PLACE_H

#include <limits.h>

#include "nodes/worker/attempt.h"

struct exec_place {
    char directory[PATH_MAX]; /* of the attempt; nobody else may look into it */
    char work[PATH_MAX];
    char checkpoint[PATH_MAX];
    char socket[PATH_MAX];
};

/* Makes the worker's directory.
 *
 *   returns   0, or an errno */
int exec_place_begin(char base[PATH_MAX]);

/* Makes one within `base`, for an attempt or for a command that stays.
 *
 *   name      of the directory; nobody else has it
 *   returns   0, or an errno; then there is nothing to close */
int exec_place_open(struct exec_place *place, const char *base, const char *name,
                    struct bytes checkpoint);

/* Removes it with all in it. */
void exec_place_close(const struct exec_place *place);

#endif
