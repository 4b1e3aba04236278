/* SPDX-License-Identifier: MPL-2.0
 * A command as a handler. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/id.h"
#include "nodes/host/clock.h"
#include "nodes/worker/coproc.h"
#include "nodes/worker/exec.h"
#include "nodes/worker/exec_environment.h"
#include "nodes/worker/exec_verdict.h"
#include "nodes/worker/grants.h"
#include "nodes/worker/worker.h"

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

static enum grove_status cannot_run(struct grove_attempt *attempt, const char *what, int error)
{
    char text[128];

    snprintf(text, sizeof(text), "%s: %s", what, strerrordesc_np(error));
    return attempt_cannot_run(attempt, text);
}

/* With a grant while the command runs, and heard aside. */
static enum grove_status run_granted(struct grove_attempt *attempt, struct exec_job *job,
                                     const char *path)
{
    struct grant *grant = grant_open(attempt->worker->grants, attempt, path);
    struct exec_outcome outcome;
    struct aside aside;
    enum grove_status status;

    if (!grant) {
        return cannot_run(attempt, "no socket for it here", errno);
    }
    job->aside = &aside;
    aside_begin(&aside, attempt, clock_monotonic_ms());
    if (attempt->function->coprocs) {
        coprocs_run(attempt->function->coprocs, attempt, job, &outcome);
    } else {
        exec_run(job, &outcome);
    }
    grant_close(grant);
    aside_end(&aside,
              outcome.end == EXEC_EXITED && outcome.number == 0 ? ASIDE_SUCCEEDED : ASIDE_FAILED);
    job->aside = NULL;
    status = exec_judge(attempt, &outcome);
    exec_outcome_clear(&outcome);
    return status;
}

static enum grove_status run_in(struct grove_attempt *attempt, const struct exec_place *place)
{
    struct exec_environment environment = {.count = 0};
    struct buffer line = {0};
    int stop_fd = open_stop(attempt);
    struct exec_job job = {
        .guardian = attempt->worker->guardian,
        .command = attempt->function->command,
        .directory = place->work,
        .environment = environment.list,
        .input = attempt->payload,
        .output_most = LIMIT_PAYLOAD_SIZE,
        .stop_fd = stop_fd,
        .grace_ms = attempt->function->grace_ms,
    };
    enum grove_status status;

    exec_environment_of_attempt(&environment, attempt, place);
    if (attempt->function->coprocs) {
        coproc_put_task(&line, attempt, place);
        job.input = buffer_bytes(&line);
        job.output_most = EXEC_LINE_SIZE + 1;
    }
    status = run_granted(attempt, &job, place->socket);
    close_stop(attempt, stop_fd);
    exec_environment_clear(&environment);
    buffer_clear(&line);
    return status;
}

enum grove_status exec_attempt(struct grove_attempt *attempt)
{
    struct exec_place place;
    enum grove_status status;
    char id[ID_TEXT_SIZE];
    char name[ID_TEXT_SIZE + 16];
    int error;

    id_format(&attempt->key.task, id);
    snprintf(name, sizeof(name), "%s.%u", id, (unsigned)attempt->key.attempt);
    error = exec_place_open(&place, guardian_directory(attempt->worker->guardian), name,
                            attempt->checkpoint);
    if (error != 0) {
        return cannot_run(attempt, "no directory for it here", error);
    }
    status = run_in(attempt, &place);
    exec_place_close(&place);
    return status;
}
