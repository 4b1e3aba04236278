/* SPDX-License-Identifier: MPL-2.0
 * grove map: one function, many inputs, so many at a time; their results, a line each, in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "nodes/programs/caller.h"
#include "nodes/programs/items.h"
#include "nodes/programs/join_options.h"
#include "nodes/programs/payloads.h"

#define NAME_SIZE 64u
#define NAMES 131072u /* more than are on their way at a time, and a power of two */

/* The beginning of an input, to name it by if it fails. */
struct name {
    uint32_t size; /* of the whole input */
    char text[NAME_SIZE];
};

struct mapping {
    struct payloads payloads;
    struct grove_task model;
    struct name *name; /* NAMES, of the inputs on their way */
    struct items items;
    struct progress progress;
};

static enum grove_status next(void *context, uint64_t position, struct grove_task *task)
{
    struct mapping *mapping = context;
    struct name *name = &mapping->name[position % NAMES];
    enum grove_status status;

    if (atomic_load(&mapping->progress.is_interrupted)) {
        return GROVE_CANCELLED;
    }
    *task = mapping->model;
    status = payloads_next(&mapping->payloads, &task->payload);
    if (status == GROVE_OK && task->payload.size > 0) {
        memcpy(name->text, task->payload.data,
               task->payload.size < NAME_SIZE ? task->payload.size : NAME_SIZE);
    }
    name->size = (uint32_t)task->payload.size;
    return status;
}

static enum grove_status take(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure)
{
    struct mapping *mapping = context;
    const struct name *name = &mapping->name[position % NAMES];
    const struct item_name item = {(size_t)position, {name->text, name->size}};

    items_print(&mapping->items, &item, result, failure);
    return ferror(stdout) ? GROVE_IO : GROVE_OK;
}

static enum exit_code perform(struct mapping *mapping, struct caller *caller,
                              const struct grove_join_options *options)
{
    struct grove_stream stream = GROVE_STREAM_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;
    enum grove_status status;
    enum exit_code code;

    stream.next = next;
    stream.take = take;
    stream.context = mapping;
    status = caller_map(caller, &stream, options, &joined);
    progress_hide(&mapping->progress);
    if (mapping->payloads.complaint[0] != '\0') {
        complain("map: %s", mapping->payloads.complaint);
        code = exit_of_status(status);
    } else {
        code = items_end(&mapping->items, status, &joined);
    }
    grove_joined_clear(&joined);
    return code;
}

static enum exit_code map(struct mapping *mapping, const struct arguments *arguments,
                          struct grove_join_options *options)
{
    struct caller caller;
    enum exit_code code;

    mapping->name = calloc(NAMES, sizeof(*mapping->name));
    if (mapping->name == NULL) {
        abort();
    }
    progress_begin(&mapping->progress, arguments, options->key);
    mapping->progress.total = payloads_count(&mapping->payloads);
    mapping->items = (struct items){
        .schema = "grove.map/1", .json = argument_json(arguments), .progress = &mapping->progress};
    if (caller_open(arguments, &caller, &code)) {
        mapping->progress.path = caller_path(&caller);
        options->progress = progress_show;
        options->context = &mapping->progress;
        code = perform(mapping, &caller, options);
        caller_close(&caller);
    }
    progress_end(&mapping->progress);
    free(mapping->name);
    return code;
}

static enum exit_code run(const struct arguments *arguments)
{
    struct mapping mapping = {.name = NULL};
    struct grove_join_options options;
    int64_t limit;
    enum exit_code code = EXIT_USAGE;

    if (!join_options_parse(arguments, &options, &mapping.model) ||
        !argument_number(arguments, "jobs", 1, UINT32_MAX, 0, &limit)) {
        return EXIT_USAGE;
    }
    options.limit = (uint32_t)limit;
    mapping.model.function = argument_value(arguments, "task");
    if (mapping.model.function == NULL) {
        complain("map: which function? -t FUNCTION");
        return EXIT_USAGE;
    }
    if (arguments->word_count > 0) {
        complain("map: inputs stand behind :::, or are lines of a file behind :::: or of stdin");
        return EXIT_USAGE;
    }
    if (payloads_open(&mapping.payloads, arguments)) {
        code = map(&mapping, arguments, &options);
        payloads_close(&mapping.payloads);
    }
    return code;
}

static const struct option options[] = {
    {"task", 't', "FUNCTION", "the function to run"},
    {"jobs", 'j', "LIMIT", "inputs that run at a time, in the whole mesh (16)"},
    FAILURE_OPTIONS,
    JOIN_OPTIONS,
    OPTION_END,
};

const struct subcommand map_subcommand = {
    .name = "map",
    .summary = "Run a function on many inputs, so many at a time; a result a line, in their order",
    .usage = "-t FUNCTION -j LIMIT (::: INPUT... | :::: FILE | lines of stdin)",
    .description =
        "An input that fails is named on stderr, and its line of the output is empty. "
        "Interrupted,\n"
        "the map is cancelled; with --key it is left, and the same command goes on with it.",
    .options = options,
    .takes_list = true,
    .run = run,
};
