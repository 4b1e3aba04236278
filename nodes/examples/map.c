/* SPDX-License-Identifier: MPL-2.0
 * Fan-out with a limit: one function for many inputs, three at a time, though the worker has slots
 * for eight. The limit is the mesh's own, so it holds over any number of workers.
 *
 *   album 12
 *   ├─ thumbnail 1
 *   ├─ thumbnail 2
 *   ├─ thumbnail 3
 *   ├─ thumbnail 4      as soon as one of those three has ended
 *   └─ ...
 *
 * Worker and client in one, as chain.c is: `grove dev -- build/examples/map`. */
#include <grove.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#define LIMIT 3
#define SLOTS 8
#define PHOTOS 100

static atomic_uint running, most; /* thumbnails at a time: now, and at the most */

static void count_in(void)
{
    const unsigned now = atomic_fetch_add(&running, 1) + 1;
    unsigned seen = atomic_load(&most);

    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now)) {
    }
}

/* Takes 20 to 60 ms, so that they do not end in the order of the inputs. */
static enum grove_status thumbnail(struct grove_attempt *attempt, void *context)
{
    const struct grove_bytes photo = grove_attempt_payload(attempt);
    const unsigned long number = strtoul(photo.data, NULL, 10);
    const struct timespec work = {0, (long)(3 - number % 3) * 20000000};
    char text[100];

    (void)context;
    count_in();
    thrd_sleep(&work, NULL);
    atomic_fetch_sub(&running, 1);
    snprintf(text, sizeof(text), "thumbnail %lu", number);
    return grove_attempt_return(attempt, text, strlen(text));
}

/* The results in one line, which are in the order of the inputs, and how many ran at a time. */
static enum grove_status return_joined(struct grove_attempt *attempt,
                                       const struct grove_joined *joined)
{
    char text[PHOTOS * 20 + 50] = "";
    size_t used = 0;

    for (size_t i = 0; i < joined->count; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.17s", i > 0 ? ", " : "",
                                 (const char *)joined->results[i].bytes.data);
    }
    used += (size_t)snprintf(text + used, sizeof(text) - used, "; at most %u at a time",
                             atomic_load(&most));
    return grove_attempt_return(attempt, text, used);
}

static enum grove_status album(struct grove_attempt *attempt, void *context)
{
    const unsigned long photos = strtoul(grove_attempt_payload(attempt).data, NULL, 10);
    struct grove_task tasks[PHOTOS];
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;
    char numbers[PHOTOS][20];
    size_t count = 0;

    (void)context;
    for (; count < photos && count < PHOTOS; count++) {
        snprintf(numbers[count], sizeof(numbers[count]), "%zu", count + 1);
        tasks[count] = (struct grove_task)GROVE_TASK_INIT;
        tasks[count].function = "thumbnail";
        tasks[count].payload = (struct grove_bytes){numbers[count], strlen(numbers[count])};
    }
    options.limit = LIMIT;
    options.stop_on_failure = true; /* an album with a gap is none */
    enum grove_status status = grove_map(NULL, tasks, count, &options, &joined);

    if (status == GROVE_OK) {
        status = return_joined(attempt, &joined);
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
    task.function = "album";
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

    options.slots = SLOTS;
    if (grove_worker_open(&options, &worker, error) != GROVE_OK) {
        fprintf(stderr, "worker: %s\n", error);
        return 1;
    }
    if (grove_worker_handle(worker, "thumbnail", thumbnail, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "album", album, NULL) != GROVE_OK ||
        pthread_create(&thread, NULL, serve, worker) != 0) {
        fprintf(stderr, "worker: cannot offer these functions\n");
        return 1;
    }
    const int code = submit("12");

    grove_worker_stop(worker);
    pthread_join(thread, NULL);
    grove_worker_close(worker);
    return code;
}
