/* SPDX-License-Identifier: MPL-2.0
 * One command: run under a guardian, all its pipes polled at once, and no more than a chunk taken
 * from each in a turn: none of them keeps us from the others, or from the clock. What its own
 * process leaves in the pipe counts; what a grandchild might still write does not, and the group is
 * killed at the end. */
#include "nodes/worker/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "nodes/host/clock.h"

#define CHUNK_SIZE 65536
#define PIPES 4u

/* The parent's ends; -1 once closed. */
struct pipes {
    int input, output, errors, aside;
};

/* What a turn waits for. */
enum { PROCESS, INPUT, OUTPUT, ERRORS, ASIDE, STOP, POLLED };

struct running {
    const struct exec_job *job;
    struct exec_outcome *outcome;
    struct pipes pipes;
    int leash;
    struct guardian_news news; /* how it ended */
    size_t written;
    bool is_stopping;
    uint64_t kill_ms; /* monotonic; UINT64_MAX: nothing is to be killed */
};

static void shut(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* ---- starting */

static bool open_pipes(int (*ends)[2])
{
    for (unsigned i = 0; i < PIPES; i++) {
        ends[i][0] = ends[i][1] = -1;
    }
    for (unsigned i = 0; i < PIPES; i++) {
        if (pipe2(ends[i], O_CLOEXEC) != 0) {
            return false;
        }
    }
    return true;
}

static void close_pipes(int (*ends)[2])
{
    for (unsigned i = 0; i < PIPES; i++) {
        shut(&ends[i][0]);
        shut(&ends[i][1]);
    }
}

static void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* False: the outcome says why. */
static bool start(struct running *running)
{
    const struct exec_job *job = running->job;
    int ends[PIPES][2];
    int error = 0;

    running->pipes = (struct pipes){-1, -1, -1, -1};
    if (!open_pipes(ends)) {
        error = errno;
    } else {
        const struct guardian_errand errand = {.command = job->command,
                                               .directory = job->directory,
                                               .environment = job->environment,
                                               .input = ends[0][0],
                                               .output = ends[1][1],
                                               .errors = ends[2][1],
                                               .aside = ends[3][1]};

        error = guardian_run(job->guardian, &errand, &running->leash);
    }
    if (error == 0) {
        running->pipes = (struct pipes){ends[0][1], ends[1][0], ends[2][0], ends[3][0]};
        ends[0][1] = ends[1][0] = ends[2][0] = ends[3][0] = -1;
        set_nonblocking(running->pipes.input);
        set_nonblocking(running->pipes.output);
        set_nonblocking(running->pipes.errors);
        set_nonblocking(running->pipes.aside);
    }
    close_pipes(ends);
    if (error != 0) {
        running->outcome->end = EXEC_NOT_STARTED;
        running->outcome->number = error;
    }
    return error == 0;
}

/* ---- while it runs */

/* To stop is to ask the whole group, and to kill it when that was not enough. */
static void stop(struct running *running, enum exec_end why)
{
    if (!running->is_stopping) {
        running->is_stopping = true;
        running->outcome->end = why;
        running->kill_ms = clock_monotonic_ms() + running->job->grace_ms;
        guardian_signal(running->leash, SIGTERM);
    }
}

/* A command need not read all of its input. */
static void feed(struct running *running)
{
    struct bytes input = running->job->input;
    ssize_t size = 0;

    while (running->written < input.size) {
        size = write(running->pipes.input, input.data + running->written,
                     input.size - running->written);
        if (size < 0) {
            break;
        }
        running->written += (size_t)size;
    }
    if (running->written == input.size || (size < 0 && errno != EAGAIN && errno != EINTR)) {
        shut(&running->pipes.input);
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
        shut(fd);
    }
}

/* What is too much is not kept, but read: a command that is stopped need not block. */
static ssize_t take_output(struct running *running)
{
    struct buffer *output = &running->outcome->output;
    const size_t have = output->size;
    const ssize_t size = read_chunk(running->pipes.output, output);

    if (output->size > running->job->output_most) {
        output->size = have;
        stop(running, EXEC_TOO_LARGE);
    }
    shut_at_end(&running->pipes.output, size);
    return size;
}

/* Keeps the end of what there is. */
static ssize_t take_errors(struct running *running)
{
    struct buffer *errors = &running->outcome->errors;
    const ssize_t size = read_chunk(running->pipes.errors, errors);

    if (errors->size > EXEC_STDERR_SIZE) {
        memmove(errors->data, errors->data + errors->size - EXEC_STDERR_SIZE, EXEC_STDERR_SIZE);
        errors->size = EXEC_STDERR_SIZE;
    }
    shut_at_end(&running->pipes.errors, size);
    return size;
}

static ssize_t take_aside(struct running *running)
{
    struct buffer said = {0};
    const ssize_t size = read_chunk(running->pipes.aside, &said);

    if (running->job->aside) {
        aside_take(running->job->aside, buffer_bytes(&said), clock_monotonic_ms());
    }
    buffer_clear(&said);
    shut_at_end(&running->pipes.aside, size);
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

static int aside_fd(const struct running *running)
{
    const struct aside *aside = running->job->aside;

    return !aside || aside_listens(aside) ? running->pipes.aside : -1;
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
        [PROCESS] = {.fd = running->leash, .events = POLLIN},
        [INPUT] = {.fd = running->pipes.input, .events = POLLOUT},
        [OUTPUT] = {.fd = running->pipes.output, .events = POLLIN},
        [ERRORS] = {.fd = running->pipes.errors, .events = POLLIN},
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
        guardian_signal(running->leash, SIGKILL);
        running->kill_ms = UINT64_MAX;
    }
    return !polled[PROCESS].revents || !guardian_ended(running->leash, &running->news);
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

    drain(running, &running->pipes.output, take_output);
    drain(running, &running->pipes.errors, take_errors);
    drain(running, &running->pipes.aside, take_aside);
    if (!running->is_stopping) {
        running->outcome->end = ends[running->news.end];
        running->outcome->number = running->news.number;
    }
}

void exec_run(const struct exec_job *job, struct exec_outcome *outcome)
{
    struct running running = {.job = job, .outcome = outcome, .leash = -1, .kill_ms = UINT64_MAX};

    bool is_running;

    memset(outcome, 0, sizeof(*outcome));
    if (start(&running)) {
        if (job->input.size == 0) {
            shut(&running.pipes.input);
        }
        do {
            is_running = turn(&running);
        } while (is_running);
        conclude(&running);
    }
    shut(&running.pipes.input);
    shut(&running.pipes.output);
    shut(&running.pipes.errors);
    shut(&running.pipes.aside);
    shut(&running.leash);
}

void exec_outcome_clear(struct exec_outcome *outcome)
{
    buffer_clear(&outcome->output);
    buffer_clear(&outcome->errors);
}
