/* SPDX-License-Identifier: MPL-2.0
 * Fan-out: children of several functions run at the same time, and their results come together, in
 * the order of the inputs.
 *
 *   page
 *   ├─ profile
 *   ├─ orders       whichever ends first
 *   └─ reviews
 *
 * Worker and client in one, as chain.c is: `grove dev -- build/examples/gather`. */
#include <grove.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SOURCES 3

/* Serves all three: `context` says which it is called as. */
static enum grove_status fetch(struct grove_attempt *attempt, void *context)
{
    char text[200];

    snprintf(text, sizeof(text), "%s of %.100s", (const char *)context,
             (const char *)grove_attempt_payload(attempt).data);
    return grove_attempt_return(attempt, text, strlen(text));
}

/* However many it gathers, this handler gives its slot back meanwhile and is woken once. */
static enum grove_status page(struct grove_attempt *attempt, void *context)
{
    static const char *const sources[SOURCES] = {"profile", "orders", "reviews"};
    struct grove_task tasks[SOURCES];
    struct grove_joined joined = GROVE_JOINED_INIT;
    char text[1000];

    (void)context;
    for (unsigned i = 0; i < SOURCES; i++) {
        tasks[i] = (struct grove_task)GROVE_TASK_INIT;
        tasks[i].function = sources[i];
        tasks[i].payload = grove_attempt_payload(attempt);
    }
    enum grove_status status = grove_gather(NULL, tasks, SOURCES, NULL, &joined);

    if (status == GROVE_OK) {
        snprintf(text, sizeof(text), "%.200s, %.200s, %.200s",
                 (const char *)joined.results[0].bytes.data,
                 (const char *)joined.results[1].bytes.data,
                 (const char *)joined.results[2].bytes.data);
        status = grove_attempt_return(attempt, text, strlen(text));
    }
    grove_joined_clear(&joined);
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
    task.function = "page";
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
    if (grove_worker_handle(worker, "profile", fetch, "profile") != GROVE_OK ||
        grove_worker_handle(worker, "orders", fetch, "orders") != GROVE_OK ||
        grove_worker_handle(worker, "reviews", fetch, "reviews") != GROVE_OK ||
        grove_worker_handle(worker, "page", page, NULL) != GROVE_OK ||
        pthread_create(&thread, NULL, serve, worker) != 0) {
        fprintf(stderr, "worker: cannot offer these functions\n");
        return 1;
    }
    const int code = submit("ada");

    grove_worker_stop(worker);
    pthread_join(thread, NULL);
    grove_worker_close(worker);
    return code;
}
