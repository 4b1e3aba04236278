/* SPDX-License-Identifier: MPL-2.0
 * Waiting sessions, by task. A task that one session waits for, nearly all, costs one entry. */
#include "nodes/coordinator/waiters.h"

#include <stdlib.h>

#include "nodes/coordinator/sessions.h"

void waiters_init(struct waiters *waiters, const uint8_t hash_key[16])
{
    *waiters = (struct waiters){.slabs = SLIST_HEAD_INITIALIZER(waiters->slabs)};
    table_init(&waiters->by_task, hash_key, offsetof(struct waiter, link),
               offsetof(struct waiter, task), sizeof(struct id));
}

void waiters_clear(struct waiters *waiters)
{
    struct waiter_slab *slab;

    while ((slab = SLIST_FIRST(&waiters->slabs)) != NULL) {
        SLIST_REMOVE_HEAD(&waiters->slabs, link);
        free(slab);
    }
    table_clear(&waiters->by_task);
    waiters->unused = NULL;
    waiters->count = 0;
}

static void make_more(struct waiters *waiters)
{
    struct waiter_slab *slab = calloc(1, sizeof(*slab));

    if (slab == NULL) {
        abort();
    }
    SLIST_INSERT_HEAD(&waiters->slabs, slab, link);
    for (size_t i = 0; i < WAITERS_SLAB; i++) {
        slab->waiters[i].next = waiters->unused;
        waiters->unused = &slab->waiters[i];
    }
}

static bool is_waiting(const struct waiter *first, const struct session *session)
{
    while (first != NULL && first->session != session) {
        first = first->next;
    }
    return first != NULL;
}

void waiters_add(struct waiters *waiters, struct session *session, const struct id *task)
{
    struct waiter *first = table_find(&waiters->by_task, task);
    struct waiter *waiter;

    if (is_waiting(first, session)) {
        return;
    }
    if (waiters->unused == NULL) {
        make_more(waiters);
    }
    waiter = waiters->unused;
    waiters->unused = waiter->next;
    waiter->task = *task;
    waiter->session = session;
    if (first == NULL) {
        waiter->next = NULL;
        table_insert(&waiters->by_task, waiter);
    } else {
        waiter->next = first->next;
        first->next = waiter;
    }
    LIST_INSERT_HEAD(&session->waits, waiter, in_session);
    waiters->count++;
}

struct waiter *waiters_take(struct waiters *waiters, const struct id *task)
{
    struct waiter *first = table_find(&waiters->by_task, task);

    if (first != NULL) {
        table_remove(&waiters->by_task, first);
    }
    return first;
}

struct waiter *waiters_release(struct waiters *waiters, struct waiter *waiter)
{
    struct waiter *next = waiter->next;

    LIST_REMOVE(waiter, in_session);
    waiter->next = waiters->unused;
    waiters->unused = waiter;
    waiters->count--;
    return next;
}

/* Takes one of several off its task's list. */
static void unlink_waiter(struct waiters *waiters, struct waiter *waiter)
{
    struct waiter *first = table_find(&waiters->by_task, &waiter->task);

    if (first == waiter) {
        table_remove(&waiters->by_task, first);
        if (first->next != NULL) {
            table_insert(&waiters->by_task, first->next);
        }
        return;
    }
    while (first->next != waiter) {
        first = first->next;
    }
    first->next = waiter->next;
}

void waiters_drop(struct waiters *waiters, struct session *session)
{
    struct waiter *waiter;

    while ((waiter = LIST_FIRST(&session->waits)) != NULL) {
        unlink_waiter(waiters, waiter);
        waiters_release(waiters, waiter);
    }
}
