/* SPDX-License-Identifier: MPL-2.0
 * The threads of an attempt: its handler's own, those that have adopted it, and those that make the
 * calls of its command. */
#include "nodes/worker/inside.h"

/* The last of its threads that ran is gone, and the others wait: nobody else will tell the mesh. */
static void tell_waiting(struct handlers *handlers, struct grove_attempt *attempt)
{
    if (handlers_begin_waiting(handlers, attempt) && !attempt->is_untold && !handlers->is_closed) {
        attempt->is_untold = true;
        STAILQ_INSERT_TAIL(&handlers->waits, attempt, untold);
        bus_signal_raise(handlers->signal);
    }
}

enum grove_status handlers_join(struct handlers *handlers, struct grove_attempt *attempt)
{
    enum grove_status status = GROVE_OK;

    pthread_mutex_lock(&handlers->lock);
    attempt->joining++;
    while (!attempt->has_returned && attempt->state == ATTEMPT_WAITING) {
        pthread_cond_wait(&handlers->moved, &handlers->lock);
    }
    attempt->joining--;
    if (attempt->has_returned) {
        status = GROVE_CLOSED;
        pthread_cond_broadcast(&handlers->moved);
    } else {
        attempt->threads++;
    }
    pthread_mutex_unlock(&handlers->lock);
    return status;
}

static void leave(struct handlers *handlers, struct grove_attempt *attempt)
{
    attempt->threads--;
    if (attempt->has_returned && attempt->threads == 0) {
        pthread_cond_broadcast(&handlers->moved);
    }
    tell_waiting(handlers, attempt);
}

void handlers_leave(struct handlers *handlers, struct grove_attempt *attempt)
{
    pthread_mutex_lock(&handlers->lock);
    leave(handlers, attempt);
    pthread_mutex_unlock(&handlers->lock);
}

void handlers_return(struct handlers *handlers, struct grove_attempt *attempt)
{
    pthread_mutex_lock(&handlers->lock);
    attempt->has_returned = true;
    if (attempt->joining > 0) {
        pthread_cond_broadcast(&handlers->moved);
    }
    while (attempt->threads > 0 || attempt->joining > 0) {
        pthread_cond_wait(&handlers->moved, &handlers->lock);
    }
    pthread_mutex_unlock(&handlers->lock);
}

/* ---- visits */

void handlers_rest(struct handlers *handlers, struct grove_attempt *attempt)
{
    pthread_mutex_lock(&handlers->lock);
    tell_waiting(handlers, attempt);
    pthread_mutex_unlock(&handlers->lock);
}

void handlers_hang_up(struct handlers *handlers, struct visit *visit)
{
    pthread_mutex_lock(&handlers->lock);
    visit->is_over = true;
    if (visit->call && !handlers->is_closed) {
        atomic_store(&visit->call->is_dismissed, true);
        handlers->has_dismissed = true;
        bus_signal_raise(handlers->signal);
    }
    pthread_mutex_unlock(&handlers->lock);
}

void handlers_dismiss(struct handlers *handlers, struct grove_attempt *attempt, struct call *call)
{
    pthread_mutex_lock(&handlers->lock);
    handlers_give_back(attempt, call);
    if (attempt->state == ATTEMPT_WAITING && attempt->threads == 0) {
        handlers_leave_waiting(handlers,
                               attempt); /* the command goes on: there is nothing to wait for */
    }
    pthread_mutex_unlock(&handlers->lock);
}
