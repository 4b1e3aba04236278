/* SPDX-License-Identifier: MPL-2.0
 * Reports, returns, losses. */
#include "core/attempt.h"

#include <stdio.h>

#include "core/emit.h"
#include "core/join.h"
#include "core/kept.h"
#include "core/ready.h"
#include "core/roster.h"
#include "core/sweep.h"
#include "core/text.h"
#include "core/tree.h"

struct work *attempt_held(struct forest *forest, const struct session *session, const struct id *id,
                          uint32_t attempt)
{
    struct task *task = tree_find(forest, id);

    if (!task || !task->work || task->work->session != session || task->attempts != attempt) {
        return NULL;
    }
    (void)sweep_heed(forest, task);
    return task->work;
}

struct work *attempt_in_force(struct forest *forest, const struct session *session,
                              const struct id *id, uint32_t attempt)
{
    struct work *work = attempt_held(forest, session, id, attempt);

    return work && !work->stopping ? work : NULL;
}

/* ---- reports */

/* Doubles with each own failure, up to a bound; up to a quarter more, by the task's id, so that
 * what failed together does not come back together. */
static uint64_t backoff_ms(const struct task *task)
{
    uint64_t wait_ms = LIMIT_BACKOFF_FIRST_MS;

    for (uint32_t i = 1; i < task->generation && wait_ms < LIMIT_BACKOFF_LAST_MS; i++) {
        wait_ms *= 2;
    }
    if (wait_ms > LIMIT_BACKOFF_LAST_MS) {
        wait_ms = LIMIT_BACKOFF_LAST_MS;
    }
    return wait_ms + wait_ms * task->id.byte[task->generation % sizeof(task->id.byte)] / 1024;
}

static bool may_retry(const struct task *task, enum outcome_code code)
{
    return (code == CODE_FAILED || code == CODE_TIMEOUT) && !(task->flags & TASK_AT_MOST_ONCE) &&
           task->generation + 1 < task->max_attempts;
}

static void retry(struct forest *forest, struct task *task)
{
    task->generation++;
    task->due_ms = forest->now_ms + backoff_ms(task);
    forest->counters.retries++;
    join_abandon(forest, task);
    tree_move(forest, task, TASK_DELAYED);
    emit_note(forest, NOTICE_RETRIED, task, 0);
}

/* Whether a result is of this very task, word for word. */
static bool is_about(const struct result_item *result, const struct task *task)
{
    const struct task *parent = task->request.parent;

    return id_equal(&result->task, &task->id) && id_equal(&result->root, &task->tree->root->id) &&
           result->has_parent == (parent != NULL) &&
           (!parent || id_equal(&result->parent, &parent->id)) &&
           bytes_equal(result->function, function_name(task->request.function)) &&
           digest_equal(&result->payload_digest, &task->request.payload);
}

/* `work` is that of the attempt the result names, if this session holds it. */
static enum refusal judge_result(const struct session *session, const struct batch *batch,
                                 const struct result_item *result, const struct work *work)
{
    if (!key_equal(&batch->sealed.seal.signer, &session->identity)) {
        return REFUSED_WRONG_SIGNER;
    }
    if (!work || result->session != session->index || work->stopping) {
        return REFUSED_STALE;
    }
    return is_about(result, work->task) ? REFUSED_NOT : REFUSED_MISMATCH;
}

static void report_item(struct forest *forest, struct session *session, const struct batch *batch,
                        uint16_t position, struct record **record)
{
    const struct bytes bytes = batch->sealed.item[position];
    struct result_item result = {0};

    if (wire_result_decode(bytes, &result) != GROVE_OK) {
        emit_stale(forest, EFFECT_REFUSE, session->index, &batch->ids[position], 0,
                   REFUSED_MALFORMED);
        return;
    }
    struct work *work = attempt_held(forest, session, &result.task, result.attempt);
    const enum refusal refusal = judge_result(session, batch, &result, work);
    if (refusal != REFUSED_NOT) {
        emit_stale(forest, EFFECT_REFUSE, session->index, &result.task, result.attempt, refusal);
        if (refusal == REFUSED_STALE && work && work->stopping) {
            roster_release(forest, work); /* it had been told to stop, and is done now */
        }
        return;
    }
    struct task *task = work->task;
    roster_begin(forest, work);
    roster_release(forest, work);
    if (result.code != CODE_SUCCEEDED) {
        blob_set(&work->failure, result.text);
    }
    if (may_retry(task, result.code)) {
        retry(forest, task);
    } else {
        tree_settle_result(forest, task, &result, blob_make(bytes),
                           record_use(forest, record, batch, position),
                           batch->sealed.index[position]);
    }
}

void attempt_report(struct forest *forest, struct session *session, const struct batch *batch)
{
    struct record *record = NULL;

    table_expect(&forest->by_id, batch->ids, batch->sealed.item_count);
    for (uint16_t i = 0; i < batch->sealed.item_count; i++) {
        report_item(forest, session, batch, i, &record);
    }
    record_close(forest, record);
}

/* ---- returns */

static void note_refusal(struct work *work, uint64_t session, struct bytes text)
{
    char reasons[LIMIT_TEXT_LENGTH + 1];
    const struct bytes before = work->refusals > 0 ? blob_bytes(work->failure) : bytes_of(NULL, 0);

    (void)snprintf(reasons, sizeof(reasons), "%.*s%s%.*s", (int)before.size,
                   (const char *)before.data, before.size > 0 ? "; " : "", (int)text.size,
                   (const char *)text.data);
    while (!text_is_valid(bytes_of_text(reasons))) {
        reasons[strlen(reasons) - 1] = '\0'; /* a character that was cut in two */
    }
    blob_set(&work->failure, bytes_of_text(reasons));
    work->refusals++;
    for (size_t i = 0; i < LIMIT_REFUSALS - 1; i++) {
        const uint64_t other = work->refused_by[i];
        if (other == 0 || session < other) {
            work->refused_by[i] = session;
            session = other;
        }
        if (session == 0) {
            break;
        }
    }
}

/* Whether any live session that offers the task's function has not refused it. */
static bool has_takers(const struct forest *forest, const struct task *task)
{
    uint64_t takers = task->request.function->sessions;

    for (size_t i = 0; i < LIMIT_REFUSALS - 1; i++) {
        const uint64_t index = task->work->refused_by[i];
        const struct session *session = index ? roster_session(forest, index) : NULL;
        takers -= session && roster_offers(session, task->request.function);
    }
    return takers > 0;
}

/* Refused by as many sessions as count, or by all there are: nobody will run it. */
static void return_refused(struct forest *forest, struct task *task, uint64_t session,
                           struct bytes text)
{
    struct work *work = task->work;

    note_refusal(work, session, text);
    if (work->refusals >= LIMIT_REFUSALS || !has_takers(forest, task)) {
        tree_settle_verdict(forest, task, CODE_REFUSED, blob_bytes(work->failure));
    } else {
        tree_move(forest, task, TASK_READY);
    }
}

void attempt_return(struct forest *forest, struct session *session, const struct returned *returned)
{
    struct work *work = attempt_held(forest, session, &returned->task, returned->attempt);

    if (!work) {
        emit_stale(forest, EFFECT_REFUSE, session->index, &returned->task, returned->attempt,
                   REFUSED_STALE);
        return;
    }
    struct task *task = work->task;
    if (returned->reason == RETURN_STOPPED) {
        roster_begin(forest, work);
    }
    roster_release(forest, work);
    if (returned->reason == RETURN_CANNOT_RUN) {
        roster_withdraw(forest, session, task->request.function);
    }
    if (!task_state_is_open(task->state)) {
        return;
    }
    emit_note(forest, NOTICE_RETURNED, task, session->index);
    if (returned->reason == RETURN_REFUSED) {
        return_refused(forest, task, session->index, returned->text);
    } else if (returned->reason == RETURN_STOPPED && (task->flags & TASK_AT_MOST_ONCE)) {
        tree_settle_verdict(forest, task, CODE_LOST,
                            bytes_of_text("stopped by its worker; it may run at most once"));
    } else {
        tree_move(forest, task, TASK_READY);
    }
}

/* ---- losses */

static void charge_loss(struct forest *forest, struct work *work, const struct id *boot)
{
    if (work->losses < LIMIT_LOSSES - 1) {
        work->loss[work->losses] = (struct loss){.boot = *boot, .attempt = work->task->attempts};
    }
    work->losses++;
    forest->counters.losses++;
}

void attempt_lose(struct forest *forest, struct work *work, enum charge charge)
{
    struct task *task = work->task;
    const bool is_cancelled = sweep_heed(forest, task);
    const struct id boot = work->session->boot;
    const bool has_started = !roster_is_ahead(work);
    const uint64_t session = work->session->index;
    char text[80];

    roster_release(forest, work);
    if (is_cancelled || !task_state_is_open(task->state)) {
        return;
    }
    if (has_started && charge == CHARGE_LOSS) {
        charge_loss(forest, work, &boot);
    }
    emit_note(forest, has_started ? NOTICE_LOST : NOTICE_RETURNED, task, session);
    if (task->flags & TASK_AT_MOST_ONCE) {
        tree_settle_verdict(forest, task, CODE_LOST,
                            bytes_of_text("its worker is gone; it may run at most once"));
    } else if (work->losses >= LIMIT_LOSSES) {
        (void)snprintf(text, sizeof(text), "lost %u workers, the limit for a task is %u",
                       (unsigned)work->losses, LIMIT_LOSSES);
        tree_settle_verdict(forest, task, CODE_POISON, bytes_of_text(text));
    } else {
        tree_move(forest, task, TASK_READY);
    }
}

/* Takes out one charge; those of a task stand in order. */
static void forgive(struct forest *forest, struct work *work, uint32_t which)
{
    struct task *task = work->task;
    const bool is_ready = task->lane != NULL;

    if (is_ready) {
        ready_remove(forest, task); /* it may go where it could not before */
    }
    for (uint32_t i = which; i + 1 < LIMIT_LOSSES - 1; i++) {
        work->loss[i] = work->loss[i + 1];
    }
    work->loss[LIMIT_LOSSES - 2] = (struct loss){0};
    roster_forgive(forest, work);
    if (is_ready) {
        ready_add(forest, task);
    }
}

void attempt_forgive(struct forest *forest, const struct id *boot, const struct id *id,
                     uint32_t attempt)
{
    struct task *task = tree_find(forest, id);

    if (!task || !task->work || !task_state_is_open(task->state)) {
        return;
    }
    for (uint32_t i = 0; i < task->work->losses; i++) {
        if (task->work->loss[i].attempt == attempt && id_equal(&task->work->loss[i].boot, boot)) {
            forgive(forest, task->work, i);
            return;
        }
    }
}

/* ---- progress */

void attempt_progress(struct forest *forest, const struct session *session,
                      struct wire_list progress)
{
    struct bytes element;
    struct progress_item item = {0};

    while (wire_next(&progress, &element)) {
        if (wire_progress_item_decode(element, &item) != GROVE_OK) {
            continue;
        }
        struct work *work = attempt_in_force(forest, session, &item.task, item.attempt);
        if (work) {
            work->percent = item.percent;
            blob_set(&work->progress, item.text);
        }
    }
}
