/* SPDX-License-Identifier: MPL-2.0
 * A command as a handler: what it is told in its environment, and what its end means. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/id.h"
#include "nodes/worker/exec.h"
#include "nodes/worker/worker.h"

#define VARIABLES 24
#define VARIABLE_SIZE 512

/* An environment being written. */
struct environment {
    char text[VARIABLES][VARIABLE_SIZE];
    const char *list[VARIABLES + 1];
    unsigned count;
};

static void put(struct environment *environment, const char *name, const char *value)
{
    char *text = environment->text[environment->count];
    int size = snprintf(text, VARIABLE_SIZE, "%s=%s", name, value);

    if (size > 0 && size < VARIABLE_SIZE) {
        environment->list[environment->count++] = text;
    }
}

static void put_number(struct environment *environment, const char *name, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    put(environment, name, text);
}

static void put_id(struct environment *environment, const char *name, const struct id *id)
{
    char text[ID_TEXT_SIZE];

    id_format(id, text);
    put(environment, name, text);
}

/* Of our own environment only what a program needs to find its way. */
static void put_inherited(struct environment *environment)
{
    static const char *const names[] = {"HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SHELL"};
    const char *path = getenv("PATH");

    put(environment, "PATH", path ? path : "/usr/local/bin:/usr/bin:/bin");
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);

        if (value) {
            put(environment, names[i], value);
        }
    }
}

static void describe(const struct grove_attempt *attempt, struct environment *environment)
{
    environment->count = 0;
    put_inherited(environment);
    put_id(environment, "GROVE_TASK_ID", &attempt->key.task);
    put_id(environment, "GROVE_ROOT_ID", &attempt->root);
    if (attempt->has_parent) {
        put_id(environment, "GROVE_PARENT_ID", &attempt->parent);
    }
    put(environment, "GROVE_FUNCTION", attempt->function->name);
    put(environment, "GROVE_CONTENT_TYPE", attempt->content_type);
    put_number(environment, "GROVE_ATTEMPT", attempt->key.attempt);
    put_number(environment, "GROVE_DEPTH", attempt->depth);
    environment->list[environment->count] = NULL;
}

/* The last line of what it wrote to stderr. */
static const char *last_line(char *errors)
{
    size_t size = strlen(errors);
    const char *line;

    while (size > 0 && (errors[size - 1] == '\n' || errors[size - 1] == '\r')) {
        errors[--size] = '\0';
    }
    line = strrchr(errors, '\n');
    return line ? line + 1 : errors;
}

static enum grove_status judge(struct grove_attempt *attempt, struct exec_outcome *outcome)
{
    struct grove_bytes bytes = {outcome->output.data, outcome->output.size};
    const char *line = last_line(outcome->errors);
    char text[EXEC_STDERR_SIZE + 128] = "";

    switch (outcome->end) {
    case EXEC_EXITED:
        if (outcome->number == 0) {
            return grove_attempt_return(attempt, bytes.data, bytes.size);
        }
        snprintf(text, sizeof(text), "exit status %d%s%s", outcome->number, *line ? ": " : "",
                 line);
        break;
    case EXEC_SIGNALED:
        snprintf(text, sizeof(text), "killed by signal %d (SIG%s)%s%s", outcome->number,
                 sigabbrev_np(outcome->number) ? sigabbrev_np(outcome->number) : "?",
                 *line ? ": " : "", line);
        break;
    case EXEC_STOPPED:
        return GROVE_CANCELLED;
    case EXEC_TOO_LARGE:
        snprintf(text, sizeof(text), "wrote more than 1 MiB (1,048,576 bytes) to stdout");
        return grove_attempt_fail_permanently(attempt, text, (struct grove_bytes){NULL, 0});
    case EXEC_NOT_STARTED:
        snprintf(text, sizeof(text), "cannot start a shell: %s", strerrordesc_np(outcome->number));
        return grove_attempt_fail(attempt, text, (struct grove_bytes){NULL, 0});
    }
    return grove_attempt_fail(attempt, text, bytes);
}

static int open_stop(struct grove_attempt *attempt)
{
    pthread_mutex_t *lock = &attempt->worker->handlers.lock;
    int fd = eventfd(atomic_load(&attempt->is_stopped), EFD_CLOEXEC);

    pthread_mutex_lock(lock);
    attempt->stop_fd = fd;
    pthread_mutex_unlock(lock);
    /* A stop between the two lines above is not lost. */
    if (fd >= 0 && atomic_load(&attempt->is_stopped)) {
        eventfd_write(fd, 1);
    }
    return fd;
}

static void close_stop(struct grove_attempt *attempt, int fd)
{
    pthread_mutex_t *lock = &attempt->worker->handlers.lock;

    pthread_mutex_lock(lock);
    attempt->stop_fd = -1;
    pthread_mutex_unlock(lock);
    if (fd >= 0) {
        close(fd);
    }
}

enum grove_status exec_attempt(struct grove_attempt *attempt)
{
    struct environment environment;
    struct exec_outcome outcome;
    int stop_fd = open_stop(attempt);
    struct exec_job job = {
        .guardian = attempt->worker->guardian,
        .command = attempt->function->command,
        .environment = environment.list,
        .input = attempt->payload,
        .output_most = LIMIT_PAYLOAD_SIZE,
        .stop_fd = stop_fd,
        .grace_ms = EXEC_GRACE_MS,
    };
    enum grove_status status;

    describe(attempt, &environment);
    exec_run(&job, &outcome);
    close_stop(attempt, stop_fd);
    status = judge(attempt, &outcome);
    buffer_clear(&outcome.output);
    return status;
}
