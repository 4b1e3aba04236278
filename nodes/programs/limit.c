/* SPDX-License-Identifier: MPL-2.0
 * grove limit FUNCTION: how much of a function runs in the whole mesh. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire.h"
#include "nodes/programs/observer.h"
#include "nodes/programs/operator.h"
#include "nodes/programs/outcome.h"

/* "20/s", "0.5/s", "90/min", "3/h"; 0 is no limit. In attempts begun in 1,000 s. */
static bool parse_rate(const char *text, uint32_t *rate)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"/s", 1}, {"/min", 60}, {"/m", 60}, {"/h", 3600}, {"", 1}};
    char *end;
    const double number = strtod(text, &end);

    for (size_t i = 0; end != text && i < sizeof(units) / sizeof(units[0]); i++) {
        const double scaled = number * 1000 / units[i].seconds;

        if (strcmp(end, units[i].name) == 0 && scaled >= 0 && scaled < UINT32_MAX &&
            (number == 0 || scaled >= 1)) {
            *rate = (uint32_t)(scaled + 0.5);
            return true;
        }
    }
    complain("limit: a rate is written 20/s, 0.5/s, 90/min or 3/h, at least 3.6/h, not '%s'", text);
    return false;
}

static bool parse(const struct arguments *arguments, struct limit *limit)
{
    const char *rate = argument_value(arguments, "rate");
    int64_t running;

    memset(limit, 0, sizeof(*limit));
    if (arguments->word_count != 1 || !wire_function_is_valid(bytes_of_text(arguments->word[0]))) {
        complain("limit: of which function?");
        return false;
    }
    limit->function = bytes_of_text(arguments->word[0]);
    if (!argument_number(arguments, "running", 0, UINT32_MAX, 0, &running) ||
        (rate != NULL && !parse_rate(rate, &limit->rate))) {
        return false;
    }
    if (argument_given(arguments, "pause") && argument_given(arguments, "resume")) {
        complain("limit: either --pause or --resume");
        return false;
    }
    limit->running = (uint32_t)running;
    limit->paused = argument_given(arguments, "pause");
    limit->change =
        (argument_given(arguments, "running") ? LIMIT_CHANGE_RUNNING : 0u) |
        (rate != NULL ? LIMIT_CHANGE_RATE : 0u) |
        (limit->paused || argument_given(arguments, "resume") ? LIMIT_CHANGE_PAUSED : 0u);
    return true;
}

static json_int_t number(const json_t *limit, const char *name)
{
    return json_integer_value(json_object_get(limit, name));
}

static void print_limit(const char *function, const json_t *limit)
{
    const json_int_t running = number(limit, "running"), rate = number(limit, "rate");

    printf("%s: ", function);
    if (running > 0) {
        printf("at most %" JSON_INTEGER_FORMAT " run at a time, ", running);
    }
    if (rate > 0) {
        printf("at most %g/s begin, ", (double)rate / 1000);
    }
    if (json_is_true(json_object_get(limit, "paused"))) {
        puts("paused");
    } else {
        puts(running > 0 || rate > 0 ? "not paused" : "no limit");
    }
}

/* What is in force. */
static enum exit_code show(const struct arguments *arguments, const char *path)
{
    const char *function = arguments->word[0];
    enum exit_code code;
    json_t *entry = NULL;
    struct observer *observer = observer_open(path, &code);

    if (observer == NULL) {
        return code;
    }
    code = observer_function(observer, function, &entry);
    if (code == EXIT_DONE && argument_json(arguments)) {
        json_t *limit = json_object_get(entry, "limit");
        json_t *answer = json_pack("{s:s, s:s, s:I, s:f, s:b}", "schema", "grove.limit/1",
                                   "function", function, "running", number(limit, "running"),
                                   "rate", (double)number(limit, "rate") / 1000, "paused",
                                   json_is_true(json_object_get(limit, "paused")));
        print_json(answer);
    } else if (code == EXIT_DONE) {
        print_limit(function, json_object_get(entry, "limit"));
    }
    json_decref(entry);
    observer_close(observer);
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct credential credential;
    struct limit limit;
    char path[PATH_MAX];
    enum exit_code code = EXIT_USAGE;

    if (!parse(arguments, &limit)) {
        return EXIT_USAGE;
    }
    if (limit.change == 0) {
        return connect_choose(arguments, path, &code) ? show(arguments, path) : code;
    }
    if (!operator_credential(arguments, &credential, path, &code)) {
        return code;
    }
    code = operator_limit(&credential, path, &limit);
    credential_clear(&credential);
    return code == EXIT_DONE ? show(arguments, path) : code;
}

static const struct option options[] = {
    {"running", 0, "N", "at most so many attempts run at a time; 0: any number"},
    {"rate", 0, "N/s", "at most so many begin; also N/min and N/h; 0: any number"},
    {"pause", 0, NULL, "nothing begins"},
    {"resume", 0, NULL, "... it does again"},
    OPTION_END,
};

const struct subcommand limit_subcommand = {
    .name = "limit",
    .summary = "Limit what runs of a function in the whole mesh",
    .usage = "FUNCTION [--running N] [--rate N/s] [--pause|--resume]",
    .description =
        "What is not named stays as it is; setting is for operators. Says what is in force.",
    .options = options,
    .operand = "FUNCTION",
    .run = run,
};
