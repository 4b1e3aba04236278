/* SPDX-License-Identifier: MPL-2.0
 * A join from outside, and cancel, for the end-to-end tests:
 *
 *   joiner map KEY LIMIT STOP FUNCTION=PAYLOAD...    STOP failures end it; 0: however many fail
 *   joiner gather KEY STOP FUNCTION=PAYLOAD...
 *   joiner race KEY WINNERS FUNCTION=PAYLOAD...
 *   joiner cancel ID
 *
 * KEY "-" is none. Prints "position code bytes" for each input, in their order; then
 * "joined STATUS SUCCEEDED FAILED CANCELLED WINNER...", and the text of its failure if it failed.
 * Cancel prints "cancelled STATUS NEVER_STARTED STOPPED ALREADY_DONE". Ends with 0 when it could
 * ask. */
#include "nodes/grove.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum grove_status joining(struct grove_client *client, const struct grove_task *tasks,
                                  size_t count, const struct grove_join_options *options,
                                  struct grove_joined *joined);

/* Cuts "FUNCTION=PAYLOAD" in place. */
static struct grove_task task_of(char *word)
{
    struct grove_task task = GROVE_TASK_INIT;
    char *payload = strchr(word, '=');

    if (!payload) {
        fprintf(stderr, "joiner: %s is not FUNCTION=PAYLOAD\n", word);
        exit(2);
    }
    *payload++ = '\0';
    task.function = word;
    task.payload = (struct grove_bytes){payload, strlen(payload)};
    return task;
}

static void print_input(size_t position, const struct grove_joined *joined)
{
    const struct grove_result *result = &joined->results[position];
    const struct grove_failure *failure = &joined->failures[position];

    if (failure->status == GROVE_OK) {
        printf("%zu succeeded %s\n", position, (const char *)result->bytes.data);
    } else {
        printf("%zu %s %s\n", position, grove_code_name(failure->code), failure->text);
    }
}

static void print_joined(enum grove_status status, const struct grove_joined *joined)
{
    for (size_t i = 0; i < joined->count; i++) {
        print_input(i, joined);
    }
    printf("joined %s %zu %zu %zu", grove_status_name(status), joined->succeeded, joined->failed,
           joined->cancelled);
    for (size_t i = 0; i < joined->winner_count; i++) {
        printf(" %zu", joined->winners[i]);
    }
    printf("\n%s", status == GROVE_OK ? "" : joined->failure.text);
}

static void run(struct grove_client *client, joining *join,
                const struct grove_join_options *options, char **words)
{
    struct grove_joined joined = GROVE_JOINED_INIT;
    size_t count = 0;

    while (words[count]) {
        count++;
    }
    struct grove_task *tasks = calloc(count + 1, sizeof(*tasks));

    if (!tasks) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        tasks[i] = task_of(words[i]);
    }
    print_joined(join(client, tasks, count, options, &joined), &joined);
    grove_joined_clear(&joined);
    free(tasks);
}

static void run_cancel(struct grove_client *client, const char *text)
{
    struct grove_cancelled counts = {0};
    struct grove_failure failure = {0};
    struct grove_id id;

    if (!grove_id_parse(text, &id)) {
        fprintf(stderr, "joiner: %s is not an id\n", text);
        exit(2);
    }
    const enum grove_status status = grove_cancel(client, &id, &counts, &failure);

    printf("cancelled %s %llu %llu %llu\n", grove_status_name(status),
           (unsigned long long)counts.never_started, (unsigned long long)counts.stopped,
           (unsigned long long)counts.already_done);
    grove_failure_clear(&failure);
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

/* False: not one of the lines above. */
static bool run_line(struct grove_client *client, int argc, char **argv)
{
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    const char *verb = argv[1];

    if (strcmp(verb, "cancel") == 0) {
        run_cancel(client, argv[2]);
        return true;
    }
    options.key = strcmp(argv[2], "-") == 0 ? NULL : argv[2];
    if (argc >= 5 && strcmp(verb, "map") == 0) {
        options.limit = number(argv[3]);
        options.max_failures = number(argv[4]);
        run(client, grove_map, &options, argv + 5);
    } else if (argc >= 4 && strcmp(verb, "gather") == 0) {
        options.max_failures = number(argv[3]);
        run(client, grove_gather, &options, argv + 4);
    } else if (argc >= 4 && strcmp(verb, "race") == 0) {
        options.winners = number(argv[3]);
        run(client, grove_race, &options, argv + 4);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
    struct grove_client *client;
    char error[GROVE_ERROR_SIZE] = "joiner map|gather|race|cancel ...";

    options.connect_timeout_ms = 60000; /* of a machine that stands still, too */
    if (argc < 3 || grove_client_open(&options, &client, error) != GROVE_OK) {
        fprintf(stderr, "joiner: %s\n", error);
        return 1;
    }
    const bool is_known = run_line(client, argc, argv);

    grove_client_close(client);
    return is_known ? 0 : 2;
}
