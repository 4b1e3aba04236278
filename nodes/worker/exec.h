/* SPDX-License-Identifier: MPL-2.0
 * Runs a command of the operator's as an attempt: its input on stdin, its result from stdout, its
 * verdict by exit status. It has a process group and a clean environment of its own, and no
 * descriptor of ours but its pipes: stdin, stdout, stderr, and fd 3, for what it says aside. */
#ifndef GROVE_NODES_WORKER_EXEC_H
#define GROVE_NODES_WORKER_EXEC_H

#include "core/buffer.h"
#include "core/limits.h"
#include "nodes/worker/attempt.h"
#include "nodes/worker/exec_aside.h"
#include "nodes/worker/exec_child.h"

#define EXEC_GRACE_MS 2000u               /* between SIGTERM and SIGKILL */
#define EXEC_STDERR_SIZE (64 * LIMIT_KIB) /* bytes of the end of stderr that are kept */

struct exec_job {
    struct guardian *guardian;
    const char *command;            /* for sh -c; from the operator's configuration only */
    const char *directory;          /* where it begins */
    const char *const *environment; /* NAME=VALUE, ended by NULL; all that the command gets */
    struct bytes input;
    size_t output_most;  /* bytes; more is a failure */
    struct aside *aside; /* hears what it says on fd 3; NULL: nobody does */
    int stop_fd;         /* when readable, the command is to stop; -1: never */
    uint32_t grace_ms;   /* then this long, between SIGTERM and SIGKILL */
};

enum exec_end {
    EXEC_EXITED,      /* number: exit status */
    EXEC_SIGNALED,    /* number: signal */
    EXEC_STOPPED,     /* stop_fd */
    EXEC_TOO_LARGE,   /* more than output_most */
    EXEC_NOT_STARTED, /* number: errno */

    /* Of one that stays. */
    EXEC_ANSWERED, /* by a line, which is the output: it waits for the next one */
    EXEC_RUBBISH,  /* it answered before it had read the question, or by anything but a line that is
                    * an answer */
    EXEC_SILENT,   /* it exited with 0, and no answer */
    EXEC_ADMITTED, /* its answer is that it failed, which the attempt has been told */
};

struct exec_outcome {
    enum exec_end end;
    int number;
    struct buffer output;
    struct buffer errors; /* how stderr ended: EXEC_STDERR_SIZE of it */
};

/* Blocks until the command has ended and nothing of its group is left. Clear the outcome
 * afterwards. The thread must block or ignore SIGPIPE: a command need not read its input. */
void exec_run(const struct exec_job *job, struct exec_outcome *outcome);

/* Asks a command that stays: blocks until it has answered by a line, or has ended. After any end
 * but EXEC_ANSWERED it is of no more use. The job says nothing of how it was started. */
void exec_ask(const struct exec_job *job, struct exec_child *child, struct exec_outcome *outcome);
void exec_outcome_clear(struct exec_outcome *outcome);

/* Runs the command of the attempt's function, as a handler does. */
enum grove_status exec_attempt(struct grove_attempt *attempt);

#endif
