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

#define SLICE_NS 10000000 /* between two looks */
#define PATIENCE_S 30
#define STILL_MS 500 /* more between two looks: the machine stood still */
#define TRIES 20

static struct {
    sem_t entered, stopped;
    atomic_uint stops;
    atomic_bool may_go;
} seen;

static void forget_what_was_seen(void)
{
    sem_init(&seen.entered, 0, 0);
    sem_init(&seen.stopped, 0, 0);
    atomic_store(&seen.stops, 0);
    atomic_store(&seen.may_go, false);
}

static bool is_posted(sem_t *semaphore)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return sem_timedwait(semaphore, &until) == 0;
}

/* Runs until it may go, or is told to stop. */
static enum grove_status linger(struct grove_attempt *attempt, void *context)
{
    const struct timespec nap = {.tv_nsec = SLICE_NS};

    (void)context;
    sem_post(&seen.entered);
    while (!grove_cancelled()) {
        if (atomic_load(&seen.may_go)) {
            return grove_attempt_return(attempt, "done", 4);
        }
        nanosleep(&nap, NULL);
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

/* ---- whether the machine stood still */

static struct {
    pthread_t thread;
    atomic_bool is_over;
    atomic_uint_fast64_t longest_ms; /* between two looks at the clock */
} watch;

static void *look_at_the_clock(void *context)
{
    const struct timespec nap = {.tv_nsec = SLICE_NS};
    uint64_t before_ms = clock_monotonic_ms();

    (void)context;
    while (!atomic_load(&watch.is_over)) {
        nanosleep(&nap, NULL);
        const uint64_t now_ms = clock_monotonic_ms();

        if (now_ms - before_ms > atomic_load(&watch.longest_ms)) {
            atomic_store(&watch.longest_ms, now_ms - before_ms);
        }
        before_ms = now_ms;
    }
    return NULL;
}

static void begin_watch(void)
{
    atomic_store(&watch.is_over, false);
    atomic_store(&watch.longest_ms, 0);
    assert_int_equal(pthread_create(&watch.thread, NULL, look_at_the_clock, NULL), 0);
}

static bool stood_still(void)
{
    atomic_store(&watch.is_over, true);
    pthread_join(watch.thread, NULL);
    return atomic_load(&watch.longest_ms) > STILL_MS;
}

/* ---- the test */

/* How a task that may run once and one that may run often went when the coordinator fell silent. */
struct course {
    bool have_begun, has_stopped;
    uint64_t stopped_ms; /* since then, the first */
    enum grove_status once, often;
    struct grove_failure failure;
    struct grove_result result;
};

static void go_through(struct mesh *mesh, struct course *course)
{
    struct grove_client *client = mesh_client(mesh);
    struct mesh_worker worker;
    struct grove_id once, often;
    uint64_t silent_ms;

    mesh_worker_open(mesh, &worker, "w", 2);
    assert_int_equal(grove_worker_handle(worker.worker, "linger", linger, NULL), GROVE_OK);
    mesh_worker_run(&worker);
    once = submit(client, true);
    often = submit(client, false);
    course->have_begun = is_posted(&seen.entered);
    course->have_begun = is_posted(&seen.entered) && course->have_begun;

    silent_ms = clock_monotonic_ms();
    mesh_fall_silent(mesh);
    course->has_stopped = course->have_begun && is_posted(&seen.stopped);
    course->stopped_ms = clock_monotonic_ms() - silent_ms;
    mesh_restart(mesh);
    course->once = grove_result(client, &once, GROVE_FOREVER, NULL, &course->failure);
    atomic_store(&seen.may_go, true);
    course->often = grove_result(client, &often, GROVE_FOREVER, &course->result, NULL);
    grove_client_close(client);
    mesh_worker_stop(&worker);
}

static void judge(const struct course *course)
{
    assert_true(course->have_begun && course->has_stopped);
    assert_in_range(course->stopped_ms, 1900, 5500);
    assert_int_equal(course->once, GROVE_FAILED);
    assert_int_equal(course->failure.code, GROVE_CODE_LOST);
    assert_int_equal(course->often, GROVE_OK);
    assert_int_equal(course->result.attempt, 1);
    assert_int_equal(atomic_load(&seen.stops), 1);
    assert_int_not_equal(sem_trywait(&seen.entered), 0); /* neither began a second time */
}

/* The coordinator waits 6 s before it gives up a silent worker; its attempt is to be over by then.
 * A machine that stands still is silent to itself: what happened on one says nothing. */
static void what_may_run_once_stops_after_four_seconds_of_silence(void **state)
{
    bool is_void = true;

    for (int i = 0; i < TRIES && is_void; i++) {
        struct course course = {.stopped_ms = 0};

        forget_what_was_seen();
        begin_watch();
        go_through(*state, &course);
        is_void = stood_still();
        if (!is_void) {
            judge(&course);
        }
        grove_failure_clear(&course.failure);
        grove_result_clear(&course.result);
    }
    if (is_void) {
        skip(); /* never quiet for seven seconds */
    }
}

static int setup(void **state)
{
    static struct mesh mesh;

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
