/* SPDX-License-Identifier: MPL-2.0
 * Whom a command asks for tasks: the mesh, as a client; or, within a command that a worker runs,
 * its node, so that what it submits are children of the task that it runs. The calls are those of
 * grove.h, and what they return is the same. */
#ifndef GROVE_NODES_PROGRAMS_CALLER_H
#define GROVE_NODES_PROGRAMS_CALLER_H

#include <limits.h>

#include "nodes/programs/node.h"
#include "nodes/programs/program.h"

struct caller {
    struct grove_client *client; /* NULL: the node is asked */
    struct node node;
    char path[PATH_MAX]; /* of the credential */
};

/* Whether this command line is asked within a command: $GROVE_SOCK is set, and --credential is not
 * given on it. */
bool caller_is_inside(const struct arguments *arguments);

/* Opens one or the other.
 *
 *   code      out: what to exit with when it returns false; the reason is on stderr */
bool caller_open(const struct arguments *arguments, struct caller *caller, enum exit_code *code);

/* Opens the node. False outside a command, which is a mistake. */
bool caller_open_node(const struct arguments *arguments, struct caller *caller,
                      enum exit_code *code);
void caller_close(struct caller *caller);

/* Whose statistics may be asked, or NULL: a command holds no credential. */
const char *caller_path(const struct caller *caller);

enum grove_status caller_submit(struct caller *caller, const struct grove_task *tasks, size_t count,
                                struct grove_id *ids, struct grove_failure *failures) GROVE_CHECKED;
enum grove_status caller_result(struct caller *caller, const struct grove_id *id,
                                uint64_t timeout_ms, struct grove_result *result,
                                struct grove_failure *failure) GROVE_CHECKED;
enum grove_status caller_cancel(struct caller *caller, const struct grove_id *id,
                                struct grove_cancelled *counts, struct grove_failure *failure)
    GROVE_CHECKED;
enum grove_status caller_gather(struct caller *caller, const struct grove_stream *stream,
                                const struct grove_join_options *options,
                                struct grove_joined *joined) GROVE_CHECKED;
enum grove_status caller_map(struct caller *caller, const struct grove_stream *stream,
                             const struct grove_join_options *options, struct grove_joined *joined)
    GROVE_CHECKED;
enum grove_status caller_race(struct caller *caller, const struct grove_task *tasks, size_t count,
                              const struct grove_join_options *options, struct grove_joined *joined)
    GROVE_CHECKED;

#endif
