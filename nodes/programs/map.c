/* SPDX-License-Identifier: MPL-2.0
 * grove map: one function, many inputs, so many at a time; their results, a line each, in order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/limits.h"
#include "nodes/programs/caller.h"
#include "nodes/programs/halt.h"
#include "nodes/programs/items.h"
#include "nodes/programs/joblog.h"
#include "nodes/programs/join_options.h"
#include "nodes/programs/payloads.h"

#define NAME_SIZE 64u
#define LIMIT_ABSENT 16u /* as grove.h says */
#define BUSY_US 2000
#define NAMES 131072u /* more than are on their way at a time, and a power of two */

/* The beginning of an input, to name it by if it fails. */
struct name {
    uint64_t number; /* among all inputs, from 1 */
    char *logged;    /* as the joblog has it; NULL: there is none */
    uint32_t size;   /* of the whole input */
    char text[NAME_SIZE];
};

struct mapping {
    struct payloads payloads;
    struct grove_task model;
    struct name *name; /* NAMES, of the inputs on their way */
    struct items items;
    struct progress progress;
    struct joblog log;
    uint64_t number; /* of the input that was read last */
    struct halt halt;
    bool is_halted;
    uint32_t limit;
    uint64_t ended; /* as progress says */
};

/* Whether the next input may go out. One that halts soon has no more of them on their way than can
 * run: what runs then is all that is finished. */
static enum grove_status may_go_on(struct mapping *mapping, uint64_t position)
{
    if (atomic_load(&mapping->progress.is_interrupted)) {
        return GROVE_CANCELLED;
    }
    if (mapping->is_halted) {
        return GROVE_CLOSED;
    }
    if (mapping->halt.when == HALT_SOON && position >= mapping->ended + mapping->limit) {
        usleep(BUSY_US);
        return GROVE_BUSY;
    }
    return GROVE_OK;
}

/* The next input that the joblog does not have already. */
static enum grove_status next_input(struct mapping *mapping, struct grove_bytes *payload,
                                    char **logged)
{
    enum joblog_verdict verdict = JOBLOG_RUN;
    enum grove_status status;

    do {
        free(*logged);
        *logged = NULL;
        status = payloads_next(&mapping->payloads, payload);
        if (status != GROVE_OK) {
            return status;
        }
        mapping->number++;
        if (mapping->log.file != NULL) {
            *logged = joblog_input(payload->data, payload->size);
            verdict = joblog_judge(&mapping->log, mapping->number, *logged);
        }
    } while (verdict == JOBLOG_SKIP);
    if (verdict == JOBLOG_DIFFERS) {
        snprintf(mapping->payloads.complaint, sizeof(mapping->payloads.complaint),
                 "input %llu is another one than in the joblog",
                 (unsigned long long)mapping->number);
        return GROVE_CONFLICT;
    }
    return GROVE_OK;
}

static enum grove_status next(void *context, uint64_t position, struct grove_task *task)
{
    struct mapping *mapping = context;
    struct name *name = &mapping->name[position % NAMES];
    enum grove_status status = may_go_on(mapping, position);

    if (status != GROVE_OK) {
        return status;
    }
    *task = mapping->model;
    status = next_input(mapping, &task->payload, &name->logged);
    if (status == GROVE_OK && task->payload.size > 0) {
        memcpy(name->text, task->payload.data,
               task->payload.size < NAME_SIZE ? task->payload.size : NAME_SIZE);
    }
    name->size = (uint32_t)task->payload.size;
    name->number = mapping->number;
    return status;
}

static enum grove_status take(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure)
{
    struct mapping *mapping = context;
    struct name *name = &mapping->name[position % NAMES];
    const struct item_name item = {(size_t)name->number - 1, {name->text, name->size}};

    if (name->logged != NULL) {
        joblog_add(&mapping->log, name->number, name->logged, result, failure);
        free(name->logged);
        name->logged = NULL;
    }
    items_print(&mapping->items, &item, result, failure);
    return ferror(stdout) ? GROVE_IO : GROVE_OK;
}

/* How far it is, and whether that is enough. */
static enum grove_status watch(void *context, const struct grove_join_progress *now)
{
    struct mapping *mapping = context;
    const enum grove_status status = progress_show(&mapping->progress, now);

    mapping->ended = now->succeeded + now->failed;
    if (!mapping->is_halted && halt_is_reached(&mapping->halt, now->succeeded, now->failed)) {
        mapping->is_halted = true;
        return mapping->halt.when == HALT_NOW ? GROVE_CANCELLED : status;
    }
    return status;
}

/* It ended as was asked for: by failures it has failed. */
static enum exit_code halted(const struct mapping *mapping)
{
    return mapping->halt.what == HALT_SUCCESS || mapping->items.failed == 0 ? EXIT_DONE
                                                                            : EXIT_TASK_FAILED;
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
        code = mapping->is_halted ? halted(mapping) : code;
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
    mapping->progress.total =
        mapping->log.use == JOBLOG_NEW ? payloads_count(&mapping->payloads) : 0;
    mapping->items = (struct items){
        .schema = "grove.map/1", .json = argument_json(arguments), .progress = &mapping->progress};
    if (caller_open(arguments, &caller, &code)) {
        mapping->progress.path = caller_path(&caller);
        joblog_set_observer(&mapping->log, caller_path(&caller));
        options->progress = watch;
        options->context = mapping;
        code = perform(mapping, &caller, options);
        caller_close(&caller);
    }
    progress_end(&mapping->progress);
    for (size_t i = 0; i < NAMES; i++) {
        free(mapping->name[i].logged);
    }
    free(mapping->name);
    return code;
}

/* What the mesh itself can see to is left to it. */
static bool parse_halt(const struct arguments *arguments, struct grove_join_options *options,
                       struct mapping *mapping)
{
    struct halt *halt = &mapping->halt;

    if (!halt_parse(argument_value(arguments, "halt"), halt)) {
        return false;
    }
    if (halt->when != HALT_NEVER && (options->stop_on_failure || options->max_failures > 0)) {
        complain("map: --halt, --stop-on-failure or --max-failures, one of them");
        return false;
    }
    if (halt->when == HALT_SOON && options->key != NULL) {
        complain("map: with a --key the inputs go out ahead: --halt soon cannot hold them back");
        return false;
    }
    if (halt->when == HALT_SOON && caller_is_inside(arguments)) {
        complain("map: within a command the inputs go out ahead: --halt soon cannot hold them "
                 "back");
        return false;
    }
    if (halt->when == HALT_NOW && halt->what == HALT_FAIL && halt->count > 0 &&
        halt->count <= LIMIT_JOIN_INPUTS) {
        options->max_failures = (uint32_t)halt->count;
        halt->when = HALT_NEVER;
    }
    return true;
}

static bool open_log(const struct arguments *arguments, const struct grove_join_options *options,
                     struct mapping *mapping)
{
    const enum joblog_use use = argument_given(arguments, "resume-failed") ? JOBLOG_RESUME_FAILED
                                : argument_given(arguments, "resume")      ? JOBLOG_RESUME
                                                                           : JOBLOG_NEW;

    if (use != JOBLOG_NEW && options->key != NULL) {
        complain("map: --key or --resume: with a key it is gone on with anyway");
        return false;
    }
    return joblog_open(&mapping->log, argument_value(arguments, "joblog"), use);
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
    mapping.limit = limit > 0 ? options.limit : LIMIT_ABSENT;
    mapping.model.function = argument_value(arguments, "task");
    if (mapping.model.function == NULL) {
        complain("map: which function? -t FUNCTION");
        return EXIT_USAGE;
    }
    if (arguments->word_count > 0) {
        complain("map: inputs stand behind :::, or are lines of a file behind :::: or of stdin");
        return EXIT_USAGE;
    }
    if (!parse_halt(arguments, &options, &mapping) || !open_log(arguments, &options, &mapping)) {
        return EXIT_USAGE;
    }
    if (payloads_open(&mapping.payloads, arguments)) {
        code = map(&mapping, arguments, &options);
        payloads_close(&mapping.payloads);
    }
    joblog_close(&mapping.log);
    return code;
}

static const struct option options[] = {
    {"task", 't', "FUNCTION", "the function to run"},
    {"jobs", 'j', "LIMIT", "inputs that run at a time, in the whole mesh (16)"},
    FAILURE_OPTIONS,
    {"halt", 0, "WHEN-ENOUGH",
     "now,fail=1 or soon,fail=10% or now,success=1 ...: see below (never)"},
    {"joblog", 0, "FILE", "write what became of each input, in the columns of GNU parallel"},
    {"resume", 0, NULL, "skip the inputs that are in the joblog"},
    {"resume-failed", 0, NULL, "... but not those that have failed"},
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
        "the map is cancelled; with --key it is left, and the same command goes on with it.\n"
        "--halt now cancels what runs, soon lets it end: at so many that fail, succeed (success) "
        "or end (done),\nor, with %, that part of those that have ended, and three at least.",
    .options = options,
    .takes_list = true,
    .run = run,
};
