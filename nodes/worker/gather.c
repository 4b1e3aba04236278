/* SPDX-License-Identifier: MPL-2.0
 * Attempts that began together end together. Sealed one by one, each would cost a signature, and
 * two verifications elsewhere: so what has ended waits a little for the next. */
#include "nodes/worker/handlers.h"

#include <sched.h>

#include "nodes/host/clock.h"

#define GATHER_GAP_NS 60000u   /* for the next one */
#define GATHER_MOST_NS 200000u /* in all */
#define GATHER_TRIES 8u        /* in vain, one after the other */

/* What has ended may not be all, and nothing waits here for a slot. */
static bool has_ended_beside_others(struct handlers *handlers)
{
    bool has_ended;

    pthread_mutex_lock(&handlers->lock);
    has_ended = !STAILQ_EMPTY(&handlers->ended) && handlers->running > 0 && handlers->queued == 0;
    pthread_mutex_unlock(&handlers->lock);
    return has_ended;
}

/* Whoever else wants this core goes first: one that is about to end, it may be. */
static bool another_ends(struct handlers *handlers, unsigned count, uint64_t until_ns)
{
    const uint64_t gap_ns = clock_monotonic_ns() + GATHER_GAP_NS;

    until_ns = until_ns < gap_ns ? until_ns : gap_ns;
    while (atomic_load(&handlers->ended_count) == count) {
        if (clock_monotonic_ns() >= until_ns) {
            return false;
        }
        sched_yield();
    }
    return true;
}

void handlers_gather(struct handlers *handlers)
{
    const uint64_t began_ns = clock_monotonic_ns();
    const unsigned before = atomic_load(&handlers->ended_count);
    unsigned count;

    if (!has_ended_beside_others(handlers)) {
        return;
    }
    if (handlers->hope > 0 || began_ns - handlers->gathered_ns < GATHER_GAP_NS) {
        do {
            count = atomic_load(&handlers->ended_count);
        } while (has_ended_beside_others(handlers) &&
                 another_ends(handlers, count, began_ns + GATHER_MOST_NS));
        handlers->hope = count != before ? GATHER_TRIES : handlers->hope - (handlers->hope > 0);
    }
    handlers->gathered_ns = clock_monotonic_ns();
}
