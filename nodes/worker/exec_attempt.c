/* SPDX-License-Identifier: MPL-2.0
 * A command as a handler. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/worker/exec.h"
#include "nodes/worker/exec_environment.h"
#include "nodes/worker/exec_verdict.h"
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

static enum grove_status run_in(struct grove_attempt *attempt, const struct exec_place *place)
{
    struct exec_environment environment = {.count = 0};
    struct exec_outcome outcome;
    struct aside aside;
    int stop_fd = open_stop(attempt);
    struct exec_job job = {
        .guardian = attempt->worker->guardian,
        .command = attempt->function->command,
        .directory = place->work,
        .environment = environment.list,
        .input = attempt->payload,
        .output_most = LIMIT_PAYLOAD_SIZE,
        .aside = &aside,
        .stop_fd = stop_fd,
        .grace_ms = attempt->function->grace_ms,
    };
    enum grove_status status;

    exec_environment_of_attempt(&environment, attempt, place);
    aside_begin(&aside, attempt, clock_monotonic_ms());
    exec_run(&job, &outcome);
    aside_end(&aside,
              outcome.end == EXEC_EXITED && outcome.number == 0 ? ASIDE_SUCCEEDED : ASIDE_FAILED);
    close_stop(attempt, stop_fd);
    status = exec_judge(attempt, &outcome);
    exec_outcome_clear(&outcome);
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
        snprintf(text, sizeof(text), "no directory for it here: %s", strerrordesc_np(error));
        return attempt_cannot_run(attempt, text);
    }
    status = run_in(attempt, &place);
    exec_place_close(&place);
    return status;
}
