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

#include <pthread.h>
#include <stdatomic.h>

#include "core/item.h"
#include "nodes/client/call.h"

#define COMPLAINT_SIZE 256

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

struct coprocs;

/* A function that this worker offers: a handler, or a shell command. */
struct function {
    char name[LIMIT_FUNCTION_LENGTH + 1];
    grove_handler *handler;
    void *context;
    char *command;
    uint32_t grace_ms;       /* of the command, when it is told to stop */
    struct coprocs *coprocs; /* of a command that stays; else NULL */

    /* Of the I/O thread. */
    uint64_t ill_until_ms; /* monotonic: this node cannot run it until then; 0: it can */
    uint64_t pause_ms;     /* how long it is not offered next time; 0: it was well */
};

/* What the handler said. */
struct said {
    enum outcome_code code; /* CODE_SUCCEEDED: nothing went wrong yet */
    bool is_too_large;
    bool cannot_run; /* this node, that is: `text` says why */
    struct buffer bytes;
    struct buffer text;
    char complaint[COMPLAINT_SIZE]; /* of its last call that failed */
};

/* What its command has said of how it will fail. */
struct foretold {
    bool is_given;
    bool is_permanent;
    struct bytes text, bytes; /* borrowed */
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
    bool is_behind; /* starts after all others */
    uint32_t generation, depth;
    uint64_t session, timeout_ms;
    uint64_t deadline_ms; /* Unix, of ledger time; 0: none */
    struct digest payload_digest;
    struct bytes payload, checkpoint;
    const char *content_type;

    atomic_bool is_stopped; /* told to stop, or over its time */

    /* Of the handler's thread, or under the lock where adopted threads share it. */
    pthread_mutex_t lock;
    struct said said;         /* its complaint: under the lock */
    struct foretold foretold; /* under the lock; borrows from the buffer */
    struct buffer foretelling;
    struct table occurrences; /* under the lock, with what follows */
    struct occurrence *first_occurrence;
    uint32_t uncounted; /* requests and joins since there are too many to count */

    /* Under the lock of the worker's handlers. */
    enum attempt_state state;
    unsigned threads;            /* in its handler: its own, and adopted ones */
    unsigned blocked;            /* of them, in a call that waits */
    unsigned joining;            /* about to be one of them, when it has a slot */
    bool has_returned;           /* its handler has */
    struct call_queue returning; /* of those: their threads go on when it has a slot */
    bool has_started;            /* a thread took it */
    int stop_fd;                 /* eventfd that its command watches, or -1 */
    uint64_t ran_ns, started_ns; /* time RUNNING so far; since when */
    struct buffer item;          /* its result, encoded, once ENDED */
    uint32_t percent;
    bool has_progress;        /* to be streamed */
    bool has_unkept_progress; /* to go with the next message that the ledger keeps */
    char progress[LIMIT_PROGRESS_LENGTH + 1];
    bool is_untold; /* in handlers->waits */
    TAILQ_ENTRY(grove_attempt) queued;
    STAILQ_ENTRY(grove_attempt) ended;
    STAILQ_ENTRY(grove_attempt) untold;

    /* Of the I/O thread. */
    struct table_link link;
    TAILQ_ENTRY(grove_attempt) held;
    struct call_list calls; /* that its threads are blocked in */
    bool is_telling;        /* its wait is to be told to the mesh */
    STAILQ_ENTRY(grove_attempt) telling;
    bool expects_resume; /* it told the mesh that it waits */
    bool is_resumed;     /* ... and goes on with the next free slot */
    bool waits_for_more; /* ... and for more by now than it told */
    uint64_t resumed_ms; /* monotonic; since when */
    bool is_forgotten;   /* nothing of it counts: neither report nor return it */
    bool is_collected;   /* its handler is out, and touches it no more */
    bool is_reporting;   /* its result is on its way */
    bool is_released;    /* off the books; freed once collected */
    STAILQ_ENTRY(grove_attempt) reporting;
};

TAILQ_HEAD(attempt_queue, grove_attempt);
STAILQ_HEAD(ended_queue, grove_attempt);
STAILQ_HEAD(untold_queue, grove_attempt);

/* Makes an attempt from what was assigned, copying all of it; lineage is the item's. */
struct grove_attempt *attempt_create(const struct task_item *item,
                                     const struct digest *payload_digest, struct bytes checkpoint);
void attempt_destroy(struct grove_attempt *attempt);

/* Makes an item a child of the attempt, counting it among its equals; a thread of its handler. */
void attempt_give_lineage(struct grove_attempt *attempt, struct task_item *item,
                          const struct digest *payload_digest);

/* Which of its equals a join is, by its terms; likewise. */
struct join_terms;
uint32_t attempt_count_join(struct grove_attempt *attempt, const struct join_terms *terms);

/* Keeps what a command says of its failure before it ends, the last time counts; any thread. */
void attempt_foretell(struct grove_attempt *attempt, const struct foretold *foretold);

/* Keeps why a call failed, for a handler that only passes its status on; a thread of it. */
void attempt_complain(struct grove_attempt *attempt, const char *complaint);

/* Says that this node cannot run it: it is handed back instead of reported. To be returned. */
enum grove_status attempt_cannot_run(struct grove_attempt *attempt, const char *why);

/* Says how the handler ended, by its status and what it said before; its own thread, the last. */
void attempt_conclude(struct grove_attempt *attempt, enum grove_status status);

/* Encodes the result for its Report: `run_ms` as counted, the rest as given. */
void attempt_encode(const struct grove_attempt *attempt, const struct said *said, uint64_t run_ms,
                    struct buffer *encoded);

#endif
