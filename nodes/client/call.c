/* SPDX-License-Identifier: MPL-2.0
 * Calls: filled in and encoded by the thread that makes them, ended by the I/O thread. */
#include "nodes/client/call.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/digests.h"
#include "core/id.h"
#include "core/join_message.h"
#include "nodes/client/task.h"
#include "nodes/host/clock.h"
#include "nodes/worker/attempt.h"

/* Tasks that are named together. */
#define NAMED_AT_ONCE ((size_t)8)

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

static void encode(struct request *request, const struct task_item *item)
{
    struct buffer *items = &request->call->items;

    request->item_at = items->size;
    wire_task_encode(items, item);
    request->item_size = items->size - request->item_at;
    request->is_known = true;
    request->is_root = !item->lineage.present;
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
static void refuse_here(struct request *request, const char *function, enum grove_status status,
                        const char *text)
{
    struct failing failing = failing_of_status(status, text);

    failing.function = bytes_of_text(function);
    fail(request, &failing);
}

static void take_expiry(struct call *call, uint64_t expires_ms)
{
    uint64_t until = clock_monotonic_ms() + expires_ms;

    call->submit_until_ms = until > call->submit_until_ms ? until : call->submit_until_ms;
}

void call_add_task(struct call *call, const struct grove_task *task, const struct wanted *wanted,
                   uint64_t ledger_ms)
{
    struct request *request = add(call, wanted);
    struct grove_task copy;
    enum grove_status status;
    const char *complaint = task_take(task, &copy, &status);

    if (complaint) {
        refuse_here(request, copy.function, status, complaint);
        return;
    }

    struct task_item item = task_make_item(&copy, ledger_ms);

    if (call->attempt) {
        const struct digest payload_digest = digest_of(item.payload);

        attempt_give_lineage(call->attempt, &item, &payload_digest);
    }
    encode(request, &item);
    take_expiry(call, task_expires_ms(&copy));
    request->wants_answer = true;
    request->wants_outcome = call->kind == CALL_RUN;
    call->left++;
}

/* Names tasks side by side. What their items hold lies wherever the call's buffer went. */
static void name_some(struct request *const *requests, size_t count, const struct key *signer)
{
    struct task_item items[NAMED_AT_ONCE];
    struct bytes payloads[NAMED_AT_ONCE] = {{.size = 0}};
    struct digest digests[NAMED_AT_ONCE];
    struct id ids[NAMED_AT_ONCE];

    for (size_t i = 0; i < count; i++) {
        const struct bytes encoded = request_item(requests[i]);
        const enum grove_status status = wire_task_decode(encoded, &items[i]);
        assert(status == GROVE_OK);
        requests[i]->function_at = (uint16_t)(items[i].function.data - encoded.data);
        requests[i]->function_size = (uint16_t)items[i].function.size;
        payloads[i] = items[i].payload;
    }
    digests_of(bytes_of(NULL, 0), payloads, count, digests);
    ids_of_tasks(signer, items, digests, count, ids);
    for (size_t i = 0; i < count; i++) {
        requests[i]->payload_digest = digests[i];
        requests[i]->id = ids[i];
    }
}

void call_name_tasks(struct call *call, const struct key *signer)
{
    struct request *some[NAMED_AT_ONCE];
    size_t count = 0;

    for (size_t i = 0; i < call->count; i++) {
        if (call->requests[i].is_known) {
            some[count++] = &call->requests[i];
        }
        if (count == NAMED_AT_ONCE || (count > 0 && i + 1 == call->count)) {
            name_some(some, count, signer);
            count = 0;
        }
    }
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
            sched_yield();
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

void call_end(struct call *call, const struct failing *failing, struct call_queue *finished)
{
    if (call->left == 0) {
        return;
    }
    call->left = 0;
    if (failing) {
        call->status = failing->status;
        snprintf(call->complaint, sizeof(call->complaint), "%.*s", (int)failing->text.size,
                 (const char *)failing->text.data);
        failure_write(call->failure, failing);
    }
    call_finish(call, finished);
}

void call_cancelled(struct call *call, const struct cancelled *counts, struct call_queue *finished)
{
    if (call->counts) {
        *call->counts =
            (struct grove_cancelled){counts->never_started, counts->stopped, counts->already_done};
    }
    call_end(call, NULL, finished);
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
