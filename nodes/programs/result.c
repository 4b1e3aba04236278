/* SPDX-License-Identifier: MPL-2.0
 * grove result ID: the result of a task that was submitted before. */
#include "nodes/programs/caller.h"
#include "nodes/programs/outcome.h"

static enum exit_code run(const struct arguments *arguments)
{
    struct outcome outcome = {.status = GROVE_OK};
    struct caller caller;
    uint64_t timeout_ms;
    enum exit_code code;

    if (arguments->word_count != 1 || !grove_id_parse(arguments->word[0], &outcome.id)) {
        complain("result: of which task? An id is 32 hexadecimal digits");
        return EXIT_USAGE;
    }
    if (!argument_duration(arguments, "timeout", GROVE_FOREVER, &timeout_ms)) {
        return EXIT_USAGE;
    }
    if (!caller_open(arguments, &caller, &code)) {
        return code;
    }
    outcome.status =
        caller_result(&caller, &outcome.id, timeout_ms, &outcome.result, &outcome.failure);
    code = outcome_print(&outcome, "grove.result/1", argument_json(arguments));
    outcome_clear(&outcome);
    caller_close(&caller);
    return code;
}

static const struct option options[] = {
    {"timeout", 0, "DURATION", "how long to wait for its end (forever)"},
    OPTION_END,
};

const struct subcommand result_subcommand = {
    .name = "result",
    .summary = "Await the end of a task and print its result",
    .usage = "ID",
    .options = options,
    .operand = "ID",
    .run = run,
};
