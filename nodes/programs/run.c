/* SPDX-License-Identifier: MPL-2.0
 * grove run: submit one task, await its end, print its result. */
#include "nodes/programs/caller.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/task_options.h"
#include "nodes/programs/tree_view.h"

#include <stdlib.h>

#define WARN_MS 1000u  /* unended after this long, a task may lack a worker */
#define FOLLOW_MS 200u /* between two looks at its progress */

struct follower {
    struct observer *observer;
    json_t *seen;
};

static void look(struct follower *follower, const char *id)
{
    json_t *tree;

    if (follower->observer == NULL) {
        return;
    }
    if (observer_tree(follower->observer, id, &tree) != EXIT_DONE) {
        observer_close(follower->observer); /* it has said why; the task goes on unseen */
        follower->observer = NULL;
        return;
    }
    tree_print_changes(stderr, tree, follower->seen);
    json_decref(tree);
}

static void warn_if_unoffered(const char *path, const char *id)
{
    char *waiting = observer_unoffered(path, id);

    if (waiting != NULL) {
        fprintf(stderr, "grove: %s waits: ", id);
        print_text(stderr, waiting);
        fputc('\n', stderr);
    }
    free(waiting);
}

/* Awaits the end; meanwhile says what there is to say. */
static void await(struct caller *caller, struct follower *follower, struct outcome *outcome)
{
    const char *path = caller_path(caller);
    char id[GROVE_ID_TEXT_SIZE];
    uint64_t waited_ms = 0, pause_ms = follower->observer != NULL ? FOLLOW_MS : WARN_MS;

    if (path == NULL) {
        pause_ms = GROVE_FOREVER; /* there is nobody to ask meanwhile */
    }
    grove_id_format(&outcome->id, id);
    for (;;) {
        outcome->status =
            caller_result(caller, &outcome->id, pause_ms, &outcome->result, &outcome->failure);
        if (outcome->status != GROVE_TIMEOUT || outcome->failure.code != GROVE_CODE_NONE) {
            break;
        }
        waited_ms += pause_ms;
        if (waited_ms == WARN_MS) {
            warn_if_unoffered(path, id);
        }
        if (follower->observer == NULL) {
            pause_ms = GROVE_FOREVER;
        }
        look(follower, id);
        outcome_clear(outcome);
    }
    look(follower, id);
}

static enum exit_code submit_and_await(const struct arguments *arguments,
                                       const struct grove_task *task)
{
    struct caller caller;
    struct outcome outcome = {.status = GROVE_OK};
    struct follower follower = {.observer = NULL};
    enum exit_code code;

    if (!caller_open(arguments, &caller, &code)) {
        return code;
    }
    outcome.status = caller_submit(&caller, task, 1, &outcome.id, &outcome.failure);
    if (outcome.status != GROVE_OK) {
        code = task_options_refused("", &outcome.failure);
        goto done;
    }
    if (argument_given(arguments, "follow") && caller_path(&caller) == NULL) {
        complain("run: nothing is shown of it: a command has no credential to look with");
    } else if (argument_given(arguments, "follow")) {
        follower.observer = observer_open(caller_path(&caller), &code);
        follower.seen = json_object();
    }
    await(&caller, &follower, &outcome);
    code = outcome_print(&outcome, "grove.run/1", argument_json(arguments));
    observer_close(follower.observer);
    json_decref(follower.seen);
done:
    outcome_clear(&outcome);
    caller_close(&caller);
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct buffer memory = {0};
    struct grove_task task;
    enum exit_code code = EXIT_USAGE;

    if (task_options_parse(arguments, &task) &&
        task_options_payload(arguments, &memory, &task.payload, &code)) {
        code = submit_and_await(arguments, &task);
    }
    buffer_clear(&memory);
    return code;
}

static const struct option options[] = {
    TASK_OPTIONS,
    {"follow", 'f', NULL, "show progress on stderr"},
    OPTION_END,
};

const struct subcommand run_subcommand = {
    .name = "run",
    .summary = "Submit a task, await its end, print its result",
    .usage = "-t FUNCTION [PAYLOAD]",
    .description = "The payload is the word, else stdin. stdout gets the result's bytes exactly.",
    .options = options,
    .run = run,
};
