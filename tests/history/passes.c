/* SPDX-License-Identifier: MPL-2.0
 * Every pass but that of the model: replicas, clients, workers, counters, the end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/state.h"

#define RANK_ENDED UINT64_MAX

struct node {
    UT_hash_handle hh;
    const char *name;
    uint64_t index, term, synced;
    bool has_started;
};

/* What all nodes say of one index, or of one term: the first word stands. */
struct said {
    UT_hash_handle hh;
    const char *key;
    const char *value;
};

/* What clients have asked and heard of one id. */
struct asked {
    UT_hash_handle hh;
    const char *id, *digest, *outcome;
    uint64_t accepted, failed, unknown, rank;
};

/* A question that a process awaits an answer to. */
struct question {
    UT_hash_handle hh;
    const char *process;
    const char *id;
    uint64_t floor; /* what somebody was told already */
};

struct passes {
    struct node *nodes;
    struct said *said;
    struct asked *asked;
    struct question *questions;
    uint64_t voters;
    bool is_quiet;
};

struct passes *passes_create(void)
{
    struct passes *passes = calloc(1, sizeof(*passes));

    if (!passes) {
        abort();
    }
    return passes;
}

void passes_destroy(struct passes *passes)
{
    HASH_CLEAR(hh, passes->nodes);
    HASH_CLEAR(hh, passes->said);
    HASH_CLEAR(hh, passes->asked);
    HASH_CLEAR(hh, passes->questions);
    free(passes);
}

/* ---- 1: replicas */

static struct node *node_of(struct history *history, const char *name)
{
    struct node *node = NULL;

    HASH_FIND_STR(history->passes->nodes, name, node);
    if (!node) {
        node = pile_take(&history->kept, sizeof(*node));
        node->name = pile_text(&history->kept, name);
        HASH_ADD_KEYPTR(hh, history->passes->nodes, node->name, strlen(node->name), node);
    }
    return node;
}

/* False when another value was said of this key before. */
static bool is_agreed(struct history *history, const char *what, const char *key, const char *value)
{
    struct said *said = NULL;
    const char *name = pile_pair(&history->kept, what, key);

    HASH_FIND_STR(history->passes->said, name, said);
    if (!said) {
        said = pile_take(&history->kept, sizeof(*said));
        said->key = name;
        said->value = pile_text(&history->kept, value);
        HASH_ADD_KEYPTR(hh, history->passes->said, said->key, strlen(said->key), said);
    }
    return strcmp(said->value, value) == 0;
}

static void read_log(struct history *history, const struct line *line)
{
    struct node *node = node_of(history, line_word(line, 1));
    const uint64_t index = line_number(line, "index");
    const uint64_t term = line_number(line, "term");

    if (node->has_started && index != node->index + 1) {
        history_fault(history, "replicas", "%s applies entry %llu after %llu", node->name,
                      (unsigned long long)index, (unsigned long long)node->index);
    }
    if (term < node->term) {
        history_fault(history, "replicas", "the term of %s falls", node->name);
    }
    if (!is_agreed(history, "log", line_get(line, "index"), line_get(line, "hash"))) {
        history_fault(history, "replicas", "%s has another entry %llu", node->name,
                      (unsigned long long)index);
    }
    node->has_started = true;
    node->index = index;
    node->term = term;
    history->index = index > history->index ? index : history->index;
}

static void read_start(struct history *history, const struct line *line)
{
    struct node *node = node_of(history, line_word(line, 1));

    node->has_started = true;
    node->index = line_number(line, "index");
    node->term = 0;
}

static void read_replica(struct history *history, const struct line *line)
{
    if (line_is(line, 0, "log")) {
        read_log(history, line);
    } else if (line_is(line, 0, "start")) {
        read_start(history, line);
    } else if (line_is(line, 0, "lead") &&
               !is_agreed(history, "lead", line_get(line, "term"), line_word(line, 1))) {
        history_fault(history, "replicas", "two lead term %s", line_get(line, "term"));
    } else if (line_is(line, 0, "digest") &&
               !is_agreed(history, "digest", line_get(line, "index"), line_get(line, "hash"))) {
        history_fault(history, "replicas", "%s has another state after entry %s",
                      line_word(line, 1), line_get(line, "index"));
    } else if (line_is(line, 0, "ack")) {
        node_of(history, line_word(line, 1))->synced = line_number(line, "index");
    } else if (line_is(line, 0, "voters")) {
        history->passes->voters = line_number(line, "count");
    }
}

/* ---- 2: submits; 6: reads */

static struct asked *asked_of(struct history *history, const char *id)
{
    struct asked *asked = NULL;

    HASH_FIND_STR(history->passes->asked, id, asked);
    if (!asked) {
        asked = pile_take(&history->kept, sizeof(*asked));
        asked->id = pile_text(&history->kept, id);
        HASH_ADD_KEYPTR(hh, history->passes->asked, asked->id, strlen(asked->id), asked);
    }
    return asked;
}

/* What is acknowledged is on a majority of disks, where disks are watched. */
static void expect_synced(struct history *history, const struct task *task)
{
    uint64_t synced = 0;

    for (struct node *node = history->passes->nodes; node; node = node->hh.next) {
        synced += node->synced >= task->index ? 1 : 0;
    }
    if (history->passes->voters > 0 && 2 * synced <= history->passes->voters) {
        history_fault(history, "submits", "%s is acknowledged and on %llu disks only", task->id,
                      (unsigned long long)synced);
    }
}

static void hear_accepted(struct history *history, struct asked *asked)
{
    const struct task *task = model_task(history, asked->id);

    asked->accepted++;
    asked->rank = asked->rank > 0 ? asked->rank : 1;
    if (!task) {
        history_fault(history, "submits", "%s is acknowledged and not accepted", asked->id);
    } else if (asked->digest && strcmp(asked->digest, task->digest) != 0) {
        history_fault(history, "submits", "%s is acknowledged, with other bytes", asked->id);
    } else {
        expect_synced(history, task);
    }
}

static uint64_t rank_of(const struct line *line)
{
    const char *state = line_get(line, "state");
    uint64_t rank = 0;

    if (strcmp(state, "ended") == 0) {
        rank = RANK_ENDED;
    } else if (strcmp(state, "leased") == 0) {
        rank = 1 + line_number(line, "attempt");
    } else if (strcmp(state, "accepted") == 0) {
        rank = 1;
    }
    return rank;
}

static void hear_outcome(struct history *history, struct asked *asked, const struct line *line)
{
    const struct task *task = model_task(history, asked->id);

    if (*line_get(line, "code") == '\0') {
        return; /* it was not read how */
    }
    const char *outcome =
        pile_pair(&history->kept, line_get(line, "code"), line_get(line, "digest"));

    if (asked->outcome && strcmp(asked->outcome, outcome) != 0) {
        history_fault(history, "reads", "%s has two outcomes: %s, %s", asked->id, asked->outcome,
                      outcome);
    }
    asked->outcome = outcome;
    if (!task || task->is_open || strcmp(task->code, line_get(line, "code")) != 0 ||
        strcmp(task->outcome, line_get(line, "digest")) != 0) {
        history_fault(history, "reads", "%s ended otherwise than was read", asked->id);
    }
}

static void hear_read(struct history *history, struct asked *asked, const struct line *line,
                      const struct question *question)
{
    const struct task *task = model_task(history, asked->id);
    const uint64_t rank = rank_of(line);
    const uint64_t reached = !task ? 0 : !task->is_open ? RANK_ENDED : 1 + task->attempts;

    if (question && rank < question->floor) {
        history_fault(history, "reads", "%s goes back to %s", asked->id, line_get(line, "state"));
    }
    if (rank > reached) {
        history_fault(history, "reads", "%s was read as %s, which it never was", asked->id,
                      line_get(line, "state"));
    }
    if (rank == RANK_ENDED) {
        hear_outcome(history, asked, line);
    }
    asked->rank = rank > asked->rank ? rank : asked->rank;
}

/* "code:digest,..." of a join's inputs, each in its place, and none left out. */
static void hear_join(struct history *history, const struct line *line)
{
    const struct join *join = model_join(history, line_get(line, "id"));
    char *rest = pile_text(&history->scratch, line_get(line, "outcomes"));
    size_t count = 0;

    for (char *outcome = NULL; join && (outcome = strsep(&rest, ",")) && *outcome; count++) {
        const char *code = strsep(&outcome, ":");
        const struct task *task = count < join->count ? join->inputs[count] : NULL;
        if (!task || task->is_open || strcmp(task->code, code) != 0 ||
            strcmp(task->outcome, outcome ? outcome : "") != 0) {
            history_fault(history, "reads", "input %zu of join %s was another", count, join->id);
        }
    }
    if (!join || count != join->count || strcmp(join->state, "open") == 0 ||
        strcmp(join->winners, line_get(line, "winners")) != 0) {
        history_fault(history, "reads", "join %s gave %zu outcomes, and has %zu",
                      line_get(line, "id"), count, join ? join->count : 0);
    }
}

static struct question *question_of(struct history *history, const char *process)
{
    struct question *question = NULL;

    HASH_FIND_STR(history->passes->questions, process, question);
    return question;
}

static void ask(struct history *history, const struct line *line, const struct asked *asked)
{
    struct question *question = question_of(history, line_word(line, 1));

    if (!question) {
        question = pile_take(&history->kept, sizeof(*question));
        question->process = pile_text(&history->kept, line_word(line, 1));
        HASH_ADD_KEYPTR(hh, history->passes->questions, question->process,
                        strlen(question->process), question);
    }
    question->id = asked->id;
    question->floor = asked->rank;
}

static void read_client(struct history *history, const struct line *line)
{
    struct asked *asked = asked_of(history, line_get(line, "id"));
    const struct question *question = question_of(history, line_word(line, 1));
    const bool is_submit = line_is(line, 2, "submit");

    if (line_is(line, 0, "inv")) {
        asked->digest = *line_get(line, "digest") == '\0'
                            ? asked->digest
                            : pile_text(&history->kept, line_get(line, "digest"));
        ask(history, line, asked);
    } else if (is_submit && line_is(line, 0, "ok")) {
        hear_accepted(history, asked);
    } else if (is_submit) {
        asked->failed += line_is(line, 0, "fail");
        asked->unknown += line_is(line, 0, "info");
    } else if (line_is(line, 0, "ok") && line_is(line, 2, "read")) {
        hear_read(history, asked, line, question && question->id == asked->id ? question : NULL);
    } else if (line_is(line, 0, "ok") && line_is(line, 2, "join")) {
        hear_join(history, line);
    }
}

/* ---- 4: executions */

/* Of a strict map no more inputs run than its limit, whatever has become of lost workers. */
static void expect_window(struct history *history, const struct join *join)
{
    uint64_t running = 0;
    char number[24];

    for (size_t i = 0; i < join->count; i++) {
        for (uint64_t k = 1; k <= join->inputs[i]->attempts; k++) {
            (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)k);
            const struct attempt *attempt = model_attempt(history, join->inputs[i]->id, number);
            running += attempt && attempt->is_running && !attempt->is_lost;
        }
    }
    if (running > join->limit) {
        history_fault(history, "executions", "%llu inputs of map %s run, and its limit is %llu",
                      (unsigned long long)running, join->id, (unsigned long long)join->limit);
    }
}

static void exec_start(struct history *history, struct attempt *attempt)
{
    struct task *task = attempt->task;

    if (attempt->has_started) {
        history_fault(history, "executions", "attempt %s runs twice", attempt->key);
    }
    if (task->is_once && task->has_run) {
        history_fault(history, "executions", "%s runs twice, and may once", task->id);
    }
    attempt->has_started = attempt->is_running = true;
    task->has_run = true;
    for (const struct input *input = task->inputs; input; input = input->next) {
        if (input->join->is_map) {
            expect_window(history, input->join);
        }
    }
}

static void read_exec(struct history *history, const struct line *line)
{
    struct attempt *attempt =
        model_attempt(history, line_get(line, "task"), line_get(line, "attempt"));

    if (!attempt) {
        history_fault(history, "executions", "%s runs and was not assigned",
                      line_get(line, "task"));
    } else if (line_is(line, 2, "start")) {
        exec_start(history, attempt);
    } else if (!attempt->is_running) {
        history_fault(history, "executions", "%s ends and does not run", attempt->key);
    } else {
        attempt->is_running = false;
    }
}

/* ---- 7: counters */

static void expect_count(struct history *history, const struct line *line, const char *name,
                         uint64_t known)
{
    if (*line_get(line, name) != '\0' && line_number(line, name) != known) {
        history_fault(history, "counters", "%s of %s, not %llu", line_get(line, name), name,
                      (unsigned long long)known);
    }
}

static void read_count(struct history *history, const struct line *line)
{
    expect_count(history, line, "submitted", history->submitted);
    expect_count(history, line, "succeeded", history->succeeded);
    expect_count(history, line, "cancelled", history->cancelled);
    expect_count(history, line, "failed", history->failed);
}

/* ---- the lot */

void passes_read(struct history *history, const struct line *line)
{
    static const char *const client[] = {"inv", "ok", "fail", "info"};

    for (size_t i = 0; i < sizeof(client) / sizeof(client[0]); i++) {
        if (line_is(line, 0, client[i])) {
            read_client(history, line);
            return;
        }
    }
    if (line_is(line, 0, "exec")) {
        read_exec(history, line);
    } else if (line_is(line, 0, "count")) {
        read_count(history, line);
    } else if (line_is(line, 0, "quiet")) {
        history->passes->is_quiet = true;
    } else {
        read_replica(history, line);
    }
}

/* 8: what goes in must come out. */
static void drain(struct history *history)
{
    for (const struct task *task = history->tasks; task; task = task->hh.next) {
        if (task->is_open) {
            history_fault(history, "drain", "%s has not ended", task->id);
        } else if (task->session) {
            history_fault(history, "drain", "%s has ended and is held", task->id);
        }
    }
}

void passes_end(struct history *history)
{
    for (const struct asked *asked = history->passes->asked; asked; asked = asked->hh.next) {
        if (asked->failed > 0 && asked->accepted + asked->unknown == 0 &&
            model_task(history, asked->id)) {
            history_fault(history, "submits", "%s was refused and is accepted", asked->id);
        }
    }
    if (history->passes->is_quiet) {
        drain(history);
    }
}
