/* SPDX-License-Identifier: MPL-2.0
 * The pool works beside the loop, on several jobs at a time, and gives them
 * back in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/limits.h"
#include "nodes/coordinator/pool.h"

#define JOBS 20000u

static sem_t raised;

void bus_signal_raise(struct bus_signal *signal)
{
    (void)signal;
    sem_post(&raised);
}

struct work {
    pthread_t loop;
    atomic_uint done;
    atomic_uint on_loop; /* jobs that ran on the thread that gave them */
};

/* Takes longer for some than for others, so that they finish out of order. */
static void work(void *context, struct job *job)
{
    struct work *all = context;

    for (uint64_t i = 0; i < job->token % 7; i++) {
        sched_yield();
    }
    if (pthread_equal(pthread_self(), all->loop)) {
        all->on_loop++;
    }
    job->refusal = (enum refusal)(job->token % REFUSED_COUNT);
    all->done++;
}

static void jobs_come_back_in_order_from_other_threads(void **state)
{
    struct work all = {.loop = pthread_self()};
    const struct pool_options options = {
        .threads = 4, .spin_us = 20, .work = work, .context = &all};
    struct pool *pool = pool_create(&options);
    struct job *jobs = calloc(LIMIT_UNCOMMITTED, sizeof(*jobs));
    uint64_t given = 0, taken = 0;

    (void)state;
    assert_non_null(jobs);
    while (taken < JOBS) {
        struct job *job;

        while (given < JOBS && given - taken < LIMIT_UNCOMMITTED) {
            job = &jobs[given % LIMIT_UNCOMMITTED];
            job->token = ++given;
            job->refusal = REFUSED_NOT;
            pool_give(pool, job);
        }
        sem_wait(&raised);
        while ((job = pool_take(pool)) != NULL) {
            taken++;
            assert_int_equal(job->token, taken);
            assert_int_equal(job->refusal, taken % REFUSED_COUNT);
        }
    }
    assert_null(pool_take(pool));
    pool_destroy(pool);
    assert_int_equal(all.done, JOBS);
    assert_int_equal(all.on_loop, 0);
    free(jobs);
}

/* One at a time, so that the threads sleep between. */
static void a_sleeping_thread_wakes(void **state)
{
    struct work all = {.loop = pthread_self()};
    const struct pool_options options = {.threads = 2, .work = work, .context = &all};
    struct pool *pool = pool_create(&options);
    struct job job = {.token = 0};
    struct job *back;

    (void)state;
    while (sem_trywait(&raised) == 0) {
    }
    for (unsigned i = 1; i <= 2000; i++) {
        job.token = i;
        pool_give(pool, &job);
        while ((back = pool_take(pool)) == NULL) {
            sem_wait(&raised);
        }
        assert_ptr_equal(back, &job);
    }
    pool_destroy(pool);
}

static void a_pool_ends_with_jobs_left(void **state)
{
    struct work all = {.loop = pthread_self()};
    const struct pool_options options = {.threads = 1, .work = work, .context = &all};
    struct pool *pool = pool_create(&options);
    struct job *jobs = calloc(1000, sizeof(*jobs));

    (void)state;
    assert_non_null(jobs);
    for (unsigned i = 0; i < 1000; i++) {
        jobs[i].token = 6;
        pool_give(pool, &jobs[i]);
    }
    pool_destroy(pool);
    free(jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_come_back_in_order_from_other_threads),
        cmocka_unit_test(a_sleeping_thread_wakes),
        cmocka_unit_test(a_pool_ends_with_jobs_left),
    };

    sem_init(&raised, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
