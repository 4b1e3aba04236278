/* SPDX-License-Identifier: MPL-2.0
 * The log of a map, a line an input, in the columns of GNU parallel's: Seq, Host (the worker),
 * Starttime and JobRuntime in seconds, Send and Receive in bytes, Exitval, Signal, Command (the
 * input, escaped). What is in it need not run again. */
#ifndef GROVE_NODES_PROGRAMS_JOBLOG_H
#define GROVE_NODES_PROGRAMS_JOBLOG_H

#include "nodes/grove.h"
#include "nodes/programs/observer.h"

enum joblog_use {
    JOBLOG_NEW,          /* begin it anew */
    JOBLOG_RESUME,       /* skip all that are in it */
    JOBLOG_RESUME_FAILED /* skip those that have succeeded */
};

enum joblog_verdict { JOBLOG_RUN, JOBLOG_SKIP, JOBLOG_DIFFERS };

struct joblog_seen;

struct joblog {
    FILE *file; /* NULL: none is kept */
    enum joblog_use use;
    struct joblog_seen *seen; /* by number, from 1 */
    size_t seen_count;
    struct observer *observer; /* who knows the workers; NULL: nobody */
    uint64_t ask_ms;           /* monotonic; not before */
};

/* Says on stderr what is wrong and returns false.
 *
 *   path   NULL: none is kept */
bool joblog_open(struct joblog *log, const char *path, enum joblog_use use);
void joblog_close(struct joblog *log);

/* Who ran what is asked for with this credential file, if it is an observer's; NULL: it is not
 * known. */
void joblog_set_observer(struct joblog *log, const char *credential);

/* Whether an input is to be run.
 *
 *   input   escaped
 *   returns   JOBLOG_DIFFERS: the log has another input of this number */
enum joblog_verdict joblog_judge(const struct joblog *log, uint64_t number, const char *input);

/* Adds what became of an input. One that was cancelled is not added: it will run another time. */
void joblog_add(struct joblog *log, uint64_t number, const char *input,
                const struct grove_result *result, const struct grove_failure *failure);

/* An input as the log has it; the caller's. */
char *joblog_input(const void *data, size_t size);

#endif
