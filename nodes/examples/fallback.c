/* SPDX-License-Identifier: MPL-2.0
 * A conditional fallback: a child that fails is a value, and the parent decides.
 *
 *   report
 *   ├─ primary      fails, so ...
 *   ├─ secondary    is asked
 *   └─ process      gets the data of whichever answered
 *
 * Worker and client in one, as chain.c is: `grove dev -- build/examples/fallback`. */
#include <grove.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static enum grove_status primary(struct grove_attempt *attempt, void *context)
{
    (void)context;
    return grove_attempt_fail(attempt, "the primary source is down", (struct grove_bytes){NULL, 0});
}

static enum grove_status secondary(struct grove_attempt *attempt, void *context)
{
    static const char data[] = "figures from the secondary source";

    (void)context;
    return grove_attempt_return(attempt, data, strlen(data));
}

static enum grove_status process(struct grove_attempt *attempt, void *context)
{
    char text[200];

    (void)context;
    snprintf(text, sizeof(text), "processed %.150s",
             (const char *)grove_attempt_payload(attempt).data);
    return grove_attempt_return(attempt, text, strlen(text));
}

static enum grove_status ask(const char *source, struct grove_result *data)
{
    struct grove_task task = GROVE_TASK_INIT;
    struct grove_failure failure;

    task.function = source;
    const enum grove_status status = grove_wait(NULL, &task, data, &failure);

    if (status != GROVE_OK) {
        fprintf(stderr, "%s failed: %s\n", failure.function, failure.text);
    }
    grove_failure_clear(&failure);
    return status;
}

static enum grove_status report(struct grove_attempt *attempt, void *context)
{
    struct grove_task task = GROVE_TASK_INIT;
    struct grove_result data, processed;
    enum grove_status status = ask("primary", &data);

    (void)context;
    if (status == GROVE_FAILED) { /* the task did; anything else concerns ourselves */
        status = ask("secondary", &data);
    }
    if (status != GROVE_OK) {
        return status;
    }
    task.function = "process";
    task.payload = data.bytes;
    status = grove_wait(NULL, &task, &processed, NULL);
    if (status == GROVE_OK) {
        status = grove_attempt_return(attempt, processed.bytes.data, processed.bytes.size);
    }
    grove_result_clear(&data);
    grove_result_clear(&processed);
    return status;
}

/* ---- the program around them */

static void *serve(void *worker)
{
    char error[GROVE_ERROR_SIZE];

    if (grove_worker_run(worker, error) != GROVE_OK) {
        fprintf(stderr, "worker: %s\n", error);
    }
    return NULL;
}

static int submit(const char *payload)
{
    struct grove_client *client;
    struct grove_task task = GROVE_TASK_INIT;
    struct grove_result result;
    struct grove_failure failure;
    char error[GROVE_ERROR_SIZE];

    if (grove_client_open(NULL, &client, error) != GROVE_OK) {
        fprintf(stderr, "client: %s\n", error);
        return 1;
    }
    task.function = "report";
    task.payload = (struct grove_bytes){payload, strlen(payload)};
    const enum grove_status status = grove_wait(client, &task, &result, &failure);

    if (status == GROVE_OK) {
        printf("%s\n", (const char *)result.bytes.data);
    } else {
        fprintf(stderr, "%s failed (%s): %s\n", failure.function, failure.reason, failure.text);
    }
    grove_result_clear(&result);
    grove_failure_clear(&failure);
    grove_client_close(client);
    return status == GROVE_OK ? 0 : 1;
}

int main(void)
{
    struct grove_worker *worker;
    pthread_t thread;
    char error[GROVE_ERROR_SIZE];

    if (grove_worker_open(NULL, &worker, error) != GROVE_OK) {
        fprintf(stderr, "worker: %s\n", error);
        return 1;
    }
    if (grove_worker_handle(worker, "primary", primary, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "secondary", secondary, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "process", process, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "report", report, NULL) != GROVE_OK ||
        pthread_create(&thread, NULL, serve, worker) != 0) {
        fprintf(stderr, "worker: cannot offer these functions\n");
        return 1;
    }
    const int code = submit("");

    grove_worker_stop(worker);
    pthread_join(thread, NULL);
    grove_worker_close(worker);
    return code;
}
