/* SPDX-License-Identifier: MPL-2.0
 * One lock, one queue; a thread that ends an attempt takes the next one itself, so that nobody is
 * woken while everybody is awake. */
#include "nodes/worker/inside.h"

#include <assert.h>
#include <signal.h>

#include "nodes/host/clock.h"
#include "nodes/host/log.h"

#define IDLE_KEPT 4u /* threads kept beyond the slots */

static void start_thread(struct handlers *handlers);

static struct grove_attempt *first_startable(const struct handlers *handlers)
{
    const struct attempt_queue *line[] = {&handlers->children, &handlers->roots, &handlers->behind};

    for (size_t i = 0; i < sizeof(line) / sizeof(line[0]) && !handlers->is_paused; i++) {
        if (!TAILQ_EMPTY(line[i])) {
            return TAILQ_FIRST(line[i]);
        }
    }
    return NULL;
}

static struct attempt_queue *queue_of(struct handlers *handlers,
                                      const struct grove_attempt *attempt)
{
    if (attempt->is_behind) {
        return &handlers->behind;
    }
    return attempt->depth > 0 ? &handlers->children : &handlers->roots;
}

static void unqueue(struct handlers *handlers, struct grove_attempt *attempt)
{
    TAILQ_REMOVE(queue_of(handlers, attempt), attempt, queued);
    handlers->queued--;
}

static void set_running(struct handlers *handlers, struct grove_attempt *attempt)
{
    handlers->running++;
    attempt->state = ATTEMPT_RUNNING;
    attempt->started_ns = clock_monotonic_ns();
}

void handlers_give_back(struct grove_attempt *attempt, struct call *call)
{
    attempt->blocked -= call->waits;
    if (call->visit) {
        attempt->threads -= call->waits;
        call->visit->call = NULL;
    }
    atomic_store(&call->has_returned, true);
    sem_post(&call->done);
}

void handlers_leave_waiting(struct handlers *handlers, struct grove_attempt *attempt)
{
    struct call *call;

    handlers->waiting--;
    set_running(handlers, attempt);
    while ((call = STAILQ_FIRST(&attempt->returning)) != NULL) {
        STAILQ_REMOVE_HEAD(&attempt->returning, queued);
        handlers_give_back(attempt, call);
    }
    pthread_cond_broadcast(&handlers->moved);
}

/* Gives free slots away: to resumed attempts, then to threads for new ones. */
static void dispatch(struct handlers *handlers)
{
    struct grove_attempt *attempt;

    while (handlers->running < handlers->slots &&
           (attempt = TAILQ_FIRST(&handlers->returning)) != NULL) {
        TAILQ_REMOVE(&handlers->returning, attempt, queued);
        handlers_leave_waiting(handlers, attempt);
    }
    if (handlers->running + handlers->wakes < handlers->slots &&
        handlers->wakes < handlers->queued && first_startable(handlers)) {
        if (handlers->idle > handlers->wakes) {
            handlers->wakes++;
            pthread_cond_signal(&handlers->work);
        } else {
            start_thread(handlers);
        }
    }
}

static void end_attempt(struct handlers *handlers, struct grove_attempt *attempt,
                        struct buffer *item)
{
    bool was_empty = STAILQ_EMPTY(&handlers->ended);

    handlers->running--;
    if (attempt->state == ATTEMPT_RUNNING) {
        attempt->state = ATTEMPT_ENDED;
        attempt->item = *item;
    } else {
        buffer_clear(item);
    }
    STAILQ_INSERT_TAIL(&handlers->ended, attempt, ended);
    if (was_empty) {
        bus_signal_raise(handlers->signal);
    }
}

/* Runs one attempt, without the lock, and encodes its result. */
static void run(struct handlers *handlers, struct grove_attempt *attempt)
{
    struct buffer item = {0};
    uint64_t ran_ns;

    pthread_mutex_unlock(&handlers->lock);
    handlers->run(attempt);
    ran_ns = attempt->ran_ns + clock_monotonic_ns() - attempt->started_ns;
    attempt_encode(attempt, &attempt->said, ran_ns / 1000000, &item);
    pthread_mutex_lock(&handlers->lock);
    end_attempt(handlers, attempt, &item);
}

/* Waits to be called; false when this thread is not needed any more. */
static bool idle(struct handlers *handlers)
{
    if (handlers->is_stopping || handlers->idle >= handlers->slots + IDLE_KEPT) {
        return false;
    }
    handlers->idle++;
    while (handlers->wakes == 0 && !handlers->is_stopping) {
        pthread_cond_wait(&handlers->work, &handlers->lock);
    }
    handlers->idle--;
    handlers->wakes -= handlers->wakes > 0;
    return true;
}

static void *serve(void *context)
{
    struct handlers *handlers = context;
    struct grove_attempt *attempt;

    pthread_setname_np(pthread_self(), "grove-handler");
    pthread_mutex_lock(&handlers->lock);
    handlers->wakes -= handlers->wakes > 0;
    do {
        while (handlers->running < handlers->slots &&
               (attempt = first_startable(handlers)) != NULL) {
            unqueue(handlers, attempt);
            attempt->has_started = true;
            set_running(handlers, attempt);
            dispatch(handlers);
            run(handlers, attempt);
            dispatch(handlers);
        }
    } while (idle(handlers));
    handlers->threads--;
    if (handlers->threads == 0) {
        pthread_cond_signal(&handlers->gone);
    }
    pthread_mutex_unlock(&handlers->lock);
    return NULL;
}

/* Threads that cannot be made now are made when the next attempt ends. */
static void start_thread(struct handlers *handlers)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    int failed;

    handlers->threads++;
    handlers->wakes++;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, handlers->stack_size);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    failed = pthread_create(&thread, &attributes, serve, handlers);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed) {
        handlers->threads--;
        handlers->wakes--;
        log_event(LOG_WARNING, "no thread", "have=%u", handlers->threads);
    }
}

void handlers_init(struct handlers *handlers)
{
    pthread_mutex_init(&handlers->lock, NULL);
    pthread_cond_init(&handlers->work, NULL);
    pthread_cond_init(&handlers->gone, NULL);
    pthread_cond_init(&handlers->moved, NULL);
    TAILQ_INIT(&handlers->children);
    TAILQ_INIT(&handlers->roots);
    TAILQ_INIT(&handlers->behind);
    TAILQ_INIT(&handlers->returning);
    STAILQ_INIT(&handlers->ended);
    STAILQ_INIT(&handlers->calls);
    STAILQ_INIT(&handlers->waits);
    STAILQ_INIT(&handlers->joinings);
}

void handlers_stop(struct handlers *handlers)
{
    pthread_mutex_lock(&handlers->lock);
    handlers->is_stopping = true;
    pthread_cond_broadcast(&handlers->work);
    while (handlers->threads > 0) {
        pthread_cond_wait(&handlers->gone, &handlers->lock);
    }
    pthread_mutex_unlock(&handlers->lock);
}

bool handlers_are_idle(struct handlers *handlers)
{
    bool are_idle;

    pthread_mutex_lock(&handlers->lock);
    are_idle = handlers->running == 0 && handlers->waiting == 0;
    pthread_mutex_unlock(&handlers->lock);
    return are_idle;
}

void handlers_clear(struct handlers *handlers)
{
    pthread_cond_destroy(&handlers->moved);
    pthread_cond_destroy(&handlers->gone);
    pthread_cond_destroy(&handlers->work);
    pthread_mutex_destroy(&handlers->lock);
}

void handlers_add(struct handlers *handlers, struct attempt_queue *attempts)
{
    struct grove_attempt *attempt;

    pthread_mutex_lock(&handlers->lock);
    while ((attempt = TAILQ_FIRST(attempts)) != NULL) {
        TAILQ_REMOVE(attempts, attempt, queued);
        attempt->state = ATTEMPT_QUEUED;
        TAILQ_INSERT_TAIL(queue_of(handlers, attempt), attempt, queued);
        handlers->queued++;
    }
    dispatch(handlers);
    pthread_mutex_unlock(&handlers->lock);
}

bool handlers_take_back(struct handlers *handlers, struct grove_attempt *attempt)
{
    bool is_queued;

    pthread_mutex_lock(&handlers->lock);
    is_queued = attempt->state == ATTEMPT_QUEUED;
    if (is_queued) {
        unqueue(handlers, attempt);
        attempt->state = ATTEMPT_ENDED;
    }
    pthread_mutex_unlock(&handlers->lock);
    return is_queued;
}

void handlers_pause(struct handlers *handlers)
{
    pthread_mutex_lock(&handlers->lock);
    handlers->is_paused = true;
    pthread_mutex_unlock(&handlers->lock);
}

void handlers_unpause(struct handlers *handlers)
{
    pthread_mutex_lock(&handlers->lock);
    handlers->is_paused = false;
    dispatch(handlers);
    pthread_mutex_unlock(&handlers->lock);
}

void handlers_close(struct handlers *handlers)
{
    pthread_mutex_lock(&handlers->lock);
    handlers->is_closed = true;
    pthread_mutex_unlock(&handlers->lock);
}

/* With the lock. Nobody is there any more to take the call, or to wait for it. */
static bool is_refused(const struct handlers *handlers, const struct call *call)
{
    return handlers->is_closed || (call->visit && call->visit->is_over);
}

/* With the lock. False: nobody takes it, and it has ended. */
static bool post(struct handlers *handlers, struct call *call)
{
    if (is_refused(handlers, call)) {
        call->status = GROVE_CLOSED;
        atomic_store(&call->has_returned, true);
        return false;
    }
    if (call->visit) {
        call->visit->call = call;
    }
    STAILQ_INSERT_TAIL(&handlers->calls, call, queued);
    bus_signal_raise(handlers->signal);
    return true;
}

/* With the lock, which it releases. */
static void post_and_wait(struct handlers *handlers, struct call *call)
{
    bool is_posted = post(handlers, call);

    pthread_mutex_unlock(&handlers->lock);
    if (is_posted) {
        call_wait(call, handlers->spin_us);
    }
}

void handlers_post(struct handlers *handlers, struct call *call)
{
    pthread_mutex_lock(&handlers->lock);
    if (!post(handlers, call)) {
        sem_post(&call->done);
    }
    pthread_mutex_unlock(&handlers->lock);
}

void handlers_call(struct handlers *handlers, struct call *call)
{
    pthread_mutex_lock(&handlers->lock);
    post_and_wait(handlers, call);
}

bool handlers_begin_waiting(struct handlers *handlers, struct grove_attempt *attempt)
{
    if (attempt->state != ATTEMPT_RUNNING || attempt->threads == 0 ||
        attempt->blocked < attempt->threads) {
        return false;
    }
    attempt->state = ATTEMPT_WAITING;
    attempt->ran_ns += clock_monotonic_ns() - attempt->started_ns;
    handlers->waiting++;
    handlers->running--;
    dispatch(handlers);
    return true;
}

void handlers_wait(struct handlers *handlers, struct call *call)
{
    struct grove_attempt *attempt = call->attempt;

    pthread_mutex_lock(&handlers->lock);
    if (!is_refused(handlers, call)) {
        call->waits = true;
        attempt->threads += call->visit != NULL;
        call->is_alone = attempt->threads == 1;
        attempt->blocked++;
        handlers_begin_waiting(handlers, attempt);
    }
    post_and_wait(handlers, call);
}

void handlers_resume(struct handlers *handlers, struct grove_attempt *attempt, struct call *call)
{
    pthread_mutex_lock(&handlers->lock);
    if (call->waits && attempt->state == ATTEMPT_WAITING) {
        if (STAILQ_EMPTY(&attempt->returning)) {
            TAILQ_INSERT_TAIL(&handlers->returning, attempt, queued);
        }
        STAILQ_INSERT_TAIL(&attempt->returning, call, queued);
        dispatch(handlers);
    } else {
        handlers_give_back(attempt, call);
    }
    pthread_mutex_unlock(&handlers->lock);
}

void handlers_release(struct handlers *handlers, struct grove_attempt *attempt, struct call *call)
{
    pthread_mutex_lock(&handlers->lock);
    if (call->waits && attempt->state == ATTEMPT_WAITING) {
        if (!STAILQ_EMPTY(&attempt->returning)) {
            TAILQ_REMOVE(&handlers->returning, attempt, queued);
        }
        STAILQ_INSERT_TAIL(&attempt->returning, call, queued);
        handlers_leave_waiting(handlers, attempt);
    } else {
        handlers_give_back(attempt, call);
    }
    pthread_mutex_unlock(&handlers->lock);
}

bool handlers_are_waiting(struct handlers *handlers, const struct grove_attempt *attempt)
{
    bool are_waiting;

    pthread_mutex_lock(&handlers->lock);
    are_waiting = attempt->state == ATTEMPT_WAITING && STAILQ_EMPTY(&attempt->returning);
    pthread_mutex_unlock(&handlers->lock);
    return are_waiting;
}

void handlers_wait_on(struct handlers *handlers, struct call *call)
{
    call_wait(call, handlers->spin_us);
}

void handlers_kick(struct handlers *handlers, struct joining *joining)
{
    pthread_mutex_lock(&handlers->lock);
    if (!handlers->is_closed && !joining->is_queued) {
        joining->is_queued = true;
        joining_hold(joining);
        STAILQ_INSERT_TAIL(&handlers->joinings, joining, queued);
        bus_signal_raise(handlers->signal);
    }
    pthread_mutex_unlock(&handlers->lock);
}

void handlers_unqueue(struct handlers *handlers, struct joining *joining)
{
    pthread_mutex_lock(&handlers->lock);
    joining->is_queued = false;
    pthread_mutex_unlock(&handlers->lock);
}

void handlers_collect(struct handlers *handlers, struct handed *handed)
{
    struct grove_attempt *attempt;

    STAILQ_INIT(&handed->ended);
    STAILQ_INIT(&handed->calls);
    STAILQ_INIT(&handed->waits);
    STAILQ_INIT(&handed->joinings);
    pthread_mutex_lock(&handlers->lock);
    STAILQ_CONCAT(&handed->ended, &handlers->ended);
    STAILQ_CONCAT(&handed->calls, &handlers->calls);
    STAILQ_CONCAT(&handed->waits, &handlers->waits);
    STAILQ_CONCAT(&handed->joinings, &handlers->joinings);
    handed->has_dismissed = handlers->has_dismissed;
    handlers->has_dismissed = false;
    STAILQ_FOREACH(attempt, &handed->waits, untold) {
        attempt->is_untold = false;
    }
    pthread_mutex_unlock(&handlers->lock);
}
