/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/workload.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/host/clock.h"

enum { ENQUEUE_BATCH = 2048, SUBMITTERS = 8, ENQUEUERS = 4 };

static const char payload[64] = "sixty-four bytes of payload";

static void insist(enum grove_status status, const char *what, const struct grove_failure *failure)
{
    if (status != GROVE_OK) {
        fprintf(stderr, "bench: %s: %s\n", what,
                failure != NULL ? failure->text : grove_status_text(status));
        exit(1);
    }
}

static struct grove_task task_of(const char *function)
{
    struct grove_task task = GROVE_TASK_INIT;

    task.function = function;
    task.payload = (struct grove_bytes){payload, sizeof(payload)};
    return task;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double microseconds_since(uint64_t start_ns)
{
    return (double)(clock_monotonic_ns() - start_ns) / 1e3;
}

struct grove_client *workload_client(const char *credential, unsigned spin_us)
{
    struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
    struct grove_client *client;
    char error[GROVE_ERROR_SIZE];

    options.credential_path = credential;
    options.spin_us = spin_us;
    if (grove_client_open(&options, &client, error) != GROVE_OK) {
        fprintf(stderr, "bench: %s\n", error);
        exit(1);
    }
    return client;
}

double workload_round_trip(struct grove_client *client, unsigned tasks, double *p99_us)
{
    const struct grove_task task = task_of("echo");
    double *samples = allocate(tasks, sizeof(*samples));

    for (unsigned i = 0; i < tasks; i++) {
        struct grove_failure failure;
        const uint64_t start = clock_monotonic_ns();

        insist(grove_wait(client, &task, NULL, &failure), "round trip", &failure);
        samples[i] = microseconds_since(start);
    }
    qsort(samples, tasks, sizeof(*samples), compare);
    const double middle = samples[tasks / 2];

    *p99_us = samples[tasks * 99 / 100];
    free(samples);
    return middle;
}

/* One of the threads that keep tasks in flight, a batch each. */
struct submitter {
    struct grove_client *client;
    unsigned batch, batches;
};

static void *run_submitter(void *argument)
{
    const struct submitter *submitter = argument;
    struct grove_task *tasks = allocate(submitter->batch, sizeof(*tasks));

    for (unsigned i = 0; i < submitter->batch; i++) {
        tasks[i] = task_of("echo");
    }
    for (unsigned i = 0; i < submitter->batches; i++) {
        insist(grove_wait_many(submitter->client, tasks, submitter->batch, NULL, NULL), "stream",
               NULL);
    }
    free(tasks);
    return NULL;
}

/* Tasks per second of `count` threads that do this. */
static double run_all(struct submitter *submitter, unsigned count, void *(*run)(void *))
{
    pthread_t threads[SUBMITTERS];
    const uint64_t start = clock_monotonic_ns();

    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, run, submitter) != 0) {
            abort();
        }
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    return (double)submitter->batch * submitter->batches * count / microseconds_since(start) * 1e6;
}

double workload_stream(struct grove_client *client, unsigned in_flight, unsigned tasks)
{
    const unsigned batch = in_flight / SUBMITTERS;
    struct submitter submitter = {client, batch, tasks / (batch * SUBMITTERS)};

    return run_all(&submitter, SUBMITTERS, run_submitter);
}

double workload_chain(struct grove_client *client, unsigned steps, unsigned parents)
{
    struct grove_task task = task_of("chain");
    double *samples = allocate(parents, sizeof(*samples));
    char count[16];
    const int length = snprintf(count, sizeof(count), "%u", steps);

    task.payload = (struct grove_bytes){count, (size_t)length};
    for (unsigned i = 0; i < parents; i++) {
        struct grove_failure failure;
        const uint64_t start = clock_monotonic_ns();

        insist(grove_wait(client, &task, NULL, &failure), "chain", &failure);
        samples[i] = microseconds_since(start) / steps;
    }
    qsort(samples, parents, sizeof(*samples), compare);
    const double middle = samples[parents / 2];

    free(samples);
    return middle;
}

static void *run_enqueuer(void *argument)
{
    const struct submitter *submitter = argument;
    struct grove_task *tasks = allocate(submitter->batch, sizeof(*tasks));
    struct grove_id *ids = allocate(submitter->batch, sizeof(*ids));

    for (unsigned i = 0; i < submitter->batch; i++) {
        tasks[i] = task_of("nobody-offers-this");
    }
    for (unsigned i = 0; i < submitter->batches; i++) {
        insist(grove_submit_many(submitter->client, tasks, submitter->batch, ids, NULL), "enqueue",
               NULL);
    }
    free(ids);
    free(tasks);
    return NULL;
}

double workload_enqueue(struct grove_client *client, unsigned tasks)
{
    struct submitter submitter = {client, ENQUEUE_BATCH, tasks / (ENQUEUE_BATCH * ENQUEUERS)};

    return run_all(&submitter, ENQUEUERS, run_enqueuer);
}

struct member {
    struct grove_client *client;
    unsigned tasks;
    pthread_t thread;
};

static void *run_member(void *argument)
{
    const struct member *member = argument;
    double p99_us;

    workload_round_trip(member->client, member->tasks, &p99_us);
    return NULL;
}

double workload_crowd(const char *credential, unsigned clients, unsigned tasks_each)
{
    struct member *members = allocate(clients, sizeof(*members));

    for (unsigned i = 0; i < clients; i++) {
        members[i] = (struct member){.client = workload_client(credential, 0), .tasks = tasks_each};
    }
    const uint64_t start = clock_monotonic_ns();

    for (unsigned i = 0; i < clients; i++) {
        if (pthread_create(&members[i].thread, NULL, run_member, &members[i]) != 0) {
            abort();
        }
    }
    for (unsigned i = 0; i < clients; i++) {
        pthread_join(members[i].thread, NULL);
    }
    const double rate = (double)clients * tasks_each / microseconds_since(start) * 1e6;

    for (unsigned i = 0; i < clients; i++) {
        grove_client_close(members[i].client);
    }
    free(members);
    return rate;
}
