/* SPDX-License-Identifier: MPL-2.0
 * The threads that run handlers, and the queue they take attempts from: at most `slots` run at a
 * time; those that wait for children keep their thread and give their slot back. A resumed one
 * comes before new work; tasks of trees begun before new roots, and those before tasks of large
 * trees. Threads are made when they are needed and kept for a while.
 *
 * The lock also guards what goes from handlers to the I/O thread, which is woken by the signal. */
#ifndef GROVE_NODES_WORKER_HANDLERS_H
#define GROVE_NODES_WORKER_HANDLERS_H

#include <pthread.h>

#include "nodes/client/joining.h"
#include "nodes/host/bus.h"
#include "nodes/worker/attempt.h"

/* A thread that makes calls for the command of an attempt. It is none of the attempt's threads but
 * while it waits in one: so the attempt waits while any of its command's calls does. Under the
 * lock. */
struct visit {
    struct call *call; /* that it is blocked in, or NULL */
    bool is_over;      /* the command has hung up */
};

struct handlers {
    unsigned slots;
    uint32_t spin_us;
    size_t stack_size;
    struct bus_signal *signal; /* raised when something waits for the I/O thread */
    void (*run)(struct grove_attempt *attempt);

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;
    pthread_cond_t gone;
    pthread_cond_t moved;           /* an attempt has a slot again, or lost its last thread */
    struct attempt_queue children;  /* to be started: children */
    struct attempt_queue roots;     /* ... new trees */
    struct attempt_queue behind;    /* ... children of large trees */
    struct attempt_queue returning; /* resumed, waiting for a slot here */
    unsigned queued, running, waiting, threads, idle;
    unsigned wakes; /* threads called, by signal or creation, that have not come yet */
    bool is_paused; /* starts nothing: too much is unreported */
    bool is_stopping;
    bool is_closed;                /* no I/O thread takes calls any more */
    struct ended_queue ended;      /* for the I/O thread */
    struct call_queue calls;       /* likewise */
    struct untold_queue waits;     /* ... whose last thread that ran is gone: all others wait */
    struct joining_queue joinings; /* ... with something to send */
    bool has_dismissed;            /* ... calls to be dismissed */
};

/* What handlers leave for the I/O thread. */
struct handed {
    struct ended_queue ended;
    struct call_queue calls;
    struct untold_queue waits;
    struct joining_queue joinings; /* each queued until handlers_unqueue */
    bool has_dismissed;            /* some call is to be */
};

/* Sets the fields above the lock first. */
void handlers_init(struct handlers *handlers);

/* Calls made from now on end at once, with GROVE_CLOSED. */
void handlers_close(struct handlers *handlers);

/* Ends every thread, waiting for those that are in a handler; then releases the rest. */
void handlers_stop(struct handlers *handlers);
void handlers_clear(struct handlers *handlers);

/* Whether no attempt has started and not ended. */
bool handlers_are_idle(struct handlers *handlers);

/* I/O thread: queues attempts, emptying the list; takes one back, true when it had not started. */
void handlers_add(struct handlers *handlers, struct attempt_queue *attempts);
bool handlers_take_back(struct handlers *handlers, struct grove_attempt *attempt);

/* I/O thread: lets attempts start, or not. */
void handlers_pause(struct handlers *handlers);
void handlers_unpause(struct handlers *handlers);

/* A thread of a handler: gives a call to the I/O thread and waits until it has ended. When all
 * threads of the attempt are in handlers_wait, it has no slot; that of a patient join comes back
 * meanwhile, without call->has_returned, to give more. */
void handlers_call(struct handlers *handlers, struct call *call);
void handlers_wait(struct handlers *handlers, struct call *call);

/* Likewise, but does not wait: call->done is posted. */
void handlers_post(struct handlers *handlers, struct call *call);

/* Waits on, in a call that handlers_wait came back from before it had ended. */
void handlers_wait_on(struct handlers *handlers, struct call *call);

/* Has the I/O thread send what is new of a join. */
void handlers_kick(struct handlers *handlers, struct joining *joining);
void handlers_unqueue(struct handlers *handlers, struct joining *joining);

/* A thread joins those of an attempt, as soon as that has a slot; or leaves them.
 *
 *   errors    GROVE_CLOSED: its handler has returned */
enum grove_status handlers_join(struct handlers *handlers, struct grove_attempt *attempt)
    GROVE_CHECKED;
void handlers_leave(struct handlers *handlers, struct grove_attempt *attempt);

/* The handler has returned and its own thread has left: waits until all others have left. */
void handlers_return(struct handlers *handlers, struct grove_attempt *attempt);

/* I/O thread: the call has ended. If its attempt waits, it goes on when there is a slot; or at
 * once, when it was told to stop. */
void handlers_resume(struct handlers *handlers, struct grove_attempt *attempt, struct call *call);
void handlers_release(struct handlers *handlers, struct grove_attempt *attempt, struct call *call);

/* A visiting thread has handed on what its call gave, or has nothing to ask: if others of the
 * attempt's command wait, the attempt does. */
void handlers_rest(struct handlers *handlers, struct grove_attempt *attempt);

/* The command has hung up: the call that the thread is in, and any that it makes, ends. */
void handlers_hang_up(struct handlers *handlers, struct visit *visit);

/* I/O thread: the call has ended, and goes on without a slot. */
void handlers_dismiss(struct handlers *handlers, struct grove_attempt *attempt, struct call *call);

/* I/O thread: whether every thread of the attempt waits, and none is about to go on. */
bool handlers_are_waiting(struct handlers *handlers, const struct grove_attempt *attempt);

/* I/O thread: what handlers left for it. */
void handlers_collect(struct handlers *handlers, struct handed *handed);

#endif
