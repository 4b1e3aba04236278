/* SPDX-License-Identifier: MPL-2.0
 * The calls that gather, race and map: of arrays, which are streams of known length, and of
 * streams. */
#include <stdio.h>
#include <stdlib.h>

#include "nodes/client/joiner.h"
#include "nodes/worker/context.h"

#define RACE_TEXT_MOST 65536u /* bytes of the sentence that names every loser's failure */

/* ---- arrays as streams */

struct array {
    const struct grove_task *tasks;
    size_t count;
    struct grove_result *results;
    struct grove_failure *failures;
};

static enum grove_status give_next(void *context, uint64_t position, struct grove_task *task)
{
    const struct array *array = context;
    const struct grove_task *given;

    if (position == array->count) {
        return GROVE_CLOSED;
    }
    given = task_at(array->tasks, position);
    memcpy(task, given, given->size < sizeof(*task) ? given->size : sizeof(*task));
    return GROVE_OK;
}

static enum grove_status keep(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure)
{
    struct array *array = context;

    array->results[position] = *result;
    array->failures[position] = *failure;
    memset(result, 0, sizeof(*result));
    memset(failure, 0, sizeof(*failure));
    return GROVE_OK;
}

/* ---- what comes of it */

void grove_joined_clear(struct grove_joined *joined)
{
    if (!joined || !joined->memory) {
        return;
    }
    for (size_t i = 0; joined->results && i < joined->count; i++) {
        grove_result_clear(&joined->results[i]);
        grove_failure_clear(&joined->failures[i]);
    }
    grove_failure_clear(&joined->failure);
    free(joined->results);
    free(joined->failures);
    free(joined->memory);
    *joined = (struct grove_joined)GROVE_JOINED_INIT;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);

    if (!memory) {
        abort();
    }
    return memory;
}

/* The failures of all of them in one sentence. */
static void list_failures(const struct array *array, struct buffer *text)
{
    char line[128];

    for (size_t i = 0; i < array->count && text->size < RACE_TEXT_MOST; i++) {
        const struct grove_failure *failure = &array->failures[i];

        if (failure->reason) {
            snprintf(line, sizeof(line), "; input %zu (%.63s): ", i, failure->function);
            buffer_append(text, line, strlen(line));
            buffer_append(text, failure->text, strlen(failure->text));
        }
    }
}

/* A race that too few have won; or one whose winner, by first_settled, has failed. */
static void judge_race(struct joiner *joiner, const struct array *array)
{
    const uint32_t wanted = joiner->options.winners > 0 ? joiner->options.winners : 1;
    struct failing failing = failing_of_status(GROVE_FAILED, NULL);
    struct buffer text = {0};
    char head[64];

    if (joiner->status != GROVE_OK && joiner->status != GROVE_FAILED) {
        return;
    }
    for (uint32_t i = 0; i < joiner->winner_count && joiner->winner_count >= wanted; i++) {
        if (array->failures[joiner->winner[i]].reason) {
            failing = failing_of_failure(&array->failures[joiner->winner[i]]);
            joiner->status = failing.status;
            failure_write(&joiner->failure, &failing);
            return;
        }
    }
    if (joiner->winner_count >= wanted || joiner->failure.code == GROVE_CODE_DEADLINE ||
        (joiner->failed == 0 && joiner->cancelled > 0)) {
        return;
    }
    snprintf(head, sizeof(head), "%u of %u won", joiner->winner_count, wanted);
    buffer_append(&text, head, strlen(head));
    list_failures(array, &text);
    failing.code = GROVE_CODE_JOIN_FAILED;
    failing.reason = grove_code_name(GROVE_CODE_JOIN_FAILED);
    failing.text = buffer_bytes(&text);
    joiner->status = GROVE_FAILED;
    grove_failure_clear(&joiner->failure);
    failure_write(&joiner->failure, &failing);
    buffer_clear(&text);
}

/* Inputs that the mesh never took, because the join was over before. */
static void fail_ungiven(struct joiner *joiner, struct array *array)
{
    struct failing failing = failing_of_status(
        joiner->status == GROVE_OK ? GROVE_FAILED : joiner->status, "it was not run any more");

    failing.code = GROVE_CODE_CANCELLED;
    failing.reason = grove_code_name(GROVE_CODE_CANCELLED);
    for (size_t i = joiner->count; i < array->count; i++) {
        failure_write(&array->failures[i], &failing);
        joiner->cancelled++;
    }
    joiner->count = array->count;
}

/* Hands over the array, too. */
static enum grove_status conclude(struct joiner *joiner, struct array *array,
                                  struct grove_joined *given)
{
    const enum grove_status status = joiner->status;
    struct grove_joined joined = GROVE_JOINED_INIT;
    size_t *winners = allocate(LIMIT_WINNERS, sizeof(*winners));

    for (uint32_t i = 0; i < joiner->winner_count; i++) {
        winners[i] = joiner->winner[i];
    }
    joined.count = joiner->count;
    joined.succeeded = joiner->succeeded;
    joined.failed = joiner->failed;
    joined.cancelled = joiner->cancelled;
    joined.first_failed = joiner->first_failed;
    joined.winner_count = joiner->winner_count;
    joined.winners = winners;
    joined.results = array->results;
    joined.failures = array->failures;
    joined.failure = joiner->failure;
    joined.memory = winners;
    memcpy(&joined.id, &joiner->id, sizeof(joined.id));
    if (joiner->attempt && status != GROVE_OK) {
        attempt_complain(joiner->attempt, joiner->failure.text);
    }
    memset(&joiner->failure, 0, sizeof(joiner->failure));
    joiner_clear(joiner);
    if (given && given->size >= offsetof(struct grove_joined, memory)) {
        joined.size = given->size;
        memcpy(given, &joined, given->size < sizeof(joined) ? given->size : sizeof(joined));
    } else {
        grove_joined_clear(&joined);
    }
    return status;
}

/* ---- calls */

static const char *options_complaint(const struct grove_join_options *options, enum join_kind kind,
                                     size_t count)
{
    if (options->key && strlen(options->key) > LIMIT_KEY_LENGTH) {
        return "the key is longer than 128 bytes";
    }
    if (options->priority < -LIMIT_PRIORITY || options->priority > LIMIT_PRIORITY) {
        return "a priority is -100 to 100";
    }
    if (kind == JOIN_RACE && options->winners > LIMIT_WINNERS) {
        return "a race has at most 256 winners";
    }
    if (kind == JOIN_RACE && count < (options->winners > 0 ? options->winners : 1)) {
        return "a race needs as many tasks as winners";
    }
    if (count > LIMIT_JOIN_INPUTS) {
        return "a join has at most 1,000,000,000 inputs";
    }
    return NULL;
}

static const char *array_complaint(const struct array *array, enum join_kind kind,
                                   enum grove_status *status)
{
    struct grove_task first, task;

    for (size_t i = 0; array->tasks && i < array->count; i++) {
        const char *complaint = task_take(task_at(array->tasks, i), &task, status);

        if (complaint) {
            return complaint;
        }
        if (i == 0) {
            first = task;
        } else if (kind == JOIN_MAP && strcmp(first.function, task.function) != 0) {
            *status = GROVE_INVALID;
            return "a map has one function";
        }
    }
    return NULL;
}

static enum grove_status misused(enum grove_status status, const char *why,
                                 struct grove_joined *joined)
{
    struct joiner joiner = {.status = status, .first_failed = GROVE_NO_INPUT};
    struct array nothing = {.count = 0};
    struct failing failing = failing_of_status(status, why);

    failure_write(&joiner.failure, &failing);
    return conclude(&joiner, &nothing, joined);
}

static void take_options(struct joiner *joiner, const struct grove_join_options *options)
{
    joiner->options = (struct grove_join_options)GROVE_JOIN_OPTIONS_INIT;
    if (options) {
        memcpy(&joiner->options, options,
               options->size < sizeof(joiner->options) ? options->size : sizeof(joiner->options));
    }
}

static enum grove_status run_array(struct joiner *joiner, struct array *array,
                                   struct grove_joined *joined)
{
    enum grove_status status = GROVE_INVALID;
    const char *complaint = options_complaint(&joiner->options, joiner->kind, array->count);

    if (!complaint) {
        complaint = array_complaint(array, joiner->kind, &status);
    }
    if (!complaint && !joiner->client && !joiner->attempt) {
        complaint = "there is no client, and this is no handler's thread";
    }
    if (complaint) {
        return misused(status, complaint, joined);
    }
    if (array->count == 0) {
        return conclude(joiner, array, joined);
    }
    array->results = allocate(array->count, sizeof(*array->results));
    array->failures = allocate(array->count, sizeof(*array->failures));
    joiner->stream.next = give_next;
    joiner->stream.take = keep;
    joiner->stream.context = array;
    joiner->stream.can_restart = true;
    joiner->total = array->count;
    joiner->is_patient = joiner->attempt && !joiner->options.progress;
    joiner_run(joiner);
    fail_ungiven(joiner, array);
    if (joiner->kind == JOIN_RACE) {
        judge_race(joiner, array);
    }
    return conclude(joiner, array, joined);
}

static enum grove_status run_tasks(struct grove_client *client, enum join_kind kind,
                                   struct array *array, const struct grove_join_options *options,
                                   struct grove_joined *joined)
{
    struct joiner joiner = {.client = client, .attempt = context_attempt(), .kind = kind};

    take_options(&joiner, options);
    return run_array(&joiner, array, joined);
}

enum grove_status grove_gather(struct grove_client *client, const struct grove_task *tasks,
                               size_t count, const struct grove_join_options *options,
                               struct grove_joined *joined)
{
    struct array array = {.tasks = tasks, .count = count};

    return run_tasks(client, JOIN_GATHER, &array, options, joined);
}

enum grove_status grove_race(struct grove_client *client, const struct grove_task *tasks,
                             size_t count, const struct grove_join_options *options,
                             struct grove_joined *joined)
{
    struct array array = {.tasks = tasks, .count = count};

    return run_tasks(client, JOIN_RACE, &array, options, joined);
}

enum grove_status grove_map(struct grove_client *client, const struct grove_task *tasks,
                            size_t count, const struct grove_join_options *options,
                            struct grove_joined *joined)
{
    struct array array = {.tasks = tasks, .count = count};

    return run_tasks(client, JOIN_MAP, &array, options, joined);
}

enum grove_status grove_gather_submitted(const struct grove_id *ids, size_t count,
                                         const struct grove_join_options *options,
                                         struct grove_joined *joined)
{
    struct joiner joiner = {.attempt = context_attempt(), .kind = JOIN_GATHER, .submitted = ids};
    struct array array = {.count = count};

    take_options(&joiner, options);
    return run_array(&joiner, &array, joined);
}

static enum grove_status run_stream(struct grove_client *client, enum join_kind kind,
                                    const struct grove_stream *stream,
                                    const struct grove_join_options *options,
                                    struct grove_joined *joined)
{
    struct joiner joiner = {.client = client, .attempt = context_attempt(), .kind = kind};
    struct array nothing = {.count = 0};
    const char *complaint;

    take_options(&joiner, options);
    complaint = options_complaint(&joiner.options, kind, 0);
    joiner.stream = (struct grove_stream)GROVE_STREAM_INIT;
    memcpy(&joiner.stream, stream,
           stream->size < sizeof(joiner.stream) ? stream->size : sizeof(joiner.stream));
    if (!complaint && !joiner.stream.next) {
        complaint = "a stream needs a next";
    }
    if (!complaint && !client && !joiner.attempt) {
        complaint = "there is no client, and this is no handler's thread";
    }
    if (complaint) {
        return misused(GROVE_INVALID, complaint, joined);
    }
    joiner_run(&joiner);
    return conclude(&joiner, &nothing, joined);
}

enum grove_status grove_gather_stream(struct grove_client *client,
                                      const struct grove_stream *stream,
                                      const struct grove_join_options *options,
                                      struct grove_joined *joined)
{
    return run_stream(client, JOIN_GATHER, stream, options, joined);
}

enum grove_status grove_map_stream(struct grove_client *client, const struct grove_stream *stream,
                                   const struct grove_join_options *options,
                                   struct grove_joined *joined)
{
    return run_stream(client, JOIN_MAP, stream, options, joined);
}
