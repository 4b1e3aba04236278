/* SPDX-License-Identifier: MPL-2.0
 * What the passes of the history checker know of a history so far. */
#ifndef GROVE_TESTS_HISTORY_STATE_H
#define GROVE_TESTS_HISTORY_STATE_H

#include <sys/queue.h>

#include <uthash.h>

#include "tests/history/history.h"
#include "tests/history/line.h"

#define ITEMS_MOST 256

struct session {
    UT_hash_handle hh;
    uint64_t index, slots, window;
    const char *by, *boot;
    char *offers; /* ",f,g," */
    bool is_live;
    LIST_HEAD(, task) held;
};

/* A task as an input of a join. */
struct input {
    struct join *join;
    struct input *next; /* of the same task */
    size_t position;
};

struct join {
    UT_hash_handle hh;
    const char *id, *state;
    struct task *parent;
    struct join *next; /* of the same parent */
    bool is_map, is_race, first_settled, is_closed;
    uint64_t limit, stop, held;
    struct task **inputs;
    size_t count, capacity, succeeded, failed, winner_count;
    char *winners; /* "0,2" */
};

/* One attempt, as it was assigned. */
struct attempt {
    UT_hash_handle hh;
    char key[64]; /* "task/attempt" */
    struct task *task;
    bool is_lost, has_started, is_running;
};

struct task {
    UT_hash_handle hh;
    const char *id, *function, *digest, *by;
    struct task *parent, *root;
    struct input *inputs;
    struct join *joins;      /* of its own */
    struct session *session; /* that holds its attempt, also when it has ended */
    LIST_ENTRY(task) held;
    uint64_t depth, attempts, generation, most, losses, sure_losses, refusals;
    uint64_t deadline_ms, expires_ms, not_before_ms;
    uint64_t index;             /* of the entry that accepted it */
    uint64_t planted;           /* how many were accepted then */
    bool is_open, is_announced; /* its end was told */
    bool is_once, is_spent;     /* ... may not begin again */
    bool is_join, is_marked, has_run;
    bool waited;       /* in its present attempt */
    bool is_instant;   /* what it waited for had ended: it may not have begun */
    uint64_t doubted;  /* by this command: whether its session has lost it, effects say */
    uint64_t released; /* by this command */
    const char *code, *outcome;
};

/* Memory that goes all at once. */
struct pile {
    struct block *blocks;
};

struct history {
    unsigned number;
    char fault[512]; /* the first */
    struct pile kept, scratch;
    /* the ledger: what the second model knows */
    uint64_t index, now_ms, commands;
    struct task *tasks;
    struct session *sessions;
    struct join *all_joins;
    struct attempt *attempts;
    struct certificate *certificates;
    uint64_t submitted, succeeded, failed, cancelled;
    /* the command that is read, and all of its lines so far */
    struct command {
        struct line **lines;
        size_t count, capacity, cursor;
        struct session
            *session; /* that it speaks for; NULL: from outside, or one that is no more */
        struct session *resumed; /* whose worker shows up again */
        bool is_dead;            /* it speaks for a session that is no more */
        uint64_t predicted;      /* ends that are still to be told */
        uint64_t refuses;        /* that are still to be told */
        struct task *answered[ITEMS_MOST];
    } command;
    /* the other passes */
    struct passes *passes;
    struct seals *seals;
};

void *pile_take(struct pile *pile, size_t size);
char *pile_text(struct pile *pile, const char *text);
char *pile_pair(struct pile *pile, const char *one, const char *other);
/* Makes its memory free for others; it keeps one block. */
void pile_empty(struct pile *pile);
void pile_clear(struct pile *pile);

/* Notes what is wrong, unless something was before. */
void history_fault(struct history *history, const char *pass, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct task *model_task(const struct history *history, const char *id);
struct join *model_join(const struct history *history, const char *id);
struct session *model_session(const struct history *history, uint64_t index);
struct attempt *model_attempt(const struct history *history, const char *task, const char *number);
/* "do", what a command holds, and "->". */
void model_read(struct history *history, const struct line *line);
/* A command is over: whatever had to happen in it has. */
void model_finish(struct history *history);
void model_clear(struct history *history);

/* The present command: its kind, a word of it, */
bool model_is(const struct history *history, const char *kind);
const char *model_word(const struct history *history, const char *key);
/* The task, if this session holds the attempt that a line names, also when it has ended. */
struct task *model_held(const struct history *history, const struct line *line,
                        const struct session *session);
/* Under a cancelled one, or an input of a join that is over. */
bool model_doomed(const struct task *task);

void tasks_answer(struct history *history, const struct line *effect);
void tasks_settled(struct history *history, const struct line *effect);
void tasks_settle(struct history *history, struct task *task, const char *code,
                  const char *outcome);

void workers_retire(struct history *history, struct session *session);
void workers_enlisted(struct history *history, const struct line *effect);
void workers_report(struct history *history, const struct line *result);
void workers_return(struct history *history, const struct line *returned);
/* Loses it after all. */
void workers_doubt(struct history *history, struct task *task);
/* No effect has spoken for those still in doubt. */
void workers_finish(struct history *history);
void workers_assign(struct history *history, const struct line *effect);
/* Resume and Stop. */
void workers_told(struct history *history, const struct line *effect);
/* What the command says of attempts that wait. */
void workers_wait(struct history *history);

/* ... and its lines. */
struct line *model_detail(struct history *history, const char *kind, const char *key,
                          const char *value);

void joins_append(struct history *history, const struct line *effect);
struct join *joins_open_root(struct history *history, struct task *root, const struct line *item);
/* A task has ended, or failed and tries again: its open joins are over. */
void joins_settle(struct history *history, struct task *task);
void joins_end(struct task *task);
/* A task comes again: its joins of before are no more. */
void joins_forget(struct history *history, struct task *task);
/* Whether it is an input of a join that is over. */
bool joins_left_over(const struct task *task);
/* A session got an attempt of it, or gave it back. */
void joins_hold(struct history *history, const struct task *task, int change);
/* What the forest says of a join at the end of a command. */
void joins_compare(struct history *history, const struct line *line);

enum { RIGHTS_WORKER = 2, RIGHTS_CLIENT = 4, RIGHTS_OPERATOR = 16, RIGHTS_SUBMIT = 6 };

/* Rights: certificates come and go by commands. */
void rights_read(struct history *history, const struct line *line);
/* Whether an identity has one of the roles now, and may submit (or run) this function; NULL: any.
 */
bool rights_allow(const struct history *history, const char *identity, unsigned roles,
                  const char *function);
bool rights_revoked(const struct history *history, const char *identity);

/* Seals: of each line of a command, before the model reads it; then it is over. */
struct seals *seals_create(void);
void seals_destroy(struct seals *seals);
void seals_read(struct history *history, const struct line *line);
void seals_finish(struct history *history);
unsigned long seals_verified(const struct seals *seals);

struct passes *passes_create(void);
void passes_destroy(struct passes *passes);
void passes_read(struct history *history, const struct line *line);
void passes_end(struct history *history);

#endif
