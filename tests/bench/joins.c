/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/joins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nodes/host/clock.h"

static const char payload[64] = "sixty-four bytes of payload";

static void insist(enum grove_status status, const char *what, const struct grove_failure *failure)
{
    if (status != GROVE_OK) {
        fprintf(stderr, "bench: %s: %s\n", what,
                failure != NULL && failure->text != NULL ? failure->text
                                                         : grove_status_text(status));
        exit(1);
    }
}

static struct grove_task *make_tasks(size_t count, const char *function, const char *text,
                                     size_t size)
{
    struct grove_task *tasks = calloc(count, sizeof(*tasks));

    if (tasks == NULL) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        tasks[i] = (struct grove_task)GROVE_TASK_INIT;
        tasks[i].function = function;
        tasks[i].payload = (struct grove_bytes){text, size};
    }
    return tasks;
}

/* ---- handlers */

static enum grove_status gather(struct grove_attempt *attempt, void *context)
{
    const size_t count = strtoul(grove_attempt_payload(attempt).data, NULL, 10);
    struct grove_task *tasks = make_tasks(count, "echo", payload, sizeof(payload));
    const enum grove_status status = grove_gather(NULL, tasks, count, NULL, NULL);

    (void)context;
    free(tasks);
    return status;
}

static enum grove_status nap(struct grove_attempt *attempt, void *context)
{
    const long us = strtol(grove_attempt_payload(attempt).data, NULL, 10);
    const struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    (void)context;
    nanosleep(&time, NULL);
    return GROVE_OK;
}

enum grove_status joins_handle(struct grove_worker *worker)
{
    const enum grove_status status = grove_worker_handle(worker, "gather", gather, NULL);

    return status != GROVE_OK ? status : grove_worker_handle(worker, "nap", nap, NULL);
}

/* ---- workloads */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *samples, unsigned count)
{
    qsort(samples, count, sizeof(*samples), compare);
    return samples[count / 2];
}

static double seconds_since(uint64_t start_ns)
{
    return (double)(clock_monotonic_ns() - start_ns) / 1e9;
}

enum { ROUNDS_MOST = 32 };

double joins_gather(struct grove_client *client, unsigned children, unsigned rounds)
{
    struct grove_task task = GROVE_TASK_INIT;
    double samples[ROUNDS_MOST];
    char count[16];

    task.function = "gather";
    task.payload.data = count;
    task.payload.size = (size_t)snprintf(count, sizeof(count), "%u", children);
    for (unsigned i = 0; i < rounds; i++) {
        struct grove_failure failure;
        const uint64_t start = clock_monotonic_ns();

        insist(grove_wait(client, &task, NULL, &failure), "gather", &failure);
        samples[i] = seconds_since(start) * 1e3;
    }
    return median(samples, rounds);
}

double joins_map(struct grove_client *client, unsigned items, unsigned limit, unsigned item_us,
                 unsigned rounds)
{
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    double samples[ROUNDS_MOST];
    char us[16];
    const int size = snprintf(us, sizeof(us), "%u", item_us);
    struct grove_task *tasks = make_tasks(items, "nap", us, (size_t)size);

    options.limit = limit;
    for (unsigned i = 0; i < rounds; i++) {
        struct grove_joined joined = GROVE_JOINED_INIT;
        const uint64_t start = clock_monotonic_ns();

        insist(grove_map(client, tasks, items, &options, &joined), "map", &joined.failure);
        samples[i] = seconds_since(start);
        grove_joined_clear(&joined);
    }
    free(tasks);
    return median(samples, rounds);
}

/* A stream of numbers, which must come back in order. */
struct numbers {
    uint64_t count;
    uint64_t given, taken;
    char text[24];
};

static enum grove_status give(void *context, uint64_t position, struct grove_task *task)
{
    struct numbers *numbers = context;

    if (position == numbers->count) {
        return GROVE_CLOSED;
    }
    task->function = "echo";
    task->payload.data = numbers->text;
    task->payload.size = (size_t)snprintf(numbers->text, sizeof(numbers->text), "%llu",
                                          (unsigned long long)position);
    numbers->given++;
    return GROVE_OK;
}

static enum grove_status take(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure)
{
    struct numbers *numbers = context;

    (void)failure;
    if (result->bytes.data == NULL || position != numbers->taken ||
        strtoull(result->bytes.data, NULL, 10) != position) {
        return GROVE_FAILED;
    }
    numbers->taken++;
    return GROVE_OK;
}

double joins_stream(struct grove_client *client, uint64_t items, unsigned limit)
{
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_stream stream = GROVE_STREAM_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;
    struct numbers numbers = {.count = items};
    const uint64_t start = clock_monotonic_ns();

    options.limit = limit;
    stream.next = give;
    stream.take = take;
    stream.context = &numbers;
    insist(grove_map_stream(client, &stream, &options, &joined), "stream", &joined.failure);
    if (numbers.taken != items) {
        insist(GROVE_FAILED, "stream", NULL);
    }
    grove_joined_clear(&joined);
    return seconds_since(start);
}
