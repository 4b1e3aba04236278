/* SPDX-License-Identifier: MPL-2.0
 * Calls: filled in and encoded by the thread that makes them, ended by the I/O thread. */
#include "nodes/client/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/id.h"
#include "nodes/client/nonce.h"
#include "nodes/host/clock.h"
#include "nodes/worker/attempt.h"

struct call *call_create(enum call_kind kind, size_t count, struct grove_attempt *attempt)
{
    struct call *call = calloc(1, sizeof(*call));
    struct request *requests = calloc(count > 0 ? count : 1, sizeof(*requests));

    if (!call || !requests) {
        abort();
    }
    call->kind = kind;
    call->requests = requests;
    call->attempt = attempt;
    if (attempt) {
        call->root = attempt->root;
        call->parent = attempt->key.task;
    }
    call->give_up_ms = UINT64_MAX;
    sem_init(&call->done, 0, 0);
    return call;
}

void call_destroy(struct call *call)
{
    if (call) {
        sem_destroy(&call->done);
        buffer_clear(&call->items);
        free(call->requests);
        free(call);
    }
}

struct bytes request_item(const struct request *request)
{
    return bytes_of(request->call->items.data + request->item_at, request->item_size);
}

struct bytes request_function(const struct request *request)
{
    if (request->function_size == 0) {
        return bytes_of(NULL, 0);
    }
    return bytes_of(request->call->items.data + request->item_at + request->function_at,
                    request->function_size);
}

/* What is wrong with a task, or NULL. */
static const char *task_complaint(const struct grove_task *task, enum grove_status *status)
{
    *status = GROVE_INVALID;
    if (task->size < offsetof(struct grove_task, content_type)) {
        return "a task must begin with its size: use GROVE_TASK_INIT";
    }
    if (!wire_function_is_valid(bytes_of_text(task->function))) {
        return "a function's name is 1 to 63 of a-z, 0-9, '.', '_' and '-'";
    }
    if (task->content_type && strlen(task->content_type) > LIMIT_CONTENT_TYPE_LENGTH) {
        return "the content type is longer than 127 bytes";
    }
    if (task->key && strlen(task->key) > LIMIT_KEY_LENGTH) {
        return "the key is longer than 128 bytes";
    }
    if (task->priority < -LIMIT_PRIORITY || task->priority > LIMIT_PRIORITY) {
        return "a priority is -100 to 100";
    }
    if (task->max_attempts > LIMIT_ATTEMPTS) {
        return "more than 1,000 attempts";
    }
    if (task->payload.size > LIMIT_PAYLOAD_SIZE) {
        *status = GROVE_TOO_LARGE;
        return "the payload is larger than 1 MiB (1,048,576 bytes)";
    }
    return NULL;
}

/* Where the function lies in the encoded item, which goes wherever its call's buffer goes. */
static void find_function(struct request *request)
{
    struct task_item item;
    struct bytes encoded = request_item(request);

    if (wire_task_decode(encoded, &item) == GROVE_OK) {
        request->function_at = (uint16_t)(item.function.data - encoded.data);
        request->function_size = (uint16_t)item.function.size;
    }
}

static void encode(struct request *request, const struct task_item *item, const struct key *signer)
{
    struct buffer *items = &request->call->items;

    request->item_at = items->size;
    wire_task_encode(items, item);
    request->item_size = items->size - request->item_at;
    request->leaf = seal_leaf(request_item(request));
    request->id = id_of_task(item, signer, &request->payload_digest);
    request->is_known = true;
    request->is_root = !item->lineage.present;
    find_function(request);
}

static struct request *add(struct call *call, const struct wanted *wanted)
{
    struct request *request = &call->requests[call->count++];

    request->call = call;
    request->wanted = *wanted;
    return request;
}

/* Writes down what went wrong, also for a handler that only passes the status on. */
static void fail(struct request *request, struct failing *failing)
{
    struct call *call = request->call;

    failing->task = request->id;
    request->status = failing->status;
    if (call->complaint[0] == '\0') {
        snprintf(call->complaint, sizeof(call->complaint), "%.*s: %.*s",
                 (int)failing->function.size, (const char *)failing->function.data,
                 (int)failing->text.size, (const char *)failing->text.data);
    }
    failure_write(request->wanted.failure, failing);
}

/* Ends a request that never leaves this process. */
static void refuse_here(struct request *request, const struct grove_task *task,
                        enum grove_status status, const char *text)
{
    struct failing failing = failing_of_status(status, text);

    if (task->size >= offsetof(struct grove_task, content_type)) {
        failing.function = bytes_of_text(task->function);
    }
    fail(request, &failing);
}

static void take_expiry(struct call *call, uint64_t expires_ms)
{
    uint64_t until = clock_monotonic_ms() + expires_ms;

    call->submit_until_ms = until > call->submit_until_ms ? until : call->submit_until_ms;
}

void call_add_task(struct call *call, const struct grove_task *task, const struct wanted *wanted,
                   const struct key *signer, uint64_t ledger_ms)
{
    struct request *request = add(call, wanted);
    struct grove_task copy = GROVE_TASK_INIT;
    enum grove_status status;
    const char *complaint;

    memcpy(&copy, task, task->size < sizeof(copy) ? task->size : sizeof(copy));
    complaint = task_complaint(&copy, &status);
    if (complaint) {
        refuse_here(request, &copy, status, complaint);
        return;
    }

    uint64_t expires_ms = copy.expires_ms > 0 ? copy.expires_ms : LIMIT_EXPIRES_MS;
    struct task_item item = {
        .function = bytes_of_text(copy.function),
        .payload = bytes_of(copy.payload.data, copy.payload.size),
        .content_type = bytes_of_text(copy.content_type),
        .key = bytes_of_text(copy.key),
        .has_priority = copy.has_priority || copy.priority != 0,
        .priority = copy.priority,
        .delay_ms = copy.delay_ms,
        .deadline_ms = copy.deadline_ms,
        .timeout_ms = copy.timeout_ms,
        .max_attempts = copy.max_attempts,
        .at_most_once = copy.at_most_once,
        .fresh = copy.fresh,
        .expires_ms = ledger_ms + expires_ms,
    };

    nonce_fill(item.nonce);
    request->payload_digest = digest_of(item.payload);
    if (call->attempt) {
        attempt_give_lineage(call->attempt, &item, &request->payload_digest);
    }
    encode(request, &item, signer);
    take_expiry(call, expires_ms);
    request->wants_answer = true;
    request->wants_outcome = call->kind == CALL_RUN;
    call->left++;
}

void call_add_id(struct call *call, const struct id *id, const struct wanted *wanted)
{
    struct request *request = add(call, wanted);

    request->id = *id;
    request->wants_outcome = true;
    call->left++;
}

void call_set_timeout(struct call *call, uint64_t timeout_ms)
{
    uint64_t now_ms = clock_monotonic_ms();

    call->give_up_ms = timeout_ms < UINT64_MAX - now_ms ? now_ms + timeout_ms : UINT64_MAX;
}

void call_wait(struct call *call, uint32_t spin_us)
{
    int failed;

    if (spin_us > 0) {
        uint64_t until = clock_monotonic_ns() + UINT64_C(1000) * spin_us;

        do {
            if (sem_trywait(&call->done) == 0) {
                return;
            }
        } while (clock_monotonic_ns() < until);
    }
    do {
        failed = sem_wait(&call->done);
    } while (failed && errno == EINTR);
}

enum grove_status call_status(const struct call *call)
{
    if (call->status != GROVE_OK) {
        return call->status;
    }
    for (size_t i = 0; i < call->count; i++) {
        if (call->requests[i].status != GROVE_OK) {
            return call->requests[i].status;
        }
    }
    return GROVE_OK;
}

void call_finish(struct call *call, struct call_queue *finished)
{
    if (!call->is_finishing) {
        call->is_finishing = true;
        STAILQ_INSERT_TAIL(finished, call, queued);
    }
}

static void end_if_done(struct request *request, struct call_queue *finished)
{
    struct call *call = request->call;

    if (request_has_ended(request) && --call->left == 0) {
        call_finish(call, finished);
    }
}

void request_answered(struct request *request, struct call_queue *finished)
{
    if (request->wants_answer) {
        request->wants_answer = false;
        if (request->wanted.id) {
            memcpy(request->wanted.id, &request->id, sizeof(request->id));
        }
        end_if_done(request, finished);
    }
}

void request_succeeded(struct request *request, const struct result_item *item,
                       struct call_queue *finished)
{
    if (request->wants_outcome) {
        request->wants_outcome = false;
        result_write(request->wanted.result, item);
        end_if_done(request, finished);
    }
}

static void name_function(const struct request *request, struct failing *failing)
{
    if (failing->function.size == 0) {
        failing->function = request_function(request);
    }
}

void request_failed(struct request *request, struct failing *failing, struct call_queue *finished)
{
    if (request->wants_outcome) {
        request->wants_outcome = false;
        name_function(request, failing);
        fail(request, failing);
        end_if_done(request, finished);
    }
}

void request_refused(struct request *request, struct failing *failing, struct call_queue *finished)
{
    if (request_has_ended(request)) {
        return;
    }
    if (request->wants_outcome || request->call->kind == CALL_SUBMIT) {
        name_function(request, failing);
        fail(request, failing);
    }
    request->wants_answer = false;
    request->wants_outcome = false;
    end_if_done(request, finished);
}
