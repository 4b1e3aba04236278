/* SPDX-License-Identifier: MPL-2.0
 * Which sessions want to hear of a task's end. Soft: a new leader starts empty and clients ask
 * again. */
#ifndef GROVE_COORDINATOR_WAITERS_H
#define GROVE_COORDINATOR_WAITERS_H

#include <sys/queue.h>

#include "core/bytes.h"
#include "core/table.h"

struct session;

/* One session that waits for one task. */
struct waiter {
    struct table_link link; /* of the first waiter of its task */
    struct id task;
    struct session *session;
    struct waiter *next; /* of the same task; of the free ones */
    LIST_ENTRY(waiter) in_session;
};

LIST_HEAD(waiter_list, waiter);

#define WAITERS_SLAB 256u /* made at a time */

struct waiter_slab {
    SLIST_ENTRY(waiter_slab) link;
    struct waiter waiters[WAITERS_SLAB];
};

struct waiters {
    struct table by_task;
    struct waiter *unused;
    SLIST_HEAD(, waiter_slab) slabs;
    size_t count;
};

void waiters_init(struct waiters *waiters, const uint8_t hash_key[16]);
void waiters_clear(struct waiters *waiters);

/* Lets `session` wait for `task`; asking twice is the same as once. */
void waiters_add(struct waiters *waiters, struct session *session, const struct id *task);

/* Takes all who wait for `task` off the list; each is given back by waiters_release. */
struct waiter *waiters_take(struct waiters *waiters, const struct id *task);

/* Gives back one that was taken; returns the next of the same task, NULL at the end. */
struct waiter *waiters_release(struct waiters *waiters, struct waiter *waiter);

/* Forgets all that a session waits for. */
void waiters_drop(struct waiters *waiters, struct session *session);

#endif
