/* SPDX-License-Identifier: MPL-2.0
 * One attempt that this worker holds: what it was given, what its handler has said so far, and
 * where it stands.
 *
 *   QUEUED ──▶ RUNNING ──▶ ENDED ──▶ REPORTED
 *                │  ▲        ▲
 *         waits  ▼  │ slot   │ over its time: reported at once, whatever its handler still does
 *              WAITING       └──────── RUNNING */
#ifndef GROVE_NODES_WORKER_ATTEMPT_H
#define GROVE_NODES_WORKER_ATTEMPT_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "core/item.h"
#include "core/table.h"
#include "nodes/grove.h"

#define COMPLAINT_SIZE 256

struct call;

enum attempt_state {
    ATTEMPT_QUEUED,
    ATTEMPT_RUNNING,
    ATTEMPT_WAITING,
    ATTEMPT_ENDED,
    ATTEMPT_REPORTED,
};

struct attempt_key {
    struct id task;
    uint32_t attempt;
};

/* A function that this worker offers: a handler, or a shell command. */
struct function {
    char name[LIMIT_FUNCTION_LENGTH + 1];
    grove_handler *handler;
    void *context;
    char *command;
};

/* What the handler said, of its own thread. */
struct said {
    enum outcome_code code; /* CODE_SUCCEEDED: nothing went wrong yet */
    bool is_too_large;
    struct buffer bytes;
    struct buffer text;
    char complaint[COMPLAINT_SIZE]; /* of its last call that failed */
};

/* How often an equal request was made: one entry a request. */
struct occurrence;

struct grove_attempt {
    /* Fixed while it lives. */
    struct attempt_key key;
    struct grove_worker *worker;
    const struct function *function;
    struct id root, parent;
    bool has_parent;
    bool at_most_once;
    uint32_t generation, depth;
    uint64_t session, timeout_ms;
    struct digest payload_digest;
    struct bytes payload, checkpoint;
    const char *content_type;

    atomic_bool is_stopped; /* told to stop, or over its time */

    /* Of the handler's thread. */
    struct said said;
    struct table occurrences;
    struct occurrence *first_occurrence;

    /* Under the lock of the worker's handlers. */
    enum attempt_state state;
    bool has_started;            /* a thread took it */
    int stop_fd;                 /* eventfd that its command watches, or -1 */
    uint64_t ran_ns, started_ns; /* time RUNNING so far; since when */
    struct buffer item;          /* its result, encoded, once ENDED */
    struct digest leaf;
    uint32_t percent;
    bool has_progress; /* to be sent */
    char progress[LIMIT_PROGRESS_LENGTH + 1];
    struct call *returns_to; /* whose thread goes on when it has a slot */
    TAILQ_ENTRY(grove_attempt) queued;
    STAILQ_ENTRY(grove_attempt) ended;

    /* Of the I/O thread. */
    struct table_link link;
    TAILQ_ENTRY(grove_attempt) held;
    struct call *call;   /* that its handler is blocked in, or NULL */
    bool expects_resume; /* it told the mesh that it waits */
    bool is_resumed;     /* ... and has a slot again */
    bool is_forgotten;   /* nothing of it counts: neither report nor return it */
    bool is_collected;   /* its handler is out, and touches it no more */
    bool is_reporting;   /* its result is on its way */
    bool is_released;    /* off the books; freed once collected */
    STAILQ_ENTRY(grove_attempt) reporting;
};

TAILQ_HEAD(attempt_queue, grove_attempt);
STAILQ_HEAD(ended_queue, grove_attempt);

/* Makes an attempt from what was assigned, copying all of it; lineage is the item's. */
struct grove_attempt *attempt_create(const struct task_item *item,
                                     const struct digest *payload_digest, struct bytes checkpoint);
void attempt_destroy(struct grove_attempt *attempt);

/* Makes an item a child of the attempt, counting it among its equals; handler's thread. */
void attempt_give_lineage(struct grove_attempt *attempt, struct task_item *item,
                          const struct digest *payload_digest);

/* Says how the handler ended, by its status and what it said before; handler's thread. */
void attempt_conclude(struct grove_attempt *attempt, enum grove_status status);

/* Encodes the result for its Report: `run_ms` as counted, the rest as given. */
void attempt_encode(const struct grove_attempt *attempt, const struct said *said, uint64_t run_ms,
                    struct buffer *encoded, struct digest *leaf);

#endif
