/* SPDX-License-Identifier: MPL-2.0
 * Watchers by what they watch, and by session. */
#include "nodes/coordinator/watchers.h"

#include <assert.h>
#include <stdlib.h>

#include "nodes/coordinator/sessions.h"

void watchers_init(struct watchers *watchers, const uint8_t hash_key[16])
{
    TAILQ_INIT(&watchers->due);
    watchers->count = 0;
    table_init(&watchers->by_id, hash_key, offsetof(struct watched, link),
               offsetof(struct watched, id), sizeof(struct id));
}

void watchers_clear(struct watchers *watchers)
{
    assert(watchers->count == 0);
    table_clear(&watchers->by_id);
}

static void *make(size_t size)
{
    void *made = calloc(1, size);

    if (made == NULL) {
        abort();
    }
    return made;
}

static void set_due(struct watchers *watchers, struct watched *watched)
{
    if (!watched->is_due) {
        watched->is_due = true;
        TAILQ_INSERT_TAIL(&watchers->due, watched, due);
    }
}

static void set_seen(struct watchers *watchers, struct watched *watched)
{
    if (watched->is_due) {
        watched->is_due = false;
        TAILQ_REMOVE(&watchers->due, watched, due);
    }
}

static bool has_room(const struct watchers *watchers, const struct session *session,
                     const struct watched *watched)
{
    return watchers->count < WATCHERS_MOST && session->watcher_count < WATCHERS_SESSION &&
           (watched == NULL || watched->count < WATCHERS_OF_ONE);
}

static struct watched *make_watched(struct watchers *watchers, const struct id *id)
{
    struct watched *watched = make(sizeof(*watched));

    watched->id = *id;
    TAILQ_INIT(&watched->watchers);
    table_insert(&watchers->by_id, watched);
    return watched;
}

bool watchers_add(struct watchers *watchers, const struct watcher *question)
{
    struct watched *watched = table_find(&watchers->by_id, &question->page.join);
    struct session *session = question->session;
    struct watcher *watcher;

    if (!has_room(watchers, session, watched)) {
        return false;
    }
    if (watched == NULL) {
        watched = make_watched(watchers, &question->page.join);
    }
    watcher = make(sizeof(*watcher));
    *watcher = *question;
    watcher->watched = watched;
    TAILQ_INSERT_TAIL(&watched->watchers, watcher, of_watched);
    watched->count++;
    TAILQ_INSERT_TAIL(&session->watching, watcher, of_session);
    session->watcher_count++;
    watchers->count++;
    set_due(watchers, watched);
    return true;
}

void watchers_tell(struct watchers *watchers, const struct id *id)
{
    struct watched *watched = watchers->count > 0 ? table_find(&watchers->by_id, id) : NULL;

    if (watched != NULL) {
        set_due(watchers, watched);
    }
}

struct watched *watchers_next(struct watchers *watchers)
{
    struct watched *watched = TAILQ_FIRST(&watchers->due);

    if (watched != NULL) {
        set_seen(watchers, watched);
    }
    return watched;
}

/* Takes it from what it watches, and out of the list of its session that it is in. */
static void take(struct watchers *watchers, struct watcher *watcher)
{
    struct session *session = watcher->session;
    struct watched *watched = watcher->watched;

    if (watched == NULL) {
        TAILQ_REMOVE(&session->ready, watcher, of_session);
        return;
    }
    TAILQ_REMOVE(&session->watching, watcher, of_session);
    TAILQ_REMOVE(&watched->watchers, watcher, of_watched);
    watched->count--;
    watcher->watched = NULL;
    if (TAILQ_EMPTY(&watched->watchers)) {
        set_seen(watchers, watched);
        table_remove(&watchers->by_id, watched);
        free(watched);
    }
}

void watchers_ready(struct watchers *watchers, struct watcher *watcher)
{
    take(watchers, watcher);
    TAILQ_INSERT_TAIL(&watcher->session->ready, watcher, of_session);
}

void watchers_release(struct watchers *watchers, struct watcher *watcher)
{
    take(watchers, watcher);
    watcher->session->watcher_count--;
    watchers->count--;
    free(watcher);
}

static void drop_all(struct watchers *watchers, struct watcher_list *list)
{
    struct watcher *watcher, *next;

    TAILQ_FOREACH_SAFE(watcher, list, of_session, next) {
        watchers_release(watchers, watcher);
    }
}

void watchers_drop(struct watchers *watchers, struct session *session)
{
    drop_all(watchers, &session->watching);
    drop_all(watchers, &session->ready);
}
