/* SPDX-License-Identifier: MPL-2.0
 * Children that stay. An idle one is in the list; else it belongs to the thread that asks it. */
#include "nodes/worker/coproc.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/id.h"
#include "nodes/host/clock.h"
#include "nodes/worker/exec_environment.h"
#include "nodes/worker/exec_line.h"

struct coproc {
    SLIST_ENTRY(coproc) idle;
    struct exec_child child;
    struct exec_place place;
};

SLIST_HEAD(coproc_list, coproc);

struct coprocs {
    struct guardian *guardian;
    const struct function *function;
    unsigned most;
    pthread_mutex_t lock; /* guards what follows */
    unsigned idle_count;
    unsigned started; /* names their directories */
    struct coproc_list idle;
};

struct coprocs *coprocs_create(struct guardian *guardian, const struct function *function,
                               unsigned most)
{
    struct coprocs *coprocs = calloc(1, sizeof(*coprocs));

    if (!coprocs) {
        abort();
    }
    coprocs->guardian = guardian;
    coprocs->function = function;
    coprocs->most = most;
    pthread_mutex_init(&coprocs->lock, NULL);
    SLIST_INIT(&coprocs->idle);
    return coprocs;
}

/* ---- a child's life */

/* Waits until its group is gone, or for so long. */
static void await_end(struct exec_child *child, uint64_t until_ms)
{
    struct pollfd polled = {.fd = child->leash, .events = POLLIN};
    struct guardian_news news;
    uint64_t now_ms = clock_monotonic_ms();

    while (now_ms < until_ms && !guardian_ended(child->leash, &news)) {
        const uint64_t left_ms = until_ms - now_ms;

        (void)poll(&polled, 1, left_ms < 1000 ? (int)left_ms : 1000);
        now_ms = clock_monotonic_ms();
    }
}

/* Its directory goes when nothing of it is left that could write there. */
static void end(struct coproc *coproc)
{
    guardian_signal(coproc->child.leash, SIGKILL);
    await_end(&coproc->child, UINT64_MAX);
    exec_child_close(&coproc->child);
    exec_place_close(&coproc->place);
    free(coproc);
}

/* NULL: the errno says why. */
static struct coproc *start(struct coprocs *coprocs, int *error)
{
    const struct function *function = coprocs->function;
    struct coproc *coproc = calloc(1, sizeof(*coproc));
    struct exec_environment environment = {.count = 0};
    struct guardian_errand errand = {.command = function->command,
                                     .directory = coproc ? coproc->place.work : NULL};
    char name[LIMIT_FUNCTION_LENGTH + 16];

    if (!coproc) {
        abort();
    }
    pthread_mutex_lock(&coprocs->lock);
    snprintf(name, sizeof(name), "%s.%u", function->name, ++coprocs->started);
    pthread_mutex_unlock(&coprocs->lock);
    *error = exec_place_open(&coproc->place, guardian_directory(coprocs->guardian), name,
                             bytes_of(NULL, 0));
    if (*error != 0) {
        free(coproc);
        return NULL;
    }
    exec_environment_of_function(&environment, function);
    errand.environment = environment.list;
    *error = exec_child_start(&coproc->child, coprocs->guardian, &errand);
    exec_environment_clear(&environment);
    if (*error != 0) {
        exec_place_close(&coproc->place);
        free(coproc);
        return NULL;
    }
    return coproc;
}

/* ---- idle ones */

/* Throws away what was written there since the last attempt: it is nobody's. */
static void skip(int fd)
{
    char chunk[4096];
    int left = 0;
    ssize_t size = 1;

    if (ioctl(fd, FIONREAD, &left) != 0) {
        return;
    }
    while (left > 0 && size > 0) {
        size = read(fd, chunk, sizeof(chunk));
        left -= (int)size;
    }
}

/* It lives, and has said nothing that nobody asked. */
static bool is_well(struct coproc *coproc)
{
    struct guardian_news news;
    int unasked = 0;

    skip(coproc->child.errors);
    skip(coproc->child.aside);
    return !guardian_ended(coproc->child.leash, &news) &&
           ioctl(coproc->child.output, FIONREAD, &unasked) == 0 && unasked == 0;
}

static struct coproc *take_idle(struct coprocs *coprocs)
{
    struct coproc *coproc;

    pthread_mutex_lock(&coprocs->lock);
    coproc = SLIST_FIRST(&coprocs->idle);
    if (coproc) {
        SLIST_REMOVE_HEAD(&coprocs->idle, idle);
        coprocs->idle_count--;
    }
    pthread_mutex_unlock(&coprocs->lock);
    return coproc;
}

/* False: there are enough. */
static bool give_idle(struct coprocs *coprocs, struct coproc *coproc)
{
    bool is_needed;

    pthread_mutex_lock(&coprocs->lock);
    is_needed = coprocs->idle_count < coprocs->most;
    if (is_needed) {
        SLIST_INSERT_HEAD(&coprocs->idle, coproc, idle);
        coprocs->idle_count++;
    }
    pthread_mutex_unlock(&coprocs->lock);
    return is_needed;
}

static struct coproc *take(struct coprocs *coprocs, int *error)
{
    struct coproc *coproc;

    while ((coproc = take_idle(coprocs)) != NULL && !is_well(coproc)) {
        end(coproc);
    }
    return coproc ? coproc : start(coprocs, error);
}

void coprocs_destroy(struct coprocs *coprocs)
{
    struct coproc *coproc;
    uint64_t until_ms;

    if (!coprocs) {
        return;
    }
    until_ms = clock_monotonic_ms() + coprocs->function->grace_ms;
    SLIST_FOREACH(coproc, &coprocs->idle, idle) {
        exec_child_shut(&coproc->child.input);
    }
    while ((coproc = take_idle(coprocs)) != NULL) {
        await_end(&coproc->child, until_ms);
        end(coproc);
    }
    pthread_mutex_destroy(&coprocs->lock);
    free(coprocs);
}

/* ---- an attempt */

/* What it said, as the end of a command that runs once. False: that was no answer. */
static bool take_answer(struct grove_attempt *attempt, struct exec_outcome *outcome)
{
    struct exec_line line = {.kind = EXEC_LINE_RUBBISH};
    char id[ID_TEXT_SIZE];

    id_format(&attempt->key.task, id);
    exec_line_read(bytes_of(outcome->output.data, outcome->output.size - 1), &line);
    buffer_clear(&outcome->output);
    outcome->end = EXEC_RUBBISH;
    const bool is_for_us = bytes_equal(buffer_bytes(&line.id), bytes_of_text(id));

    if (is_for_us && line.kind == EXEC_LINE_RESULT) {
        outcome->end = EXEC_EXITED;
        outcome->number = 0;
        outcome->output = line.bytes;
        line.bytes = (struct buffer){0};
    } else if (is_for_us && line.kind == EXEC_LINE_ERROR) {
        aside_foretell(attempt, &line);
        outcome->end = EXEC_ADMITTED;
    }
    exec_line_clear(&line);
    return outcome->end != EXEC_RUBBISH;
}

void coprocs_run(struct coprocs *coprocs, struct grove_attempt *attempt, const struct exec_job *job,
                 struct exec_outcome *outcome)
{
    int error = 0;
    struct coproc *coproc = take(coprocs, &error);
    bool is_of_use;

    *outcome = (struct exec_outcome){.end = EXEC_NOT_STARTED, .number = error};
    if (!coproc) {
        return;
    }
    exec_ask(job, &coproc->child, outcome);
    is_of_use = outcome->end == EXEC_ANSWERED && take_answer(attempt, outcome);
    if (outcome->end == EXEC_EXITED && outcome->number == 0 && !is_of_use) {
        outcome->end = EXEC_SILENT;
    }
    if (!is_of_use || !give_idle(coprocs, coproc)) {
        end(coproc);
    }
}
