/* SPDX-License-Identifier: MPL-2.0
 * A workflow of three levels on a worker with one slot, with progress at each level.
 *
 *   demo.flow 3               submits its segments one after the other; the payload says how many
 *   └─ demo.segment 1         likewise its three steps
 *      └─ demo.step 1.1
 *
 * A parent that waits holds no slot, so the tree is as deep as it likes. Worker and client in one,
 * as chain.c is: `grove dev -- build/examples/flow`. */
#include <grove.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS 3

/* Runs a child and appends its result to `list`, after a comma if it is not the first. */
static enum grove_status run_child(const char *function, const char *payload, char *list,
                                   size_t size)
{
    struct grove_task task = GROVE_TASK_INIT;
    struct grove_result result;

    task.function = function;
    task.payload = (struct grove_bytes){payload, strlen(payload)};
    const enum grove_status status = grove_wait(NULL, &task, &result, NULL);

    if (status == GROVE_OK) {
        const size_t used = strlen(list);

        snprintf(list + used, size - used, "%s%s", used > 0 ? ", " : "",
                 (const char *)result.bytes.data);
    }
    grove_result_clear(&result);
    return status;
}

static enum grove_status step(struct grove_attempt *attempt, void *context)
{
    const struct grove_bytes payload = grove_attempt_payload(attempt);
    char text[100];

    (void)context;
    snprintf(text, sizeof(text), "step %.40s done", (const char *)payload.data);
    grove_progress(100, text);
    return grove_attempt_return(attempt, payload.data, payload.size);
}

static enum grove_status segment(struct grove_attempt *attempt, void *context)
{
    const char *name = grove_attempt_payload(attempt).data;
    char done[200] = "", text[400];
    enum grove_status status = GROVE_OK;

    (void)context;
    for (unsigned i = 1; i <= STEPS && status == GROVE_OK; i++) {
        snprintf(text, sizeof(text), "step %u of %u", i, STEPS);
        grove_progress(i * 100 / STEPS, text);
        snprintf(text, sizeof(text), "%.40s.%u", name, i);
        status = run_child("demo.step", text, done, sizeof(done));
    }
    snprintf(text, sizeof(text), "segment %.40s (%s)", name, done);
    return status != GROVE_OK ? status : grove_attempt_return(attempt, text, strlen(text));
}

static enum grove_status flow(struct grove_attempt *attempt, void *context)
{
    const unsigned segments = (unsigned)strtoul(grove_attempt_payload(attempt).data, NULL, 10);
    char done[2000] = "", text[100];
    enum grove_status status = GROVE_OK;

    (void)context;
    for (unsigned i = 1; i <= segments && status == GROVE_OK; i++) {
        snprintf(text, sizeof(text), "segment %u of %u", i, segments);
        grove_progress(i * 100 / segments, text);
        snprintf(text, sizeof(text), "%u", i);
        status = run_child("demo.segment", text, done, sizeof(done));
    }
    return status != GROVE_OK ? status : grove_attempt_return(attempt, done, strlen(done));
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
    task.function = "demo.flow";
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
    struct grove_worker_options options = GROVE_WORKER_OPTIONS_INIT;
    struct grove_worker *worker;
    pthread_t thread;
    char error[GROVE_ERROR_SIZE];

    options.slots = 1;
    if (grove_worker_open(&options, &worker, error) != GROVE_OK) {
        fprintf(stderr, "worker: %s\n", error);
        return 1;
    }
    if (grove_worker_handle(worker, "demo.step", step, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "demo.segment", segment, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "demo.flow", flow, NULL) != GROVE_OK ||
        pthread_create(&thread, NULL, serve, worker) != 0) {
        fprintf(stderr, "worker: cannot offer these functions\n");
        return 1;
    }
    const int code = submit("3");

    grove_worker_stop(worker);
    pthread_join(thread, NULL);
    grove_worker_close(worker);
    return code;
}
