/* SPDX-License-Identifier: MPL-2.0
 * One or the other. */
#include "nodes/programs/caller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/programs/connect.h"

#define VARIABLE "GROVE_SOCK"

/* What a configuration says of the user's credential is not about commands. */
static bool is_on_command_line(const struct arguments *arguments, const char *name)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].option->name, name) == 0 &&
            arguments->given[i].origin == NULL) {
            return true;
        }
    }
    return false;
}

static const char *socket_path(void)
{
    const char *path = getenv(VARIABLE);

    return path != NULL && path[0] != '\0' ? path : NULL;
}

bool caller_is_inside(const struct arguments *arguments)
{
    return socket_path() != NULL && !is_on_command_line(arguments, "credential");
}

bool caller_open_node(const struct arguments *arguments, struct caller *caller,
                      enum exit_code *code)
{
    *caller = (struct caller){.client = NULL};
    if (!caller_is_inside(arguments)) {
        complain("this is for commands that a worker runs, which have " VARIABLE
                 "; see man grove-worker");
        *code = EXIT_USAGE;
        return false;
    }
    if (node_open(&caller->node, socket_path()) != GROVE_OK) {
        complain("the attempt that this command belongs to has ended: %s: %s", socket_path(),
                 strerror(errno));
        *code = EXIT_REFUSED;
        return false;
    }
    return true;
}

bool caller_open(const struct arguments *arguments, struct caller *caller, enum exit_code *code)
{
    if (caller_is_inside(arguments)) {
        return caller_open_node(arguments, caller, code);
    }
    return connect_client(arguments, &caller->client, caller->path, code);
}

void caller_close(struct caller *caller)
{
    if (caller->client != NULL) {
        grove_client_close(caller->client);
    } else {
        node_close(&caller->node);
    }
}

const char *caller_path(const struct caller *caller)
{
    return caller->client != NULL ? caller->path : NULL;
}

enum grove_status caller_submit(struct caller *caller, const struct grove_task *tasks, size_t count,
                                struct grove_id *ids, struct grove_failure *failures)
{
    return caller->client != NULL ? grove_submit_many(caller->client, tasks, count, ids, failures)
                                  : node_submit(&caller->node, tasks, count, ids, failures);
}

/* A task that is named in an errand. */
static struct errand errand_for(enum errand_verb verb, const struct grove_id *id)
{
    struct errand errand = {.verb = verb, .has_task = true};

    memcpy(&errand.task, id, sizeof(errand.task));
    return errand;
}

enum grove_status caller_result(struct caller *caller, const struct grove_id *id,
                                uint64_t timeout_ms, struct grove_result *result,
                                struct grove_failure *failure)
{
    const struct errand errand = errand_for(ERRAND_RESULT, id);
    struct errand_conclusion conclusion;

    return caller->client != NULL
               ? grove_result(caller->client, id, timeout_ms, result, failure)
               : node_ask(&caller->node, &errand, timeout_ms, &conclusion, result, failure);
}

enum grove_status caller_cancel(struct caller *caller, const struct grove_id *id,
                                struct grove_cancelled *counts, struct grove_failure *failure)
{
    const struct errand errand = errand_for(ERRAND_CANCEL, id);
    struct errand_conclusion conclusion = {.stopped = 0};
    struct grove_result nothing;
    enum grove_status status;

    if (caller->client != NULL) {
        return grove_cancel(caller->client, id, counts, failure);
    }
    status = node_ask(&caller->node, &errand, GROVE_FOREVER, &conclusion, &nothing, failure);
    *counts = (struct grove_cancelled){conclusion.never_started, conclusion.stopped,
                                       conclusion.already_done};
    grove_result_clear(&nothing);
    return status;
}

enum grove_status caller_gather(struct caller *caller, const struct grove_stream *stream,
                                const struct grove_join_options *options,
                                struct grove_joined *joined)
{
    return caller->client != NULL
               ? grove_gather_stream(caller->client, stream, options, joined)
               : node_stream(&caller->node, ERRAND_GATHER, stream, options, joined);
}

enum grove_status caller_map(struct caller *caller, const struct grove_stream *stream,
                             const struct grove_join_options *options, struct grove_joined *joined)
{
    return caller->client != NULL ? grove_map_stream(caller->client, stream, options, joined)
                                  : node_stream(&caller->node, ERRAND_MAP, stream, options, joined);
}

enum grove_status caller_race(struct caller *caller, const struct grove_task *tasks, size_t count,
                              const struct grove_join_options *options, struct grove_joined *joined)
{
    return caller->client != NULL ? grove_race(caller->client, tasks, count, options, joined)
                                  : node_race(&caller->node, tasks, count, options, joined);
}
