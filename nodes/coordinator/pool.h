/* SPDX-License-Identifier: MPL-2.0
 * The threads that verify. Jobs are worked on side by side and taken back in the order in which
 * they were given, so that what one session sends stays in its order. */
#ifndef GROVE_COORDINATOR_POOL_H
#define GROVE_COORDINATOR_POOL_H

#include "nodes/coordinator/job.h"

struct pool;

/* What a thread does to a job; the context is shared by all threads. */
typedef void pool_work(void *context, struct job *job);

struct pool_options {
    unsigned threads; /* 0: half of the cores, at least one */
    uint32_t spin_us; /* before a thread sleeps: waking one costs 40 to 50 us */
    pool_work *work;
    void *context;
    struct bus_signal *ready; /* raised when a job is done */
};

struct pool *pool_create(const struct pool_options *options);

/* Ends the threads, each after the job it is at; the jobs are the caller's. Accepts NULL. */
void pool_destroy(struct pool *pool);

/* Gives a job to the threads; at most LIMIT_UNCOMMITTED at a time. */
void pool_give(struct pool *pool, struct job *job);

/* The next job that is done, NULL when it is still being worked on. */
struct job *pool_take(struct pool *pool);

#endif
