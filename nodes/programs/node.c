/* SPDX-License-Identifier: MPL-2.0
 * Calls as errands. */
#include "nodes/programs/node.h"

#include <stdlib.h>

#include "nodes/client/result.h"
#include "nodes/client/task.h"
#include "nodes/programs/exchange.h"

enum grove_status node_open(struct node *node, const char *path)
{
    const int fd = channel_connect(path);

    *node = (struct node){.path = path, .is_connected = fd >= 0};
    if (fd >= 0) {
        channel_init(&node->channel, fd);
    }
    return fd >= 0 ? GROVE_OK : GROVE_CLOSED;
}

void node_close(struct node *node)
{
    if (node->is_connected) {
        channel_clear(&node->channel);
        node->is_connected = false;
    }
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void fail(struct grove_failure *failure, enum grove_status status, const char *text)
{
    const struct failing failing = failing_of_status(
        status, text != NULL || status != GROVE_CLOSED ? text : "the attempt has ended");

    failure_write(failure, &failing);
}

/* ---- without inputs */

enum grove_status node_ask(struct node *node, const struct errand *errand, uint64_t timeout_ms,
                           struct errand_conclusion *conclusion, struct grove_result *result,
                           struct grove_failure *failure)
{
    const struct exchange how = {.timeout_ms = timeout_ms};
    struct errand_outcome outcome = {.status = GROVE_OK};
    enum grove_status status;

    memset(result, 0, sizeof(*result));
    memset(failure, 0, sizeof(*failure));
    status = exchange(node, errand, &how, conclusion);
    if (status == GROVE_OK && conclusion->has_outcome) {
        status = errand_outcome_decode(conclusion->outcome, &outcome);
    }
    if (status != GROVE_OK) {
        fail(failure, status, NULL);
        return status;
    }
    return exchange_write(&outcome, result, failure);
}

/* ---- submitting */

struct submitting {
    const struct grove_task *tasks;
    size_t count, given, taken;
    struct grove_id *ids;
    struct grove_failure *failures;
    size_t *place; /* of those that were sent, among all */
    size_t sent;
    enum grove_status first;
};

static void note(struct submitting *submitting, enum grove_status status)
{
    if (submitting->first == GROVE_OK) {
        submitting->first = status;
    }
}

static enum grove_status give_task(void *context, struct grove_task *task)
{
    struct submitting *submitting = context;

    while (submitting->given < submitting->count) {
        const size_t place = submitting->given++;
        enum grove_status status;
        const char *complaint = task_take(task_at(submitting->tasks, place), task, &status);

        if (complaint == NULL) {
            submitting->place[submitting->sent++] = place;
            return GROVE_OK;
        }
        fail(&submitting->failures[place], status, complaint);
        note(submitting, status);
    }
    return GROVE_CLOSED;
}

static enum grove_status take_id(void *context, const struct errand_outcome *outcome)
{
    struct submitting *submitting = context;
    size_t place;

    if (submitting->taken == submitting->sent) {
        return GROVE_MALFORMED;
    }
    place = submitting->place[submitting->taken++];
    if (outcome->status == GROVE_OK) {
        memcpy(&submitting->ids[place], &outcome->task, sizeof(*submitting->ids));
    } else {
        note(submitting, exchange_write(outcome, NULL, &submitting->failures[place]));
    }
    return GROVE_OK;
}

/* All for which no answer came have the same one. */
static void fail_rest(struct submitting *submitting, const struct failing *failing)
{
    for (; submitting->taken < submitting->sent; submitting->taken++) {
        failure_write(&submitting->failures[submitting->place[submitting->taken]], failing);
    }
    for (; submitting->given < submitting->count; submitting->given++) {
        failure_write(&submitting->failures[submitting->given], failing);
    }
}

enum grove_status node_submit(struct node *node, const struct grove_task *tasks, size_t count,
                              struct grove_id *ids, struct grove_failure *failures)
{
    const struct errand errand = {.verb = ERRAND_SUBMIT};
    struct submitting submitting = {
        .tasks = tasks,
        .count = count,
        .ids = ids,
        .failures = failures,
        .place = allocate(count, sizeof(size_t)),
    };
    const struct exchange how = {give_task, take_id, &submitting, GROVE_FOREVER};
    struct errand_conclusion conclusion;
    struct grove_failure failure = {.reason = NULL};
    enum grove_status status;

    memset(ids, 0, count * sizeof(*ids));
    memset(failures, 0, count * sizeof(*failures));
    status = exchange(node, &errand, &how, &conclusion);
    if (status != GROVE_OK) {
        fail(&failure, status, NULL);
    } else {
        status = exchange_failure(&conclusion, &failure);
    }
    if (status != GROVE_OK) {
        const struct failing failing = failing_of_failure(&failure);

        note(&submitting, status);
        fail_rest(&submitting, &failing);
    }
    grove_failure_clear(&failure);
    free(submitting.place);
    return submitting.first;
}

/* ---- joins */

struct joining_here {
    const struct grove_stream *stream;
    const struct grove_join_options *options;
    uint64_t given, taken;
    struct grove_join_progress progress;
    struct grove_failure failure; /* why an input cannot be given */
};

static enum grove_status give_input(void *context, struct grove_task *task)
{
    struct joining_here *here = context;
    struct grove_task given = GROVE_TASK_INIT;
    enum grove_status status = here->stream->next(here->stream->context, here->given, &given);
    const char *complaint;

    if (status != GROVE_OK) {
        return status;
    }
    here->given++;
    complaint = task_take(&given, task, &status);
    if (complaint != NULL) {
        fail(&here->failure, status, complaint);
        return status;
    }
    return GROVE_OK;
}

static enum grove_status report_progress(struct joining_here *here,
                                         const struct errand_outcome *outcome)
{
    here->progress.succeeded += outcome->status == GROVE_OK;
    here->progress.failed += outcome->status != GROVE_OK && outcome->code != GROVE_CODE_CANCELLED;
    return here->options->progress != NULL
               ? here->options->progress(here->options->context, &here->progress)
               : GROVE_OK;
}

static enum grove_status take_outcome(void *context, const struct errand_outcome *outcome)
{
    struct joining_here *here = context;
    struct grove_result result;
    struct grove_failure failure;
    enum grove_status status;

    if (here->taken == here->given) {
        return GROVE_MALFORMED;
    }
    (void)exchange_write(outcome, &result, &failure);
    status = here->stream->take(here->stream->context, here->taken++, &result, &failure);
    grove_result_clear(&result);
    grove_failure_clear(&failure);
    return status == GROVE_OK ? report_progress(here, outcome) : status;
}

static struct errand errand_of(enum errand_verb verb, const struct grove_join_options *options)
{
    return (struct errand){
        .verb = verb,
        .key = bytes_of_text(options->key),
        .has_priority = options->has_priority,
        .priority = options->priority,
        .deadline_ms = options->deadline_ms,
        .limit = options->limit,
        .max_failures = options->stop_on_failure ? 1 : options->max_failures,
        .winners = options->winners,
        .first_settled = options->first_settled,
    };
}

static void read_winners(struct grove_joined *joined, struct bytes places)
{
    size_t *winners = joined->memory;

    joined->winner_count = places.size / sizeof(uint32_t);
    joined->winners = winners;
    for (size_t i = 0; i < joined->winner_count; i++) {
        const uint8_t *at = places.data + i * sizeof(uint32_t);

        winners[i] = (size_t)at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    }
}

static enum grove_status conclude(const struct errand_conclusion *conclusion,
                                  struct grove_joined *joined)
{
    memcpy(&joined->id, &conclusion->join, sizeof(joined->id));
    joined->succeeded = (size_t)conclusion->succeeded;
    joined->failed = (size_t)conclusion->failed;
    joined->cancelled = (size_t)conclusion->cancelled;
    if (conclusion->first_failed > 0) {
        joined->first_failed = (size_t)conclusion->first_failed - 1;
    }
    read_winners(joined, conclusion->winners);
    return exchange_failure(conclusion, &joined->failure);
}

enum grove_status node_stream(struct node *node, enum errand_verb verb,
                              const struct grove_stream *stream,
                              const struct grove_join_options *options, struct grove_joined *joined)
{
    const struct errand errand = errand_of(verb, options);
    struct joining_here here = {.stream = stream, .options = options};
    const struct exchange how = {give_input, take_outcome, &here, GROVE_FOREVER};
    struct errand_conclusion conclusion;
    enum grove_status status;

    *joined = (struct grove_joined)GROVE_JOINED_INIT;
    joined->first_failed = GROVE_NO_INPUT;
    joined->memory = allocate(LIMIT_WINNERS, sizeof(size_t));
    status = exchange(node, &errand, &how, &conclusion);
    joined->count = (size_t)here.taken;
    if (status == GROVE_OK) {
        return conclude(&conclusion, joined);
    }
    if (here.failure.reason != NULL) {
        joined->failure = here.failure;
    } else {
        fail(&joined->failure, status, NULL);
    }
    return status;
}

/* ---- a race, of an array */

struct array {
    const struct grove_task *tasks;
    size_t count;
    struct grove_joined *joined;
};

static enum grove_status next_of_array(void *context, uint64_t position, struct grove_task *task)
{
    const struct array *array = context;

    if (position == array->count) {
        return GROVE_CLOSED;
    }
    *task = *task_at(array->tasks, (size_t)position);
    return GROVE_OK;
}

static enum grove_status keep(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure)
{
    struct array *array = context;

    array->joined->results[position] = *result;
    array->joined->failures[position] = *failure;
    memset(result, 0, sizeof(*result));
    memset(failure, 0, sizeof(*failure));
    return GROVE_OK;
}

enum grove_status node_race(struct node *node, const struct grove_task *tasks, size_t count,
                            const struct grove_join_options *options, struct grove_joined *joined)
{
    struct grove_joined kept = {
        .results = allocate(count, sizeof(*kept.results)),
        .failures = allocate(count, sizeof(*kept.failures)),
    };
    struct array array = {.tasks = tasks, .count = count, .joined = &kept};
    struct grove_stream stream = GROVE_STREAM_INIT;
    enum grove_status status;

    stream.next = next_of_array;
    stream.take = keep;
    stream.context = &array;
    status = node_stream(node, ERRAND_RACE, &stream, options, joined);
    joined->results = kept.results;
    joined->failures = kept.failures;
    for (size_t i = 0; i < joined->winner_count; i++) {
        if (joined->winners[i] >= joined->count) {
            joined->winner_count = 0; /* nonsense */
        }
    }
    return status;
}
