/* SPDX-License-Identifier: MPL-2.0
 * Why is this not running, or not done? A chain of reasons: of a task, of what it waits for, of
 * what that waits for, down to something that runs, or to what somebody would have to do. */
#ifndef GROVE_CORE_EXPLAIN_H
#define GROVE_CORE_EXPLAIN_H

#include "core/forest.h"

enum reason_kind {
    REASON_ENDED,     /* text: how */
    REASON_STOPPING,  /* has ended; session: still holds what it was told to stop */
    REASON_DELAYED,   /* at_ms: not before */
    REASON_BACKOFF,   /* number: own failures; at_ms: not tried again before */
    REASON_WINDOW,    /* join: its map; number of inputs before it; most: the map's limit */
    REASON_NO_WORKER, /* no session offers its function */
    REASON_NO_TAKER,  /* number: sessions that offer it, and all have refused it */
    REASON_PAUSED,    /* nothing of its function begins */
    REASON_LIMIT,     /* number: attempts of its function that run; most: that may */
    REASON_RATE,      /* at_ms: its function's rate lets nothing begin before; most: in 1,000 s */
    REASON_CAP,       /* most: sessions that offer it; those with room hold as many waiting attempts
                         as they may at its depth */
    REASON_NO_SLOT, /* number of tasks before it; most: sessions that offer it, all without room */
    REASON_CALM,    /* number: workers it was lost with; it waits for a session without another
                       such task */
    REASON_AHEAD,   /* session: has it; number of attempts that it starts before */
    REASON_RUNS,    /* session; at_ms: since */
    REASON_SLOT,    /* session: may go on there, when a slot falls free */
    REASON_BARRED,  /* session; number of attempts of its function run, of most that may: it goes on
                       before anything new */
    REASON_CHILD,   /* next: what it waits for; number: how many children in all */
    REASON_JOIN,    /* join; number of inputs that have ended, of most; next: the first that has
                       not */
    REASON_INPUTS,  /* join: from outside or not; waits for its parent to append or to close */
    REASON_COUNT
};

struct reason {
    enum reason_kind kind;
    struct id task;
    struct bytes function; /* of the task */
    struct id next;        /* another task; zero: none */
    struct id join;        /* zero: none */
    uint64_t session;      /* 0: none */
    const char *instance;  /* of that session; NULL: none */
    uint64_t at_ms;
    uint64_t number, most;
    bool is_more; /* `number` was counted no further */
    struct bytes text;
};

/* Reasons in order, the task's own first, each next one of the `next` before; at most `most`. Cost
 * is bounded whatever the forest holds. Borrowed until the next apply.
 *
 *   returns   how many; 0: there is no such task */
size_t forest_explain(const struct forest *forest, const struct id *id, struct reason *reasons,
                      size_t most);

/* "no-worker": for JSON. */
const char *reason_name(enum reason_kind kind);

/* A sentence, and what would help: a command, or nothing. */
void reason_print(const struct reason *reason, struct buffer *out);
void reason_help(const struct reason *reason, struct buffer *out);

#endif
