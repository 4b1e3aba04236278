/* SPDX-License-Identifier: MPL-2.0
 * grove cancel ID: ends a task and all below it. */
#include <inttypes.h>
#include <stdio.h>

#include "nodes/programs/caller.h"
#include "nodes/programs/outcome.h"

static void print_counts(const char *id, const struct grove_cancelled *counts, bool json)
{
    if (json) {
        print_json(json_pack("{s:s, s:s, s:I, s:I, s:I}", "schema", "grove.cancel/1", "id", id,
                             "never_started", (json_int_t)counts->never_started, "stopped",
                             (json_int_t)counts->stopped, "already_done",
                             (json_int_t)counts->already_done));
    } else {
        printf("never started %" PRIu64 ", stopped %" PRIu64 ", already done %" PRIu64 "\n",
               counts->never_started, counts->stopped, counts->already_done);
    }
}

static enum exit_code run(const struct arguments *arguments)
{
    struct grove_cancelled counts;
    struct grove_failure failure;
    struct caller caller;
    struct grove_id id;
    enum exit_code code;

    if (arguments->word_count != 1 || !grove_id_parse(arguments->word[0], &id)) {
        complain("cancel: which task? An id is 32 hexadecimal digits");
        return EXIT_USAGE;
    }
    if (!caller_open(arguments, &caller, &code)) {
        return code;
    }
    const enum grove_status status = caller_cancel(&caller, &id, &counts, &failure);

    if (status == GROVE_OK) {
        print_counts(arguments->word[0], &counts, argument_json(arguments));
        code = EXIT_DONE;
    } else {
        complain_of(failure.reason, failure.text);
        code = exit_of_status(status);
    }
    grove_failure_clear(&failure);
    caller_close(&caller);
    return code;
}

const struct subcommand cancel_subcommand = {
    .name = "cancel",
    .summary = "End a task and all below it, and say how much that was",
    .usage = "ID",
    .description =
        "Nothing of it starts any more, and what is still reported does not count. One's "
        "own trees only,\nunless one is an operator.",
    .operand = "ID",
    .run = run,
};
