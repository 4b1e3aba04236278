/* SPDX-License-Identifier: MPL-2.0
 * One reason for each state, then the same of what it waits for. */
#include "core/explain.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/id.h"
#include "core/join.h"
#include "core/kept.h"
#include "core/pool.h"
#include "core/ready.h"
#include "core/roster.h"
#include "core/tree.h"

#define COUNTED_MOST 10000u /* neighbours looked at for one reason */

/* ---- one reason */

static struct reason of_task(enum reason_kind kind, const struct task *task)
{
    return (struct reason){
        .kind = kind, .task = task->id, .function = function_name(task->request.function)};
}

static void at_session(struct reason *reason, const struct session *session)
{
    reason->session = session->index;
    reason->instance = session->instance;
}

static struct reason why_delayed(const struct task *task)
{
    struct reason reason = of_task(task->generation > 0 ? REASON_BACKOFF : REASON_DELAYED, task);

    reason.at_ms = task->due_ms;
    reason.number = task->generation;
    if (task->work) {
        reason.text = blob_bytes(task->work->failure);
    }
    return reason;
}

/* Inputs are held in the order of their sequences, so those before have smaller ones. */
static struct reason why_held(const struct task *task)
{
    const struct join *join = join_window(task);
    struct reason reason = of_task(REASON_WINDOW, task);

    reason.join = join->id;
    reason.most = join->limit;
    reason.number = join_held_before(task, COUNTED_MOST);
    reason.is_more = reason.number == COUNTED_MOST;
    return reason;
}

/* What holds a function; of several, what will not pass by itself. */
static void limited(struct reason *reason, const struct function *function)
{
    if (function->limit.paused) {
        reason->kind = REASON_PAUSED;
    } else if (function->is_rated) {
        reason->kind = REASON_RATE;
        reason->at_ms = function->free_ms;
        reason->most = function->limit.rate;
    } else {
        reason->kind = REASON_LIMIT;
        reason->number = function->active;
        reason->most = function->limit.running;
    }
}

static struct reason why_ready(const struct task *task)
{
    const struct function *function = task->request.function;
    const struct queue *queue = task->lane->key.queue;
    const struct work *work = task->work;
    struct reason reason = of_task(REASON_NO_SLOT, task);

    reason.most = function->sessions;
    if (function->sessions == 0) {
        reason.kind = REASON_NO_WORKER;
    } else if (work && work->refusals >= function->sessions) {
        reason.kind = REASON_NO_TAKER;
        reason.number = work->refusals;
        reason.text = blob_bytes(work->failure);
    } else if (function->is_held) {
        limited(&reason, function);
    } else if (queue->key.needs & NEED_CALM) {
        reason.kind = REASON_CALM;
        reason.number = work ? work->losses : 0;
    } else if (pool_is_capped(queue)) {
        reason.kind = REASON_CAP;
    } else {
        reason.number = ready_before(task, COUNTED_MOST);
        reason.is_more = reason.number == COUNTED_MOST;
    }
    return reason;
}

/* How many attempts a session starts before one that it has ahead. */
static uint64_t count_before(const struct work *work)
{
    const struct session *session = work->session;
    const struct work *before = work;
    uint64_t count = session->held[PLACE_RESUMABLE];

    for (int place = PLACE_CHILDREN; place < work->place; place++) {
        count += session->held[place];
    }
    while ((before = TAILQ_PREV(before, work_list, held))) {
        count++;
    }
    return count;
}

static struct reason why_running(const struct task *task)
{
    const struct work *work = task->work;
    struct reason reason = of_task(REASON_RUNS, task);

    at_session(&reason, work->session);
    reason.at_ms = work->started_ms;
    reason.text = blob_bytes(work->progress);
    if (roster_is_ahead(work)) {
        reason.kind = REASON_AHEAD;
        reason.number = count_before(work);
    }
    return reason;
}

static struct reason why_ended(const struct task *task)
{
    struct reason reason = of_task(REASON_ENDED, task);

    reason.at_ms = task->work->ended_ms;
    reason.text = bytes_of_text(task_state_name((enum task_state)task->state));
    if (task->work->session) {
        reason.kind = REASON_STOPPING;
        at_session(&reason, task->work->session);
    }
    return reason;
}

/* ---- waiting */

static const struct task *first_open(const struct join *join)
{
    for (uint32_t i = 0; i < join->count && i < COUNTED_MOST; i++) {
        const struct task *task = join_at(join, i)->task;
        if (task_state_is_open(task->state)) {
            return task;
        }
    }
    return NULL;
}

static struct reason of_join(const struct task *task, const struct join *join)
{
    const struct task *next = first_open(join);
    struct reason reason = of_task(next ? REASON_JOIN : REASON_INPUTS, task);

    reason.join = join->id;
    reason.number = join->succeeded + join->failed;
    reason.most = join->count;
    if (next) {
        reason.next = next->id;
    }
    return reason;
}

static const struct join *awaited_join(const struct task *task)
{
    const struct join *join = NULL;

    TAILQ_FOREACH(join, &task->work->joins, of_parent) {
        if (join->state != JOIN_OPEN) {
            break;
        }
        if ((task->flags & TASK_JOIN) ||
            (join->awaited != 0 && join->awaited == task->work->wait)) {
            return join;
        }
    }
    return NULL;
}

/* Children are found from the youngest on: those that are awaited were mostly made last. */
static struct reason of_children(const struct task *task)
{
    struct reason reason = of_task(REASON_CHILD, task);
    const struct task *child = NULL;
    uint32_t looked = 0;

    TAILQ_FOREACH_REVERSE(child, &task->children, task_list, sibling) {
        if (++looked > COUNTED_MOST) {
            reason.is_more = true;
            break;
        }
        if (child->awaited == task->work->wait && task_state_is_open(child->state)) {
            reason.number++;
            reason.next = child->id;
        }
    }
    return reason;
}

/* Something it waited for has ended. */
static struct reason why_not_resumed(const struct task *task)
{
    const struct function *function = task->request.function;
    const bool is_barred = task->work->place == PLACE_BARRED;
    struct reason reason = of_task(is_barred ? REASON_BARRED : REASON_SLOT, task);

    at_session(&reason, task->work->session);
    reason.number = is_barred ? function->active : 0;
    reason.most = is_barred ? function->limit.running : 0;
    return reason;
}

static struct reason why_waiting(const struct task *task)
{
    const struct join *join = awaited_join(task);
    const struct work *work = task->work;

    if (work->place == PLACE_RESUMABLE || work->place == PLACE_BARRED) {
        return why_not_resumed(task);
    }
    return join ? of_join(task, join) : of_children(task);
}

static struct reason why(const struct task *task)
{
    switch ((enum task_state)task->state) {
    case TASK_DELAYED:
        return why_delayed(task);
    case TASK_HELD:
        return why_held(task);
    case TASK_READY:
        return why_ready(task);
    case TASK_RUNNING:
        return why_running(task);
    case TASK_WAITING:
        return why_waiting(task);
    case TASK_SUCCEEDED:
    case TASK_FAILED:
    case TASK_CANCELLED:
    case TASK_STATE_COUNT:
        break;
    }
    return why_ended(task);
}

/* The oldest open task below one that has ended, as a tree is done when all of it is. */
static const struct task *open_below(const struct task *task)
{
    const struct task *at = task;

    for (uint32_t looked = 0; at && looked < COUNTED_MOST; looked++) {
        if (task_state_is_open(at->state)) {
            return at;
        }
        if (!TAILQ_EMPTY(&at->children)) {
            at = TAILQ_FIRST(&at->children);
            continue;
        }
        while (at != task && !TAILQ_NEXT(at, sibling)) {
            at = at->request.parent;
        }
        at = at == task ? NULL : TAILQ_NEXT(at, sibling);
    }
    return NULL;
}

size_t forest_explain(const struct forest *forest, const struct id *id, struct reason *reasons,
                      size_t most)
{
    const struct task *task = tree_find(forest, id);
    size_t count = 0;

    while (task && count < most) {
        struct reason *reason = &reasons[count++];
        const struct task *below = NULL;
        *reason = why(task);
        if (reason->kind == REASON_ENDED && (below = open_below(task))) {
            reason->next = below->id;
        }
        task = id_is_zero(&reason->next) ? NULL : tree_find(forest, &reason->next);
    }
    return count;
}

/* ---- for people */

const char *reason_name(enum reason_kind kind)
{
    static const char *const names[REASON_COUNT] = {
        [REASON_ENDED] = "ended",       [REASON_STOPPING] = "stopping",
        [REASON_DELAYED] = "delayed",   [REASON_BACKOFF] = "backoff",
        [REASON_WINDOW] = "window",     [REASON_NO_WORKER] = "no-worker",
        [REASON_NO_TAKER] = "no-taker", [REASON_NO_SLOT] = "no-slot",
        [REASON_CALM] = "calm",         [REASON_AHEAD] = "ahead",
        [REASON_PAUSED] = "paused",     [REASON_LIMIT] = "limit",
        [REASON_RATE] = "rate",         [REASON_CAP] = "cap",
        [REASON_BARRED] = "barred",     [REASON_RUNS] = "runs",
        [REASON_SLOT] = "slot",         [REASON_CHILD] = "child",
        [REASON_JOIN] = "join",         [REASON_INPUTS] = "inputs",
    };

    return names[kind];
}

struct words {
    char number[32], next[ID_TEXT_SIZE], task[ID_TEXT_SIZE], function[LIMIT_FUNCTION_LENGTH + 1];
};

static struct words words_of(const struct reason *reason)
{
    struct words words = {.function = ""};

    (void)snprintf(words.number, sizeof(words.number), "%s%" PRIu64,
                   reason->is_more ? "more than " : "", reason->number);
    id_format(&reason->next, words.next);
    id_format(&reason->task, words.task);
    memcpy(words.function, reason->function.data, reason->function.size);
    return words;
}

static int say(const struct reason *reason, const struct words *words, char *line, size_t size)
{
    const char *instance = reason->instance ? reason->instance : "?";
    const int text = (int)reason->text.size;
    const char *data = (const char *)reason->text.data;

    switch (reason->kind) {
    case REASON_ENDED:
        return snprintf(line, size, "it has ended: %.*s", text, data);
    case REASON_STOPPING:
        return snprintf(line, size, "it has ended (%.*s), and worker %s still holds it", text, data,
                        instance);
    case REASON_DELAYED:
        return snprintf(line, size, "it is delayed");
    case REASON_BACKOFF:
        return snprintf(line, size, "it has failed %s times and is tried again later: %.*s",
                        words->number, text, data);
    case REASON_WINDOW:
        return snprintf(line, size, "its map runs %" PRIu64 " at a time; %s inputs are before it",
                        reason->most, words->number);
    case REASON_NO_WORKER:
        return snprintf(line, size, "no worker offers %s", words->function);
    case REASON_NO_TAKER:
        return snprintf(line, size, "each worker that offers %s has refused it: %.*s",
                        words->function, text, data);
    case REASON_PAUSED:
        return snprintf(line, size, "%s is paused", words->function);
    case REASON_LIMIT:
        return snprintf(line, size, "%s of %s run, and %" PRIu64 " may at a time", words->number,
                        words->function, reason->most);
    case REASON_RATE:
        return snprintf(line, size, "the rate of %s lets nothing begin now", words->function);
    case REASON_CAP:
        return snprintf(line, size, "the workers that offer %s hold as many as may wait there",
                        words->function);
    case REASON_NO_SLOT:
        return snprintf(line, size, "no slot is free at %" PRIu64 " workers; %s are before it",
                        reason->most, words->number);
    case REASON_CALM:
        return snprintf(line, size,
                        "it was lost with %s workers, and never runs beside another such task",
                        words->number);
    case REASON_AHEAD:
        return snprintf(line, size, "worker %s has it and starts %s others before", instance,
                        words->number);
    case REASON_RUNS:
        return snprintf(line, size, "it runs at worker %s%s%.*s", instance, text ? ": " : "", text,
                        data);
    case REASON_SLOT:
        return snprintf(line, size, "it may go on when a slot falls free at worker %s", instance);
    case REASON_BARRED:
        return snprintf(line, size, "it may go on when fewer than %" PRIu64 " of %s run",
                        reason->most, words->function);
    case REASON_CHILD:
        return snprintf(line, size, "it waits for %s children, first %s", words->number,
                        words->next);
    case REASON_JOIN:
        return snprintf(line, size, "of the %" PRIu64 " inputs it waits for %s have ended, not %s",
                        reason->most, words->number, words->next);
    case REASON_INPUTS:
        return snprintf(line, size, "its join has %" PRIu64 " inputs, all ended, and is not closed",
                        reason->most);
    case REASON_COUNT:
        break;
    }
    line[0] = '\0';
    return 0;
}

static int help(const struct reason *reason, const struct words *words, char *line, size_t size)
{
    switch (reason->kind) {
    case REASON_NO_WORKER:
        return snprintf(line, size, "grove worker --exec %s=COMMAND", words->function);
    case REASON_NO_TAKER:
    case REASON_BACKOFF:
    case REASON_INPUTS:
        return snprintf(line, size, "grove cancel %s", words->task);
    case REASON_PAUSED:
        return snprintf(line, size, "grove limit %s --resume", words->function);
    case REASON_LIMIT:
    case REASON_BARRED:
        return snprintf(line, size, "grove limit %s --running N", words->function);
    case REASON_RATE:
        return snprintf(line, size, "grove limit %s --rate N", words->function);
    case REASON_NO_SLOT:
    case REASON_SLOT:
    case REASON_CALM:
    case REASON_CAP:
        return snprintf(line, size, "grove worker --slots N");
    case REASON_ENDED:
    case REASON_STOPPING:
    case REASON_DELAYED:
    case REASON_WINDOW:
    case REASON_AHEAD:
    case REASON_RUNS:
    case REASON_CHILD:
    case REASON_JOIN:
    case REASON_COUNT:
        break;
    }
    line[0] = '\0';
    return 0;
}

typedef int writer(const struct reason *reason, const struct words *words, char *line, size_t size);

static void append(const struct reason *reason, writer *write, struct buffer *out)
{
    const struct words words = words_of(reason);
    char line[LIMIT_TEXT_LENGTH + 256];
    const int size = write(reason, &words, line, sizeof(line));

    buffer_append(out, line, (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1);
}

void reason_print(const struct reason *reason, struct buffer *out)
{
    append(reason, say, out);
}

void reason_help(const struct reason *reason, struct buffer *out)
{
    append(reason, help, out);
}
