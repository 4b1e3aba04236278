/* SPDX-License-Identifier: MPL-2.0
 * Pools and their lines. */
#include "core/pool.h"

#include <stdlib.h>

#include "core/kept.h"
#include "core/limit.h"

/* Sessions that take any task stand before those so full of waiting attempts that they only take
 * deep ones. */
static int by_line(const struct session *a, const struct session *b)
{
    if (a->excess != b->excess) {
        return a->excess < b->excess ? -1 : 1;
    }
    if (a->room != b->room) {
        return a->room < b->room ? -1 : 1;
    }
    if (a->load != b->load) {
        return a->load < b->load ? -1 : 1;
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

RB_GENERATE_STATIC(session_line, session, in_line, by_line)

uint32_t pool_ahead(const struct session *session)
{
    return session->held[PLACE_CHILDREN] + session->held[PLACE_ROOTS] + session->held[PLACE_LARGE];
}

uint32_t pool_busy(const struct session *session)
{
    return session->held[PLACE_SLOT] + pool_ahead(session);
}

uint32_t pool_parked(const struct session *session)
{
    return session->held[PLACE_WAITING] + session->held[PLACE_RESUMABLE] +
           session->held[PLACE_BARRED];
}

static void leave_line(struct session *session)
{
    if (session->is_in_line) {
        RB_REMOVE(session_line, &session->pool->line, session);
        session->is_in_line = false;
    }
}

/* The depth that a task must have to be taken by a session that holds so many: at depth d it takes
 * up to most - (spare >> d) + d. So what waits leaves room for what it waits for, level by level.
 */
static uint32_t excess(uint32_t held, uint32_t most, uint32_t spare)
{
    uint32_t depth = 0;

    for (; spare > 0 && held + spare >= most + depth; spare /= 2) {
        depth++;
    }
    return held >= most + depth ? held - most + 1 : depth;
}

/* Large trees leave a part of each window free, so that a new task need not wait for a place. */
static enum session_room room_of(const struct session *session, uint32_t busy)
{
    if (session->held[PLACE_SLOT] < session->slots) {
        return ROOM_SLOT;
    }
    return busy < session->slots + session->window - session->window / LIMIT_LARGE_SHARE
               ? ROOM_AHEAD
               : ROOM_SMALL;
}

void pool_place(struct session *session)
{
    const uint32_t busy = pool_busy(session);
    const uint32_t held = busy + pool_parked(session);
    const uint32_t places = session->slots + session->window;
    const uint32_t most = places + session->max_waiting;
    const uint32_t spare =
        session->window < session->max_waiting ? session->window : session->max_waiting;

    leave_line(session);
    session->excess = excess(held, most, spare);
    session->room = (uint8_t)room_of(session, busy);
    session->load = ((uint64_t)busy << 32) / places;
    if (session->pool && busy < places) {
        session->is_in_line = true;
        RB_INSERT(session_line, &session->pool->line, session);
    }
}

static bool has_functions(const struct pool *pool, const struct session *session)
{
    bool equal = pool->offer_count == session->function_count;

    for (size_t i = 0; equal && i < pool->offer_count; i++) {
        equal = pool->offers[i].function == session->functions[i];
    }
    return equal;
}

static struct pool *make(const struct session *session)
{
    const size_t count = session->function_count;
    struct pool *pool = kept_allocate(sizeof(*pool) + count * sizeof(pool->offers[0]));

    pool->offer_count = count;
    for (size_t i = 0; i < count; i++) {
        struct function *function = session->functions[i];
        function->uses++;
        pool->offers[i].function = function;
        pool->offers[i].pool = pool;
        LIST_INSERT_HEAD(&function->offers, &pool->offers[i], of_function);
    }
    return pool;
}

void pool_join(struct forest *forest, struct session *session)
{
    struct offer *offer = NULL;

    (void)forest;
    if (session->function_count == 0) {
        return;
    }
    LIST_FOREACH(offer, &session->functions[0]->offers, of_function) {
        if (has_functions(offer->pool, session)) {
            break;
        }
    }
    session->pool = offer ? offer->pool : make(session);
    session->pool->sessions++;
    for (size_t i = 0; i < session->function_count; i++) {
        session->functions[i]->sessions++;
    }
    pool_place(session);
}

void pool_leave(struct forest *forest, struct session *session)
{
    struct pool *pool = session->pool;

    if (!pool) {
        return;
    }
    leave_line(session);
    session->pool = NULL;
    for (size_t i = 0; i < pool->offer_count; i++) {
        pool->offers[i].function->sessions--;
    }
    if (--pool->sessions > 0) {
        return;
    }
    for (size_t i = 0; i < pool->offer_count; i++) {
        LIST_REMOVE(&pool->offers[i], of_function);
        function_drop(forest, pool->offers[i].function);
    }
    free(pool);
}

static bool refuses(const struct queue_key *key, const struct session *session)
{
    for (size_t i = 0; i < LIMIT_REFUSALS - 1; i++) {
        if (key->refused_by[i] == session->index) {
            return true;
        }
    }
    return false;
}

/* The least room that the first task of a queue can do with. */
static enum session_room room_for(const struct queue *queue)
{
    if ((queue->key.needs & NEED_SLOT) || limit_is_set(queue->key.function)) {
        return ROOM_SLOT;
    }
    return queue->rank.standing == STANDING_LARGE && queue->key.depth > 0 ? ROOM_AHEAD : ROOM_SMALL;
}

/* The first session of a line that takes the first task of this queue. Those passed over are few:
 * at most two refused the task, and a session with a lost attempt beside it is one of as many as
 * there are such attempts. */
static struct session *first_in_line(struct pool *pool, const struct queue *queue)
{
    const struct queue_key *key = &queue->key;
    const enum session_room room = room_for(queue);
    struct session *session = RB_MIN(session_line, &pool->line);

    while (session && session->excess <= key->depth) {
        if (session->room > room) {
            struct session beyond = {.excess = session->excess + 1};
            session = RB_NFIND(session_line, &pool->line, &beyond);
        } else if (((key->needs & NEED_CALM) && session->lost > 0) || refuses(key, session)) {
            session = RB_NEXT(session_line, &pool->line, session);
        } else {
            return session;
        }
    }
    return NULL;
}

struct session *pool_choose(const struct queue *queue)
{
    struct session *best = NULL;
    struct offer *offer = NULL;

    if (queue->key.function->is_held) {
        return NULL;
    }
    LIST_FOREACH(offer, &queue->key.function->offers, of_function) {
        struct session *session = first_in_line(offer->pool, queue);
        if (session && (!best || by_line(session, best) < 0)) {
            best = session;
        }
    }
    return best;
}

bool pool_is_capped(const struct queue *queue)
{
    const struct offer *offer = NULL;
    bool is_capped = false;

    LIST_FOREACH(offer, &queue->key.function->offers, of_function) {
        const struct session *session = RB_MIN(session_line, &offer->pool->line);
        if (session && session->excess <= queue->key.depth) {
            return false;
        }
        is_capped |= session != NULL;
    }
    return is_capped;
}
