/* SPDX-License-Identifier: MPL-2.0
 * The second model's joins: have the children done enough? */
#include <stdio.h>
#include <string.h>

#include "tests/history/state.h"

static const char pass[] = "model";

static void end_if_done(struct join *join)
{
    if (join->is_closed && join->succeeded + join->failed == join->count &&
        strcmp(join->state, "open") == 0) {
        join->state = join->is_race ? "failed" : "complete";
    }
}

static void win(struct history *history, struct join *join, size_t position)
{
    const size_t size = strlen(join->winners) + 24;
    char *winners = pile_take(&history->kept, size);

    (void)snprintf(winners, size, "%s%s%zu", join->winners, *join->winners ? "," : "", position);
    join->winners = winners;
    if (++join->winner_count == join->stop) {
        join->state = "won";
    }
}

static void count_ended(struct history *history, struct join *join, const struct task *task,
                        size_t position)
{
    const bool is_well = strcmp(task->code, "succeeded") == 0;

    join->succeeded += is_well;
    join->failed += !is_well;
    if (strcmp(join->state, "open") != 0) {
        return;
    }
    if (join->is_race && (is_well || join->first_settled)) {
        win(history, join, position);
    } else if (!join->is_race && join->stop > 0 && join->failed >= join->stop) {
        join->state = "failed";
    }
    end_if_done(join);
}

void joins_end(struct task *task)
{
    for (struct join *join = task->joins; join; join = join->next) {
        join->state = strcmp(join->state, "open") == 0 ? "cancelled" : join->state;
    }
}

void joins_forget(struct history *history, struct task *task)
{
    for (struct join *join = task->joins; join && history->all_joins; join = join->next) {
        HASH_DEL(history->all_joins, join);
    }
    task->joins = NULL;
}

static struct join *open_join(struct history *history, const char *id, struct task *parent,
                              const struct line *terms)
{
    struct join *join = pile_take(&history->kept, sizeof(*join));

    join->id = pile_text(&history->kept, id);
    join->state = "open";
    join->winners = "";
    join->parent = parent;
    join->next = parent->joins;
    parent->joins = join;
    join->is_map = strcmp(line_get(terms, "kind"), "map") == 0;
    join->is_race = strcmp(line_get(terms, "kind"), "race") == 0;
    join->first_settled = line_has(terms, "first");
    join->limit = line_number(terms, "limit");
    join->stop = line_number(terms, "stop");
    join->stop += join->is_race && join->stop == 0;
    HASH_ADD_KEYPTR(hh, history->all_joins, join->id, strlen(join->id), join);
    return join;
}

static void add_input(struct history *history, struct join *join, struct task *task)
{
    struct input *input = pile_take(&history->kept, sizeof(*input));

    if (join->count == join->capacity) {
        struct task **inputs = pile_take(&history->kept, (2 * join->count + 8) * sizeof(task));
        memcpy(inputs, join->count > 0 ? join->inputs : inputs, join->count * sizeof(task));
        join->inputs = inputs;
        join->capacity = 2 * join->count + 8;
    }
    *input = (struct input){join, task->inputs, join->count};
    task->inputs = input;
    join->inputs[join->count++] = task;
    join->held += task->session != NULL;
    if (!task->is_open) {
        count_ended(history, join, task, join->count - 1);
    }
}

static void take_input(struct history *history, struct join *join, struct task *task,
                       size_t position)
{
    if (!task || task->parent != join->parent || position > join->count) {
        history_fault(history, pass, "join %s takes what is no child of its parent", join->id);
    } else if (position == join->count) {
        add_input(history, join, task);
    } else if (join->inputs[position] != task) {
        history_fault(history, pass, "join %s has another input %zu", join->id, position);
    }
}

void joins_append(struct history *history, const struct line *effect)
{
    const struct line *append = model_detail(history, "append", "at", line_get(effect, "at"));
    struct task *parent = append ? model_task(history, line_get(append, "parent")) : NULL;

    struct join *join = append ? model_join(history, line_get(append, "join")) : NULL;
    if (join && history->command.session && strcmp(line_get(effect, "refused"), "differs") == 0 &&
        strcmp(join->state, "open") == 0) {
        join->state = "cancelled"; /* its handler has taken another path */
    }
    if (!parent || *line_get(effect, "refused")) {
        return;
    }
    join = join ? join : open_join(history, line_get(append, "join"), parent, append);
    char *rest = pile_text(&history->scratch, line_get(append, "adopted"));
    const uint64_t from = line_number(append, "from");
    const uint64_t count = line_number(append, "count");
    uint64_t position = line_number(append, "offset");
    const bool was_over = strcmp(join->state, "open") != 0;
    const size_t before = join->count;
    for (uint64_t i = from; i < from + count && i < ITEMS_MOST; i++) {
        take_input(history, join, history->command.answered[i], position++);
    }
    for (char *id = NULL; (id = strsep(&rest, ",")) && *id != '\0';) {
        take_input(history, join, model_task(history, id), position++);
    }
    if (was_over && join->count > before) {
        history_fault(history, pass, "join %s is over and takes more", join->id);
    }
    join->is_closed |= line_has(append, "close");
    end_if_done(join);
}

void joins_settle(struct history *history, struct task *task)
{
    for (struct input *input = task->inputs; input; input = input->next) {
        count_ended(history, input->join, task, input->position);
    }
    if (strncmp(task->code, "join", 4) != 0) { /* which the end of its join gave it */
        joins_end(task);
    }
}

struct join *joins_open_root(struct history *history, struct task *root, const struct line *item)
{
    return open_join(history, root->id, root, item);
}

bool joins_left_over(const struct task *task)
{
    const struct input *input = task->inputs;

    while (input && strcmp(input->join->state, "open") == 0) {
        input = input->next;
    }
    return input != NULL;
}

void joins_hold(struct history *history, const struct task *task, int change)
{
    for (struct input *input = task->inputs; input; input = input->next) {
        struct join *join = input->join;
        join->held += (uint64_t)change;
        if (change > 0 && join->is_map && join->held > join->limit) {
            history_fault(history, pass, "map %s runs %llu, and its limit is %llu", join->id,
                          (unsigned long long)join->held, (unsigned long long)join->limit);
        }
    }
}

void joins_compare(struct history *history, const struct line *line)
{
    const struct join *join = model_join(history, line_get(line, "id"));

    if (!join || strcmp(join->state, line_get(line, "state")) != 0 ||
        strcmp(join->winners, line_get(line, "winners")) != 0 ||
        join->succeeded != line_number(line, "succeeded") ||
        join->failed != line_number(line, "failed")) {
        history_fault(history, pass, "join %s is %s, %zu well and %zu not, won by %s",
                      line_get(line, "id"), join ? join->state : "unknown",
                      join ? join->succeeded : 0, join ? join->failed : 0,
                      join ? join->winners : "nobody");
    }
}
