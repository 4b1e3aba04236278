/* SPDX-License-Identifier: MPL-2.0
 * What goes back: results, kept until they are safe; attempts handed back; progress. */
#include <stdio.h>

#include "core/text.h"
#include "nodes/host/clock.h"
#include "nodes/worker/health.h"

#define RETURN_TEXT_SIZE 128

struct handed_back {
    struct id task;
    uint32_t attempt;
    enum return_reason reason;
    char text[RETURN_TEXT_SIZE];
};

void reports_hand_back(struct grove_worker *worker, const struct id *task, uint32_t attempt,
                       enum return_reason reason, const char *text)
{
    struct handed_back back = {.task = *task, .attempt = attempt, .reason = reason};

    snprintf(back.text, sizeof(back.text), "%s", text);
    /* What is too long may have been cut within a character. */
    while (!text_is_valid(bytes_of_text(back.text))) {
        back.text[strlen(back.text) - 1] = '\0';
    }
    buffer_append(&worker->returned, &back, sizeof(back));
}

void reports_return(struct grove_worker *worker, struct grove_attempt *attempt,
                    enum return_reason reason, const char *text)
{
    attempt->is_collected = true;
    reports_hand_back(worker, &attempt->key.task, attempt->key.attempt, reason, text);
}

static void queue_report(struct grove_worker *worker, struct grove_attempt *attempt)
{
    attempt->is_reporting = true;
    STAILQ_INSERT_TAIL(&worker->ended, attempt, reporting);
}

void reports_end(struct grove_worker *worker, struct grove_attempt *attempt)
{
    attempt->is_collected = true;
    if (attempt->is_released) {
        attempt_destroy(attempt);
    } else if (attempt->is_forgotten) {
        held_release(worker, attempt);
    } else if (attempt->is_reporting) {
        return; /* it was over its time; freed when that is safe */
    } else if (atomic_load(&attempt->is_stopped)) {
        reports_return(worker, attempt, RETURN_STOPPED, "");
    } else if (attempt->said.cannot_run) {
        health_fell_ill(worker, attempt);
    } else {
        health_is_well(worker, attempt);
        queue_report(worker, attempt);
    }
}

/* ---- progress */

/* The lock is held. */
static void locked_put(struct wire_writer *writer, uint32_t field,
                       const struct grove_attempt *attempt)
{
    const struct progress_item item = {
        .task = attempt->key.task,
        .attempt = attempt->key.attempt,
        .percent = attempt->percent,
        .text = bytes_of_text(attempt->progress),
    };

    wire_put_progress(writer, field, &item);
}

void reports_put_progress(struct wire_writer *writer, uint32_t field, struct grove_attempt *attempt)
{
    struct handlers *handlers = &attempt->worker->handlers;

    pthread_mutex_lock(&handlers->lock);
    if (attempt->has_unkept_progress) {
        attempt->has_unkept_progress = false;
        attempt->has_progress = false;
        locked_put(writer, field, attempt);
    }
    pthread_mutex_unlock(&handlers->lock);
}

/* What is streamed is not kept by anybody. */
static void stream_progress(struct wire_writer *writer, struct grove_attempt *attempt)
{
    struct handlers *handlers = &attempt->worker->handlers;

    pthread_mutex_lock(&handlers->lock);
    if (attempt->has_progress) {
        attempt->has_progress = false;
        locked_put(writer, PROGRESS_PROGRESS, attempt);
    }
    pthread_mutex_unlock(&handlers->lock);
}

void reports_send_progress(struct grove_worker *worker)
{
    struct buffer frame = {0};
    struct wire_writer writer;
    struct grove_attempt *attempt;
    size_t empty;

    wire_open(&writer, &frame, MESSAGE_PROGRESS, 0);
    empty = frame.size;
    TAILQ_FOREACH(attempt, &worker->held, held) {
        stream_progress(&writer, attempt);
    }
    if (frame.size > empty) {
        wire_close(&writer);
        /* Lost is as good as late: more follows, and the last goes with the Report. */
        (void)!session_send(&worker->session, buffer_bytes(&frame));
    }
    buffer_clear(&frame);
}

/* ---- results */

/* How many of the ended attempts one batch holds. */
static unsigned batch_count(const struct grove_worker *worker)
{
    const struct grove_attempt *attempt;
    unsigned count = 0;
    size_t size = 0;

    STAILQ_FOREACH(attempt, &worker->ended, reporting) {
        size += attempt->item.size;
        if (count == LIMIT_BATCH_ITEMS || (count > 0 && size > LIMIT_BATCH_SIZE)) {
            break;
        }
        count++;
    }
    return count;
}

/* Parents on this worker await most of what it runs: their results come back to it. */
static void send_results(struct grove_worker *worker)
{
    const struct sealing sealing = {&worker->credential, SEAL_RESULT, worker->outcomes.seals};
    unsigned count = batch_count(worker);
    struct parcel *parcel = parcel_create(&worker->session, MESSAGE_REPORT, count);
    struct bytes items[LIMIT_BATCH_ITEMS];
    struct wire_writer writer;

    wire_open(&writer, &parcel->frame, MESSAGE_REPORT, parcel->correlation);
    for (unsigned i = 0; i < count; i++) {
        struct grove_attempt *attempt = STAILQ_FIRST(&worker->ended);

        STAILQ_REMOVE_HEAD(&worker->ended, reporting);
        parcel->entry[i].attempt = attempt;
        items[i] = buffer_bytes(&attempt->item);
        reports_put_progress(&writer, REPORT_PROGRESS, attempt);
        pthread_mutex_lock(&worker->handlers.lock);
        attempt->state = ATTEMPT_REPORTED;
        pthread_mutex_unlock(&worker->handlers.lock);
    }
    batch_seal(&writer, REPORT_BATCH, &sealing, items, count);
    wire_close(&writer);
    for (unsigned i = 0; i < count; i++) {
        buffer_clear(&parcel->entry[i].attempt->item);
    }
    parcels_add(&worker->parcels, parcel);
}

static void send_returns(struct grove_worker *worker)
{
    const struct handed_back *list = (const struct handed_back *)(void *)worker->returned.data;
    size_t count = worker->returned.size / sizeof(*list);
    struct parcel *parcel = parcel_create(&worker->session, MESSAGE_RETURN, (unsigned)count);
    struct wire_writer writer;

    wire_open(&writer, &parcel->frame, MESSAGE_RETURN, parcel->correlation);
    for (size_t i = 0; i < count; i++) {
        struct returned returned = {
            .task = list[i].task,
            .attempt = list[i].attempt,
            .reason = list[i].reason,
            .text = bytes_of_text(list[i].text),
        };

        wire_put_returned(&writer, RETURN_RETURNED, &returned);
        parcel->entry[i].attempt = held_find(worker, &list[i].task, list[i].attempt);
    }
    wire_close(&writer);
    parcels_add(&worker->parcels, parcel);
    buffer_reset(&worker->returned);
}

void reports_send(struct grove_worker *worker)
{
    while (!STAILQ_EMPTY(&worker->ended)) {
        send_results(worker);
    }
    if (worker->returned.size > 0) {
        send_returns(worker);
    }
}

void reports_done(struct grove_worker *worker, struct parcel *parcel)
{
    for (unsigned i = 0; i < parcel->count; i++) {
        if (parcel->entry[i].attempt) {
            held_release(worker, parcel->entry[i].attempt);
        }
    }
}

void reports_forget(struct grove_worker *worker, struct grove_attempt *attempt)
{
    struct parcel *parcel;

    TAILQ_FOREACH(parcel, &worker->parcels.list, link) {
        if (parcel->type != MESSAGE_REPORT && parcel->type != MESSAGE_RETURN) {
            continue;
        }
        for (unsigned i = 0; i < parcel->count; i++) {
            if (parcel->entry[i].attempt == attempt) {
                parcel->entry[i].attempt = NULL;
            }
        }
    }
}

/* ---- time */

/* Takes a RUNNING attempt that is over its time away from its handler; lock held. */
static bool take_late(struct grove_attempt *attempt, uint64_t now_ns, uint64_t *run_ms)
{
    if (attempt->timeout_ms == 0 || attempt->state != ATTEMPT_RUNNING ||
        atomic_load(&attempt->is_stopped)) {
        return false;
    }
    *run_ms = (attempt->ran_ns + now_ns - attempt->started_ns) / 1000000;
    if (*run_ms < attempt->timeout_ms) {
        return false;
    }
    attempt->state = ATTEMPT_ENDED;
    return true;
}

static void report_late(struct grove_worker *worker, struct grove_attempt *attempt, uint64_t run_ms)
{
    char text[64];
    struct said said = {.code = CODE_TIMEOUT};

    snprintf(text, sizeof(text), "ran over its timeout of %llu ms",
             (unsigned long long)attempt->timeout_ms);
    buffer_append(&said.text, text, strlen(text));
    attempt_encode(attempt, &said, run_ms, &attempt->item);
    buffer_clear(&said.text);
    queue_report(worker, attempt);
    held_stop(worker, attempt);
}

void reports_time_out(struct grove_worker *worker)
{
    uint64_t now_ns = clock_monotonic_ns();
    struct grove_attempt *attempt;
    uint64_t run_ms = 0;

    TAILQ_FOREACH(attempt, &worker->held, held) {
        bool is_late;

        pthread_mutex_lock(&worker->handlers.lock);
        is_late = take_late(attempt, now_ns, &run_ms);
        pthread_mutex_unlock(&worker->handlers.lock);
        if (is_late) {
            report_late(worker, attempt, run_ms);
        }
    }
}
