/* SPDX-License-Identifier: MPL-2.0
 * The second model's workers: who comes and goes, what they are given and what they say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/state.h"

enum { LOSSES_MOST = 3, FIRST_BACKOFF_MS = 1000 };

static const char pass[] = "model";

static void release(const struct history *history, struct task *task)
{
    task->released = history->commands;
    LIST_REMOVE(task, held);
    task->session = NULL;
    task->waited = false;
    joins_hold(NULL, task, -1);
}

/* It is not known whether the attempt still runs. */
static void lose(struct history *history, struct task *task, bool has_started)
{
    char number[24];
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)task->attempts);
    struct attempt *attempt = model_attempt(history, task->id, number);
    const bool is_charged = strcmp(model_word(history, "reason"), "goodbye") != 0 &&
                            !model_is(history, "trust") && task->is_open;

    attempt->is_lost = true;
    task->losses += is_charged;
    task->sure_losses += is_charged && has_started;
    task->is_spent |= task->is_once;
    release(history, task);
}

void workers_retire(struct history *history, struct session *session)
{
    size_t count = 0;
    struct task *task = NULL;

    LIST_FOREACH(task, &session->held, held) {
        count++;
    }
    const bool has_slots = count <= session->slots;
    while ((task = LIST_FIRST(&session->held))) {
        lose(history, task, has_slots || task->waited);
    }
    session->is_live = false;
}

/* ---- what workers say */

static char *offered(const struct session *session, const char *function)
{
    char *at = session->offers;
    const size_t size = strlen(function);

    while ((at = strstr(at, function)) && (at[-1] != ',' || at[size] != ',')) {
        at++;
    }
    return at;
}

static void withdraw(const struct session *session, const char *function)
{
    char *at = offered(session, function);

    if (at) {
        memset(at, '!', strlen(function));
    }
}

void workers_report(struct history *history, const struct line *result)
{
    const struct session *session = history->command.session;
    struct task *task = model_held(history, result, session);
    const char *code = line_get(result, "code");
    const bool is_signed = session && strcmp(session->by, line_get(result, "by")) == 0;
    const bool is_over = task && (!task->is_open || model_doomed(task));

    if (is_over || !is_signed || !task || line_number(result, "session") != session->index ||
        strcmp(task->root->id, line_get(result, "root")) != 0 ||
        strcmp(task->parent ? task->parent->id : "", line_get(result, "parent")) != 0 ||
        strcmp(task->function, line_get(result, "function")) != 0 ||
        strcmp(task->digest, line_get(result, "payload")) != 0) {
        history->command.refuses++;
        if (is_over && is_signed) {
            release(history, task);
        }
        return;
    }
    release(history, task);
    if ((strcmp(code, "failed") == 0 || strcmp(code, "timeout") == 0) && !task->is_once &&
        task->generation + 1 < task->most) {
        task->generation++;
        task->not_before_ms = history->now_ms + FIRST_BACKOFF_MS;
        joins_end(task);
        return;
    }
    history->command.predicted++;
    tasks_settle(history, task, code, line_get(result, "digest"));
}

void workers_return(struct history *history, const struct line *returned)
{
    struct session *session = history->command.session;
    struct task *task = model_held(history, returned, session);
    const char *reason = line_get(returned, "reason");

    if (!task) {
        history->command.refuses++;
        return;
    }
    release(history, task);
    task->refusals += strcmp(reason, "refused") == 0;
    task->is_spent |= task->is_once && strcmp(reason, "stopped") == 0;
    if (strcmp(reason, "cannot-run") == 0) {
        withdraw(session, task->function);
    }
}

static void set_offers(struct history *history, struct session *session)
{
    const char *offers = model_word(history, "offers");
    const size_t size = strlen(offers) + 3;

    session->offers = pile_take(&history->kept, size);
    (void)snprintf(session->offers, size, ",%s,", offers);
}

/* It may list a former attempt, too, that it has not stopped yet. */
static bool lists(const struct command *command, const struct task *task)
{
    for (size_t i = 0; i < command->count; i++) {
        const struct line *line = command->lines[i];
        if (line_is(line, 0, "held") && strcmp(line_get(line, "task"), task->id) == 0 &&
            line_number(line, "attempt") == task->attempts) {
            return true;
        }
    }
    return false;
}

/* The worker of a session shows up again: what it had begun and does not list is lost. */
static void resume_session(struct history *history, struct session *session)
{
    struct task *next = NULL;

    for (struct task *task = LIST_FIRST(&session->held); task; task = next) {
        next = LIST_NEXT(task, held);
        const bool is_gone = task->waited && !lists(&history->command, task);
        if (is_gone && task->is_instant) {
            task->doubted = history->commands;
        } else if (is_gone) {
            lose(history, task, true);
        }
    }
}

void workers_doubt(struct history *history, struct task *task)
{
    if (task->session && task->doubted == history->commands) {
        task->doubted = 0; /* its next attempt may be the same session's, in this command */
        lose(history, task, true);
    }
}

void workers_finish(struct history *history)
{
    struct task *next = NULL;

    if (!history->command.resumed) {
        return;
    }
    for (struct task *task = LIST_FIRST(&history->command.resumed->held); task; task = next) {
        next = LIST_NEXT(task, held);
        workers_doubt(history, task);
    }
}

void workers_enlisted(struct history *history, const struct line *effect)
{
    const uint64_t index = line_number(effect, "session");
    struct session *session = model_session(history, index);
    const char *by = model_word(history, "by");

    if (!rights_allow(history, by, RIGHTS_WORKER, NULL)) {
        history_fault(history, "rights", "%s may not work", by);
    }
    if (session && session->is_live && strcmp(session->by, by) == 0 &&
        strcmp(session->boot, model_word(history, "boot")) == 0) {
        history->command.resumed = session;
        resume_session(history, session);
    } else if (session) {
        history_fault(history, pass, "session %s is given twice", line_get(effect, "session"));
    } else {
        session = pile_take(&history->kept, sizeof(*session));
        session->index = index;
        session->by = pile_text(&history->kept, by);
        session->boot = pile_text(&history->kept, model_word(history, "boot"));
        session->slots = strtoull(model_word(history, "slots"), NULL, 10);
        session->window = strtoull(model_word(history, "window"), NULL, 10);
        session->is_live = true;
        HASH_ADD(hh, history->sessions, index, sizeof(index), session);
    }
    set_offers(history, session);
}

/* ---- what they are told */

static const char *why_not_assigned(const struct history *history, const struct line *effect,
                                    const struct task *task, const struct session *session)
{
    uint64_t count = 1;
    const struct task *other = NULL;

    LIST_FOREACH(other, &session->held, held) {
        count += !other->waited;
    }
    return !session->is_live                                      ? "its session is no more"
           : !task->is_open                                       ? "it has ended"
           : model_doomed(task)                                   ? "it is cancelled"
           : task->session                                        ? "it is held already"
           : task->is_join                                        ? "no worker runs it"
           : task->is_spent                                       ? "it may run at most once"
           : task->sure_losses >= LOSSES_MOST                     ? "it has lost too many workers"
           : history->now_ms < task->not_before_ms                ? "it is held off"
           : rights_revoked(history, task->root->by)              ? "who submitted it is revoked"
           : !offered(session, task->function)                    ? "it is not offered there"
           : count > session->slots + session->window             ? "the session is full"
           : line_number(effect, "attempt") != task->attempts + 1 ? "the number is wrong"
                                                                  : NULL;
}

void workers_assign(struct history *history, const struct line *effect)
{
    struct task *task = model_task(history, line_get(effect, "task"));
    struct session *session = model_session(history, line_number(effect, "session"));
    struct attempt *attempt = NULL;
    struct attempt *former = NULL; /* of a task that has come again */
    const char *why = "nobody knows it";

    if (task && task->is_open && model_held(history, effect, session)) {
        task->doubted = 0;
        return; /* told again */
    }
    if (task) {
        workers_doubt(history, task);
    }
    if (task && session) {
        why = why_not_assigned(history, effect, task, session);
    }
    if (why) {
        history_fault(history, pass, "%s is assigned, but %s", line_get(effect, "task"), why);
        return;
    }
    task->attempts++;
    task->session = session;
    LIST_INSERT_HEAD(&session->held, task, held);
    attempt = pile_take(&history->kept, sizeof(*attempt));
    attempt->task = task;
    (void)snprintf(attempt->key, sizeof(attempt->key), "%s/%s", task->id,
                   line_get(effect, "attempt"));
    HASH_REPLACE_STR(history->attempts, key, attempt, former);
    joins_hold(history, task, 1);
}

void workers_told(struct history *history, const struct line *effect)
{
    const struct session *session = model_session(history, line_number(effect, "session"));
    struct task *task = model_held(history, effect, session);
    const bool is_resume = line_is(effect, 1, "resume");
    const bool is_stale = *line_get(effect, "refused") != '\0';
    const struct task *known = model_task(history, line_get(effect, "task"));

    if (task && is_resume) {
        task->doubted = 0;
    }
    if (known && known->released == history->commands) {
        return; /* by this command, which says so only after the effects of what comes before */
    }
    if (is_resume && !(task && task->is_open)) {
        history_fault(history, pass, "%s goes on, and is not held", line_get(effect, "task"));
    }
    if (!is_resume && (is_stale ? task && task->is_open : !task || task->is_open)) {
        history_fault(history, pass, "%s is stopped, and it should go on",
                      line_get(effect, "task"));
    }
}

/* As many waits of an attempt count as are not refused. */
void workers_wait(struct history *history)
{
    for (size_t i = 0; i < history->command.count; i++) {
        const struct line *line = history->command.lines[i];
        struct task *task = model_held(history, line, history->command.session);
        bool is_told_at_once = false;
        int balance = 0;
        for (size_t k = 0; line_is(line, 0, "wait") && k < history->command.count; k++) {
            const struct line *other = history->command.lines[k];
            const bool is_same = strcmp(line_get(other, "task"), line_get(line, "task")) == 0 &&
                                 line_number(other, "attempt") == line_number(line, "attempt");
            balance += is_same && line_is(other, 0, "wait");
            balance -= is_same && line_is(other, 1, "refuse");
            is_told_at_once |= is_same && line_is(other, 1, "resume");
        }
        if (task && task->is_open && balance > 0) {
            task->is_instant = is_told_at_once && (!task->waited || task->is_instant);
            task->waited = true;
        }
    }
}
