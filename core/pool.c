/* SPDX-License-Identifier: MPL-2.0
 * Pools and their lines. */
#include "core/pool.h"

#include <stdlib.h>

#include "core/kept.h"
#include "core/limit.h"

/* Sessions that take any task stand before those so full of waiting attempts that they only take
 * deep ones. */
static int compare(const struct session *a, const struct session *b)
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

static int by_line(const struct stand *a, const struct stand *b)
{
    return compare(a->session, b->session);
}

RB_GENERATE_STATIC(session_line, stand, in_line, by_line)

bool pool_is_ahead(enum place place)
{
    return place == PLACE_CHILDREN || place == PLACE_ROOTS || place == PLACE_LARGE;
}

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

static void leave_lines(struct session *session)
{
    for (int line = 0; line < LINE_COUNT; line++) {
        struct stand *stand = &session->stands[line];
        if (stand->is_taken) {
            RB_REMOVE(session_line, &session->pool->lines[line], stand);
            stand->is_taken = false;
        }
    }
}

static void enter_line(struct session *session, enum line line)
{
    struct stand *stand = &session->stands[line];

    stand->session = session;
    stand->is_taken = true;
    RB_INSERT(session_line, &session->pool->lines[line], stand);
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

bool pool_takes_needy(const struct session *session)
{
    return session->needy < session->slots && session->needy < pool_ahead(session);
}

void pool_place(struct session *session)
{
    const uint32_t busy = pool_busy(session);
    const uint32_t held = busy + pool_parked(session);
    const uint32_t places = session->slots + session->window;
    const uint32_t most = places + session->max_waiting;
    const uint32_t spare =
        session->window < session->max_waiting ? session->window : session->max_waiting;

    leave_lines(session);
    session->excess = excess(held, most, spare);
    session->room = (uint8_t)room_of(session, busy);
    session->load = ((uint64_t)busy << 32) / places;
    if (session->pool && busy < places) {
        enter_line(session, LINE_ROOM);
        if (pool_takes_needy(session)) {
            enter_line(session, LINE_NEEDY);
        }
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
    leave_lines(session);
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

static bool needs_slot(const struct queue *queue)
{
    return (queue->key.needs & NEED_SLOT) || limit_is_set(queue->key.function);
}

/* The least room ahead that the first task of a queue can do with. */
static enum session_room room_for(const struct queue *queue)
{
    return queue->rank.standing == STANDING_LARGE && queue->key.depth > 0 ? ROOM_AHEAD : ROOM_SMALL;
}

/* The first session of a line with so much room that takes the first task of this queue. Those
 * passed over are few: at most two refused the task, and a session with a lost attempt beside it is
 * one of as many as there are such attempts. */
static struct session *first_in_line(struct session_line *line, const struct queue *queue,
                                     enum session_room room)
{
    const struct queue_key *key = &queue->key;
    struct stand *stand = RB_MIN(session_line, line);

    while (stand && stand->session->excess <= key->depth) {
        struct session *session = stand->session;
        if (session->room > room) {
            struct session beyond = {.excess = session->excess + 1};
            struct stand after = {.session = &beyond};
            stand = RB_NFIND(session_line, line, &after);
        } else if (((key->needs & NEED_CALM) && session->lost > 0) || refuses(key, session)) {
            stand = RB_NEXT(session_line, line, stand);
        } else {
            return session;
        }
    }
    return NULL;
}

static struct session *first_of_all(const struct queue *queue, enum line line,
                                    enum session_room room)
{
    struct session *best = NULL;
    struct offer *offer = NULL;

    LIST_FOREACH(offer, &queue->key.function->offers, of_function) {
        struct session *session = first_in_line(&offer->pool->lines[line], queue, room);
        if (session && (!best || compare(session, best) < 0)) {
            best = session;
        }
    }
    return best;
}

struct session *pool_choose(const struct queue *queue)
{
    const struct function *function = queue->key.function;

    if (function->is_held) {
        return NULL;
    }
    if (!needs_slot(queue)) {
        return first_of_all(queue, LINE_ROOM, room_for(queue));
    }
    struct session *session = first_of_all(queue, LINE_ROOM, ROOM_SLOT);
    if (!session && (!limit_is_set(function) || function->ahead == 0)) {
        session = first_of_all(queue, LINE_NEEDY, room_for(queue));
    }
    return session;
}

bool pool_is_capped(const struct queue *queue)
{
    const struct offer *offer = NULL;
    bool is_capped = false;

    LIST_FOREACH(offer, &queue->key.function->offers, of_function) {
        const struct stand *stand = RB_MIN(session_line, &offer->pool->lines[LINE_ROOM]);
        if (stand && stand->session->excess <= queue->key.depth) {
            return false;
        }
        is_capped |= stand != NULL;
    }
    return is_capped;
}
