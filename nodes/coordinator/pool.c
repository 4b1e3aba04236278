/* SPDX-License-Identifier: MPL-2.0
 * A ring of jobs. The loop writes at the tail and takes from the head; threads claim what lies
 * between, each with one compare and swap. */
#include "nodes/coordinator/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/limits.h"
#include "nodes/host/clock.h"

#define THREADS_MOST 64u

_Static_assert((LIMIT_UNCOMMITTED & (LIMIT_UNCOMMITTED - 1)) == 0, "the ring wraps by a mask");

struct slot {
    struct job *job;
    atomic_bool done;
};

struct pool {
    struct pool_options options;
    struct slot ring[LIMIT_UNCOMMITTED];
    uint64_t head;         /* the loop's: the next to be taken */
    _Atomic uint64_t next; /* the next to be claimed */
    _Atomic uint64_t tail; /* where the loop gives */
    atomic_uint sleepers;
    atomic_bool stopping;
    pthread_mutex_t lock; /* for sleeping alone */
    pthread_cond_t given;
    unsigned thread_count;
    pthread_t threads[THREADS_MOST];
};

static struct slot *slot_at(struct pool *pool, uint64_t at)
{
    return &pool->ring[at & (LIMIT_UNCOMMITTED - 1)];
}

static bool claim(struct pool *pool, uint64_t *at)
{
    *at = atomic_load(&pool->next);
    while (*at < atomic_load(&pool->tail)) {
        if (atomic_compare_exchange_weak(&pool->next, at, *at + 1)) {
            return true;
        }
    }
    return false;
}

static bool is_idle(struct pool *pool)
{
    return atomic_load(&pool->next) == atomic_load(&pool->tail) && !atomic_load(&pool->stopping);
}

/* Whoever else wants this core goes first. */
static void spin(struct pool *pool)
{
    const uint64_t until_ns = clock_monotonic_ns() + (uint64_t)pool->options.spin_us * 1000;

    while (is_idle(pool) && clock_monotonic_ns() < until_ns) {
        sched_yield();
    }
}

/* A sleeper is counted before it looks again, and the loop gives before it looks for sleepers: one
 * of the two sees the other. */
static void sleep_until_given(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (is_idle(pool)) {
        pthread_cond_wait(&pool->given, &pool->lock);
    }
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

static void *serve(void *context)
{
    struct pool *pool = context;
    uint64_t at;

    while (!atomic_load(&pool->stopping)) {
        if (claim(pool, &at)) {
            struct slot *slot = slot_at(pool, at);

            pool->options.work(pool->options.context, slot->job);
            atomic_store(&slot->done, true);
            bus_signal_raise(pool->options.ready);
            continue;
        }
        spin(pool);
        if (is_idle(pool)) {
            sleep_until_given(pool);
        }
    }
    return NULL;
}

static unsigned half_of_the_cores(void)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores < 4 ? 1 : (unsigned)cores / 2;
}

struct pool *pool_create(const struct pool_options *options)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    unsigned threads = options->threads != 0 ? options->threads : half_of_the_cores();

    if (pool == NULL) {
        abort();
    }
    pool->options = *options;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->given, NULL);
    threads = threads < THREADS_MOST ? threads : THREADS_MOST;
    while (pool->thread_count < threads) {
        if (pthread_create(&pool->threads[pool->thread_count], NULL, serve, pool) != 0) {
            assert(pool->thread_count > 0);
            break;
        }
        pthread_setname_np(pool->threads[pool->thread_count], "grove-verify");
        pool->thread_count++;
    }
    return pool;
}

void pool_destroy(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->stopping, true);
    pthread_cond_broadcast(&pool->given);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++) {
        pthread_join(pool->threads[i], NULL);
    }
    pthread_cond_destroy(&pool->given);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void pool_give(struct pool *pool, struct job *job)
{
    const uint64_t tail = atomic_load(&pool->tail);
    struct slot *slot = slot_at(pool, tail);

    assert(tail - pool->head < LIMIT_UNCOMMITTED);
    slot->job = job;
    atomic_store(&slot->done, false);
    atomic_store(&pool->tail, tail + 1);
    if (atomic_load(&pool->sleepers) > 0) {
        /* Empty, but a sleeper that has looked is asleep by then. Whoever is woken needs the lock:
         * on the same core it would run at once, and find it taken. */
        pthread_mutex_lock(&pool->lock);
        pthread_mutex_unlock(&pool->lock);
        pthread_cond_signal(&pool->given);
    }
}

struct job *pool_take(struct pool *pool)
{
    struct slot *slot = slot_at(pool, pool->head);

    if (pool->head == atomic_load(&pool->tail) || !atomic_load(&slot->done)) {
        return NULL;
    }
    pool->head++;
    return slot->job;
}
