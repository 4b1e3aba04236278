/* SPDX-License-Identifier: MPL-2.0
 * One of four languages on a way through all of them (tests/clients/test_languages.py):
 *
 *   hopper worker               offers c.hop: of the payload "A B ..." it awaits A.hop with
 *                               "B ...", and returns "c" and what that returned
 *   hopper client FUNCTION WAY  prints what the function returns for that way */
#include "nodes/grove.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAY_SIZE 512

/* Awaits FUNCTION.hop of a way, by `client` or, for NULL, as a child. */
static enum grove_status go_on(struct grove_client *client, const char *function, const char *way,
                               struct grove_result *result)
{
    struct grove_task task = GROVE_TASK_INIT;

    task.function = function;
    task.payload = (struct grove_bytes){way, strlen(way)};
    return grove_wait(client, &task, result, NULL);
}

static enum grove_status hop(struct grove_attempt *attempt, void *context)
{
    const char *way = grove_attempt_payload(attempt).data;
    const size_t size = strcspn(way, " ");
    char function[WAY_SIZE], found[WAY_SIZE];
    struct grove_result result;

    (void)context;
    if (size == 0) {
        return grove_attempt_return(attempt, "c", 1);
    }
    snprintf(function, sizeof(function), "%.*s.hop", (int)size, way);
    const enum grove_status status =
        go_on(NULL, function, way[size] == ' ' ? &way[size + 1] : "", &result);

    if (status == GROVE_OK) {
        snprintf(found, sizeof(found), "c %s", (const char *)result.bytes.data);
    }
    grove_result_clear(&result);
    return status != GROVE_OK ? status : grove_attempt_return(attempt, found, strlen(found));
}

static int work(void)
{
    struct grove_worker_options options = GROVE_WORKER_OPTIONS_INIT;
    struct grove_worker *worker;

    options.slots = 4;
    return grove_worker_open(&options, &worker, NULL) != GROVE_OK ||
           grove_worker_handle(worker, "c.hop", hop, NULL) != GROVE_OK ||
           grove_worker_run(worker, NULL) != GROVE_OK;
}

static int ask(const char *function, const char *way)
{
    struct grove_client *client;
    struct grove_result result;

    if (grove_client_open(NULL, &client, NULL) != GROVE_OK) {
        return EXIT_FAILURE;
    }
    const enum grove_status status = go_on(client, function, way, &result);

    if (status == GROVE_OK) {
        printf("%s", (const char *)result.bytes.data);
    }
    grove_result_clear(&result);
    grove_client_close(client);
    return status == GROVE_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "worker") == 0) {
        return work();
    }
    return argc == 4 && strcmp(argv[1], "client") == 0 ? ask(argv[2], argv[3]) : EXIT_FAILURE;
}
