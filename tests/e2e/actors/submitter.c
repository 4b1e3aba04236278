/* SPDX-License-Identifier: MPL-2.0
 * Submits with keys and tells what was acknowledged:
 *
 *   submitter FUNCTION PREFIX FIRST END PAYLOAD [MS]    MS to rest between two batches
 *
 * Task i has the key PREFIX.i and the payload PAYLOAD, at whose end a "-" becomes i; prints "i id"
 * for each the moment its batch is acknowledged, in one write. Ends with 1 at the first batch that
 * is not. */
#include "nodes/grove.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 50
#define LINE_SIZE 64

static void tell(long first, size_t count, const struct grove_id *ids)
{
    char text[BATCH * LINE_SIZE], id[GROVE_ID_TEXT_SIZE];
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        grove_id_format(&ids[i], id);
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%ld %s\n", first + (long)i, id);
    }
    if (write(STDOUT_FILENO, text, size) != (ssize_t)size) {
        exit(1);
    }
}

static bool submit(struct grove_client *client, char **argv, long first, size_t count)
{
    struct grove_task tasks[BATCH] = {GROVE_TASK_INIT};
    struct grove_id ids[BATCH];
    struct grove_failure failures[BATCH];
    char keys[BATCH][LINE_SIZE], payloads[BATCH][LINE_SIZE];

    const char *given = argv[5];
    const size_t size = strlen(given);
    const bool is_numbered = size > 0 && given[size - 1] == '-';

    for (size_t i = 0; i < count; i++) {
        const char *text = is_numbered ? payloads[i] : given;

        snprintf(keys[i], LINE_SIZE, "%.40s.%ld", argv[2], first + (long)i);
        if (is_numbered) {
            snprintf(payloads[i], LINE_SIZE, "%.*s%ld", (int)size - 1, given, first + (long)i);
        }
        tasks[i] = (struct grove_task)GROVE_TASK_INIT;
        tasks[i].function = argv[1];
        tasks[i].key = keys[i];
        tasks[i].payload = (struct grove_bytes){text, strlen(text)};
    }
    const enum grove_status status = grove_submit_many(client, tasks, count, ids, failures);

    for (size_t i = 0; i < count; i++) {
        if (failures[i].status != GROVE_OK) {
            fprintf(stderr, "submitter: %ld: %s: %s\n", first + (long)i, failures[i].reason,
                    failures[i].text);
        }
        grove_failure_clear(&failures[i]);
    }
    if (status == GROVE_OK) {
        tell(first, count, ids);
    }
    return status == GROVE_OK;
}

int main(int argc, char **argv)
{
    struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
    struct grove_client *client;
    char error[GROVE_ERROR_SIZE] = "submitter FUNCTION PREFIX FIRST END PAYLOAD";
    bool is_fine = true;

    options.connect_timeout_ms = 60000; /* of a machine that stands still, too */
    if ((argc != 6 && argc != 7) || grove_client_open(&options, &client, error) != GROVE_OK) {
        fprintf(stderr, "submitter: %s\n", error);
        return 1;
    }
    const long end = strtol(argv[4], NULL, 10);
    const useconds_t rest_us = argc == 7 ? (useconds_t)strtoul(argv[6], NULL, 10) * 1000 : 0;

    for (long i = strtol(argv[3], NULL, 10); i < end && is_fine; i += BATCH) {
        is_fine = submit(client, argv, i, (size_t)(end - i < BATCH ? end - i : BATCH));
        usleep(rest_us);
    }
    grove_client_close(client);
    return is_fine ? 0 : 1;
}
