/* SPDX-License-Identifier: MPL-2.0
 * Parts from a command, and parts for it. */
#include "nodes/worker/talk.h"

#include <poll.h>

#include "core/item.h"
#include "nodes/worker/context.h"

/* ---- parts */

enum grove_status talk_blame(struct talk *talk, struct failing failing)
{
    talk->fault = failing.status;
    talk->failing = failing;
    return failing.status;
}

enum grove_status talk_receive(struct talk *talk, int timeout_ms, struct errand_ask *ask)
{
    bool has_waited = false;
    struct bytes part;
    enum grove_status status;

    while ((status = channel_take(talk->channel, &part)) == GROVE_BUSY && !has_waited) {
        context_rest();
        channel_wait(talk->channel, POLLIN, timeout_ms);
        has_waited = timeout_ms >= 0;
    }
    if (status == GROVE_OK) {
        status = errand_ask_decode(part, ask);
    }
    if (status == GROVE_MALFORMED || status == GROVE_TOO_LARGE) {
        (void)talk_blame(talk, failing_of_status(status, NULL));
        status = GROVE_CLOSED;
    }
    talk->is_over |= status == GROVE_CLOSED;
    return status;
}

void talk_flush(struct talk *talk)
{
    enum grove_status status;

    while ((status = channel_flush(talk->channel)) == GROVE_BUSY) {
        context_rest();
        channel_wait(talk->channel, POLLOUT, -1);
    }
    talk->is_over |= status == GROVE_CLOSED;
}

/* ---- inputs */

void talk_copy_text(char *to, struct bytes text)
{
    if (text.size > 0) {
        memcpy(to, text.data, text.size);
    }
    to[text.size] = '\0';
}

enum grove_status talk_read_input(struct talk *talk, struct bytes item, struct input_texts *texts,
                                  struct grove_task *task)
{
    struct task_item read;
    enum grove_status status = wire_task_decode(item, &read);

    if (status != GROVE_OK) {
        return talk_blame(talk, failing_of_status(status, "an input is no task"));
    }
    if (read.lineage.present) {
        return talk_blame(talk,
                          failing_of_refusal(REFUSED_LINEAGE,
                                             bytes_of_text("a command does not say whose child a "
                                                           "task is")));
    }
    talk_copy_text(texts->function, read.function);
    talk_copy_text(texts->content_type, read.content_type);
    talk_copy_text(texts->key, read.key);
    *task = (struct grove_task)GROVE_TASK_INIT;
    task->function = texts->function;
    task->payload = (struct grove_bytes){read.payload.data, read.payload.size};
    task->content_type = texts->content_type;
    task->key = read.key.size > 0 ? texts->key : NULL;
    task->has_priority = read.has_priority;
    task->priority = read.priority;
    task->delay_ms = read.delay_ms;
    task->deadline_ms = read.deadline_ms;
    task->timeout_ms = read.timeout_ms;
    task->max_attempts = read.max_attempts;
    task->at_most_once = read.at_most_once;
    task->fresh = read.fresh;
    return GROVE_OK;
}

enum grove_status talk_next_input(struct talk *talk, int timeout_ms, struct bytes *item)
{
    struct errand_ask ask;
    enum grove_status status;

    if (talk->is_at_end) {
        return GROVE_CLOSED;
    }
    status = talk_receive(talk, timeout_ms, &ask);
    if (status == GROVE_BUSY) {
        return GROVE_BUSY;
    }
    if (status != GROVE_OK) {
        return talk->fault != GROVE_OK ? talk->fault : GROVE_CANCELLED;
    }
    if (ask.has_errand) {
        return talk_blame(talk, failing_of_status(GROVE_MALFORMED, "an errand within another"));
    }
    talk->is_at_end = ask.end;
    *item = ask.input;
    return ask.end ? GROVE_CLOSED : GROVE_OK;
}

/* ---- what is told */

static struct bytes cut_text(const char *text)
{
    const size_t size = strlen(text);

    return bytes_of(text, size < LIMIT_ERRAND_TEXT ? size : 0);
}

static struct errand_outcome outcome_of(const struct grove_result *result,
                                        const struct grove_failure *failure)
{
    struct errand_outcome outcome = {.has_task = true};

    if (failure->reason) {
        memcpy(&outcome.task, &failure->task, sizeof(outcome.task));
        outcome.status = failure->status;
        outcome.code = failure->code;
        outcome.reason = bytes_of_text(failure->reason);
        outcome.function = bytes_of_text(failure->function);
        outcome.text = cut_text(failure->text);
        outcome.bytes = bytes_of(failure->bytes.data, failure->bytes.size);
        outcome.attempt = failure->attempt;
        outcome.retryable = failure->retryable;
    } else {
        memcpy(&outcome.task, &result->task, sizeof(outcome.task));
        outcome.bytes = bytes_of(result->bytes.data, result->bytes.size);
        outcome.attempt = result->attempt;
        outcome.run_ms = result->run_ms;
        outcome.content_type = bytes_of_text(result->content_type);
    }
    return outcome;
}

void talk_put_outcome(struct talk *talk, const struct grove_result *result,
                      const struct grove_failure *failure)
{
    const struct errand_outcome outcome = outcome_of(result, failure);

    errand_put_outcome(&talk->channel->out, &outcome);
}

void talk_conclude(struct talk *talk, struct errand_conclusion *conclusion,
                   const struct grove_result *result, const struct grove_failure *failure)
{
    struct grove_failure fault = {.reason = NULL};
    struct buffer encoded = {0};

    if (talk->fault != GROVE_OK) {
        failure_write(&fault, &talk->failing);
        failure = &fault;
    }
    if (failure->reason || result) {
        const struct errand_outcome outcome = outcome_of(result, failure);

        errand_outcome_encode(&encoded, &outcome);
        conclusion->has_outcome = true;
        conclusion->outcome = buffer_bytes(&encoded);
    }
    errand_put_conclusion(&talk->channel->out, conclusion);
    buffer_clear(&encoded);
    grove_failure_clear(&fault);
    talk_flush(talk);
    talk->is_over |= talk->fault != GROVE_OK;
}

void talk_conclude_status(struct talk *talk, enum grove_status status)
{
    struct errand_conclusion conclusion = {.has_outcome = false};
    struct grove_failure failure = {.reason = NULL};
    struct failing failing = failing_of_status(status, NULL);

    if (status != GROVE_OK) {
        failure_write(&failure, &failing);
    }
    talk_conclude(talk, &conclusion, NULL, &failure);
    grove_failure_clear(&failure);
}
