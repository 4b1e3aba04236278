/* SPDX-License-Identifier: MPL-2.0
 * One command: run under a guardian, all its pipes polled at once, and no more than a chunk taken
 * from each in a turn: none of them keeps us from the others, or from the clock. What its own
 * process leaves in the pipe counts; what a grandchild might still write does not, and the group is
 * killed at the end. One that stays is done with when it has answered by a line. */
#include "nodes/worker/exec.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "nodes/host/clock.h"

#define CHUNK_SIZE 65536
/* What a turn waits for. */
enum { PROCESS, INPUT, OUTPUT, ERRORS, ASIDE, STOP, POLLED };

/* What it is to do for us. */
enum purpose { PURPOSE_END, PURPOSE_ANSWER };

struct running {
    const struct exec_job *job;
    enum purpose purpose;
    struct exec_child *child;
    struct exec_outcome *outcome;
    struct guardian_news news; /* how it ended */
    size_t written;
    bool has_answered;
    bool is_stopping;
    uint64_t kill_ms; /* monotonic; UINT64_MAX: nothing is to be killed */
};

/* ---- while it runs */

/* To stop is to ask the whole group, and to kill it when that was not enough. */
static void stop(struct running *running, enum exec_end why)
{
    if (!running->is_stopping) {
        running->is_stopping = true;
        running->outcome->end = why;
        running->kill_ms = clock_monotonic_ms() + running->job->grace_ms;
        guardian_signal(running->child->leash, SIGTERM);
    }
}

/* A command need not read all of its input, but one that is to answer must. */
static void feed(struct running *running)
{
    struct bytes input = running->job->input;
    ssize_t size = 0;

    while (running->written < input.size) {
        size = write(running->child->input, input.data + running->written,
                     input.size - running->written);
        if (size < 0) {
            break;
        }
        running->written += (size_t)size;
    }
    if (size < 0 && errno != EAGAIN && errno != EINTR) {
        exec_child_shut(&running->child->input);
        if (running->purpose == PURPOSE_ANSWER) {
            stop(running, EXEC_RUBBISH);
        }
    } else if (running->written == input.size && running->purpose == PURPOSE_END) {
        exec_child_shut(&running->child->input);
    }
}

/* Appends what there is to read, a chunk at most. */
static ssize_t read_chunk(int fd, struct buffer *buffer)
{
    uint8_t *chunk = buffer_extend(buffer, CHUNK_SIZE);
    const ssize_t size = read(fd, chunk, CHUNK_SIZE);

    buffer->size -= CHUNK_SIZE - (size > 0 ? (size_t)size : 0);
    return size;
}

static void shut_at_end(int *fd, ssize_t size)
{
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
        exec_child_shut(fd);
    }
}

/* What is too much is not kept, but read: a command that is stopped need not block. */
static ssize_t take_output(struct running *running)
{
    struct buffer *output = &running->outcome->output;
    const size_t have = output->size;
    const ssize_t size = read_chunk(running->child->output, output);

    if (output->size > running->job->output_most) {
        output->size = have;
        stop(running, EXEC_TOO_LARGE);
    }
    if (running->purpose == PURPOSE_ANSWER && size > 0 && !running->is_stopping) {
        running->has_answered =
            running->has_answered || memchr(output->data + have, '\n', output->size - have) != NULL;
    }
    shut_at_end(&running->child->output, size);
    return size;
}

/* Keeps the end of what there is. */
static ssize_t take_errors(struct running *running)
{
    struct buffer *errors = &running->outcome->errors;
    const ssize_t size = read_chunk(running->child->errors, errors);

    if (errors->size > EXEC_STDERR_SIZE) {
        memmove(errors->data, errors->data + errors->size - EXEC_STDERR_SIZE, EXEC_STDERR_SIZE);
        errors->size = EXEC_STDERR_SIZE;
    }
    shut_at_end(&running->child->errors, size);
    return size;
}

static ssize_t take_aside(struct running *running)
{
    struct buffer said = {0};
    const ssize_t size = read_chunk(running->child->aside, &said);

    if (running->job->aside) {
        aside_take(running->job->aside, buffer_bytes(&said), clock_monotonic_ms());
    }
    buffer_clear(&said);
    shut_at_end(&running->child->aside, size);
    return size;
}

/* Does what is due, and says how long the next turn may wait. */
static int wait_ms(const struct running *running)
{
    const uint64_t now_ms = clock_monotonic_ms();
    uint64_t due_ms = running->kill_ms;

    if (running->job->aside) {
        const uint64_t aside_ms = aside_tick(running->job->aside, now_ms);

        due_ms = aside_ms < due_ms ? aside_ms : due_ms;
    }
    if (due_ms == UINT64_MAX) {
        return -1;
    }
    if (due_ms <= now_ms) {
        return 0;
    }
    return due_ms - now_ms < INT_MAX ? (int)(due_ms - now_ms) : INT_MAX;
}

static int input_fd(const struct running *running)
{
    return running->written < running->job->input.size ? running->child->input : -1;
}

static int aside_fd(const struct running *running)
{
    const struct aside *aside = running->job->aside;

    return !aside || aside_listens(aside) ? running->child->aside : -1;
}

static void take(struct running *running, const struct pollfd *polled)
{
    if (polled[INPUT].revents) {
        feed(running);
    }
    if (polled[OUTPUT].revents) {
        (void)take_output(running);
    }
    if (polled[ERRORS].revents) {
        (void)take_errors(running);
    }
    if (polled[ASIDE].revents) {
        (void)take_aside(running);
    }
}

/* One turn; false once the command's own process has ended. */
static bool turn(struct running *running)
{
    const int patience_ms = wait_ms(running);
    struct pollfd polled[POLLED] = {
        [PROCESS] = {.fd = running->child->leash, .events = POLLIN},
        [INPUT] = {.fd = input_fd(running), .events = POLLOUT},
        [OUTPUT] = {.fd = running->child->output, .events = POLLIN},
        [ERRORS] = {.fd = running->child->errors, .events = POLLIN},
        [ASIDE] = {.fd = aside_fd(running), .events = POLLIN},
        [STOP] = {.fd = running->is_stopping ? -1 : running->job->stop_fd, .events = POLLIN},
    };

    if (poll(polled, POLLED, patience_ms) < 0 && errno != EINTR) {
        stop(running, EXEC_STOPPED);
        return true;
    }
    take(running, polled);
    if (polled[STOP].revents) {
        stop(running, EXEC_STOPPED);
    }
    if (running->is_stopping && clock_monotonic_ms() >= running->kill_ms) {
        guardian_signal(running->child->leash, SIGKILL);
        running->kill_ms = UINT64_MAX;
    }
    return !polled[PROCESS].revents || !guardian_ended(running->child->leash, &running->news);
}

/* What is in a pipe now: whoever has left the group might go on writing. */
static void drain(struct running *running, const int *fd, ssize_t (*take_some)(struct running *))
{
    int left = 0;
    ssize_t size = 1;

    if (*fd >= 0 && ioctl(*fd, FIONREAD, &left) != 0) {
        left = 0;
    }
    while (left > 0 && size > 0) {
        size = take_some(running);
        left -= (int)size;
    }
}

/* Takes what its own process left in the pipes; nothing of the group is there to add to it. */
static void conclude(struct running *running)
{
    static const enum exec_end ends[] = {
        [GUARDIAN_EXITED] = EXEC_EXITED,
        [GUARDIAN_SIGNALED] = EXEC_SIGNALED,
        [GUARDIAN_NOT_STARTED] = EXEC_NOT_STARTED,
    };

    drain(running, &running->child->output, take_output);
    drain(running, &running->child->errors, take_errors);
    drain(running, &running->child->aside, take_aside);
    if (!running->is_stopping) {
        running->outcome->end = ends[running->news.end];
        running->outcome->number = running->news.number;
    }
}

/* One line, and nothing before the question was read, or behind it. */
static bool is_in_turn(const struct running *running)
{
    const struct buffer *output = &running->outcome->output;

    return running->written == running->job->input.size &&
           memchr(output->data, '\n', output->size) == output->data + output->size - 1;
}

/* Until it has ended, or has done what it is to do. Told to stop, it has nothing more to say. */
static void converse(struct running *running)
{
    bool is_there = true;

    while (is_there && (!running->has_answered || running->is_stopping)) {
        is_there = turn(running);
    }
    if (!is_there) {
        conclude(running);
    }
    if (running->has_answered && !running->is_stopping) {
        running->outcome->end = is_in_turn(running) ? EXEC_ANSWERED : EXEC_RUBBISH;
    }
}

void exec_run(const struct exec_job *job, struct exec_outcome *outcome)
{
    struct exec_child child;
    struct running running = {.job = job,
                              .purpose = PURPOSE_END,
                              .child = &child,
                              .outcome = outcome,
                              .kill_ms = UINT64_MAX};
    const struct guardian_errand errand = {
        .command = job->command, .directory = job->directory, .environment = job->environment};
    const int error = exec_child_start(&child, job->guardian, &errand);

    *outcome = (struct exec_outcome){.end = EXEC_NOT_STARTED, .number = error};
    if (error != 0) {
        return;
    }
    if (job->input.size == 0) {
        exec_child_shut(&child.input);
    }
    converse(&running);
    exec_child_close(&child);
}

void exec_ask(const struct exec_job *job, struct exec_child *child, struct exec_outcome *outcome)
{
    struct running running = {.job = job,
                              .purpose = PURPOSE_ANSWER,
                              .child = child,
                              .outcome = outcome,
                              .kill_ms = UINT64_MAX};

    *outcome = (struct exec_outcome){.end = EXEC_NOT_STARTED};
    converse(&running);
}

void exec_outcome_clear(struct exec_outcome *outcome)
{
    buffer_clear(&outcome->output);
    buffer_clear(&outcome->errors);
}
