/* SPDX-License-Identifier: MPL-2.0
 * grove gather: tasks of any functions side by side; their results, a line each, in order. */
#include <stdio.h>
#include <string.h>

#include "nodes/programs/caller.h"
#include "nodes/programs/items.h"
#include "nodes/programs/join_options.h"

struct gathering {
    const struct arguments *arguments;
    struct grove_task model;
    char function[JOIN_FUNCTION_SIZE]; /* of the task given last */
    struct items items;
    struct progress progress;
};

static enum grove_status next(void *context, uint64_t position, struct grove_task *task)
{
    struct gathering *gathering = context;

    if (position == gathering->arguments->word_count) {
        return GROVE_CLOSED;
    }
    *task = join_options_task(&gathering->model, gathering->arguments->word[position],
                              gathering->function);
    return GROVE_OK;
}

static enum grove_status take(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure)
{
    struct gathering *gathering = context;
    const char *word = gathering->arguments->word[position];
    const struct item_name name = {(size_t)position, {word, strlen(word)}};

    items_print(&gathering->items, &name, result, failure);
    return ferror(stdout) ? GROVE_IO : GROVE_OK;
}

static enum exit_code perform(struct gathering *gathering, struct caller *caller,
                              const struct grove_join_options *options)
{
    struct grove_stream stream = GROVE_STREAM_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;
    enum grove_status status;
    enum exit_code code;

    stream.next = next;
    stream.take = take;
    stream.context = gathering;
    status = caller_gather(caller, &stream, options, &joined);
    progress_hide(&gathering->progress);
    code = items_end(&gathering->items, status, &joined);
    grove_joined_clear(&joined);
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct gathering gathering = {.arguments = arguments};
    struct grove_join_options options;
    struct caller caller;
    enum exit_code code;

    if (!join_options_parse(arguments, &options, &gathering.model)) {
        return EXIT_USAGE;
    }
    if (arguments->word_count == 0) {
        complain("gather: what? FUNCTION=PAYLOAD...");
        return EXIT_USAGE;
    }
    progress_begin(&gathering.progress, arguments, options.key);
    gathering.progress.total = arguments->word_count;
    gathering.items = (struct items){.schema = "grove.gather/1",
                                     .json = argument_json(arguments),
                                     .progress = &gathering.progress};
    if (caller_open(arguments, &caller, &code)) {
        gathering.progress.path = caller_path(&caller);
        options.progress = progress_show;
        options.context = &gathering.progress;
        code = perform(&gathering, &caller, &options);
        caller_close(&caller);
    }
    progress_end(&gathering.progress);
    return code;
}

static const struct option options[] = {
    FAILURE_OPTIONS,
    JOIN_OPTIONS,
    OPTION_END,
};

const struct subcommand gather_subcommand = {
    .name = "gather",
    .summary = "Run tasks side by side; a result a line, in the order of the arguments",
    .usage = "FUNCTION=PAYLOAD...",
    .description = "A task that fails is named on stderr, and its line of the output is empty.",
    .options = options,
    .operand = "FUNCTION",
    .run = run,
};
