/* SPDX-License-Identifier: MPL-2.0
 * Sessions by route. */
#include "nodes/coordinator/sessions.h"

#include <assert.h>
#include <stdlib.h>

/* A route as the table's key: what is beyond its size is zero. */
static struct route key_of(const struct route *route)
{
    struct route key = {.size = route->size};

    memcpy(key.byte, route->byte, route->size);
    return key;
}

void sessions_init(struct sessions *sessions, const uint8_t hash_key[16])
{
    *sessions = (struct sessions){.count = 0};
    TAILQ_INIT(&sessions->oldest_first);
    memcpy(sessions->hash_key, hash_key, sizeof(sessions->hash_key));
    presence_init(&sessions->presence, hash_key);
    table_init(&sessions->by_route, hash_key, offsetof(struct session, link),
               offsetof(struct session, route), sizeof(struct route));
    table_init(&sessions->crowds, hash_key, offsetof(struct crowd, link),
               offsetof(struct crowd, identity), sizeof(struct key));
}

static void destroy(struct session *session)
{
    shown_clear(&session->shown);
    buffer_clear(&session->assigns);
    buffer_clear(&session->resumes);
    buffer_clear(&session->stops);
    buffer_clear(&session->settled);
    buffer_clear(&session->backlog);
    free(session);
}

void sessions_clear(struct sessions *sessions)
{
    struct session *session;

    while ((session = TAILQ_FIRST(&sessions->oldest_first)) != NULL) {
        assert(session->holders == 0);
        sessions_close(sessions, session, session->heard_ms);
    }
    presence_clear(&sessions->presence);
    table_clear(&sessions->by_route);
    table_clear(&sessions->crowds);
}

struct session *sessions_find(const struct sessions *sessions, const struct route *route)
{
    const struct route key = key_of(route);

    return table_find(&sessions->by_route, &key);
}

uint32_t sessions_of(const struct sessions *sessions, const struct key *identity)
{
    const struct crowd *crowd = table_find(&sessions->crowds, identity);

    return crowd != NULL ? crowd->count : 0;
}

static void join_crowd(struct sessions *sessions, struct session *session)
{
    session->crowd = table_find(&sessions->crowds, &session->identity);
    if (session->crowd == NULL) {
        session->crowd = calloc(1, sizeof(*session->crowd));
        if (session->crowd == NULL) {
            abort();
        }
        session->crowd->identity = session->identity;
        table_insert(&sessions->crowds, session->crowd);
    }
    session->crowd->count++;
}

static void leave_crowd(struct sessions *sessions, struct session *session)
{
    session->crowd->count--;
    if (session->crowd->count == 0) {
        table_remove(&sessions->crowds, session->crowd);
        free(session->crowd);
    }
    session->crowd = NULL;
}

struct session *sessions_open(struct sessions *sessions, const struct route *route,
                              const struct key *identity, uint64_t now_ms)
{
    struct session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        abort();
    }
    session->route = key_of(route);
    session->identity = *identity;
    session->heard_ms = now_ms;
    session->is_open = true;
    LIST_INIT(&session->waits);
    TAILQ_INIT(&session->watching);
    TAILQ_INIT(&session->ready);
    shown_init(&session->shown, sessions->hash_key);
    table_insert(&sessions->by_route, session);
    join_crowd(sessions, session);
    TAILQ_INSERT_TAIL(&sessions->oldest_first, session, order);
    presence_come(&sessions->presence, identity);
    sessions->count++;
    return session;
}

void sessions_heard(struct sessions *sessions, struct session *session, uint64_t now_ms)
{
    session->heard_ms = now_ms;
    TAILQ_REMOVE(&sessions->oldest_first, session, order);
    TAILQ_INSERT_TAIL(&sessions->oldest_first, session, order);
}

void sessions_close(struct sessions *sessions, struct session *session, uint64_t now_ms)
{
    assert(session->is_open && session->seat == NULL && LIST_EMPTY(&session->waits) &&
           session->watcher_count == 0);
    table_remove(&sessions->by_route, session);
    leave_crowd(sessions, session);
    TAILQ_REMOVE(&sessions->oldest_first, session, order);
    presence_go(&sessions->presence, &session->identity, now_ms);
    sessions->count--;
    session->is_open = false;
    if (session->holders == 0) {
        destroy(session);
    }
}

void session_hold(struct session *session)
{
    session->holders++;
}

void session_release(struct session *session)
{
    if (session == NULL) {
        return;
    }
    assert(session->holders > 0);
    session->holders--;
    if (session->holders == 0 && !session->is_open) {
        destroy(session);
    }
}

struct session *sessions_oldest(const struct sessions *sessions)
{
    return TAILQ_FIRST(&sessions->oldest_first);
}

void session_owe(struct buffer *errands, const struct id *task, uint32_t attempt, uint32_t reason)
{
    const struct errand errand = {.task = *task, .attempt = attempt, .reason = reason};

    buffer_append(errands, &errand, sizeof(errand));
}
