/* SPDX-License-Identifier: MPL-2.0
 * grove task ID: all that is known of one task, but its payload and its result. */
#include <stdio.h>

#include "nodes/grove.h"
#include "nodes/programs/look.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/task_view.h"

#define REQUEST_SIZE 64

static enum exit_code run(const struct arguments *arguments)
{
    const struct look look = look_of(arguments, stdout);
    char request[REQUEST_SIZE];
    struct grove_id id;
    enum exit_code code;
    json_t *task;

    if (arguments->word_count != 1 || !grove_id_parse(arguments->word[0], &id)) {
        complain("task: which task? An id is 32 hexadecimal digits");
        return EXIT_USAGE;
    }
    struct observer *observer = observer_choose(arguments, &code);

    if (observer == NULL) {
        return code;
    }
    snprintf(request, sizeof(request), "task %.32s", arguments->word[0]);
    code = observer_ask(observer, request, &task);
    if (code == EXIT_DONE && argument_json(arguments)) {
        print_json(task);
    } else if (code == EXIT_DONE) {
        task_print(stdout, &look, task);
        json_decref(task);
    }
    observer_close(observer);
    return code;
}

const struct subcommand task_subcommand = {
    .name = "task",
    .summary = "Show all that is known of a task, but its payload and its result",
    .usage = "ID",
    .operand = "ID",
    .run = run,
};
