/* SPDX-License-Identifier: MPL-2.0
 * grove explain ID: why a task is not running, and what would help. */
#include <stdio.h>
#include <string.h>

#include "nodes/programs/look.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"

#define REQUEST_SIZE 64

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

/* From the task down to what it waits for in the end: each line is a reason for the one above. */
static void print_reasons(const struct look *look, const json_t *answer)
{
    const json_t *reason;
    size_t i;

    print_text(stdout, text_of(answer, "id"));
    putchar(' ');
    look_print(look, stdout, tone_of_state(text_of(answer, "state")), text_of(answer, "state"));
    putchar('\n');
    json_array_foreach(json_object_get(answer, "reasons"), i, reason)
    {
        const char *help = text_of(reason, "help");

        printf("%*s", (int)(2 * (i < 20 ? i + 1 : 21)), "");
        print_text(stdout, text_of(reason, "function"));
        fputs(": ", stdout);
        print_text(stdout, text_of(reason, "text"));
        if (help[0] != '\0') {
            fputs("; try: ", stdout);
            look_print(look, stdout, TONE_STRONG, help);
        }
        putchar('\n');
    }
}

static enum exit_code run(const struct arguments *arguments)
{
    char path[PATH_MAX], request[REQUEST_SIZE];
    struct observer *observer;
    struct grove_id id;
    enum exit_code code;
    json_t *answer;

    if (arguments->word_count != 1 || !grove_id_parse(arguments->word[0], &id)) {
        complain("explain: which task? An id is 32 hexadecimal digits");
        return EXIT_USAGE;
    }
    if (!connect_choose(arguments, path, &code)) {
        return code;
    }
    observer = observer_open(path, &code);
    if (observer == NULL) {
        return code;
    }
    snprintf(request, sizeof(request), "explain %.32s", arguments->word[0]);
    code = observer_ask(observer, request, &answer);
    if (code == EXIT_DONE && argument_json(arguments)) {
        print_json(answer);
    } else if (code == EXIT_DONE) {
        const struct look look = look_of(arguments, stdout);

        print_reasons(&look, answer);
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
