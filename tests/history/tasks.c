/* SPDX-License-Identifier: MPL-2.0
 * The second model's tasks: what is accepted, and what ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/state.h"

enum { DEPTH_MOST = 1024, LOSSES_MOST = 3 };

static const char pass[] = "model";

/* ---- what is accepted */

static const char *why_not_child(const struct history *history, const struct line *item,
                                 const struct task *parent, const char *root)
{
    const struct session *session = history->command.session;
    const bool is_outside = parent && parent->is_join && !session;

    return !parent || !parent->is_open                        ? "its parent is not open"
           : model_doomed(parent)                             ? "its parent is cancelled"
           : strcmp(parent->root->id, root) != 0              ? "its root is another"
           : parent->depth >= DEPTH_MOST                      ? "it is too deep"
           : is_outside                                       ? NULL
           : !session || parent->session != session           ? "its parent is not held by who asks"
           : parent->attempts != line_number(item, "attempt") ? "its parent's attempt is over"
           : parent->generation != line_number(item, "generation") ? "it is of another generation"
                                                                   : NULL;
}

/* Only the submitter of a root that is there for certain, or an operator, runs it again. */
static const char *why_not_retry(const struct history *history, const struct line *item)
{
    const struct task *old = model_task(history, line_get(item, "retry"));
    const char *by = line_get(item, "by");

    return !old || !old->is_open ? NULL
           : old->parent         ? "it runs a child again"
           : strcmp(old->by, by) != 0 && !rights_allow(history, by, RIGHTS_OPERATOR, NULL)
               ? "it runs another's root again"
               : NULL;
}

/* A root may come again once its id is forgotten, which may be no earlier than it expires; a child
 * when its parent has come again. */
static struct task *place_of(struct history *history, const char *id, const struct task *parent)
{
    struct task *task = model_task(history, id);

    if (task && (parent ? parent->planted < task->planted : history->now_ms < task->expires_ms)) {
        history_fault(history, pass, "%s is accepted twice", id);
    }
    if (!task) {
        task = pile_take(&history->kept, sizeof(*task));
        task->id = pile_text(&history->kept, id);
        HASH_ADD_KEYPTR(hh, history->tasks, task->id, strlen(task->id), task);
    }
    return task;
}

static struct task *plant(struct history *history, const struct line *item, struct task *parent)
{
    struct task *task = place_of(history, line_get(item, "id"), parent);
    const uint64_t deadline_ms = line_number(item, "deadline");
    const uint64_t above_ms = parent ? parent->deadline_ms : 0;

    task->function = pile_text(&history->kept, line_get(item, "function"));
    task->digest = pile_text(&history->kept, line_get(item, "digest"));
    task->by = pile_text(&history->kept, line_get(item, "by"));
    task->parent = parent;
    task->root = parent ? parent->root : task;
    task->depth = parent ? parent->depth + 1 : 0;
    task->index = history->index;
    task->most = line_number(item, "most");
    task->is_once = line_has(item, "once");
    task->expires_ms = line_number(item, "expires");
    task->not_before_ms = history->now_ms + line_number(item, "delay");
    task->deadline_ms =
        deadline_ms == 0 || (above_ms > 0 && above_ms < deadline_ms) ? above_ms : deadline_ms;
    task->inputs = NULL;
    joins_forget(history, task);
    task->is_open = true;
    task->is_announced = task->is_spent = task->is_marked = task->has_run = false;
    task->is_join = strcmp(task->function, "grove.join") == 0;
    task->attempts = task->is_join;
    task->generation = task->losses = task->sure_losses = task->refusals = 0;
    if (task->is_join) {
        joins_open_root(history, task, item);
    }
    task->planted = ++history->submitted;
    return task;
}

static void accept(struct history *history, const struct line *item, const struct line *effect)
{
    struct task *task = model_task(history, line_get(effect, "task"));
    struct task *parent = model_task(history, line_get(item, "parent"));
    const bool is_child = *line_get(item, "parent") != '\0';
    const bool is_new = !task || (task->is_announced && !line_has(effect, "settled"));
    const char *by = line_get(item, "by");
    const char *why = NULL;

    if (is_new) {
        why = strcmp(line_get(effect, "task"), line_get(item, "id")) != 0 ? "it has another id"
              : is_child ? why_not_child(history, item, parent, line_get(item, "root"))
                         : why_not_retry(history, item);
        const char *function = line_get(item, "function");
        function =
            strcmp(function, "grove.join") == 0 ? NULL : function; /* its inputs are judged */
        if (!rights_allow(history, by, RIGHTS_SUBMIT, function) ||
            (parent && rights_revoked(history, parent->root->by))) {
            history_fault(history, "rights", "%s may not submit this", by);
        }
    } else if (strcmp(task->digest, line_get(item, "digest")) != 0 ||
               strcmp(task->function, line_get(item, "function")) != 0) {
        why = "it has other bytes";
    } else if (task->parent != parent) {
        why = "it has another parent";
    }
    if (why) {
        history_fault(history, pass, "%s is accepted, but %s", line_get(effect, "task"), why);
        return;
    }
    task = is_new ? plant(history, item, parent) : task;
    history->command.answered[line_number(item, "at") % ITEMS_MOST] = task;
}

static bool is_of(const struct line *item, const struct line *append)
{
    const uint64_t at = line_number(item, "at");
    const uint64_t from = line_number(append, "from");

    return at >= from && at - from < line_number(append, "count");
}

/* Whether an item is, word for word, a task that is there. */
static bool is_known(const struct history *history, const struct line *item)
{
    const struct task *task = model_task(history, line_get(item, "id"));

    return task && strcmp(task->digest, line_get(item, "digest")) == 0 &&
           strcmp(task->function, line_get(item, "function")) == 0;
}

/* Of a map no input may be there already, and open. */
static bool may_conflict(const struct history *history, const struct line *append,
                         const struct line *item)
{
    const struct join *join = model_join(history, line_get(append, "join"));
    const bool is_map = join ? join->is_map : strcmp(line_get(append, "kind"), "map") == 0;

    return !is_known(history, item) ||
           (is_map && model_task(history, line_get(item, "id"))->is_open);
}

static bool has_conflict(const struct history *history, const struct line *append)
{
    const struct command *command = &history->command;
    bool found = false;

    for (size_t i = 0; i < command->count; i++) {
        const struct line *line = command->lines[i];
        found |=
            line_is(line, 0, "item") && is_of(line, append) && may_conflict(history, append, line);
    }
    return found;
}

/* An Append is refused as a whole, for one of its inputs that may not be. */
static bool conflicts_beside(const struct history *history, const struct line *item)
{
    const struct command *command = &history->command;
    bool found = false;

    for (size_t i = 0; i < command->count; i++) {
        const struct line *line = command->lines[i];
        found |= line_is(line, 0, "append") && is_of(item, line) && has_conflict(history, line);
    }
    return found;
}

void tasks_answer(struct history *history, const struct line *effect)
{
    const struct line *item = model_detail(history, "item", "at", line_get(effect, "at"));
    const char *refused = line_get(effect, "refused");

    if (!item) {
        history_fault(history, pass, "an answer to nothing");
    } else if (*refused == '\0') {
        accept(history, item, effect);
    } else if (strcmp(refused, "conflict") == 0 && is_known(history, item) &&
               !conflicts_beside(history, item)) {
        history_fault(history, pass, "%s is refused, but is the same", line_get(item, "id"));
    }
}

/* ---- what ends */

void tasks_settle(struct history *history, struct task *task, const char *code, const char *outcome)
{
    task->is_open = false;
    task->code = pile_text(&history->kept, code);
    task->outcome = pile_text(&history->kept, outcome);
    history->succeeded += strcmp(code, "succeeded") == 0 || strcmp(code, "joined") == 0;
    history->cancelled += strcmp(code, "cancelled") == 0 || strcmp(code, "abandoned") == 0;
    joins_settle(history, task);
}

static bool is_head(const struct history *history, const struct task *task, const char *code)
{
    return model_is(history, "cancel") && strcmp(model_word(history, "task"), task->id) == 0 &&
           strcmp(model_word(history, "code"), code) == 0;
}

/* Of whoever is revoked a tree is cancelled from its root when any of it comes up. */
static void heed_revocation(const struct history *history, const struct task *task,
                            const char *code)
{
    if (strcmp(code, "cancelled") == 0 && !is_head(history, task, code) && !model_doomed(task)) {
        task->root->is_marked = rights_revoked(history, task->root->by);
    }
}

static bool is_verdict_due(const struct history *history, const struct task *task, const char *code)
{
    return strcmp(code, "cancelled") == 0   ? is_head(history, task, code) || model_doomed(task)
           : strcmp(code, "abandoned") == 0 ? is_head(history, task, code)
           : strcmp(code, "deadline") == 0
               ? task->deadline_ms > 0 && task->deadline_ms <= history->now_ms
           : strcmp(code, "poison") == 0  ? task->losses >= LOSSES_MOST
           : strcmp(code, "lost") == 0    ? task->is_spent
           : strcmp(code, "refused") == 0 ? task->refusals > 0
           : strcmp(code, "joined") == 0 || strcmp(code, "join-failed") == 0 ? task->is_join
                                                                             : false;
}

void tasks_settled(struct history *history, const struct line *effect)
{
    struct task *task = model_task(history, line_get(effect, "task"));
    const char *code = line_get(effect, "code");

    if (!task || task->is_announced) {
        history_fault(history, pass, "%s ends %s", line_get(effect, "task"),
                      task ? "twice" : "and was never accepted");
        return;
    }
    workers_doubt(history, task);
    if (task->is_open) {
        heed_revocation(history, task, code);
    }
    if (task->is_open && is_verdict_due(history, task, code)) {
        task->is_marked =
            strcmp(code, "abandoned") == 0 ||
            (strcmp(code, "cancelled") == 0 && (model_doomed(task) || model_is(history, "cancel")));
        tasks_settle(history, task, code, "");
    } else if (!task->is_open && strcmp(task->code, code) == 0 &&
               strcmp(task->outcome, line_get(effect, "digest")) == 0) {
        history->command.predicted--;
    } else {
        history_fault(history, pass, "%s ends as %s, but %s", task->id, code,
                      task->is_open ? "nothing ends it so" : task->code);
    }
    task->is_announced = true;
}
