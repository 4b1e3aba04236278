/* SPDX-License-Identifier: MPL-2.0
 * The calls that submit and await: of a client, or, in a handler, of its attempt. */
#include <string.h>

#include "nodes/client/client.h"
#include "nodes/client/task.h"
#include "nodes/worker/context.h"

#define CANCEL_MS 60000u  /* for the answer to a Cancel: it comes when all below has ended */
#define SUBMIT_PART 8192u /* tasks in one call; grove_submit_many has two of them on the way */

/* Who makes a call. */
struct caller {
    struct grove_client *client;
    struct grove_attempt *attempt;
};

static struct caller caller_of(struct grove_client *client)
{
    return (struct caller){client, context_attempt()};
}

/* A client that is closed meanwhile lasts until its callers are out. */
static void begin(const struct caller *caller)
{
    if (!caller->attempt) {
        client_enter(caller->client);
    }
}

static void end(const struct caller *caller)
{
    if (!caller->attempt) {
        client_leave(caller->client);
    }
}

static void post(const struct caller *caller, struct call *call)
{
    call->is_posted = call->left > 0;
    if (call->is_posted && !caller->attempt) {
        client_post(caller->client, call);
    }
}

/* Waits for a posted call, and destroys it. */
static enum grove_status finish(const struct caller *caller, struct call *call)
{
    enum grove_status status;

    if (call->is_posted) {
        if (caller->attempt) {
            context_perform(call);
        } else {
            call_wait(call, client_spin_us(caller->client));
        }
    }
    status = call_status(call);
    call_destroy(call);
    return status;
}

static void empty_outcomes(size_t count, struct grove_result *results,
                           struct grove_failure *failures)
{
    if (results) {
        memset(results, 0, count * sizeof(*results));
    }
    if (failures) {
        memset(failures, 0, count * sizeof(*failures));
    }
}

static struct wanted wanted_at(size_t i, struct grove_id *ids, struct grove_result *results,
                               struct grove_failure *failures)
{
    return (struct wanted){
        .id = ids ? &ids[i] : NULL,
        .result = results ? &results[i] : NULL,
        .failure = failures ? &failures[i] : NULL,
    };
}

static const struct key *signer_of(const struct caller *caller)
{
    return caller->attempt ? context_signer(caller->attempt) : client_signer(caller->client);
}

static uint64_t ledger_ms_of(const struct caller *caller)
{
    return caller->attempt ? context_ledger_ms(caller->attempt) : client_ledger_ms(caller->client);
}

static enum grove_status misused(const char *why, struct grove_failure *failure)
{
    struct failing failing = failing_of_status(GROVE_INVALID, why);

    failure_write(failure, &failing);
    return GROVE_INVALID;
}

static bool is_nobody(const struct caller *caller)
{
    return !caller->client && !caller->attempt;
}

#define NOBODY "there is no client, and this is no handler's thread"

static struct call *start_tasks(const struct caller *caller, enum call_kind kind,
                                const struct grove_task *tasks, size_t count,
                                const struct wanted *first)
{
    struct call *call = call_create(kind, count, caller->attempt);
    const uint64_t ledger_ms = ledger_ms_of(caller);

    for (size_t i = 0; i < count; i++) {
        struct wanted wanted = wanted_at(i, first->id, first->result, first->failure);

        call_add_task(call, task_at(tasks, i), &wanted, ledger_ms);
    }
    call_name_tasks(call, signer_of(caller));
    post(caller, call);
    return call;
}

enum grove_status grove_submit_many(struct grove_client *client, const struct grove_task *tasks,
                                    size_t count, struct grove_id *ids,
                                    struct grove_failure *failures)
{
    struct caller caller = caller_of(client);
    enum grove_status first = GROVE_OK;
    struct call *before = NULL;

    if (count == 0) {
        return GROVE_OK;
    }
    empty_outcomes(count, NULL, failures);
    if (ids) {
        memset(ids, 0, count * sizeof(*ids));
    }
    if (is_nobody(&caller)) {
        return misused(NOBODY, failures);
    }
    begin(&caller);
    for (size_t from = 0; from < count || before; from += SUBMIT_PART) {
        struct call *call = NULL;

        if (from < count) {
            size_t part = count - from < SUBMIT_PART ? count - from : SUBMIT_PART;
            struct wanted wanted = wanted_at(from, ids, NULL, failures);

            call = start_tasks(&caller, CALL_SUBMIT, task_at(tasks, from), part, &wanted);
        }
        if (before) {
            enum grove_status status = finish(&caller, before);

            first = first == GROVE_OK ? status : first;
        }
        before = call;
    }
    end(&caller);
    return first;
}

enum grove_status grove_submit(struct grove_client *client, const struct grove_task *task,
                               struct grove_id *id, struct grove_failure *failure)
{
    return grove_submit_many(client, task, 1, id, failure);
}

enum grove_status grove_wait_many(struct grove_client *client, const struct grove_task *tasks,
                                  size_t count, struct grove_result *results,
                                  struct grove_failure *failures)
{
    struct caller caller = caller_of(client);
    struct wanted wanted = {.result = results, .failure = failures};
    enum grove_status status;

    if (count == 0) {
        return GROVE_OK;
    }
    empty_outcomes(count, results, failures);
    if (is_nobody(&caller)) {
        return misused(NOBODY, failures);
    }
    begin(&caller);
    status = finish(&caller, start_tasks(&caller, CALL_RUN, tasks, count, &wanted));
    end(&caller);
    return status;
}

enum grove_status grove_wait(struct grove_client *client, const struct grove_task *task,
                             struct grove_result *result, struct grove_failure *failure)
{
    return grove_wait_many(client, task, 1, result, failure);
}

enum grove_status grove_result_many(struct grove_client *client, const struct grove_id *ids,
                                    size_t count, uint64_t timeout_ms, struct grove_result *results,
                                    struct grove_failure *failures)
{
    struct caller caller = caller_of(client);
    enum grove_status status;
    struct call *call;

    if (count == 0) {
        return GROVE_OK;
    }
    empty_outcomes(count, results, failures);
    if (is_nobody(&caller)) {
        return misused(NOBODY, failures);
    }
    if (caller.attempt && (timeout_ms != GROVE_FOREVER || count > LIMIT_AWAITED)) {
        return misused("a handler awaits its children for ever, and 10,000 at most", failures);
    }
    begin(&caller);
    call = call_create(CALL_AWAIT, count, caller.attempt);
    call_set_timeout(call, timeout_ms);
    for (size_t i = 0; i < count; i++) {
        struct wanted wanted = wanted_at(i, NULL, results, failures);
        struct id id;

        memcpy(&id, &ids[i], sizeof(id));
        call_add_id(call, &id, &wanted);
    }
    post(&caller, call);
    status = finish(&caller, call);
    end(&caller);
    return status;
}

enum grove_status grove_result(struct grove_client *client, const struct grove_id *id,
                               uint64_t timeout_ms, struct grove_result *result,
                               struct grove_failure *failure)
{
    return grove_result_many(client, id, 1, timeout_ms, result, failure);
}

enum grove_status grove_cancel(struct grove_client *client, const struct grove_id *id,
                               struct grove_cancelled *counts, struct grove_failure *failure)
{
    struct caller caller = caller_of(client);
    enum grove_status status;
    struct call *call;

    empty_outcomes(1, NULL, failure);
    if (counts) {
        memset(counts, 0, sizeof(*counts));
    }
    if (is_nobody(&caller)) {
        return misused(NOBODY, failure);
    }
    begin(&caller);
    call = call_create(CALL_CANCEL, 0, caller.attempt);
    call->left = 1;
    memcpy(&call->task, id, sizeof(call->task));
    call->counts = counts;
    call->failure = failure;
    call_set_timeout(call, CANCEL_MS);
    post(&caller, call);
    status = finish(&caller, call);
    end(&caller);
    return status;
}
