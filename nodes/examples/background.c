/* SPDX-License-Identifier: MPL-2.0
 * Fire and forget: many tasks are submitted at once, and durable from then on; whoever wants their
 * results comes for them later, from any program, by their ids.
 *
 * Worker and client in one, as chain.c is: `grove dev -- build/examples/background`. */
#include <grove.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LETTERS 100

static enum grove_status send_letter(struct grove_attempt *attempt, void *context)
{
    char text[100];

    (void)context;
    snprintf(text, sizeof(text), "sent to %.60s",
             (const char *)grove_attempt_payload(attempt).data);
    return grove_attempt_return(attempt, text, strlen(text));
}

/* ---- the program around it */

static void *serve(void *worker)
{
    char error[GROVE_ERROR_SIZE];

    if (grove_worker_run(worker, error) != GROVE_OK) {
        fprintf(stderr, "worker: %s\n", error);
    }
    return NULL;
}

static enum grove_status submit(struct grove_client *client, struct grove_id *ids)
{
    struct grove_task tasks[LETTERS];
    char readers[LETTERS][20];

    for (unsigned i = 0; i < LETTERS; i++) {
        snprintf(readers[i], sizeof(readers[i]), "reader %u", i + 1);
        tasks[i] = (struct grove_task)GROVE_TASK_INIT;
        tasks[i].function = "send-letter";
        tasks[i].payload = (struct grove_bytes){readers[i], strlen(readers[i])};
    }
    return grove_submit_many(client, tasks, LETTERS, ids, NULL);
}

/* Does not mind which program, or who, has submitted them. */
static enum grove_status collect(struct grove_client *client, const struct grove_id *ids)
{
    struct grove_result results[LETTERS];
    const enum grove_status status =
        grove_result_many(client, ids, LETTERS, GROVE_FOREVER, results, NULL);

    if (status == GROVE_OK) {
        printf("the last one: %s\n", (const char *)results[LETTERS - 1].bytes.data);
    }
    for (unsigned i = 0; i < LETTERS; i++) {
        grove_result_clear(&results[i]);
    }
    return status;
}

static struct grove_client *open_client(void)
{
    struct grove_client *client;
    char error[GROVE_ERROR_SIZE];

    if (grove_client_open(NULL, &client, error) != GROVE_OK) {
        fprintf(stderr, "client: %s\n", error);
        return NULL;
    }
    return client;
}

/* Two clients, which know of each other no more than the ids. */
static int submit_and_collect(void)
{
    struct grove_id ids[LETTERS];
    enum grove_status status = GROVE_NO_LEADER;
    struct grove_client *client = open_client();

    if (client != NULL) {
        status = submit(client, ids);
        grove_client_close(client);
    }
    if (status == GROVE_OK) {
        printf("%u letters are accepted, and will be sent whatever becomes of us\n", LETTERS);
        client = open_client();
        status = client != NULL ? collect(client, ids) : GROVE_NO_LEADER;
        grove_client_close(client);
    }
    if (status != GROVE_OK) {
        fprintf(stderr, "background: %s\n", grove_status_text(status));
    }
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
    if (grove_worker_handle(worker, "send-letter", send_letter, NULL) != GROVE_OK ||
        pthread_create(&thread, NULL, serve, worker) != 0) {
        fprintf(stderr, "worker: cannot offer send-letter\n");
        return 1;
    }
    const int code = submit_and_collect();

    grove_worker_stop(worker);
    pthread_join(thread, NULL);
    grove_worker_close(worker);
    return code;
}
