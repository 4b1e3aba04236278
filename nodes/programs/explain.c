/* SPDX-License-Identifier: MPL-2.0
 * grove explain ID: why a task is not running, and what would help. */
#include <stdio.h>

#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"
#include "nodes/programs/task_view.h"

#define REQUEST_SIZE 64

static enum exit_code run(const struct arguments *arguments)
{
    char request[REQUEST_SIZE];
    struct observer *observer;
    struct grove_id id;
    enum exit_code code;
    json_t *answer;

    if (arguments->word_count != 1 || !grove_id_parse(arguments->word[0], &id)) {
        complain("explain: which task? An id is 32 hexadecimal digits");
        return EXIT_USAGE;
    }
    observer = observer_choose(arguments, &code);
    if (observer == NULL) {
        return code;
    }
    snprintf(request, sizeof(request), "explain %.32s", arguments->word[0]);
    code = observer_ask(observer, request, &answer);
    if (code == EXIT_DONE && argument_json(arguments)) {
        print_json(answer);
    } else if (code == EXIT_DONE) {
        const struct look look = look_of(arguments, stdout);

        reasons_print(stdout, &look, answer);
        json_decref(answer);
    }
    observer_close(observer);
    return code;
}

const struct subcommand explain_subcommand = {
    .name = "explain",
    .summary = "Tell why a task is not running, and what would help",
    .usage = "ID",
    .operand = "ID",
    .run = run,
};
