/* SPDX-License-Identifier: MPL-2.0
 * grove wait ID...: how tasks ended. */
#include <stdio.h>
#include <stdlib.h>

#include "nodes/programs/caller.h"
#include "nodes/programs/look.h"
#include "nodes/programs/outcome.h"

static void print_line(const struct arguments *arguments, const struct outcome *outcome)
{
    const struct look look = look_of(arguments, stdout);
    char id[GROVE_ID_TEXT_SIZE];

    if (argument_json(arguments)) {
        print_json(outcome_json(outcome, "grove.wait/1"));
    } else {
        grove_id_format(&outcome->id, id);
        printf("%s ", id);
        look_print(&look, stdout, tone_of_state(outcome_state(outcome)), outcome_state(outcome));
        if (outcome->status != GROVE_OK) {
            printf(" %s: ", outcome->failure.reason);
            print_text(stdout, outcome->failure.text);
        }
        putchar('\n');
    }
    fflush(stdout);
}

/* One by one: each line comes as soon as it and those before it have ended. */
static enum exit_code wait_all(const struct arguments *arguments, struct caller *caller,
                               const struct grove_id *ids, uint64_t timeout_ms)
{
    enum exit_code worst = EXIT_DONE;

    for (size_t i = 0; i < arguments->word_count; i++) {
        struct outcome outcome = {.id = ids[i]};

        outcome.status =
            caller_result(caller, &ids[i], timeout_ms, &outcome.result, &outcome.failure);
        print_line(arguments, &outcome);
        worst = outcome_exit(&outcome) > worst ? outcome_exit(&outcome) : worst;
        outcome_clear(&outcome);
    }
    return worst;
}

static bool parse_ids(const struct arguments *arguments, struct grove_id *ids)
{
    if (arguments->word_count == 0) {
        complain("wait: for which tasks? Give their ids");
        return false;
    }
    for (size_t i = 0; i < arguments->word_count; i++) {
        if (!grove_id_parse(arguments->word[i], &ids[i])) {
            complain("wait: '%s' is no id: 32 hexadecimal digits", arguments->word[i]);
            return false;
        }
    }
    return true;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct grove_id *ids = calloc(arguments->word_count + 1, sizeof(*ids));
    enum exit_code code = EXIT_USAGE;
    struct caller caller;
    uint64_t timeout_ms;

    if (ids == NULL) {
        abort();
    }
    if (parse_ids(arguments, ids) &&
        argument_duration(arguments, "timeout", GROVE_FOREVER, &timeout_ms) &&
        caller_open(arguments, &caller, &code)) {
        code = wait_all(arguments, &caller, ids, timeout_ms);
        caller_close(&caller);
    }
    free(ids);
    return code;
}

static const struct option options[] = {
    {"timeout", 0, "DURATION", "how long to wait for each (forever)"},
    OPTION_END,
};

const struct subcommand wait_subcommand = {
    .name = "wait",
    .summary = "Await the ends of tasks: a line each, and the worst exit code",
    .usage = "ID...",
    .options = options,
    .operand = "ID",
    .run = run,
};
