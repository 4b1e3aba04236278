/* SPDX-License-Identifier: MPL-2.0
 * Parts for the node, and parts from it. */
#include "nodes/programs/exchange.h"

#include <poll.h>

#include "nodes/client/result.h"
#include "nodes/client/task.h"
#include "nodes/host/clock.h"

#define UNSENT_MOST ((size_t)256 * 1024) /* bytes; no more inputs are asked for beyond */

struct state {
    struct node *node;
    const struct exchange *how;
    struct errand_conclusion *conclusion;
    bool is_exhausted, is_busy, is_concluded;
    uint64_t until_ms; /* monotonic */
};

/* ---- inputs */

static void put_input(struct buffer *out, const struct grove_task *task)
{
    const struct task_item item = task_make_item(task, 0);
    struct buffer encoded = {0};

    wire_task_encode(&encoded, &item);
    errand_put_input(out, buffer_bytes(&encoded));
    buffer_clear(&encoded);
}

static enum grove_status give(struct state *state)
{
    struct channel *channel = &state->node->channel;
    enum grove_status status = GROVE_OK;

    state->is_busy = false;
    while (!state->is_exhausted && status == GROVE_OK &&
           channel->out.size - channel->sent < UNSENT_MOST) {
        struct grove_task task = GROVE_TASK_INIT;

        status = state->how->give(state->how->context, &task);
        if (status == GROVE_OK) {
            put_input(&channel->out, &task);
        } else if (status == GROVE_CLOSED) {
            state->is_exhausted = true;
            errand_put_end(&channel->out);
        }
    }
    state->is_busy = status == GROVE_BUSY;
    return status == GROVE_CLOSED || status == GROVE_BUSY ? GROVE_OK : status;
}

/* ---- outcomes */

static enum grove_status take_part(struct state *state, struct bytes part)
{
    struct errand_answer answer;
    struct errand_outcome outcome;
    enum grove_status status = errand_answer_decode(part, &answer);

    if (status == GROVE_OK && answer.has_conclusion) {
        state->is_concluded = true;
        return errand_conclusion_decode(answer.conclusion, state->conclusion);
    }
    if (status == GROVE_OK) {
        status = errand_outcome_decode(answer.outcome, &outcome);
    }
    if (status == GROVE_OK) {
        status =
            state->how->take ? state->how->take(state->how->context, &outcome) : GROVE_MALFORMED;
    }
    return status;
}

static enum grove_status take(struct state *state)
{
    enum grove_status status = GROVE_OK;
    struct bytes part;

    while (status == GROVE_OK && !state->is_concluded) {
        status = channel_take(&state->node->channel, &part);
        if (status == GROVE_OK) {
            status = take_part(state, part);
        }
    }
    return status == GROVE_BUSY ? GROVE_OK : status;
}

static enum grove_status wait_for_more(struct state *state)
{
    struct channel *channel = &state->node->channel;
    const bool has_unsent = channel->sent < channel->out.size;
    const uint64_t now_ms = clock_monotonic_ms();
    int timeout_ms = -1;

    if (now_ms >= state->until_ms) {
        return GROVE_TIMEOUT;
    }
    if (state->until_ms != UINT64_MAX) {
        const uint64_t left_ms = state->until_ms - now_ms;

        timeout_ms = left_ms < 1000000 ? (int)left_ms : 1000000;
    }
    channel_wait(channel, has_unsent ? POLLIN | POLLOUT : POLLIN, state->is_busy ? 0 : timeout_ms);
    return GROVE_OK;
}

/* What went wrong with sending is told by what comes, if anything does. */
static enum grove_status turn(struct state *state)
{
    enum grove_status status = give(state);

    (void)!channel_flush(&state->node->channel);
    if (status == GROVE_OK) {
        status = take(state);
    }
    if (status == GROVE_OK && !state->is_concluded) {
        status = wait_for_more(state);
    }
    return status;
}

enum grove_status exchange(struct node *node, const struct errand *errand,
                           const struct exchange *how, struct errand_conclusion *conclusion)
{
    const uint64_t now_ms = clock_monotonic_ms();
    struct state state = {
        .node = node,
        .how = how,
        .conclusion = conclusion,
        .is_exhausted = how->give == NULL,
        .until_ms = how->timeout_ms < UINT64_MAX - now_ms ? now_ms + how->timeout_ms : UINT64_MAX,
    };
    enum grove_status status = GROVE_OK;

    if (!node->is_connected) {
        status = node_open(node, node->path);
    }
    if (status == GROVE_OK) {
        errand_put(&node->channel.out, errand);
    }
    while (status == GROVE_OK && !state.is_concluded) {
        status = turn(&state);
    }
    if (status != GROVE_OK || !state.is_exhausted) {
        node_close(node);
    }
    return status;
}

/* ---- as grove.h has it */

/* Reasons are words that stand for ever, and the node uses those that this program knows. */
static const char *known_reason(struct bytes reason)
{
    for (int i = 1; i < REFUSED_COUNT; i++) {
        if (bytes_equal(reason, bytes_of_text(refusal_name((enum refusal)i)))) {
            return refusal_name((enum refusal)i);
        }
    }
    for (int i = 1; i <= GROVE_CODE_JOIN_FAILED; i++) {
        if (bytes_equal(reason, bytes_of_text(grove_code_name((enum grove_code)i)))) {
            return grove_code_name((enum grove_code)i);
        }
    }
    for (int i = 1; i < GROVE_STATUS_COUNT; i++) {
        if (bytes_equal(reason, bytes_of_text(grove_status_name((enum grove_status)i)))) {
            return grove_status_name((enum grove_status)i);
        }
    }
    return "unknown";
}

enum grove_status exchange_write(const struct errand_outcome *outcome, struct grove_result *result,
                                 struct grove_failure *failure)
{
    const struct result_item item = {
        .task = outcome->task,
        .bytes = outcome->bytes,
        .content_type = outcome->content_type,
        .attempt = outcome->attempt,
        .run_ms = outcome->run_ms,
    };
    const struct failing failing = {
        .task = outcome->task,
        .function = outcome->function,
        .code = (enum grove_code)outcome->code,
        .status = (enum grove_status)outcome->status,
        .reason = known_reason(outcome->reason),
        .text = outcome->text,
        .bytes = outcome->bytes,
        .attempt = outcome->attempt,
        .retryable = outcome->retryable,
    };

    if (result) {
        memset(result, 0, sizeof(*result));
    }
    if (failure) {
        memset(failure, 0, sizeof(*failure));
    }
    if (outcome->status == GROVE_OK) {
        result_write(result, &item);
    } else {
        failure_write(failure, &failing);
    }
    return (enum grove_status)outcome->status;
}

enum grove_status exchange_failure(const struct errand_conclusion *conclusion,
                                   struct grove_failure *failure)
{
    struct errand_outcome outcome = {.status = GROVE_OK};
    struct grove_result result = {.memory = NULL};
    enum grove_status status;

    if (conclusion->has_outcome &&
        errand_outcome_decode(conclusion->outcome, &outcome) != GROVE_OK) {
        outcome.status = GROVE_MALFORMED;
        outcome.code = GROVE_CODE_NONE;
    }
    status = exchange_write(&outcome, &result, failure);
    grove_result_clear(&result);
    return status;
}
