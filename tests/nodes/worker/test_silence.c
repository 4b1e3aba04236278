/* SPDX-License-Identifier: MPL-2.0
 * A coordinator that hangs. Its workers work on, but for what may run at most once: the mesh is
 * about to give that up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include "nodes/host/clock.h"
#include "tests/support/mesh.h"

#define SLICE_NS 10000000 /* between two looks at whether to stop */
#define PATIENCE_S 20

static struct {
    sem_t entered, go, stopped;
    atomic_uint stops;
} seen;

static bool wait_a_slice(sem_t *semaphore, time_t seconds, long ns)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    until.tv_nsec += ns;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return sem_timedwait(semaphore, &until) == 0;
}

/* Runs until it may go, or is told to stop. */
static enum grove_status linger(struct grove_attempt *attempt, void *context)
{
    (void)context;
    sem_post(&seen.entered);
    while (!grove_cancelled()) {
        if (wait_a_slice(&seen.go, 0, SLICE_NS)) {
            return grove_attempt_return(attempt, "done", 4);
        }
    }
    atomic_fetch_add(&seen.stops, 1);
    sem_post(&seen.stopped);
    return GROVE_CANCELLED;
}

static struct grove_id submit(struct grove_client *client, bool at_most_once)
{
    struct grove_task task = GROVE_TASK_INIT;
    struct grove_id id;

    task.function = "linger";
    task.at_most_once = at_most_once;
    assert_int_equal(grove_submit(client, &task, &id, NULL), GROVE_OK);
    return id;
}

/* The coordinator waits 6 s before it gives up a silent worker; its attempt is to be over by then.
 */
static void what_may_run_once_stops_after_four_seconds_of_silence(void **state)
{
    struct mesh *mesh = *state;
    struct grove_client *client = mesh_client(mesh);
    struct grove_failure failure = {.code = GROVE_CODE_NONE};
    struct grove_result result = {.bytes = {NULL, 0}};
    struct mesh_worker worker;
    struct grove_id once, often;
    uint64_t silent_ms;

    mesh_worker_open(mesh, &worker, "w", 2);
    assert_int_equal(grove_worker_handle(worker.worker, "linger", linger, NULL), GROVE_OK);
    mesh_worker_run(&worker);
    once = submit(client, true);
    often = submit(client, false);
    assert_true(wait_a_slice(&seen.entered, PATIENCE_S, 0));
    assert_true(wait_a_slice(&seen.entered, PATIENCE_S, 0));

    silent_ms = clock_monotonic_ms();
    mesh_fall_silent(mesh);
    assert_true(wait_a_slice(&seen.stopped, PATIENCE_S, 0));
    assert_in_range(clock_monotonic_ms() - silent_ms, 1900, 5500);
    assert_int_equal(atomic_load(&seen.stops), 1);

    mesh_restart(mesh);
    assert_int_equal(grove_result(client, &once, GROVE_FOREVER, &result, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_LOST);
    grove_failure_clear(&failure);
    sem_post(&seen.go);
    assert_int_equal(grove_result(client, &often, GROVE_FOREVER, &result, &failure), GROVE_OK);
    assert_int_equal(result.attempt, 1);
    assert_int_equal(atomic_load(&seen.stops), 1);
    assert_int_not_equal(sem_trywait(&seen.entered), 0); /* neither began a second time */
    grove_result_clear(&result);
    grove_client_close(client);
    mesh_worker_stop(&worker);
}

static int setup(void **state)
{
    static struct mesh mesh;

    sem_init(&seen.entered, 0, 0);
    sem_init(&seen.go, 0, 0);
    sem_init(&seen.stopped, 0, 0);
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
        cmocka_unit_test_setup_teardown(what_may_run_once_stops_after_four_seconds_of_silence,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
