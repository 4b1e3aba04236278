/* SPDX-License-Identifier: MPL-2.0
 * A command as a handler: where it runs, and what its end means. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nodes/worker/exec.h"
#include "nodes/worker/exec_environment.h"
#include "nodes/worker/worker.h"

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

static enum grove_status run_in(struct grove_attempt *attempt, const struct exec_place *place)
{
    struct exec_environment environment = {.count = 0};
    struct exec_outcome outcome;
    int stop_fd = open_stop(attempt);
    struct exec_job job = {
        .guardian = attempt->worker->guardian,
        .command = attempt->function->command,
        .directory = place->work,
        .environment = environment.list,
        .input = attempt->payload,
        .output_most = LIMIT_PAYLOAD_SIZE,
        .stop_fd = stop_fd,
        .grace_ms = EXEC_GRACE_MS,
    };
    enum grove_status status;

    exec_environment_of_attempt(&environment, attempt, place);
    exec_run(&job, &outcome);
    close_stop(attempt, stop_fd);
    status = judge(attempt, &outcome);
    buffer_clear(&outcome.output);
    exec_environment_clear(&environment);
    return status;
}

enum grove_status exec_attempt(struct grove_attempt *attempt)
{
    struct exec_place place;
    const int error =
        exec_place_open(&place, guardian_directory(attempt->worker->guardian), attempt);
    enum grove_status status;
    char text[128];

    if (error != 0) {
        snprintf(text, sizeof(text), "cannot make its directory: %s", strerrordesc_np(error));
        return grove_attempt_fail(attempt, text, (struct grove_bytes){NULL, 0});
    }
    status = run_in(attempt, &place);
    exec_place_close(&place);
    return status;
}
