/* SPDX-License-Identifier: MPL-2.0
 * One call of the API: what it asks for, item by item, and the thread that waits for it. The
 * calling thread fills it in and encodes its items; then it belongs to the I/O thread, until `done`
 * is posted. */
#ifndef GROVE_NODES_CLIENT_CALL_H
#define GROVE_NODES_CLIENT_CALL_H

#include <semaphore.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "core/table.h"
#include "nodes/client/result.h"

enum call_kind {
    CALL_SUBMIT, /* until accepted */
    CALL_RUN,    /* until it has ended */
    CALL_AWAIT,  /* by id, until it has ended */
    CALL_KEEP,   /* of a handler: until its checkpoint is durable; no requests, `items` has it */
    CALL_CANCEL, /* until nothing of a task is open; no requests */
    CALL_JOIN,   /* until its join has news; no requests */
};

struct call;
struct joining;
struct visit;

/* Where an outcome goes: pointers of the caller's, or NULL. */
struct wanted {
    struct grove_id *id;
    struct grove_result *result;
    struct grove_failure *failure;
};

/* One task that a call submits, awaits, or both. */
struct request {
    STAILQ_ENTRY(request) queued;  /* to be sealed */
    TAILQ_ENTRY(request) awaiting; /* with `link`, while its outcome is awaited */
    struct table_link link;
    struct request *twin; /* another that awaits the same id, or NULL */
    struct call *call;
    struct id id;
    bool wants_answer;    /* to its Submit or Expand */
    bool wants_outcome;   /* result or verdict */
    bool is_known;        /* function, digest, root and parent are: the outcome must agree */
    bool is_root;         /* ... else it is a child of `parent` in the tree of `root` */
    uint16_t function_at; /* in the item, function_size bytes */
    uint16_t function_size;
    struct digest payload_digest;
    size_t item_at; /* in call->items */
    size_t item_size;
    enum grove_status status;
    struct wanted wanted;
};

STAILQ_HEAD(request_queue, request);

struct call {
    STAILQ_ENTRY(call) queued; /* in an inbox, finished, or returning */
    TAILQ_ENTRY(call) working; /* of a client, or of an attempt */
    enum call_kind kind;
    bool waits;                    /* of a handler: its thread holds no slot */
    bool is_alone;                 /* ... and is the only one of its attempt */
    bool is_asked;                 /* ... its outcomes are asked for while other threads run */
    size_t count;                  /* of requests in use */
    size_t left;                   /* of them not ended; 1 without any */
    uint64_t submit_until_ms;      /* monotonic: what is not accepted by then ends */
    uint64_t give_up_ms;           /* ... of a CALL_AWAIT: what has not ended by then */
    struct grove_attempt *attempt; /* whose handler calls, or NULL */
    struct visit *visit;           /* ... its command does, through this thread; or NULL */
    atomic_bool is_dismissed;      /* ... it ends without a slot */
    struct id root, parent;        /* of its children; parent is attempt's task */
    struct joining *joining;       /* of a CALL_JOIN */
    struct id task;                /* of a CALL_CANCEL */
    struct grove_cancelled *counts;
    struct grove_failure *failure;
    atomic_bool has_returned; /* its thread has a slot again */
    struct buffer items;
    char complaint[256];      /* what went wrong first, for people */
    enum grove_status status; /* of one without requests */
    bool is_finishing;        /* in a queue of finished calls */
    bool is_posted;           /* of the calling thread: there is something to wait for */
    sem_t done;
    struct request *requests;
};

STAILQ_HEAD(call_queue, call);
TAILQ_HEAD(call_list, call);

/* Makes room for `count` requests, of `attempt`'s handler, or of a client when it is NULL. */
struct call *call_create(enum call_kind kind, size_t count, struct grove_attempt *attempt);
void call_destroy(struct call *call);

/* Adds a task: a child of call->attempt, or a root. One that breaks a rule ends at once, with a
 * failure, and is not sent.
 *
 *   ledger_ms  ledger time now, from which expires_ms counts */
void call_add_task(struct call *call, const struct grove_task *task, const struct wanted *wanted,
                   uint64_t ledger_ms);

/* Gives all tasks that were added their ids, once there are no more to add.
 *
 *   signer     who will seal them */
void call_name_tasks(struct call *call, const struct key *signer);

/* On the I/O thread: ends a call without requests. `failing`: NULL when all is well. */
void call_end(struct call *call, const struct failing *failing, struct call_queue *finished);

/* ... a CALL_CANCEL, with its counts. */
struct cancelled;
void call_cancelled(struct call *call, const struct cancelled *counts, struct call_queue *finished);

/* Adds a task by its id. */
void call_add_id(struct call *call, const struct id *id, const struct wanted *wanted);

/* A CALL_AWAIT ends by then, come what may; GROVE_FOREVER: never. */
void call_set_timeout(struct call *call, uint64_t timeout_ms);

/* Waits until the call has ended, polling for spin_us before it sleeps. */
void call_wait(struct call *call, uint32_t spin_us);

/* GROVE_OK, or the status of the first request that did not end well. */
enum grove_status call_status(const struct call *call);

struct bytes request_item(const struct request *request);
struct bytes request_function(const struct request *request);

/* On the I/O thread: queues a call that has ended, once. */
void call_finish(struct call *call, struct call_queue *finished);

/* On the I/O thread: the answer, or the outcome, has come. When it was the call's last the call
 * goes to `finished`. */
void request_answered(struct request *request, struct call_queue *finished);
void request_succeeded(struct request *request, const struct result_item *item,
                       struct call_queue *finished);

/* The outcome is bad; an answer may still be to come. Neither needs `failing` to name the task. */
void request_failed(struct request *request, struct failing *failing, struct call_queue *finished);

/* The answer is no, or none will come: ends it, but an outcome that has come stands. */
void request_refused(struct request *request, struct failing *failing, struct call_queue *finished);

static inline bool request_has_ended(const struct request *request)
{
    return !request->wants_answer && !request->wants_outcome;
}

#endif
