/* SPDX-License-Identifier: MPL-2.0
 * The second model of the forest: follows the commands of a ledger and says of each effect whether
 * it may be. What a worker reports it predicts, and then expects; what the forest decides itself
 * (who runs what, and verdicts) it judges. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/state.h"

static const char pass[] = "model";

struct line *model_detail(struct history *history, const char *kind, const char *key,
                          const char *value)
{
    struct command *command = &history->command;

    for (size_t i = 0; i < command->count; i++) { /* mostly it is the next one */
        struct line *line = command->lines[(command->cursor + i) % command->count];
        if (line_is(line, 0, kind) && strcmp(line_get(line, key), value) == 0) {
            command->cursor = (command->cursor + i) % command->count;
            return line;
        }
    }
    return NULL;
}

bool model_is(const struct history *history, const char *kind)
{
    return history->command.count > 0 && line_is(history->command.lines[0], 1, kind);
}

const char *model_word(const struct history *history, const char *key)
{
    return history->command.count > 0 ? line_get(history->command.lines[0], key) : "";
}

/* The task, if this session holds this attempt of it, also when it has ended. */
struct task *model_held(const struct history *history, const struct line *line,
                        const struct session *session)
{
    struct task *task = model_task(history, line_get(line, "task"));
    const bool is_held = task && session && task->session == session &&
                         task->attempts == line_number(line, "attempt");

    return is_held ? task : NULL;
}

/* Under a cancelled one, or an input of a join that is over. */
bool model_doomed(const struct task *task)
{
    for (; task; task = task->parent) {
        if (task->is_marked || (task->is_open && joins_left_over(task))) {
            return true;
        }
    }
    return false;
}

static bool is_below(const struct task *above, const struct task *task)
{
    while (task && task != above) {
        task = task->parent;
    }
    return task != NULL;
}

/* ---- effects */

static void may_cancel(struct history *history, const struct task *head)
{
    const struct task *by = model_task(history, model_word(history, "by"));
    const char *who = model_word(history, "who");
    const bool is_above = by && by != head && is_below(by, head) && history->command.session &&
                          by->session == history->command.session && by->is_open;

    if (!is_above && *who != '\0' && strcmp(who, head->root->by) != 0 &&
        !rights_allow(history, who, RIGHTS_OPERATOR, NULL)) {
        history_fault(history, "rights", "%s may not cancel %s", who, head->id);
    }
}

/* What is assigned in a command is assigned after this. */
static void done(struct history *history, const struct line *effect)
{
    struct task *head = model_task(history, model_word(history, "task"));

    workers_wait(history);
    for (size_t i = 0; *line_get(effect, "refused") == '\0' && i < history->command.count; i++) {
        rights_read(history, history->command.lines[i]);
    }
    if (!model_is(history, "cancel") || *line_get(effect, "refused")) {
        return;
    }
    if (!head || head->is_open) {
        history_fault(history, pass, "%s is cancelled and has not ended",
                      model_word(history, "task"));
        return;
    }
    may_cancel(history, head);
    head->is_marked = true;
}

static void effect_read(struct history *history, const struct line *effect)
{
    struct session *session = model_session(history, line_number(effect, "session"));
    const char *kind = line_word(effect, 1);

    if (strcmp(kind, "answer") == 0) {
        tasks_answer(history, effect);
    } else if (strcmp(kind, "assign") == 0) {
        workers_assign(history, effect);
    } else if (strcmp(kind, "settled") == 0) {
        tasks_settled(history, effect);
    } else if (strcmp(kind, "resume") == 0 || strcmp(kind, "stop") == 0) {
        workers_told(history, effect);
    } else if (strcmp(kind, "appended") == 0) {
        joins_append(history, effect);
    } else if (strcmp(kind, "enlisted") == 0) {
        workers_enlisted(history, effect);
    } else if (strcmp(kind, "retired") == 0 && session && session->is_live) {
        workers_retire(history, session);
    } else if (strcmp(kind, "done") == 0) {
        done(history, effect);
    }
}

/* ---- commands */

static void begin(struct history *history, const struct line *line)
{
    const uint64_t ms = line_number(line, "ms");
    const uint64_t index = line_number(line, "session");
    struct session *session = model_session(history, index);

    history->commands++;
    history->now_ms = ms > history->now_ms ? ms : history->now_ms;
    history->command.session = session && session->is_live ? session : NULL;
    history->command.is_dead = index != 0 && !history->command.session;
}

void model_read(struct history *history, const struct line *line)
{
    struct command *command = &history->command;
    struct line *copy = pile_take(&history->scratch, sizeof(*copy));

    *copy = *line;
    for (unsigned i = 0; i < line->count; i++) {
        copy->words[i] = pile_text(&history->scratch, line->words[i]);
    }
    if (command->count == command->capacity) {
        command->capacity = 2 * command->capacity + 64;
        command->lines = reallocarray(command->lines, command->capacity, sizeof(copy));
        if (!command->lines) {
            abort();
        }
    }
    command->lines[command->count++] = copy;
    if (line_is(line, 0, "do")) {
        begin(history, copy);
    } else if (line_is(line, 0, "->")) {
        effect_read(history, copy);
    } else if (line_is(line, 0, "result") && !command->is_dead) {
        workers_report(history, copy);
    } else if (line_is(line, 0, "returned") && !command->is_dead) {
        workers_return(history, copy);
    } else if (line_is(line, 0, "held") && model_task(history, line_get(line, "task"))) {
        model_task(history, line_get(line, "task"))->sure_losses = 0;
    }
}

void model_finish(struct history *history)
{
    struct command *command = &history->command;
    uint64_t refuses = 0;

    if (command->count == 0) {
        return;
    }
    workers_finish(history);
    for (size_t i = 0; i < command->count; i++) {
        const struct line *line = command->lines[i];
        const struct task *task = model_task(history, line_get(line, "task"));
        refuses += line_is(line, 1, "refuse");
        if (line_is(line, 1, "join")) {
            joins_compare(history, line);
        } else if (line_is(line, 1, "settled") && task->is_join && !task->is_marked &&
                   strncmp(task->code, "join", 4) == 0 && strcmp(task->joins->state, "open") == 0) {
            history_fault(history, pass, "%s ends, and its join is open", task->id);
        }
    }
    if (command->predicted > 0) {
        history_fault(history, pass, "a result was reported in time and ended nothing");
    }
    if ((model_is(history, "report") || model_is(history, "return")) &&
        refuses != command->refuses) {
        history_fault(history, pass, "%llu are refused, not %llu", (unsigned long long)refuses,
                      (unsigned long long)command->refuses);
    }
    struct line **lines = command->lines;
    const size_t capacity = command->capacity;
    *command = (struct command){.lines = lines, .capacity = capacity};
    pile_empty(&history->scratch);
}

/* ---- finding */

struct task *model_task(const struct history *history, const char *id)
{
    struct task *task = NULL;

    HASH_FIND_STR(history->tasks, id, task);
    return task;
}

struct join *model_join(const struct history *history, const char *id)
{
    struct join *join = NULL;

    HASH_FIND_STR(history->all_joins, id, join);
    return join;
}

struct session *model_session(const struct history *history, uint64_t index)
{
    struct session *session = NULL;

    HASH_FIND(hh, history->sessions, &index, sizeof(index), session);
    return session;
}

struct attempt *model_attempt(const struct history *history, const char *task, const char *number)
{
    struct attempt *attempt = NULL;
    char key[sizeof(attempt->key)];

    (void)snprintf(key, sizeof(key), "%s/%s", task, number);
    HASH_FIND_STR(history->attempts, key, attempt);
    return attempt;
}

void model_clear(struct history *history)
{
    HASH_CLEAR(hh, history->tasks);
    HASH_CLEAR(hh, history->all_joins);
    HASH_CLEAR(hh, history->sessions);
    HASH_CLEAR(hh, history->attempts);
    free(history->command.lines);
}
