/* SPDX-License-Identifier: MPL-2.0
 * The inside of a worker. worker.c opens it and runs its loop; assignments.c takes attempts in,
 * handlers.c runs them, children.c does what handlers ask of the mesh, reports.c hands results over
 * and keeps them until they are safe. */
#ifndef GROVE_NODES_WORKER_WORKER_H
#define GROVE_NODES_WORKER_WORKER_H

#include <limits.h>

#include "nodes/client/batches.h"
#include "nodes/worker/handlers.h"
#include "nodes/worker/instance.h"
#include "nodes/worker/roots.h"

enum worker_stage {
    WORKER_SERVING,
    WORKER_DRAINING, /* finishes what has started */
    WORKER_LEAVING,  /* has said Goodbye */
    WORKER_FAILED,   /* see status and error */
};

STAILQ_HEAD(telling_queue, grove_attempt);
STAILQ_HEAD(reporting_queue, grove_attempt);

struct grove_worker {
    char path[PATH_MAX]; /* of the credential */
    struct credential credential;
    struct instance instance;
    uint32_t slots, window, max_waiting, stack_size, connect_timeout_ms, spin_us;
    void (*enlisted)(void *context); /* the owner's, or NULL */
    void *enlisted_context;
    struct guardian *guardian; /* of commands; NULL: none are offered */
    struct grants *grants;     /* likewise */
    unsigned function_count;
    bool has_ill; /* among them: functions that this node cannot run; of the I/O thread */
    struct function function[LIMIT_FUNCTIONS];

    struct bus *bus;
    struct bus_signal *signal;
    atomic_bool is_stopping; /* asked to; seen at the next turn */
    struct handlers handlers;

    /* Of the I/O thread: the one in grove_worker_run. */
    struct session session;
    struct outcomes outcomes; /* of children */
    struct parcels parcels;
    enum worker_stage stage;
    bool is_enlisted;              /* in the session that is welcome now */
    uint64_t index;                /* of the session in the ledger; 0: none yet */
    uint64_t enlist;               /* correlation of the last Enlist, or of the Goodbye */
    uint64_t asked_ms;             /* when that was sent */
    uint64_t again_ms;             /* how long after it is sent again */
    uint64_t started_ms;           /* when the worker began to run */
    bool has_warned;               /* that nobody answers */
    struct seal_cache *seals;      /* of tasks */
    struct roots roots;            /* who submitted the trees whose children run here */
    struct table by_key;           /* struct grove_attempt */
    struct attempt_queue held;     /* all of them */
    struct attempt_queue assigned; /* from the Assign being taken in */
    unsigned held_count;
    struct request_queue children; /* to be sealed */
    struct telling_queue telling;  /* attempts whose wait is to be told */
    struct joining_queue joinings; /* joins that may have something to send */
    struct buffer asking;          /* ids of children to be asked for */
    struct reporting_queue ended;  /* to be reported */
    struct buffer returned;        /* struct handed_back, to be told */
    enum grove_status status;
    char error[SESSION_ERROR_SIZE];
};

/* held.c */

/* The attempt held under a key, or NULL. */
struct grove_attempt *held_find(const struct grove_worker *worker, const struct id *task,
                                uint32_t attempt);

/* Takes an attempt off the books; it is freed now, or when its handler is out. */
void held_release(struct grove_worker *worker, struct grove_attempt *attempt);

/* Makes the attempt's grove_cancelled true, ends its blocked call, and tells its command. */
void held_stop(struct grove_worker *worker, struct grove_attempt *attempt);
void held_stop_all(struct grove_worker *worker);

/* Nothing of it counts any more: stopped, and neither reported nor handed back. Of all: the ledger
 * has retired our session. */
void held_forget(struct grove_worker *worker, struct grove_attempt *attempt);
void held_forget_all(struct grove_worker *worker);

/* Puts the list of what is held, and how. */
void held_put(struct grove_worker *worker, struct wire_writer *writer, uint32_t field);

/* assignments.c */
void assignments_take(struct grove_worker *worker, const struct assign *assign);

/* children.c: calls from handlers, and what comes for them. */
void children_take_call(struct grove_worker *worker, struct call *call);

/* Makes frames of what is queued. */
void children_send(struct grove_worker *worker);

/* Lets handlers go on whose calls have ended, and who may. After children_send. */
void children_finish(struct grove_worker *worker);
void children_answered(struct grove_worker *worker, struct parcel *parcel,
                       const struct accepted *accepted);
void children_resumed(struct grove_worker *worker, struct wire_list resumed);

/* An Expand or a Checkpoint was refused for good. */
void children_refused(struct grove_worker *worker, struct parcel *parcel,
                      const struct failing *failing);

/* Ends the calls that an attempt is blocked in; it goes on without waiting for a Resume. */
void children_end_calls(struct grove_worker *worker, struct grove_attempt *attempt,
                        const struct failing *failing);

/* Ends the calls of commands that have hung up. */
void children_end_dismissed(struct grove_worker *worker);

/* The mesh does not take a wait: ends the calls, unless they wait for a join that is not there yet,
 * whose wait is told again when it is. */
void children_refused_wait(struct grove_worker *worker, struct grove_attempt *attempt,
                           const struct failing *failing);

/* waits.c: telling what attempts wait for. */

/* Has the mesh told that the attempt waits, if all its threads do; else asks for what they await.
 * Or does nothing of that any more. */
void waits_tell_later(struct grove_worker *worker, struct grove_attempt *attempt);
void waits_tell_never(struct grove_worker *worker, struct grove_attempt *attempt);

/* Puts what the attempt waits for into an Expand; only if all of it waits, and for nothing but what
 * is in the mesh, or is `beside` in that message. */
void waits_put(struct grove_worker *worker, struct wire_writer *writer,
               struct grove_attempt *attempt, struct joining *beside);

/* Whether the mesh knows that it waits, and for all that it waits for. */
bool waits_is_told(const struct grove_attempt *attempt);

/* Whether it expects the Resume for what it told. */
bool waits_is_asleep(const struct grove_attempt *attempt);

/* Whether a call goes on with a slot only: what does not wait has one, and what is dismissed needs
 * none. */
bool waits_needs_resume(const struct call *call);

/* Makes frames of what is to be told and asked. */
void waits_send(struct grove_worker *worker);

/* Whether all ids of its children are known. */
bool waits_is_answered(const struct call *call);

/* In a new session: asks for every outcome that is awaited. */
void waits_ask_again(struct grove_worker *worker);

/* joins.c: joins of handlers, and cancelling. */
void joins_take_call(struct grove_worker *worker, struct call *call);

/* Joins that handlers left for the I/O thread. */
void joins_collect(struct grove_worker *worker, struct joining_queue *joinings);

/* A join may have something to send or to ask, or may have been left. */
void joins_take(struct grove_worker *worker, struct joining *joining);
void joins_send(struct grove_worker *worker);
void joins_clear(struct grove_worker *worker);
void joins_answered(struct grove_worker *worker, struct parcel *parcel,
                    const struct accepted *accepted);
void joins_paged(struct grove_worker *worker, const struct message *message);
void joins_cancelled(struct grove_worker *worker, const struct message *message);
void joins_refused(struct grove_worker *worker, struct parcel *parcel,
                   const struct failing *failing);
void joins_end_call(struct grove_worker *worker, struct call *call, const struct failing *failing);

/* Its attempt has a slot again. False: this call needs nothing more for going on, or is none. */
bool joins_resumed(struct grove_worker *worker, struct call *call);
void joins_tick(struct grove_worker *worker, uint64_t now_ms);

/* reports.c: what goes back. */

/* The handler is out: its result is to be reported, or the attempt handed back. */
void reports_end(struct grove_worker *worker, struct grove_attempt *attempt);
void reports_hand_back(struct grove_worker *worker, const struct id *task, uint32_t attempt,
                       enum return_reason reason, const char *text);

/* ... an attempt that is held, whose handler is out or was never in. It stays on the books until
 * that is safe: else a coordinator that has not heard of it would assign it here again. */
void reports_return(struct grove_worker *worker, struct grove_attempt *attempt,
                    enum return_reason reason, const char *text);

/* Makes frames of what is queued. */
void reports_send(struct grove_worker *worker);

/* A Report or a Return is safe, or will never count: its attempts are off the books. */
void reports_done(struct grove_worker *worker, struct parcel *parcel);

/* Reports every attempt that is over its time, whatever its handler still does. */
void reports_time_out(struct grove_worker *worker);

/* Nothing of this attempt is to be said any more. */
void reports_forget(struct grove_worker *worker, struct grove_attempt *attempt);

/* Puts the latest progress of an attempt, if there is news; sends that of all. */
void reports_put_progress(struct wire_writer *writer, uint32_t field,
                          struct grove_attempt *attempt);
void reports_send_progress(struct grove_worker *worker);

#endif
