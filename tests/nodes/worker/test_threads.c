/* SPDX-License-Identifier: MPL-2.0
 * Threads are for handlers that run or wait: what is only queued costs none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <semaphore.h>

#include "nodes/host/clock.h"
#include "nodes/worker/worker.h"
#include "tests/support/mesh.h"

#define TASKS 100u
#define SLOTS 2u
#define KEPT 8u /* threads beyond the slots, for the next tasks that wait */
#define PATIENCE_MS 120000u

static sem_t go;

static enum grove_status block(struct grove_attempt *attempt, void *context)
{
    (void)attempt;
    (void)context;
    sem_wait(&go);
    return GROVE_OK;
}

static enum grove_status wait_for_one(struct grove_attempt *attempt, void *context)
{
    struct grove_task child = GROVE_TASK_INIT;

    (void)attempt;
    (void)context;
    child.function = "block";
    return grove_wait(NULL, &child, NULL, NULL);
}

/* What a worker has at one moment. */
struct census {
    unsigned queued, waiting, threads;
};

static struct census census_of(struct handlers *handlers)
{
    struct census census;

    sched_yield();
    pthread_mutex_lock(&handlers->lock);
    census = (struct census){handlers->queued, handlers->waiting, handlers->threads};
    pthread_mutex_unlock(&handlers->lock);
    return census;
}

static void release_all(void)
{
    for (unsigned i = 0; i < TASKS; i++) {
        sem_post(&go);
    }
}

static void submit_all(struct grove_client *client, const char *function, struct grove_id *ids)
{
    struct grove_task tasks[TASKS];

    for (unsigned i = 0; i < TASKS; i++) {
        tasks[i] = (struct grove_task)GROVE_TASK_INIT;
        tasks[i].function = function;
    }
    assert_int_equal(grove_submit_many(client, tasks, TASKS, ids, NULL), GROVE_OK);
}

static void run_worker(struct mesh *mesh, struct mesh_worker *worker, const char *name,
                       uint32_t slots, const char *function, grove_handler *handler)
{
    mesh_worker_open(mesh, worker, name, slots);
    assert_int_equal(grove_worker_handle(worker->worker, function, handler, NULL), GROVE_OK);
    mesh_worker_run(worker);
}

static void a_queued_task_costs_no_thread(void **state)
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct mesh *mesh = *state;
    struct grove_client *client = mesh_client(mesh);
    struct census census = {.queued = 0};
    struct grove_id ids[TASKS];
    struct mesh_worker worker;

    run_worker(mesh, &worker, "w", SLOTS, "block", block);
    submit_all(client, "block", ids);
    while (census.queued < TASKS - SLOTS) {
        assert_true(clock_monotonic_ms() < until_ms);
        census = census_of(&worker.worker->handlers);
    }
    assert_in_range(census.threads, 1, SLOTS + 1);
    release_all();
    assert_int_equal(grove_result_many(client, ids, TASKS, GROVE_FOREVER, NULL, NULL), GROVE_OK);
    grove_client_close(client);
    mesh_worker_stop(&worker);
}

static void threads_that_nobody_needs_end(void **state)
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct mesh *mesh = *state;
    struct grove_client *client = mesh_client(mesh);
    struct census census = {.waiting = 0};
    struct grove_id ids[TASKS];
    struct mesh_worker parents, children;

    run_worker(mesh, &parents, "parents", SLOTS, "wait", wait_for_one);
    run_worker(mesh, &children, "children", TASKS, "block", block);
    submit_all(client, "wait", ids);
    while (census.waiting < TASKS) {
        assert_true(clock_monotonic_ms() < until_ms);
        census = census_of(&parents.worker->handlers);
    }
    assert_true(census.threads >= TASKS);
    release_all();
    assert_int_equal(grove_result_many(client, ids, TASKS, GROVE_FOREVER, NULL, NULL), GROVE_OK);
    while (census.threads > SLOTS + KEPT) {
        assert_true(clock_monotonic_ms() < until_ms);
        census = census_of(&parents.worker->handlers);
    }
    grove_client_close(client);
    mesh_worker_stop(&parents);
    mesh_worker_stop(&children);
}

static int setup(void **state)
{
    static struct mesh mesh;

    sem_init(&go, 0, 0);
    mesh_start(&mesh);
    *state = &mesh;
    return 0;
}

static int teardown(void **state)
{
    mesh_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_queued_task_costs_no_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_that_nobody_needs_end, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
