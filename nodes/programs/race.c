/* SPDX-License-Identifier: MPL-2.0
 * grove race: tasks of any functions against each other; what the winner returns. */
#include <stdio.h>
#include <stdlib.h>

#include "core/limits.h"
#include "nodes/programs/caller.h"
#include "nodes/programs/items.h"
#include "nodes/programs/join_options.h"

struct racing {
    const struct arguments *arguments;
    struct grove_task *task;
    char (*function)[JOIN_FUNCTION_SIZE];
    struct progress progress;
};

static void print_winner(const struct racing *racing, const struct grove_joined *joined,
                         size_t index)
{
    const bool is_only = !argument_given(racing->arguments, "first");
    const bool failed = joined->failures[index].reason != NULL;
    const struct outcome outcome = {
        .id = failed ? joined->failures[index].task : joined->results[index].task,
        .status = failed ? joined->failures[index].status : GROVE_OK,
        .result = joined->results[index],
        .failure = joined->failures[index],
    };
    const struct grove_bytes bytes = outcome.result.bytes;

    if (argument_json(racing->arguments)) {
        json_t *line = outcome_json(&outcome, "grove.race/1");

        json_object_set_new(line, "index", json_integer((json_int_t)index));
        json_object_set_new(line, "function", json_string(racing->task[index].function));
        outcome_add_result(&outcome, line);
        print_json(line);
    } else if (!failed) {
        print_result(bytes.data, bytes.size);
        /* One winner's bytes are exactly those; of several each ends its line. */
        if (!is_only && (bytes.size == 0 || ((const char *)bytes.data)[bytes.size - 1] != '\n')) {
            putchar('\n');
        }
    }
}

/* Why each of them lost by itself; those that were cancelled had no chance to. */
static void print_losers(const struct racing *racing, const struct grove_joined *joined)
{
    for (size_t i = 0; i < joined->count; i++) {
        const struct grove_failure *failure = &joined->failures[i];

        if (failure->reason != NULL && failure->code != GROVE_CODE_CANCELLED) {
            fputs("grove: ", stderr);
            print_text(stderr, racing->task[i].function);
            fprintf(stderr, ": %s: ", failure->reason);
            print_text(stderr, failure->text);
            fputc('\n', stderr);
        }
    }
}

static enum exit_code perform(struct racing *racing, struct caller *caller,
                              const struct grove_join_options *options)
{
    struct grove_joined joined = GROVE_JOINED_INIT;
    struct outcome whole = {.status = GROVE_OK};

    whole.status =
        caller_race(caller, racing->task, racing->arguments->word_count, options, &joined);
    whole.failure = joined.failure;
    progress_hide(&racing->progress);
    for (size_t i = 0; i < joined.winner_count; i++) {
        print_winner(racing, &joined, joined.winners[i]);
    }
    if (whole.status == GROVE_FAILED && joined.winner_count < options->winners) {
        print_losers(racing, &joined);
        complain("%zu of %u won", joined.winner_count, options->winners);
    } else if (whole.status == GROVE_CANCELLED) {
        complain("interrupted, and cancelled");
    } else if (whole.status != GROVE_OK) {
        complain_of(whole.failure.reason, whole.failure.text);
    }
    const enum exit_code code = outcome_exit(&whole);

    grove_joined_clear(&joined);
    return code;
}

static enum exit_code race(struct racing *racing, struct grove_join_options *options)
{
    struct caller caller;
    enum exit_code code;

    progress_begin(&racing->progress, racing->arguments, options->key);
    racing->progress.total = racing->arguments->word_count;
    if (caller_open(racing->arguments, &caller, &code)) {
        racing->progress.path = caller_path(&caller);
        options->progress = progress_show;
        options->context = &racing->progress;
        code = perform(racing, &caller, options);
        caller_close(&caller);
    }
    progress_end(&racing->progress);
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct racing racing = {.arguments = arguments};
    struct grove_join_options options;
    struct grove_task model;
    int64_t winners;

    if (!join_options_parse(arguments, &options, &model) ||
        !argument_number(arguments, "first", 1, LIMIT_WINNERS, 1, &winners)) {
        return EXIT_USAGE;
    }
    if (arguments->word_count < (size_t)winners) {
        complain("race: at least %lld FUNCTION=PAYLOAD", (long long)winners);
        return EXIT_USAGE;
    }
    options.winners = (uint32_t)winners;
    options.first_settled = argument_given(arguments, "first-settled");
    racing.task = calloc(arguments->word_count, sizeof(*racing.task));
    racing.function = calloc(arguments->word_count, sizeof(*racing.function));
    if (racing.task == NULL || racing.function == NULL) {
        abort();
    }
    for (size_t i = 0; i < arguments->word_count; i++) {
        racing.task[i] = join_options_task(&model, arguments->word[i], racing.function[i]);
    }
    const enum exit_code code = race(&racing, &options);

    free(racing.function);
    free(racing.task);
    return code;
}

static const struct option options[] = {
    {"first", 0, "K", "so many win; each result a line, in the order in which they won (1)"},
    {"first-settled", 0, NULL, "whoever ends first wins, however it ends"},
    JOIN_OPTIONS,
    OPTION_END,
};

const struct subcommand race_subcommand = {
    .name = "race",
    .summary = "Run tasks against each other and print what the first success returns",
    .usage = "FUNCTION=PAYLOAD...",
    .description = "The others are cancelled, with all below them. If all fail, each says why.",
    .options = options,
    .operand = "FUNCTION",
    .run = run,
};
