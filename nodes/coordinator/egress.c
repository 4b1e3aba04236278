/* SPDX-License-Identifier: MPL-2.0
 * What each effect means to the sessions here. */
#include "nodes/coordinator/egress.h"

#include <assert.h>

#include "core/message.h"

void egress_init(struct egress *egress, const uint8_t hash_key[16])
{
    *egress = (struct egress){.session_ms = LIMIT_SESSION_MS};
    TAILQ_INIT(&egress->due);
    STAILQ_INIT(&egress->answered);
    verdicts_init(&egress->verdicts, hash_key);
    verdicts_init(&egress->paged_verdicts, hash_key);
    trees_init(&egress->trees);
}

void egress_clear(struct egress *egress)
{
    verdicts_clear(&egress->verdicts);
    verdicts_clear(&egress->paged_verdicts);
    excerpts_clear(&egress->excerpts);
    trees_clear(&egress->trees);
    buffer_clear(&egress->asked);
    buffer_clear(&egress->asked_ids);
    buffer_clear(&egress->frame);
    buffer_clear(&egress->root);
    buffer_clear(&egress->assignments);
    buffer_clear(&egress->ids);
}

void egress_due(struct egress *egress, struct session *session)
{
    if (!session->is_due && session->is_open) {
        session->is_due = true;
        TAILQ_INSERT_TAIL(&egress->due, session, due);
    }
}

void egress_end(struct egress *egress, struct session *session)
{
    if (session->is_due) {
        session->is_due = false;
        TAILQ_REMOVE(&egress->due, session, due);
    }
    waiters_drop(egress->waiters, session);
    watchers_drop(egress->watchers, session);
    seat_unbind(session);
    sessions_close(egress->sessions, session, egress->now_ms);
}

/* ---- answers to jobs */

/* Makes room for the answers of a batch: a job has them at all positions, or none. */
static void begin_answers(struct job *job)
{
    if (job->ids.size == 0) {
        memset(buffer_extend(&job->ids, job->item_count * sizeof(struct id)), 0,
               job->item_count * sizeof(struct id));
        memset(buffer_extend(&job->settled, job->item_count), 0, job->item_count);
    }
}

/* The waiter is there before the effects that follow: none that settles this task is missed. */
static void on_answer(struct egress *egress, const struct effect *effect)
{
    struct job *job = jobs_find(egress->jobs, effect->token);

    if (job == NULL || effect->position >= job->item_count) {
        return;
    }
    begin_answers(job);
    if (effect->refusal != REFUSED_NOT) {
        const struct job_refused refused = {
            .position = effect->position, .refusal = effect->refusal, .conflict = effect->digest};

        buffer_append(&job->refused, &refused, sizeof(refused));
        return;
    }
    memcpy(job->ids.data + effect->position * sizeof(struct id), &effect->task, sizeof(struct id));
    job->settled.data[effect->position] = effect->settled;
    if (!job->wait || !job->session->is_open) {
        return;
    }
    if (effect->settled) {
        egress_notify_later(egress, job->session, &effect->task);
    } else {
        waiters_add(egress->waiters, job->session, &effect->task);
    }
}

static void on_appended(struct egress *egress, const struct effect *effect)
{
    struct job *job = jobs_find(egress->jobs, effect->token);

    if (job == NULL || effect->position >= job->append_count) {
        return;
    }
    if (job->appends.size == 0) {
        memset(buffer_extend(&job->appends, job->append_count), 0, job->append_count);
    }
    job->appends.data[effect->position] = (uint8_t)effect->refusal;
}

/* A message that held a batch is accepted item by item; any other is done. */
static void answer_job(struct egress *egress, struct job *job)
{
    if (job->outcome != REFUSED_NOT) {
        egress_tell_refused(egress, job, job->outcome);
        return;
    }
    switch ((unsigned)job->type) {
    case MESSAGE_EXPAND:
        egress_await_children(egress, job);
        job->answer = ANSWER_ACCEPTED;
        break;
    case MESSAGE_SUBMIT:
        job->answer = ANSWER_ACCEPTED;
        break;
    case MESSAGE_ENLIST: /* by a Welcome */
        break;
    case MESSAGE_CANCEL:
        egress_await_counts(egress, job);
        break;
    case MESSAGE_GOODBYE:
        egress_done(egress, job->session, &job->envelope, job->correlation);
        if (job->session->is_open) {
            egress_end(egress, job->session);
        }
        break;
    default:
        job->answer = ANSWER_DONE;
        break;
    }
}

static void on_done(struct egress *egress, const struct effect *effect)
{
    struct job *job = jobs_find(egress->jobs, effect->token);

    if (job == NULL) {
        return;
    }
    job->done_count++;
    if (job->outcome == REFUSED_NOT) {
        job->outcome = effect->refusal;
    }
    if (job->done_count == job->command_count) {
        answer_job(egress, job);
    }
}

/* ---- workers */

/* Told of all limits that concern it: which one was narrowed, or what it has heard of, does not
 * matter, for nothing of a limited function is assigned ahead. */
static void recall(struct egress *egress, struct session *session)
{
    session->is_recalled = true;
    egress_due(egress, session);
}

static void on_recall(struct egress *egress)
{
    const struct seat *seat;

    TAILQ_FOREACH(seat, &egress->seats->oldest_first, order) {
        if (seat->session != NULL) {
            recall(egress, seat->session);
        }
    }
}

/* A session that comes back may have missed a Recall. Whatever was assigned to one that still asked
 * was not taken, nor what came along. */
static void on_enlisted(struct egress *egress, const struct effect *effect)
{
    const bool is_back = seats_find(egress->seats, effect->session) != NULL;
    struct seat *seat = seats_take(egress->seats, effect->session, egress->now_ms);
    struct job *job = jobs_find(egress->jobs, effect->token);

    seat->is_retiring = false;
    if (job != NULL && job->session->is_open) {
        seat_bind(seat, job->session);
        shown_forget(&job->session->shown);
        egress_welcome(egress, job->session, &job->envelope, job->correlation);
        if (is_back) {
            recall(egress, job->session);
        }
    }
}

/* Whoever spoke for the seat learns that it must enlist anew, unless it has just said goodbye. */
static void on_retired(struct egress *egress, const struct effect *effect)
{
    const struct job *job = jobs_find(egress->jobs, effect->token);
    struct seat *seat = seats_find(egress->seats, effect->session);
    struct session *session;

    if (seat == NULL) {
        return;
    }
    session = seat->session;
    seats_remove(egress->seats, seat);
    if (session != NULL && (job == NULL || job->type != MESSAGE_GOODBYE)) {
        const struct bus_message unasked = {.envelope = session->envelope};

        buffer_reset(&session->assigns);
        buffer_reset(&session->resumes);
        buffer_reset(&session->stops);
        egress_refuse(egress, session, &unasked, 0, REFUSED_NO_WORKER_SESSION, 0);
    }
}

static struct buffer *errands_of(struct session *session, enum effect_kind kind)
{
    if (kind == EFFECT_ASSIGN) {
        return &session->assigns;
    }
    return kind == EFFECT_RESUME ? &session->resumes : &session->stops;
}

/* An errand for the session that speaks for a worker now. Without one it is owed: the worker's next
 * heartbeats show that it has not come. */
static void owe(struct egress *egress, const struct effect *effect)
{
    struct seat *seat = seats_find(egress->seats, effect->session);
    struct session *session = seat != NULL ? seat->session : NULL;

    if (session == NULL) {
        return;
    }
    session_owe(errands_of(session, effect->kind), &effect->task, effect->attempt, effect->refusal);
    egress_due(egress, session);
}

static void on_settled(struct egress *egress, const struct effect *effect)
{
    struct waiter *waiter = waiters_take(egress->waiters, &effect->task);

    while (waiter != NULL) {
        egress_notify_later(egress, waiter->session, &effect->task);
        waiter = waiters_release(egress->waiters, waiter);
    }
    progress_forget(egress->progress, &effect->task);
}

static void perform(struct egress *egress, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_ANSWER:
        on_answer(egress, effect);
        break;
    case EFFECT_DONE:
        on_done(egress, effect);
        break;
    case EFFECT_ENLISTED:
        on_enlisted(egress, effect);
        break;
    case EFFECT_RETIRED:
        on_retired(egress, effect);
        break;
    case EFFECT_ASSIGN:
    case EFFECT_RESUME:
    case EFFECT_STOP:
    case EFFECT_REFUSE:
        owe(egress, effect);
        break;
    case EFFECT_SETTLED:
        on_settled(egress, effect);
        break;
    case EFFECT_TRUSTED:
        egress->trust_changed = true;
        break;
    case EFFECT_APPENDED:
        on_appended(egress, effect);
        break;
    case EFFECT_JOIN:
    case EFFECT_SWEPT:
        watchers_tell(egress->watchers, &effect->task);
        break;
    case EFFECT_RECALL:
        on_recall(egress);
        break;
    }
}

void egress_apply(struct egress *egress, const struct effects *effects, uint64_t index)
{
    egress->index = index;
    for (size_t i = 0; i < effects->count; i++) {
        perform(egress, &effects->list[i]);
    }
}

/* ---- the end of a turn
 *
 * Each frame that goes out wakes a chain of threads, here and at its peer, which on few cores run
 * before the next one goes. So what somebody waits for in order to work goes first, and what only
 * lets somebody forget goes last; an Accepted, whose ids are authoritative, before their outcomes.
 */

void egress_take(struct egress *egress, struct job *job)
{
    STAILQ_INSERT_TAIL(&egress->answered, job, link);
}

/* Stops first, for they make room. New work not before a Resume, or the worker would start it in
 * the slot of the attempt that goes on. */
static void send_work(struct egress *egress, struct session *session)
{
    egress_drain(egress, session);
    if (session_has_room(session)) {
        egress_stop(egress, session);
        egress_recall(egress, session);
        if (session->seat != NULL && session->resumes.size == 0) {
            egress_assign(egress, session);
        }
    }
    buffer_reset(&session->stops);
}

static void answer_accepted(struct egress *egress)
{
    const struct job *job;

    STAILQ_FOREACH(job, &egress->answered, link) {
        if (job->answer == ANSWER_ACCEPTED) {
            egress_accept(egress, job);
        }
    }
}

/* An outcome before the Resume that it causes. */
static void send_outcomes(struct egress *egress, struct session *session)
{
    if (session_has_room(session)) {
        egress_notify(egress, session);
        egress_answer_ready(egress, session);
        egress_resume(egress, session);
        if (session->seat != NULL) {
            egress_assign(egress, session);
        }
    }
    buffer_reset(&session->resumes);
    buffer_reset(&session->assigns);
}

static void answer_done(struct egress *egress)
{
    struct job *job;

    while ((job = STAILQ_FIRST(&egress->answered)) != NULL) {
        STAILQ_REMOVE_HEAD(&egress->answered, link);
        if (job->answer == ANSWER_DONE) {
            egress_done(egress, job->session, &job->envelope, job->correlation);
        }
        jobs_give_back(egress->jobs, job);
    }
}

void egress_answer(struct egress *egress)
{
    answer_accepted(egress);
    answer_done(egress);
}

/* Who asked for it hears that it is done, even if that ends its session. */
void egress_judge_sessions(struct egress *egress)
{
    struct session *session;
    struct session *next;

    egress_answer(egress);
    TAILQ_FOREACH_SAFE(session, &egress->sessions->oldest_first, order, next) {
        const struct bus_message unasked = {.envelope = session->envelope};

        shown_forget_signers(&session->shown);
        if (!forest_trusts(egress->forest, &session->identity)) {
            egress_refuse(egress, session, &unasked, 0, REFUSED_REVOKED, 0);
            egress_end(egress, session);
        }
    }
}

static bool is_served(const struct session *session)
{
    return session->backlog.size == 0 && session->settled.size == 0 && TAILQ_EMPTY(&session->ready);
}

static void leave_served(struct egress *egress)
{
    struct session *session, *next;

    TAILQ_FOREACH_SAFE(session, &egress->due, due, next) {
        if (session->is_choked) {
            egress_end(egress, session);
        } else if (is_served(session)) {
            session->is_due = false;
            TAILQ_REMOVE(&egress->due, session, due);
        }
    }
}

void egress_flush(struct egress *egress)
{
    struct session *session;

    egress_look(egress);
    if (TAILQ_EMPTY(&egress->due) && egress->asked.size == 0 && STAILQ_EMPTY(&egress->answered)) {
        return;
    }
    TAILQ_FOREACH(session, &egress->due, due) {
        send_work(egress, session);
    }
    answer_accepted(egress);
    egress_answer_asked(egress);
    TAILQ_FOREACH(session, &egress->due, due) {
        send_outcomes(egress, session);
    }
    answer_done(egress);
    leave_served(egress);
    verdicts_reset(&egress->verdicts);
}

bool egress_keeps_another(const struct egress *egress, const struct id *ledger)
{
    const struct id none = {{0}};

    return !id_equal(&egress->ledger, &none) && !id_equal(&egress->ledger, ledger);
}
