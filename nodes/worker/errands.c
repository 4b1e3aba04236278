/* SPDX-License-Identifier: MPL-2.0
 * Each errand by the calls of grove.h, as the attempt that this thread visits. */
#include "nodes/worker/errands.h"

#include <stdlib.h>

#include "core/id.h"
#include "nodes/host/log.h"
#include "nodes/worker/context.h"
#include "nodes/worker/talk.h"

#define PATIENCE_MS 100            /* for an input; then outcomes are handed on */
#define RACE_INPUTS ((size_t)1024) /* they are kept until it is over */
#define RACE_SIZE (16 * LIMIT_MIB) /* bytes of them, together */
#define LOG_SIZE (4 * LIMIT_TEXT_LENGTH)
#define LOGGED_AT_ONCE 100u /* lines of a connection; then one ... */
#define LOG_EVERY_MS 100

/* ---- inputs that are looked at together */

struct inputs {
    struct buffer items;
    struct buffer sizes; /* size_t each */
    size_t count;
    struct grove_task *tasks;
    struct input_texts *texts;
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);

    if (!memory) {
        abort();
    }
    return memory;
}

static void inputs_clear(struct inputs *inputs)
{
    buffer_clear(&inputs->items);
    buffer_clear(&inputs->sizes);
    free(inputs->tasks);
    free(inputs->texts);
}

static void keep_input(struct inputs *inputs, struct bytes item)
{
    buffer_append(&inputs->items, item.data, item.size);
    buffer_append(&inputs->sizes, &item.size, sizeof(item.size));
    inputs->count++;
}

/* Once all that belong together have come. */
static void read_inputs(struct talk *talk, struct inputs *inputs)
{
    const uint8_t *at = inputs->items.data;

    inputs->tasks = allocate(inputs->count, sizeof(*inputs->tasks));
    inputs->texts = allocate(inputs->count, sizeof(*inputs->texts));
    for (size_t i = 0; i < inputs->count && talk->fault == GROVE_OK; i++) {
        size_t size;

        memcpy(&size, inputs->sizes.data + i * sizeof(size), sizeof(size));
        (void)!talk_read_input(talk, bytes_of(at, size), &inputs->texts[i], &inputs->tasks[i]);
        at += size;
    }
}

/* Takes what there is, waiting for the first. False: there is nothing to be done. */
static bool take_some(struct talk *talk, struct inputs *inputs)
{
    struct bytes item;

    while (inputs->count < LIMIT_BATCH_ITEMS && inputs->items.size < LIMIT_BATCH_SIZE &&
           talk_next_input(talk, inputs->count == 0 ? -1 : 0, &item) == GROVE_OK) {
        keep_input(inputs, item);
    }
    read_inputs(talk, inputs);
    return talk->fault == GROVE_OK && inputs->count > 0;
}

/* Takes all, until their end. */
static bool take_all(struct talk *talk, struct inputs *inputs)
{
    struct bytes item;
    enum grove_status status;

    while ((status = talk_next_input(talk, -1, &item)) == GROVE_OK) {
        keep_input(inputs, item);
        if (inputs->count > RACE_INPUTS || inputs->items.size > RACE_SIZE) {
            (void)talk_blame(talk, failing_of_status(GROVE_TOO_LARGE,
                                                     "a race of more than 1,024 inputs or 16 MiB"));
            break;
        }
    }
    read_inputs(talk, inputs);
    return talk->fault == GROVE_OK && status == GROVE_CLOSED;
}

/* ---- children */

static void submit_some(struct talk *talk, const struct inputs *inputs)
{
    struct grove_id *ids = allocate(inputs->count, sizeof(*ids));
    struct grove_failure *failures = allocate(inputs->count, sizeof(*failures));
    const enum grove_status status =
        grove_submit_many(NULL, inputs->tasks, inputs->count, ids, failures);

    talk->is_over |= status == GROVE_CLOSED;
    for (size_t i = 0; i < inputs->count; i++) {
        const struct grove_result accepted = {.task = ids[i]};

        if (status != GROVE_CLOSED) {
            talk_put_outcome(talk, &accepted, &failures[i]);
        }
        grove_failure_clear(&failures[i]);
    }
    free(failures);
    free(ids);
    talk_flush(talk);
}

static void submit(struct talk *talk)
{
    while (!talk->is_at_end && !talk->is_over && talk->fault == GROVE_OK) {
        struct inputs inputs = {.count = 0};

        if (take_some(talk, &inputs)) {
            submit_some(talk, &inputs);
        }
        inputs_clear(&inputs);
    }
    talk_conclude_status(talk, GROVE_OK);
}

static void result(struct talk *talk)
{
    struct errand_conclusion conclusion = {.has_outcome = false};
    struct grove_failure failure;
    struct grove_result ended;
    struct grove_id id;

    memcpy(&id, &talk->errand.task, sizeof(id));
    const enum grove_status status = grove_result(NULL, &id, GROVE_FOREVER, &ended, &failure);

    if (status == GROVE_CLOSED) {
        talk->is_over = true;
        return;
    }
    talk_conclude(talk, &conclusion, &ended, &failure);
    grove_result_clear(&ended);
    grove_failure_clear(&failure);
}

static void cancel(struct talk *talk)
{
    struct errand_conclusion conclusion = {.has_outcome = false};
    struct grove_cancelled counts;
    struct grove_failure failure;
    struct grove_id id;

    memcpy(&id, &talk->errand.task, sizeof(id));
    (void)!grove_cancel(NULL, &id, &counts, &failure);
    conclusion.never_started = counts.never_started;
    conclusion.stopped = counts.stopped;
    conclusion.already_done = counts.already_done;
    talk_conclude(talk, &conclusion, NULL, &failure);
    grove_failure_clear(&failure);
}

/* ---- joins */

static struct grove_join_options join_options(const struct talk *talk)
{
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    const struct errand *errand = &talk->errand;

    options.key = errand->key.size > 0 ? talk->key : NULL;
    options.limit = errand->limit;
    options.max_failures = errand->max_failures;
    options.winners = errand->winners;
    options.first_settled = errand->first_settled;
    options.has_priority = errand->has_priority;
    options.priority = errand->priority;
    options.deadline_ms = errand->deadline_ms;
    return options;
}

static void conclude_join(struct talk *talk, struct grove_joined *joined)
{
    struct errand_conclusion conclusion = {.has_join = true};
    struct buffer winners = {0};

    memcpy(&conclusion.join, &joined->id, sizeof(conclusion.join));
    conclusion.succeeded = joined->succeeded;
    conclusion.failed = joined->failed;
    conclusion.cancelled = joined->cancelled;
    conclusion.first_failed = joined->failed > 0 ? joined->first_failed + 1 : 0;
    for (size_t i = 0; i < joined->winner_count; i++) {
        const size_t place = joined->winners[i];
        const uint8_t bytes[] = {(uint8_t)place, (uint8_t)(place >> 8), (uint8_t)(place >> 16),
                                 (uint8_t)(place >> 24)};

        buffer_append(&winners, bytes, sizeof(bytes));
    }
    conclusion.winners = buffer_bytes(&winners);
    talk_conclude(talk, &conclusion, NULL, &joined->failure);
    buffer_clear(&winners);
    grove_joined_clear(joined);
}

static enum grove_status give(void *context, uint64_t position, struct grove_task *task)
{
    struct talk *talk = context;
    struct bytes item;
    enum grove_status status = talk_next_input(talk, PATIENCE_MS, &item);

    (void)position;
    return status == GROVE_OK ? talk_read_input(talk, item, &talk->texts, task) : status;
}

static enum grove_status take(void *context, uint64_t position, struct grove_result *ended,
                              struct grove_failure *failure)
{
    struct talk *talk = context;

    (void)position;
    talk_put_outcome(talk, ended, failure);
    talk_flush(talk);
    return talk->is_over ? GROVE_CANCELLED : GROVE_OK;
}

static void join_stream(struct talk *talk)
{
    struct grove_join_options options = join_options(talk);
    struct grove_stream stream = GROVE_STREAM_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;

    stream.next = give;
    stream.take = take;
    stream.context = talk;
    (void)!(talk->errand.verb == ERRAND_MAP
                ? grove_map_stream(NULL, &stream, &options, &joined)
                : grove_gather_stream(NULL, &stream, &options, &joined));
    conclude_join(talk, &joined);
}

static void race(struct talk *talk)
{
    const struct grove_join_options options = join_options(talk);
    struct grove_joined joined = GROVE_JOINED_INIT;
    struct inputs inputs = {.count = 0};

    if (take_all(talk, &inputs)) {
        (void)!grove_race(NULL, inputs.tasks, inputs.count, &options, &joined);
        for (size_t i = 0; joined.results && i < joined.count && !talk->is_over; i++) {
            talk_put_outcome(talk, &joined.results[i], &joined.failures[i]);
            talk_flush(talk);
        }
    }
    conclude_join(talk, &joined);
    inputs_clear(&inputs);
}

/* ---- what a command says of its attempt */

/* Many lines from one connection come slowly: the next is not read before this is answered. */
static void say(struct talk *talk)
{
    const struct grove_attempt *attempt = talk->attempt;
    char text[LOG_SIZE], id[ID_TEXT_SIZE];

    if (++talk->logged > LOGGED_AT_ONCE) {
        channel_wait(talk->channel, 0, LOG_EVERY_MS);
    }
    id_format(&attempt->key.task, id);
    log_event(LOG_INFO, "said", "function=%s task=%s text=%s", attempt->function->name, id,
              log_quote(talk->errand.text, text, sizeof(text)));
}

static void foretell(struct talk *talk)
{
    const struct foretold foretold = {
        .is_permanent = talk->errand.is_permanent,
        .text = talk->errand.text,
        .bytes = talk->errand.bytes,
    };

    attempt_foretell(talk->attempt, &foretold);
}

static void tell_progress(struct talk *talk)
{
    char text[LIMIT_TEXT_LENGTH + 1];

    talk_copy_text(text, talk->errand.text);
    context_progress(talk->attempt, talk->errand.percent, text);
}

/* ---- errands */

static void perform(struct talk *talk)
{
    enum grove_status status = GROVE_OK;

    switch (talk->errand.verb) {
    case ERRAND_SUBMIT:
        submit(talk);
        return;
    case ERRAND_RESULT:
        result(talk);
        return;
    case ERRAND_GATHER:
    case ERRAND_MAP:
        join_stream(talk);
        return;
    case ERRAND_RACE:
        race(talk);
        return;
    case ERRAND_CANCEL:
        cancel(talk);
        return;
    case ERRAND_CHECKPOINT:
        status =
            context_checkpoint(talk->attempt, talk->errand.bytes.data, talk->errand.bytes.size);
        break;
    case ERRAND_PROGRESS:
        tell_progress(talk);
        break;
    case ERRAND_LOG:
        say(talk);
        break;
    case ERRAND_FAIL:
        foretell(talk);
        break;
    case ERRAND_NONE:
        break;
    }
    talk_conclude_status(talk, status);
}

/* Takes the next errand, a copy of it; false at the end of them all. */
static bool next_errand(struct talk *talk)
{
    struct errand_ask ask;
    enum grove_status status = talk_receive(talk, -1, &ask);

    if (status == GROVE_OK && !ask.has_errand) {
        status = talk_blame(talk, failing_of_status(GROVE_MALFORMED, "no errand has begun"));
    }
    if (status == GROVE_OK) {
        buffer_reset(&talk->kept);
        buffer_append(&talk->kept, ask.errand.data, ask.errand.size);
        status = errand_decode(buffer_bytes(&talk->kept), &talk->errand);
    }
    if (status == GROVE_MALFORMED || status == GROVE_TOO_LARGE) {
        (void)talk_blame(talk, failing_of_status(status, NULL));
    }
    if (status == GROVE_OK) {
        talk_copy_text(talk->key, talk->errand.key);
        talk->is_at_end = false;
    } else if (talk->fault != GROVE_OK) {
        talk_conclude_status(talk, GROVE_OK);
    }
    return status == GROVE_OK;
}

void errands_serve(struct channel *channel, struct grove_attempt *attempt, struct visit *visit)
{
    struct talk talk = {.channel = channel, .attempt = attempt};

    context_begin_visit(attempt, visit);
    while (!talk.is_over && next_errand(&talk)) {
        perform(&talk);
    }
    context_end_visit();
    buffer_clear(&talk.kept);
}
