/* SPDX-License-Identifier: MPL-2.0
 * A worker for the end-to-end tests of joins: rejoiner parents|items SLOTS. Every execution appends
 * "function id attempt payload" to $GROVE_TEST_LOG in one write, before it does anything else.
 *
 *   item TEXT      naps 5 ms, and as long as the test holds it (shared/hold.h), and returns its
 *                  payload; one that says "never ..." ends when it is stopped
 *   gather N       returns what N items return, a line each
 *   map N          ... of at most 7 at a time
 *   stream N F     ... which it gets one by one; when there is no file F after 300 of them, makes
 *                  it and kills its own process
 *   fork N M F     maps N items, the first M of which are the same in every run, the others are
 *                  those of its first run, which makes F, or of a later one; of the first, all
 *                  but 40 never end
 *   flow N M F     the same as a stream that cannot restart
 *   reflow N M F   ... as one that can */
#include "nodes/grove.h"
#include "tests/e2e/actors/shared/hold.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 512
#define FATAL 300
#define ENDING 40

static void note(const struct grove_attempt *attempt)
{
    const char *path = getenv("GROVE_TEST_LOG");
    char line[TEXT_SIZE], id[GROVE_ID_TEXT_SIZE];
    const struct grove_id task = grove_attempt_id(attempt);

    if (path == NULL) {
        abort();
    }
    grove_id_format(&task, id);
    const int size =
        snprintf(line, sizeof(line), "%s %s %u %.300s\n", grove_attempt_function(attempt), id,
                 grove_attempt_number(attempt), (const char *)grove_attempt_payload(attempt).data);
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, line, (size_t)size) != size) {
        abort();
    }
    close(fd);
}

/* True when it is there; makes it otherwise. */
static bool mark(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        close(fd);
    }
    return fd < 0;
}

/* What a parent is to do, and the inputs that it has made for it. */
struct job {
    const struct grove_attempt *attempt;
    uint64_t count, same;
    const char *path;
    const char *path_taken; /* by the inputs that are not the same */
    struct grove_task *task;
    char (*text)[32];
    FILE *all;
    char *results;
    size_t size;
};

static void read_job(struct job *job, const struct grove_attempt *attempt)
{
    char *rest;

    memset(job, 0, sizeof(*job));
    note(attempt);
    job->attempt = attempt;
    job->count = strtoul(grove_attempt_payload(attempt).data, &rest, 10);
    job->same = strtoul(rest, &rest, 10);
    job->path = rest + strspn(rest, " ");
    job->path_taken = "first";
    job->all = open_memstream(&job->results, &job->size);
}

static const char *path_of(const struct job *job, uint64_t i)
{
    if (i < job->same) {
        return "same";
    }
    const bool ends = job->same == 0 || i < job->same + ENDING;

    return ends || strcmp(job->path_taken, "first") != 0 ? job->path_taken : "never";
}

static void make_task(const struct job *job, uint64_t i, char text[32], struct grove_task *task)
{
    *task = (struct grove_task)GROVE_TASK_INIT;
    task->function = "item";
    task->payload.data = text;
    task->payload.size =
        (size_t)snprintf(text, 32, "%s %llu", path_of(job, i), (unsigned long long)i);
}

static void make_tasks(struct job *job)
{
    job->task = calloc(job->count, sizeof(*job->task));
    job->text = calloc(job->count, sizeof(*job->text));
    for (uint64_t i = 0; i < job->count; i++) {
        make_task(job, i, job->text[i], &job->task[i]);
    }
}

static enum grove_status end_job(struct job *job, struct grove_attempt *attempt,
                                 enum grove_status status)
{
    fclose(job->all);
    if (status == GROVE_OK) {
        status = grove_attempt_return(attempt, job->results, job->size);
    }
    free(job->results);
    free(job->task);
    free(job->text);
    return status;
}

static enum grove_status end_joined(struct job *job, struct grove_attempt *attempt,
                                    enum grove_status status, struct grove_joined *joined)
{
    for (size_t i = 0; status == GROVE_OK && i < joined->count; i++) {
        fprintf(job->all, "%s\n", (const char *)joined->results[i].bytes.data);
    }
    grove_joined_clear(joined);
    return end_job(job, attempt, status);
}

static enum grove_status run_item(struct grove_attempt *attempt, void *context)
{
    const struct grove_bytes payload = grove_attempt_payload(attempt);

    (void)context;
    note(attempt);
    do {
        usleep(5000);
    } while (strncmp(payload.data, "never", 5) == 0 && !grove_cancelled());
    hold(payload.data);
    return grove_attempt_return(attempt, payload.data, payload.size);
}

static enum grove_status run_gather(struct grove_attempt *attempt, void *context)
{
    struct grove_joined joined = GROVE_JOINED_INIT;
    struct job job;

    (void)context;
    read_job(&job, attempt);
    make_tasks(&job);
    const enum grove_status status = grove_gather(NULL, job.task, job.count, NULL, &joined);

    return end_joined(&job, attempt, status, &joined);
}

static enum grove_status map(struct job *job, struct grove_attempt *attempt)
{
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;

    make_tasks(job);
    options.limit = 7;
    const enum grove_status status = grove_map(NULL, job->task, job->count, &options, &joined);

    return end_joined(job, attempt, status, &joined);
}

static enum grove_status run_map(struct grove_attempt *attempt, void *context)
{
    struct job job;

    (void)context;
    read_job(&job, attempt);
    return map(&job, attempt);
}

static enum grove_status run_fork(struct grove_attempt *attempt, void *context)
{
    struct job job;

    (void)context;
    read_job(&job, attempt);
    job.path_taken = mark(job.path) ? "second" : "first";
    return map(&job, attempt);
}

/* ---- streams */

static enum grove_status next(void *context, uint64_t position, struct grove_task *task)
{
    struct job *job = context;

    if (position == job->count) {
        return GROVE_CLOSED;
    }
    if (job->text == NULL) {
        job->text = calloc(1, sizeof(*job->text));
    }
    make_task(job, position, job->text[0], task);
    return GROVE_OK;
}

static enum grove_status take(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure)
{
    struct job *job = context;

    if (failure->reason != NULL) {
        return failure->status;
    }
    fprintf(job->all, "%s\n", (const char *)result->bytes.data);
    if (position + 1 == FATAL && strcmp(grove_attempt_function(job->attempt), "stream") == 0 &&
        !mark(job->path)) {
        kill(getpid(), SIGKILL);
    }
    return GROVE_OK;
}

static enum grove_status stream(struct job *job, struct grove_attempt *attempt)
{
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;
    struct grove_stream inputs = GROVE_STREAM_INIT;

    inputs.next = next;
    inputs.take = take;
    inputs.context = job;
    inputs.can_restart = strcmp(grove_attempt_function(attempt), "reflow") == 0;
    options.limit = 7;
    const enum grove_status status = grove_map_stream(NULL, &inputs, &options, &joined);

    grove_joined_clear(&joined);
    return end_job(job, attempt, status);
}

static enum grove_status run_stream(struct grove_attempt *attempt, void *context)
{
    struct job job;

    (void)context;
    read_job(&job, attempt);
    return stream(&job, attempt);
}

static enum grove_status run_flow(struct grove_attempt *attempt, void *context)
{
    struct job job;

    (void)context;
    read_job(&job, attempt);
    job.path_taken = mark(job.path) ? "second" : "first";
    return stream(&job, attempt);
}

static const struct {
    const char *set, *name;
    grove_handler *handler;
} functions[] = {
    {"items", "item", run_item},       {"parents", "gather", run_gather},
    {"parents", "map", run_map},       {"parents", "fork", run_fork},
    {"parents", "stream", run_stream}, {"parents", "flow", run_flow},
    {"parents", "reflow", run_flow},
};

int main(int argc, char **argv)
{
    struct grove_worker_options options = GROVE_WORKER_OPTIONS_INIT;
    struct grove_worker *worker = NULL;
    char error[GROVE_ERROR_SIZE] = "rejoiner parents|items SLOTS";
    bool is_open = argc == 3;

    if (is_open) {
        options.slots = (uint32_t)strtoul(argv[2], NULL, 10);
        is_open = grove_worker_open(&options, &worker, error) == GROVE_OK;
    }
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && is_open; i++) {
        if (strcmp(functions[i].set, argv[1]) == 0) {
            is_open = grove_worker_handle(worker, functions[i].name, functions[i].handler, NULL) ==
                      GROVE_OK;
        }
    }
    if (!is_open || grove_worker_run(worker, error) != GROVE_OK) {
        fprintf(stderr, "rejoiner: %s\n", error);
        return 1;
    }
    grove_worker_close(worker);
    return 0;
}
