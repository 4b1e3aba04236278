/* SPDX-License-Identifier: MPL-2.0
 * The handlers that make joins. */
#include "tests/e2e/actors/worker/actor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Inputs "PREFIX0", "PREFIX1"... of one function, and what came of them, one a line. */
struct inputs {
    const char *function;
    const char *prefix;
    size_t count;
    size_t fatal; /* outcomes taken before it makes the file `path` and kills its process */
    const char *path;
    char payload[TEXT_SIZE]; /* the last one */
    FILE *all;
};

static enum grove_status give(void *context, uint64_t position, struct grove_task *task)
{
    struct inputs *inputs = context;

    if (position >= inputs->count) {
        return GROVE_CLOSED;
    }
    const int size = snprintf(inputs->payload, sizeof(inputs->payload), "%s%llu", inputs->prefix,
                              (unsigned long long)position);

    task->function = inputs->function;
    task->payload = (struct grove_bytes){inputs->payload, (size_t)size};
    return GROVE_OK;
}

static enum grove_status take(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure)
{
    struct inputs *inputs = context;

    if (inputs->path != NULL && position == inputs->fatal && !mark(inputs->path)) {
        kill(getpid(), SIGKILL);
    }
    fprintf(inputs->all, "%s\n",
            failure->status == GROVE_OK ? (const char *)result->bytes.data : failure->text);
    return GROVE_OK;
}

typedef enum grove_status joining(struct grove_client *client, const struct grove_task *tasks,
                                  size_t count, const struct grove_join_options *options,
                                  struct grove_joined *joined);

/* The inputs as an array. */
static enum grove_status join_array(joining *join, struct inputs *inputs,
                                    const struct grove_join_options *options)
{
    struct grove_task *tasks = calloc(inputs->count + 1, sizeof(*tasks));
    char **payloads = calloc(inputs->count + 1, sizeof(*payloads));
    struct grove_joined joined = GROVE_JOINED_INIT;

    if (tasks == NULL || payloads == NULL) {
        abort();
    }
    for (size_t i = 0; i < inputs->count; i++) {
        tasks[i] = (struct grove_task)GROVE_TASK_INIT;
        (void)give(inputs, i, &tasks[i]);
        payloads[i] = strdup(inputs->payload);
        tasks[i].payload.data = payloads[i];
    }
    const enum grove_status status = join(NULL, tasks, inputs->count, options, &joined);

    for (size_t i = 0; i < joined.count; i++) {
        (void)take(inputs, i, &joined.results[i], &joined.failures[i]);
    }
    grove_joined_clear(&joined);
    for (size_t i = 0; i < inputs->count; i++) {
        free(payloads[i]);
    }
    free(payloads);
    free(tasks);
    return status;
}

/* Runs a join and returns all that came of it; as a stream if it has a `path`. */
static enum grove_status return_joined(struct grove_attempt *attempt, joining *join,
                                       struct inputs *inputs,
                                       const struct grove_join_options *options)
{
    struct grove_stream stream = GROVE_STREAM_INIT;
    enum grove_status status;
    char *text = NULL;
    size_t size;

    stream.next = give;
    stream.take = take;
    stream.context = inputs;
    inputs->all = open_memstream(&text, &size);
    status = inputs->path != NULL ? grove_map_stream(NULL, &stream, options, NULL)
                                  : join_array(join, inputs, options);
    fclose(inputs->all);
    if (status == GROVE_OK) {
        (void)grove_attempt_return(attempt, text, size);
    }
    free(text);
    return status;
}

enum grove_status run_gatherer(struct grove_attempt *attempt, void *context)
{
    struct inputs inputs = {.function = "echo"};
    char *rest, prefix[TEXT_SIZE] = "";

    (void)context;
    note(attempt);
    inputs.count = strtoul(payload(attempt), &rest, 10);
    inputs.prefix = prefix;
    if (*rest != '\0') {
        inputs.function = "work";
        snprintf(prefix, sizeof(prefix), "%s ", rest + 1);
    }
    return return_joined(attempt, grove_gather, &inputs, NULL);
}

/* Mapper and, as a stream, eater. */
enum grove_status run_mapper(struct grove_attempt *attempt, void *context)
{
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct inputs inputs = {.function = "work"};
    char *rest, prefix[TEXT_SIZE];

    (void)context;
    note(attempt);
    inputs.count = strtoul(payload(attempt), &rest, 10);
    options.limit = (uint32_t)strtoul(rest, &rest, 10);
    snprintf(prefix, sizeof(prefix), "%lu ", strtoul(rest, &rest, 10));
    inputs.prefix = prefix;
    if (*rest != '\0') {
        inputs.fatal = strtoul(rest, &rest, 10);
        inputs.path = rest + strspn(rest, " ");
    }
    return return_joined(attempt, grove_map, &inputs, &options);
}

enum grove_status run_tree(struct grove_attempt *attempt, void *context)
{
    char *rest, prefix[TEXT_SIZE];
    const long depth = strtol(payload(attempt), &rest, 10);
    struct inputs inputs = {.function = "tree", .prefix = prefix};

    if (depth == 0) {
        return run_stubborn(attempt, context);
    }
    note(attempt);
    inputs.count = strtoul(rest, NULL, 10);
    snprintf(prefix, sizeof(prefix), "%ld %zu ", depth - 1, inputs.count);
    return return_joined(attempt, grove_gather, &inputs, NULL);
}

enum grove_status run_racer(struct grove_attempt *attempt, void *context)
{
    struct grove_task tasks[16] = {GROVE_TASK_INIT};
    struct grove_joined joined = GROVE_JOINED_INIT;
    char *words = strdup(payload(attempt)), *rest, *word;
    size_t count = 0;

    (void)context;
    note(attempt);
    for (rest = words; (word = strsep(&rest, ",")) != NULL && count < 16; count++) {
        const char *function = strsep(&word, "=");

        tasks[count] = (struct grove_task)GROVE_TASK_INIT;
        tasks[count].function = function;
        tasks[count].payload = (struct grove_bytes){word, word ? strlen(word) : 0};
    }
    const enum grove_status status = grove_race(NULL, tasks, count, NULL, &joined);

    if (status == GROVE_OK) {
        (void)return_text(attempt, joined.results[joined.winners[0]].bytes.data);
    }
    grove_joined_clear(&joined);
    free(words);
    return status;
}
