/* SPDX-License-Identifier: MPL-2.0
 * A worker's I/O thread: enlists, takes what comes, and at the end of each turn sends what is
 * ready; stopped, it drains. */
#include "nodes/worker/worker_loop.h"

#include <stdio.h>

#include "nodes/host/clock.h"
#include "nodes/host/log.h"
#include "nodes/worker/health.h"

#define ENLIST_AGAIN_MS 1000u /* at first; only the last one's answer counts */
#define ENLIST_AGAIN_MOST_MS 32000u
#define WARN_MS 5000u                        /* without a coordinator */
#define UNSAFE_MOST ((size_t)64 * LIMIT_MIB) /* bytes of results that nobody has taken */
#define AT_MOST_ONCE_MS 4000u                /* silence that stops such attempts */
#define GOODBYE_MS 1000u                     /* to be answered */
#define DRAIN_SILENT_MS 10000u               /* drained, with nobody to take it */

/* ---- enlisting */

static void enlist(struct grove_worker *worker)
{
    struct buffer frame = {0};
    struct wire_writer writer;

    worker->is_enlisted = false;
    worker->enlist = session_correlation(&worker->session);
    worker->asked_ms = clock_monotonic_ms();
    wire_open(&writer, &frame, MESSAGE_ENLIST, worker->enlist);
    wire_put_bytes(&writer, ENLIST_INSTANCE, bytes_of_text(worker->instance.name));
    /* One that drains offers nothing. */
    for (unsigned i = 0; i < worker->function_count && worker->stage == WORKER_SERVING; i++) {
        if (health_is_offered(&worker->function[i])) {
            wire_put_bytes(&writer, ENLIST_FUNCTIONS, bytes_of_text(worker->function[i].name));
        }
    }
    wire_put_uint(&writer, ENLIST_SLOTS, worker->slots);
    wire_put_uint(&writer, ENLIST_WINDOW, worker->window);
    wire_put_uint(&writer, ENLIST_MAX_WAITING, worker->max_waiting);
    held_put(worker, &writer, ENLIST_HELD);
    /* Said once: what has taken our place since is no earlier process. */
    wire_put_uint(&writer, ENLIST_PREVIOUS_EXITED,
                  worker->instance.previous_exited && worker->index == 0);
    wire_close(&writer);
    /* Lost, it is sent again by the tick. */
    (void)!session_send(&worker->session, buffer_bytes(&frame));
    buffer_clear(&frame);
}

/* Later each time: an answer that takes longer than this would never be to the last one. */
static void enlist_again(struct grove_worker *worker)
{
    if (worker->again_ms < ENLIST_AGAIN_MOST_MS) {
        worker->again_ms *= 2;
    }
    enlist(worker);
}

static void enlisted(struct grove_worker *worker, uint64_t index)
{
    if (worker->index != 0 && worker->index != index) {
        held_forget_all(worker);
    }
    if (worker->index != index) {
        log_event(LOG_INFO, "enlisted", "instance=%s session=%llu", worker->instance.name,
                  (unsigned long long)index);
    }
    if (worker->index == 0 && worker->enlisted) {
        worker->enlisted(worker->enlisted_context);
    }
    worker->index = index;
    worker->is_enlisted = true;
    worker->again_ms = ENLIST_AGAIN_MS;
    parcels_renew(&worker->parcels);
    waits_ask_again(worker);
}

void worker_welcomed(void *context, const struct message *message, const struct welcome *welcome)
{
    struct grove_worker *worker = context;

    if (welcome->session == 0) {
        worker->again_ms = ENLIST_AGAIN_MS;
        enlist(worker);
    } else if (message->correlation == worker->enlist) {
        enlisted(worker, welcome->session);
    }
}

/* ---- what comes */

static void fail(struct grove_worker *worker, enum grove_status status)
{
    worker->stage = WORKER_FAILED;
    worker->status = status;
    bus_stop(worker->bus);
}

static void enlist_refused(struct grove_worker *worker, const struct refused *refused)
{
    enum grove_status status = refusal_status((enum refusal)refused->code);

    if (refused->code == REFUSED_DUPLICATE_INSTANCE) {
        snprintf(worker->error, sizeof(worker->error),
                 "a worker named %s is alive elsewhere; give this one another instance",
                 worker->instance.name);
        fail(worker, GROVE_IN_USE);
    } else if (!refused->retryable) {
        snprintf(worker->error, sizeof(worker->error), "the mesh does not take this worker: %.*s",
                 (int)refused->text.size, (const char *)refused->text.data);
        fail(worker, status == GROVE_OK ? GROVE_REFUSED : status);
    }
}

static void parcel_refused(struct grove_worker *worker, struct parcel *parcel,
                           const struct refused *refused)
{
    struct failing failing = failing_of_refusal((enum refusal)refused->code, refused->text);

    if (refused->retryable) {
        parcels_add(&worker->parcels, parcel);
        parcels_delay(&worker->parcels, parcel, refused->retry_ms ? refused->retry_ms : 100);
        return;
    }
    log_event(LOG_ERROR, "refused", "type=%d reason=%s", (int)parcel->type,
              refusal_name((enum refusal)refused->code));
    if (parcel->type == MESSAGE_REPORT || parcel->type == MESSAGE_RETURN) {
        reports_done(worker, parcel);
    } else {
        children_refused(worker, parcel, &failing);
    }
    parcel_destroy(parcel);
}

static void take_refused(struct grove_worker *worker, const struct message *message)
{
    struct refused refused;
    struct parcel *parcel;

    if (wire_refused_decode(message->body, &refused) != GROVE_OK) {
        return;
    }
    if (refused.code == REFUSED_NO_WORKER_SESSION) {
        if (worker->is_enlisted) {
            enlist(worker);
        }
        return;
    }
    if (message->correlation == worker->enlist) {
        enlist_refused(worker, &refused);
        return;
    }
    parcel = parcels_take(&worker->parcels, message->correlation);
    if (parcel) {
        parcel_refused(worker, parcel, &refused);
    }
}

static void take_stopped(struct grove_worker *worker, const struct stopped *stopped)
{
    struct grove_attempt *attempt = held_find(worker, &stopped->task, stopped->attempt);
    struct failing failing = failing_of_refusal((enum refusal)stopped->reason, bytes_of(NULL, 0));

    if (!attempt) {
        if (stopped->reason == 0) {
            reports_hand_back(worker, &stopped->task, stopped->attempt, RETURN_STOPPED, "");
        }
    } else if (stopped->reason == REFUSED_AWAITED) {
        children_refused_wait(worker, attempt, &failing);
    } else if (stopped->reason != 0) {
        held_forget(worker, attempt);
    } else if (handlers_take_back(&worker->handlers, attempt)) {
        reports_return(worker, attempt, RETURN_STOPPED, "");
    } else if (!attempt->is_collected) {
        held_stop(worker, attempt);
    }
}

static void take_stop(struct grove_worker *worker, const struct message *message)
{
    struct wire_list list;
    struct bytes element;
    struct stopped stopped;

    if (wire_stop_decode(message->body, &list) != GROVE_OK) {
        return;
    }
    while (wire_next(&list, &element)) {
        if (wire_stopped_decode(element, &stopped) == GROVE_OK) {
            take_stopped(worker, &stopped);
        }
    }
}

/* The mesh wants to start them elsewhere, or not yet. */
static void take_recall(struct grove_worker *worker, const struct message *message)
{
    struct bytes function;
    struct grove_attempt *attempt;
    struct grove_attempt *next;

    if (wire_recall_decode(message->body, &function) != GROVE_OK) {
        return;
    }
    TAILQ_FOREACH_SAFE(attempt, &worker->held, held, next) {
        if (bytes_equal(bytes_of_text(attempt->function->name), function) &&
            handlers_take_back(&worker->handlers, attempt)) {
            reports_hand_back(worker, &attempt->key.task, attempt->key.attempt, RETURN_UNSTARTED,
                              "");
            held_release(worker, attempt);
        }
    }
}

static void take_accepted(struct grove_worker *worker, const struct message *message)
{
    struct accepted accepted;
    struct parcel *parcel;

    if (wire_accepted_decode(message->body, &accepted) != GROVE_OK) {
        return;
    }
    session_set_stamp(&worker->session, accepted.stamp_ms);
    parcel = parcels_take(&worker->parcels, message->correlation);
    if (parcel && parcel->joining) {
        joins_answered(worker, parcel, &accepted);
    } else if (parcel) {
        children_answered(worker, parcel, &accepted);
    }
    parcel_destroy(parcel);
}

/* Durable: a Report, a Return or a Checkpoint; or our Goodbye. */
static void take_done(struct grove_worker *worker, const struct message *message)
{
    struct parcel *parcel;

    if (worker->stage == WORKER_LEAVING && message->correlation == worker->enlist) {
        bus_stop(worker->bus);
        return;
    }
    parcel = parcels_take(&worker->parcels, message->correlation);
    if (!parcel) {
        return;
    }
    if (parcel->type == MESSAGE_REPORT || parcel->type == MESSAGE_RETURN) {
        reports_done(worker, parcel);
    } else if (parcel->call) {
        call_end(parcel->call, NULL, &worker->outcomes.finished);
    }
    parcel_destroy(parcel);
}

void worker_receive(void *context, const struct message *message)
{
    struct grove_worker *worker = context;
    struct assign assign;
    struct notify notify;
    struct wire_list resumed;

    if (message->type == MESSAGE_ASSIGN) {
        /* Until an Enlist is answered nobody here knows for which session: reported for another,
         * the attempt would not count and would be told, and run, again. All that the worker does
         * not list as held is told again behind the answer. */
        if (worker->is_enlisted && wire_assign_decode(message->body, &assign) == GROVE_OK) {
            assignments_take(worker, &assign);
        }
    } else if (message->type == MESSAGE_DONE) {
        take_done(worker, message);
    } else if (message->type == MESSAGE_ACCEPTED) {
        take_accepted(worker, message);
    } else if (message->type == MESSAGE_NOTIFY) {
        if (wire_notify_decode(message->body, &notify) == GROVE_OK) {
            outcomes_take(&worker->outcomes, &notify);
        }
    } else if (message->type == MESSAGE_RESUME) {
        if (wire_resume_decode(message->body, &resumed) == GROVE_OK) {
            children_resumed(worker, resumed);
        }
    } else if (message->type == MESSAGE_PAGED) {
        joins_paged(worker, message);
    } else if (message->type == MESSAGE_CANCELLED) {
        joins_cancelled(worker, message);
    } else if (message->type == MESSAGE_STOP) {
        take_stop(worker, message);
    } else if (message->type == MESSAGE_RECALL) {
        take_recall(worker, message);
    } else if (message->type == MESSAGE_GOODBYE) {
        atomic_store(&worker->is_stopping, true); /* an operator wants it to leave */
    } else if (message->type == MESSAGE_REFUSED) {
        take_refused(worker, message);
    }
}

/* ---- the end of a turn */

void worker_collect(struct grove_worker *worker)
{
    struct handed handed;
    struct grove_attempt *attempt;
    struct call *call;

    handlers_collect(&worker->handlers, &handed);
    while ((call = STAILQ_FIRST(&handed.calls)) != NULL) {
        STAILQ_REMOVE_HEAD(&handed.calls, queued);
        children_take_call(worker, call);
    }
    if (handed.has_dismissed) {
        children_end_dismissed(worker);
    }
    joins_collect(worker, &handed.joinings);
    while ((attempt = STAILQ_FIRST(&handed.waits)) != NULL) {
        STAILQ_REMOVE_HEAD(&handed.waits, untold);
        waits_tell_later(worker, attempt);
    }
    while ((attempt = STAILQ_FIRST(&handed.ended)) != NULL) {
        STAILQ_REMOVE_HEAD(&handed.ended, ended);
        reports_end(worker, attempt);
    }
}

/* False when it has started. */
static bool hand_back_unstarted(struct grove_worker *worker, struct grove_attempt *attempt)
{
    if (!handlers_take_back(&worker->handlers, attempt)) {
        return false;
    }
    reports_return(worker, attempt, RETURN_UNSTARTED, "");
    return true;
}

/* Hands back what has not started, and enlists for nothing first, lest it comes straight back. */
static void begin_drain(struct grove_worker *worker)
{
    struct grove_attempt *attempt;
    struct grove_attempt *next;

    worker->stage = WORKER_DRAINING;
    worker->asked_ms = clock_monotonic_ms();
    if (worker->is_enlisted && worker->held_count > 0) {
        enlist(worker);
    }
    TAILQ_FOREACH_SAFE(attempt, &worker->held, held, next) {
        (void)hand_back_unstarted(worker, attempt);
    }
}

static void say_goodbye(struct grove_worker *worker)
{
    struct buffer frame = {0};

    worker->stage = WORKER_LEAVING;
    worker->enlist = session_correlation(&worker->session);
    worker->asked_ms = clock_monotonic_ms();
    wire_empty_encode(&frame, worker->enlist, MESSAGE_GOODBYE);
    if (!worker->is_enlisted || session_send(&worker->session, buffer_bytes(&frame)) != GROVE_OK) {
        bus_stop(worker->bus);
    }
    buffer_clear(&frame);
}

void worker_end_turn(void *context)
{
    struct grove_worker *worker = context;

    if (worker->stage == WORKER_FAILED) {
        return;
    }
    if (worker->stage == WORKER_SERVING && atomic_load(&worker->is_stopping)) {
        begin_drain(worker);
    }
    worker_collect(worker);
    children_send(worker);
    children_finish(worker);
    reports_send(worker);
    if (worker->is_enlisted) {
        parcels_send(&worker->parcels, &worker->session, clock_monotonic_ms());
    }
    if (worker->stage == WORKER_DRAINING && worker->held_count == 0 && worker->parcels.count == 0) {
        say_goodbye(worker);
    }
}

/* ---- time */

static void send_heartbeat(struct grove_worker *worker)
{
    struct buffer frame = {0};
    struct wire_writer writer;

    wire_open(&writer, &frame, MESSAGE_HEARTBEAT, 0);
    held_put(worker, &writer, HEARTBEAT_HELD);
    wire_close(&writer);
    /* Lost is as good as late: the next one follows. */
    (void)!session_send(&worker->session, buffer_bytes(&frame));
    buffer_clear(&frame);
}

/* The mesh may have given them up by now; who runs them must not. */
static void stop_at_most_once(struct grove_worker *worker)
{
    struct grove_attempt *attempt;
    struct grove_attempt *next;

    TAILQ_FOREACH_SAFE(attempt, &worker->held, held, next) {
        if (!attempt->at_most_once || attempt->is_collected || atomic_load(&attempt->is_stopped)) {
            continue;
        }
        if (!hand_back_unstarted(worker, attempt)) {
            held_stop(worker, attempt);
        }
    }
}

static void watch_silence(struct grove_worker *worker, uint64_t now_ms)
{
    const struct session *session = &worker->session;
    uint32_t timeout_ms = worker->connect_timeout_ms;

    if (session->refusal != GROVE_OK) {
        fail(worker, session_complaint(session, worker->path, worker->error));
        return;
    }
    if (worker->index != 0 && now_ms - session->heard_ms > AT_MOST_ONCE_MS) {
        stop_at_most_once(worker); /* before the session is given up, at either end */
    }
    if (session->is_welcome) {
        worker->has_warned = false;
        return;
    }
    if (worker->index == 0 && timeout_ms > 0 && now_ms - worker->started_ms > timeout_ms) {
        fail(worker, session_complaint(session, worker->path, worker->error));
    } else if (!worker->has_warned && now_ms - session->lost_ms > WARN_MS) {
        worker->has_warned = true;
        (void)session_complaint(session, worker->path, worker->error);
        log_event(LOG_WARNING, "no coordinator", "why=\"%s\"", worker->error);
    }
}

static void watch_drain(struct grove_worker *worker, uint64_t now_ms)
{
    bool is_silent = !worker->is_enlisted || !worker->session.is_welcome;

    if (worker->stage == WORKER_LEAVING && now_ms - worker->asked_ms > GOODBYE_MS) {
        bus_stop(worker->bus);
    }
    if (worker->stage == WORKER_DRAINING && is_silent) {
        bool is_out = worker->index == 0 || now_ms - worker->session.heard_ms > DRAIN_SILENT_MS;

        if (is_out && now_ms - worker->asked_ms > GOODBYE_MS) {
            held_stop_all(worker);
        }
        if (is_out && handlers_are_idle(&worker->handlers)) {
            bus_stop(worker->bus);
        }
    }
}

/* Results that nobody takes are kept, up to a bound; beyond it nothing more is started. */
static void watch_unsafe(struct grove_worker *worker)
{
    if (worker->parcels.size > UNSAFE_MOST) {
        handlers_pause(&worker->handlers);
    } else {
        handlers_unpause(&worker->handlers);
    }
}

void worker_tick(void *context)
{
    struct grove_worker *worker = context;
    uint64_t now_ms = clock_monotonic_ms();

    session_tick(&worker->session, now_ms);
    if (worker->session.is_welcome && !worker->is_enlisted &&
        now_ms - worker->asked_ms >= worker->again_ms) {
        enlist_again(worker);
    }
    if (worker->is_enlisted && worker->session.is_welcome && worker->stage == WORKER_SERVING &&
        health_may_return(worker, now_ms)) {
        enlist(worker);
    }
    if (session_beat(&worker->session, now_ms)) {
        send_heartbeat(worker);
    }
    if (worker->is_enlisted && worker->session.is_welcome) {
        reports_send_progress(worker);
    }
    reports_time_out(worker);
    joins_tick(worker, now_ms);
    watch_silence(worker, now_ms);
    watch_drain(worker, now_ms);
    watch_unsafe(worker);
    worker_end_turn(worker);
}
