/* SPDX-License-Identifier: MPL-2.0
 * grove stats [REQUEST]: counts, or the JSON answer to any request of the stats socket. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "nodes/programs/observer.h"
#include "nodes/programs/outcome.h"

#define REQUEST_SIZE 256

/* The numbers of an object in one line, "name value"; those that are 0 are left out. */
static void print_numbers(const char *title, json_t *object)
{
    const char *name;
    json_t *value;
    bool is_empty = true;

    print_column(stdout, title, 12);
    json_object_foreach(object, name, value)
    {
        if (json_is_integer(value) && json_integer_value(value) != 0) {
            putchar(' ');
            print_text(stdout, name);
            printf(" %" JSON_INTEGER_FORMAT, json_integer_value(value));
            is_empty = false;
        }
    }
    puts(is_empty ? " none" : "");
}

static void print_text_form(json_t *answer)
{
    const char *name;
    json_t *function;

    print_numbers("tasks", json_object_get(answer, "states"));
    json_object_foreach(json_object_get(answer, "functions"), name, function)
    {
        print_numbers(name, function);
    }
    print_numbers("joins", json_object_get(answer, "joins"));
    printf("%-12s %" JSON_INTEGER_FORMAT "\n", "workers",
           json_integer_value(json_object_get(answer, "workers")));
    print_numbers("totals", json_object_get(answer, "totals"));
    print_numbers("refusals", json_object_get(answer, "refusals"));
    print_numbers("handshakes", json_object_get(answer, "handshakes"));
    print_numbers("ledger", json_object_get(answer, "ledger"));
}

static bool make_request(const struct arguments *arguments, char request[REQUEST_SIZE])
{
    size_t used = 0;

    snprintf(request, REQUEST_SIZE, "stats");
    for (size_t i = 0; i < arguments->word_count; i++) {
        const int size = snprintf(request + used, REQUEST_SIZE - used, "%s%s", i > 0 ? " " : "",
                                  arguments->word[i]);

        if (size < 0 || (size_t)size >= REQUEST_SIZE - used) {
            complain("stats: a request is shorter");
            return false;
        }
        used += (size_t)size;
    }
    return true;
}

static enum exit_code run(const struct arguments *arguments)
{
    char request[REQUEST_SIZE];
    enum exit_code code;
    json_t *answer;

    if (!make_request(arguments, request)) {
        return EXIT_USAGE;
    }
    struct observer *observer = observer_choose(arguments, &code);

    if (observer == NULL) {
        return code;
    }
    code = observer_ask(observer, request, &answer);
    if (code == EXIT_DONE && json_is_string(answer)) {
        fputs(json_string_value(answer), stdout);
        json_decref(answer);
    } else if (code == EXIT_DONE && (argument_json(arguments) || arguments->word_count > 0)) {
        print_json(answer);
    } else if (code == EXIT_DONE) {
        print_text_form(answer);
        json_decref(answer);
    }
    observer_close(observer);
    return code;
}

const struct subcommand stats_subcommand = {
    .name = "stats",
    .summary = "Show counts by state and function, workers, refusals, the ledger",
    .usage = "[REQUEST]",
    .description = "A REQUEST, such as 'workers', 'health' or 'task ID', is put to the stats "
                   "socket and its JSON printed;\n"
                   "'grove stats help' lists them. 'metrics' is text, as Prometheus reads it.",
    .operand = "REQUEST",
    .run = run,
};
