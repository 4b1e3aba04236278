/* SPDX-License-Identifier: MPL-2.0
 * The node that runs this command, asked through the socket of its attempt: the calls of grove.h,
 * as far as commands need them. */
#ifndef GROVE_NODES_PROGRAMS_NODE_H
#define GROVE_NODES_PROGRAMS_NODE_H

#include "core/errand.h"
#include "nodes/grove.h"
#include "nodes/host/channel.h"

struct node {
    const char *path;
    bool is_connected;
    struct channel channel;
};

/* errors    GROVE_CLOSED: nobody is there; errno says how */
enum grove_status node_open(struct node *node, const char *path) GROVE_CHECKED;
void node_close(struct node *node);

/* An errand without inputs; what it says of its task is in `result` or `failure`.
 *
 *   timeout_ms   of the answer; GROVE_FOREVER
 *   conclusion   out: borrows from the node until the next errand */
enum grove_status node_ask(struct node *node, const struct errand *errand, uint64_t timeout_ms,
                           struct errand_conclusion *conclusion, struct grove_result *result,
                           struct grove_failure *failure) GROVE_CHECKED;

/* As grove_submit_many. */
enum grove_status node_submit(struct node *node, const struct grove_task *tasks, size_t count,
                              struct grove_id *ids, struct grove_failure *failures) GROVE_CHECKED;

/* As grove_map_stream and the like; options->progress is called with each outcome, and is not told
 * how many run. */
enum grove_status node_stream(struct node *node, enum errand_verb verb,
                              const struct grove_stream *stream,
                              const struct grove_join_options *options, struct grove_joined *joined)
    GROVE_CHECKED;

/* As grove_race. */
enum grove_status node_race(struct node *node, const struct grove_task *tasks, size_t count,
                            const struct grove_join_options *options, struct grove_joined *joined)
    GROVE_CHECKED;

#endif
