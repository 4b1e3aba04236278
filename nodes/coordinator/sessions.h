/* SPDX-License-Identifier: MPL-2.0
 * Who is connected: one session for each route that said Hello. A session lives until it is silent,
 * says goodbye or breaks the rules; jobs under way keep its memory.
 *
 * What a session is owed this turn is gathered in it and sent when the turn ends. */
#ifndef GROVE_COORDINATOR_SESSIONS_H
#define GROVE_COORDINATOR_SESSIONS_H

#include <sys/queue.h>

#include "core/buffer.h"
#include "nodes/coordinator/presence.h"
#include "nodes/coordinator/shown.h"
#include "nodes/coordinator/waiters.h"
#include "nodes/coordinator/watchers.h"
#include "nodes/host/bus.h"

struct seat;

/* An attempt to be assigned, resumed or stopped. */
struct errand {
    struct id task;
    uint32_t attempt;
    uint32_t reason; /* of a stop: enum refusal */
};

/* How many sessions an identity has. */
struct crowd {
    struct table_link link;
    struct key identity;
    uint32_t count;
};

struct session {
    struct table_link link;
    TAILQ_ENTRY(session) order; /* least recently heard first */
    struct route route;         /* zero beyond its size: the key of the table */
    struct envelope envelope;   /* repeated around what nobody asked for */
    struct key identity;
    struct crowd *crowd; /* that it is one of; NULL once it is closed */
    struct id boot;
    uint32_t roles;
    uint64_t heard_ms; /* monotonic */
    struct seat *seat; /* of a worker that has enlisted; NULL: none */
    unsigned holders;  /* jobs that point here */
    bool is_open;
    bool is_choked; /* does not take its answers: to be ended */

    struct shown shown;
    struct waiter_list waits;
    struct watcher_list watching; /* what it asked and cannot be answered yet */
    struct watcher_list ready;    /* what can, as soon as its pipe has room */
    size_t watcher_count;         /* of both */

    bool is_due; /* in the list of those that the end of the turn serves */
    TAILQ_ENTRY(session) due;
    struct buffer assigns, resumes, stops; /* struct errand */
    struct buffer settled;                 /* struct id: tasks to notify of */
    bool is_recalled;      /* hands back what has not started of functions that have a limit */
    struct buffer backlog; /* frames that its pipe had no room for */
    size_t backlog_sent;   /* bytes of it that went out since */
};

TAILQ_HEAD(session_list, session);

struct sessions {
    struct table by_route;
    struct table crowds; /* by identity */
    struct session_list oldest_first;
    struct presence presence;
    size_t count;
    uint8_t hash_key[16];
};

void sessions_init(struct sessions *sessions, const uint8_t hash_key[16]);

/* Closes all; no job may hold one any more. */
void sessions_clear(struct sessions *sessions);

/* NULL when this route has said no Hello. */
struct session *sessions_find(const struct sessions *sessions, const struct route *route);

/* How many this identity has. */
uint32_t sessions_of(const struct sessions *sessions, const struct key *identity);

struct session *sessions_open(struct sessions *sessions, const struct route *route,
                              const struct key *identity, uint64_t now_ms);

void sessions_heard(struct sessions *sessions, struct session *session, uint64_t now_ms);

/* Takes it out of the table; its memory goes with the last holder. What it waits for and its seat
 * have been taken back before. */
void sessions_close(struct sessions *sessions, struct session *session, uint64_t now_ms);

void session_hold(struct session *session);
void session_release(struct session *session); /* NULL is fine */

/* The one heard least recently, NULL when there is none. */
struct session *sessions_oldest(const struct sessions *sessions);

void session_owe(struct buffer *errands, const struct id *task, uint32_t attempt, uint32_t reason);

#endif
