/* SPDX-License-Identifier: MPL-2.0
 * A race: the fastest provider wins. One that fails is out of the race and harms nobody; the losers
 * are cancelled, and nothing below them starts any more.
 *
 *   quote
 *   ├─ east         fails at once
 *   ├─ north        answers after a while, and wins
 *   └─ south        would take a minute, and is told to stop
 *
 * Worker and client in one, as chain.c is: `grove dev -- build/examples/race`. */
#include <grove.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>

#define PROVIDERS 3
#define SLOTS 4

/* False when we were told to stop meanwhile. */
static bool think(unsigned ms)
{
    static const struct timespec moment = {0, 10000000};

    for (unsigned past_ms = 0; past_ms < ms && !grove_cancelled(); past_ms += 10) {
        thrd_sleep(&moment, NULL);
    }
    return !grove_cancelled();
}

static enum grove_status east(struct grove_attempt *attempt, void *context)
{
    (void)context;
    return grove_attempt_fail(attempt, "east is closed today", (struct grove_bytes){NULL, 0});
}

static enum grove_status north(struct grove_attempt *attempt, void *context)
{
    (void)context;
    return think(100) ? grove_attempt_return(attempt, "17 EUR", 6) : GROVE_CANCELLED;
}

static enum grove_status south(struct grove_attempt *attempt, void *context)
{
    (void)context;
    return think(60000) ? grove_attempt_return(attempt, "16 EUR", 6) : GROVE_CANCELLED;
}

/* Says who has won with what, and what became of the others. */
static enum grove_status return_winner(struct grove_attempt *attempt,
                                       const struct grove_task *tasks,
                                       const struct grove_joined *joined)
{
    const size_t winner = joined->winners[0];
    char text[1000];
    size_t used = (size_t)snprintf(text, sizeof(text), "%s wins: %.100s", tasks[winner].function,
                                   (const char *)joined->results[winner].bytes.data);

    for (size_t i = 0; i < joined->count; i++) {
        if (i != winner) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, ", %s %.100s",
                                     tasks[i].function, joined->failures[i].reason);
        }
    }
    return grove_attempt_return(attempt, text, used);
}

static enum grove_status quote(struct grove_attempt *attempt, void *context)
{
    static const char *const providers[PROVIDERS] = {"east", "north", "south"};
    struct grove_task tasks[PROVIDERS];
    struct grove_joined joined = GROVE_JOINED_INIT;

    (void)context;
    for (unsigned i = 0; i < PROVIDERS; i++) {
        tasks[i] = (struct grove_task)GROVE_TASK_INIT;
        tasks[i].function = providers[i];
        tasks[i].payload = grove_attempt_payload(attempt);
    }
    enum grove_status status = grove_race(NULL, tasks, PROVIDERS, NULL, &joined);

    if (status == GROVE_OK) {
        status = return_winner(attempt, tasks, &joined);
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
    task.function = "quote";
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
    if (grove_worker_handle(worker, "east", east, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "north", north, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "south", south, NULL) != GROVE_OK ||
        grove_worker_handle(worker, "quote", quote, NULL) != GROVE_OK ||
        pthread_create(&thread, NULL, serve, worker) != 0) {
        fprintf(stderr, "worker: cannot offer these functions\n");
        return 1;
    }
    const int code = submit("a parcel to Oslo");

    grove_worker_stop(worker);
    pthread_join(thread, NULL);
    grove_worker_close(worker);
    return code;
}
