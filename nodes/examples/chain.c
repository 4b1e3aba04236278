/* SPDX-License-Identifier: MPL-2.0
 * A sequential chain: each task is awaited before the next is submitted.
 *
 *   pipeline
 *   ├─ fetch        its result is the input of ...
 *   └─ transform
 *
 * This program is worker and client in one: it offers the three functions, submits a pipeline and
 * prints what comes of it. `grove dev -- build/examples/chain` runs it. */
#include <grove.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static enum grove_status return_text(struct grove_attempt *attempt, const char *text)
{
    return grove_attempt_return(attempt, text, strlen(text));
}

static enum grove_status fetch(struct grove_attempt *attempt, void *context)
{
    char text[200];

    (void)context;
    snprintf(text, sizeof(text), "data of %.100s",
             (const char *)grove_attempt_payload(attempt).data);
    return return_text(attempt, text);
}

static enum grove_status transform(struct grove_attempt *attempt, void *context)
{
    char text[200];

    (void)context;
    snprintf(text, sizeof(text), "transformed %.150s",
             (const char *)grove_attempt_payload(attempt).data);
    return return_text(attempt, text);
}

/* Waiting gives this handler's slot to the child, so one slot is enough for the whole chain. */
static enum grove_status pipeline(struct grove_attempt *attempt, void *context)
{
    struct grove_task task = GROVE_TASK_INIT;
    struct grove_result fetched, transformed;
    enum grove_status status;

    (void)context;
    task.function = "fetch";
    task.payload = grove_attempt_payload(attempt);
    status = grove_wait(NULL, &task, &fetched, NULL);
    if (status != GROVE_OK) {
        return status; /* we fail for the reason for which our child did */
    }
    task.function = "transform";
    task.payload = fetched.bytes;
    status = grove_wait(NULL, &task, &transformed, NULL);
    if (status == GROVE_OK) {
        status = grove_attempt_return(attempt, transformed.bytes.data, transformed.bytes.size);
    }
    grove_result_clear(&fetched);
    grove_result_clear(&transformed);
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

static int submit(const char *source)
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
    task.function = "pipeline";
    task.payload = (struct grove_bytes){source, strlen(source)};
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
    if (grove_worker_handle(worker, "fetch", fetch, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "transform", transform, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "pipeline", pipeline, NULL) != GROVE_OK ||
        pthread_create(&thread, NULL, serve, worker) != 0) {
        fprintf(stderr, "worker: cannot offer these functions\n");
        return 1;
    }
    const int code = submit("api.example.org");

    grove_worker_stop(worker);
    pthread_join(thread, NULL);
    grove_worker_close(worker);
    return code;
}
