/* SPDX-License-Identifier: MPL-2.0
 * Questions that cannot be answered yet: a Page whose join has nothing for it, a Cancel whose last
 * task is not stopped. Soft: a new leader starts empty, and whoever asked asks again.
 *
 * News of a join or a task only says that its watchers are due; they are looked at once, when the
 * turn ends, and those that can be answered are handed to their session. */
#ifndef GROVE_COORDINATOR_WATCHERS_H
#define GROVE_COORDINATOR_WATCHERS_H

#include <sys/queue.h>

#include "core/message.h"
#include "core/table.h"
#include "nodes/host/bus.h"

/* An attempt or two of each slot of a large worker, and then no more. */
#define WATCHERS_SESSION 8192u /* questions of one session */
#define WATCHERS_MOST 65536u   /* in all; about 10 MiB */
#define WATCHERS_OF_ONE 64u    /* of one join or task: all are looked at when it has news */

struct session;
struct watched;

struct watcher {
    TAILQ_ENTRY(watcher) of_watched; /* while it waits for news */
    TAILQ_ENTRY(watcher) of_session;
    struct watched *watched; /* NULL: it is ready to be answered */
    struct session *session;
    struct envelope envelope;
    uint64_t correlation;
    enum message_type type; /* MESSAGE_PAGE or MESSAGE_CANCEL */
    struct page page;       /* of a Cancel: its `join` is the task */
};

TAILQ_HEAD(watcher_list, watcher);

/* A join or a task that somebody watches. */
struct watched {
    struct table_link link;
    struct id id;
    struct watcher_list watchers; /* never empty */
    size_t count;
    bool is_due;
    TAILQ_ENTRY(watched) due;
};

struct watchers {
    struct table by_id;
    TAILQ_HEAD(, watched) due;
    size_t count;
};

void watchers_init(struct watchers *watchers, const uint8_t hash_key[16]);
void watchers_clear(struct watchers *watchers); /* all sessions have ended */

/* Keeps a question; it is due at once, for the answer may be there already. False: no room.
 *
 *   question   copied, but for its lists */
bool watchers_add(struct watchers *watchers, const struct watcher *question);

/* Something happened to this join or task. */
void watchers_tell(struct watchers *watchers, const struct id *id);

/* The next that is due, which it is no more; NULL: none is. */
struct watched *watchers_next(struct watchers *watchers);

/* The watcher can be answered: it waits for nothing but room in its session's pipe. What it
 * watched is gone with the last. */
void watchers_ready(struct watchers *watchers, struct watcher *watcher);

/* It is answered. */
void watchers_release(struct watchers *watchers, struct watcher *watcher);

/* Forgets all that a session asked. */
void watchers_drop(struct watchers *watchers, struct session *session);

#endif
