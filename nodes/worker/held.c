/* SPDX-License-Identifier: MPL-2.0
 * The attempts that this worker holds, from Assign until their results are safe. */
#include "nodes/worker/worker.h"

#include <sys/eventfd.h>

#include "nodes/host/log.h"

struct grove_attempt *held_find(const struct grove_worker *worker, const struct id *task,
                                uint32_t attempt)
{
    struct attempt_key key = {*task, attempt};

    return table_find(&worker->by_key, &key);
}

void held_release(struct grove_worker *worker, struct grove_attempt *attempt)
{
    bool has_started;

    table_remove(&worker->by_key, attempt);
    TAILQ_REMOVE(&worker->held, attempt, held);
    worker->held_count--;
    pthread_mutex_lock(&worker->handlers.lock);
    has_started = attempt->has_started;
    pthread_mutex_unlock(&worker->handlers.lock);
    waits_tell_never(worker, attempt);
    attempt->is_released = true;
    if (!has_started || attempt->is_collected) {
        attempt_destroy(attempt);
    }
}

void held_stop(struct grove_worker *worker, struct grove_attempt *attempt)
{
    struct failing failing = failing_of_status(GROVE_CANCELLED, NULL);

    atomic_store(&attempt->is_stopped, true);
    pthread_mutex_lock(&worker->handlers.lock);
    if (attempt->stop_fd >= 0) {
        eventfd_write(attempt->stop_fd, 1);
    }
    pthread_mutex_unlock(&worker->handlers.lock);
    children_end_calls(worker, attempt, &failing);
}

void held_forget(struct grove_worker *worker, struct grove_attempt *attempt)
{
    attempt->is_forgotten = true;
    if (handlers_take_back(&worker->handlers, attempt)) {
        held_release(worker, attempt);
        return;
    }
    reports_forget(worker, attempt);
    held_stop(worker, attempt);
    if (attempt->is_collected) {
        held_release(worker, attempt);
    }
}

void held_stop_all(struct grove_worker *worker)
{
    struct grove_attempt *attempt;
    struct grove_attempt *next;

    TAILQ_FOREACH_SAFE(attempt, &worker->held, held, next) {
        if (handlers_take_back(&worker->handlers, attempt)) {
            held_release(worker, attempt);
        } else if (!attempt->is_collected) {
            held_stop(worker, attempt);
        }
    }
}

void held_forget_all(struct grove_worker *worker)
{
    struct grove_attempt *attempt;
    struct grove_attempt *next;

    log_event(LOG_WARNING, "session retired", "attempts=%u", worker->held_count);
    TAILQ_FOREACH_SAFE(attempt, &worker->held, held, next) {
        held_forget(worker, attempt);
    }
    STAILQ_INIT(&worker->ended);
    parcels_clear(&worker->parcels);
    buffer_reset(&worker->returned);
}

static enum held_state held_state(const struct grove_attempt *attempt, enum attempt_state state)
{
    if (state == ATTEMPT_QUEUED) {
        return HELD_UNSTARTED;
    }
    return waits_is_asleep(attempt) ? HELD_WAITING : HELD_RUNNING;
}

void held_put(struct grove_worker *worker, struct wire_writer *writer, uint32_t field)
{
    const struct grove_attempt *attempt;

    pthread_mutex_lock(&worker->handlers.lock);
    TAILQ_FOREACH(attempt, &worker->held, held) {
        struct held held = {
            .task = attempt->key.task,
            .attempt = attempt->key.attempt,
            .state = held_state(attempt, attempt->state),
        };

        if (!attempt->is_forgotten) {
            wire_put_held(writer, field, &held);
        }
    }
    pthread_mutex_unlock(&worker->handlers.lock);
}
