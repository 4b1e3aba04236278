/* SPDX-License-Identifier: MPL-2.0
 * Handlers with threads of their own, on a worker with one slot, against a real coordinator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "nodes/worker/worker.h"
#include "tests/support/mesh.h"

#define THREADS 8
#define STEPS 20

struct fixture {
    struct mesh mesh;
    struct mesh_worker worker;
    struct grove_client *client;
};

/* What handlers do and see; set anew for each test. */
static struct {
    atomic_uint echoes;
    atomic_uint early; /* echoes while the handler still ran */
    atomic_bool has_left;
    sem_t go;
} seen;

/* A thread of a handler, and how its last call went. */
struct helper {
    struct grove_attempt *attempt;
    pthread_t thread;
    enum grove_status status;
};

/* ---- handlers */

static enum grove_status echo(struct grove_attempt *attempt, void *context)
{
    struct grove_bytes payload = grove_attempt_payload(attempt);

    (void)context;
    atomic_fetch_add(&seen.echoes, 1);
    if (!atomic_load(&seen.has_left)) {
        atomic_fetch_add(&seen.early, 1);
    }
    return grove_attempt_return(attempt, payload.data, payload.size);
}

static enum grove_status await(const char *function, const char *payload)
{
    struct grove_task child = GROVE_TASK_INIT;

    child.function = function;
    child.payload = (struct grove_bytes){payload, strlen(payload)};
    return grove_wait(NULL, &child, NULL, NULL);
}

/* How many threads of the attempt wait. */
static unsigned blocked(struct grove_attempt *attempt)
{
    struct handlers *handlers = &attempt->worker->handlers;
    unsigned count;

    pthread_mutex_lock(&handlers->lock);
    count = attempt->blocked;
    pthread_mutex_unlock(&handlers->lock);
    return count;
}

static void start_helper(struct helper *helper, struct grove_attempt *attempt,
                         void *(*run)(void *context))
{
    helper->attempt = attempt;
    assert_int_equal(pthread_create(&helper->thread, NULL, run, helper), 0);
}

static void *await_one(void *context)
{
    struct helper *helper = context;

    helper->status = grove_context_adopt(helper->attempt);
    if (helper->status == GROVE_OK) {
        helper->status = await("echo", "by a helper");
    }
    return NULL; /* without releasing it */
}

static void *await_many(void *context)
{
    struct helper *helper = context;
    char text[24];

    helper->status = grove_context_adopt(helper->attempt);
    for (unsigned i = 0; i < STEPS && helper->status == GROVE_OK; i++) {
        snprintf(text, sizeof(text), "%u", i);
        helper->status = await("echo", text);
    }
    grove_context_release();
    return NULL;
}

/* Runs on for a while after its helper waits. The answers to its checkpoints come behind whatever
 * else the mesh has for this worker. */
static enum grove_status run_beside(struct grove_attempt *attempt, void *context)
{
    struct helper helper;
    enum grove_status status = GROVE_OK;

    (void)context;
    start_helper(&helper, attempt, await_one);
    while (blocked(attempt) == 0) {
        sched_yield();
    }
    for (unsigned i = 0; i < 20 && status == GROVE_OK; i++) {
        status = grove_checkpoint("x", 1);
    }
    atomic_store(&seen.has_left, true);
    if (status == GROVE_OK) {
        status = await("echo", "by the handler");
    }
    grove_context_release();
    pthread_join(helper.thread, NULL);
    return status == GROVE_OK ? helper.status : status;
}

/* Waits itself when its helper is gone, which it awaits without a slot. */
static enum grove_status outlive(struct grove_attempt *attempt, void *context)
{
    struct helper helper;

    (void)context;
    start_helper(&helper, attempt, await_one);
    while (blocked(attempt) == 0) {
        sched_yield();
    }
    grove_context_release();
    pthread_join(helper.thread, NULL);
    if (grove_context_adopt(attempt) != GROVE_OK) {
        return GROVE_INVALID;
    }
    return helper.status == GROVE_OK ? await("echo", "afterwards") : helper.status;
}

/* Returns while its helper waits, or is about to. */
static enum grove_status leave_behind(struct grove_attempt *attempt, void *context)
{
    struct helper *helper = context;

    start_helper(helper, attempt, await_one);
    while (blocked(attempt) == 0) {
        sched_yield();
    }
    return grove_attempt_return(attempt, "left", 4);
}

static enum grove_status spread(struct grove_attempt *attempt, void *context)
{
    struct helper helpers[THREADS];
    enum grove_status status;

    (void)context;
    for (unsigned i = 0; i < THREADS; i++) {
        start_helper(&helpers[i], attempt, await_many);
    }
    status = await("echo", "beside them");
    grove_context_release();
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(helpers[i].thread, NULL);
        status = status == GROVE_OK ? helpers[i].status : status;
    }
    return status; /* and never takes its attempt up again */
}

static void *await_forever(void *context)
{
    struct helper *helper = context;

    helper->status = grove_context_adopt(helper->attempt);
    if (helper->status == GROVE_OK) {
        helper->status = await("nobody.has.this", "");
    }
    if (helper->status == GROVE_CANCELLED && !grove_cancelled()) {
        helper->status = GROVE_INVALID;
    }
    return NULL;
}

static enum grove_status overrun(struct grove_attempt *attempt, void *context)
{
    struct helper *helper = context;

    start_helper(helper, attempt, await_forever);
    while (!grove_cancelled()) {
        sched_yield();
    }
    pthread_join(helper->thread, NULL);
    sem_post(&seen.go);
    return GROVE_CANCELLED;
}

static void *await_one_and_say(void *context)
{
    (void)await_one(context);
    atomic_store(&seen.has_left, true);
    return NULL;
}

/* Holds its slot until its helper has its outcome. */
static enum grove_status run_until_heard(struct grove_attempt *attempt, void *context)
{
    struct helper helper;

    (void)context;
    start_helper(&helper, attempt, await_one_and_say);
    while (!atomic_load(&seen.has_left)) {
        sched_yield();
    }
    pthread_join(helper.thread, NULL);
    return helper.status;
}

/* Adopts while all threads of the attempt wait; by then it must have a slot again. */
static void *adopt_late(void *context)
{
    struct helper *helper = context;

    while (blocked(helper->attempt) == 0) {
        sched_yield();
    }
    atomic_store(&seen.has_left, true); /* lets the echo go */
    helper->status = grove_context_adopt(helper->attempt);
    if (helper->status == GROVE_OK && atomic_load(&seen.echoes) == 0) {
        helper->status = GROVE_INVALID;
    }
    return NULL;
}

static enum grove_status echo_when_left(struct grove_attempt *attempt, void *context)
{
    while (!atomic_load(&seen.has_left)) {
        sched_yield();
    }
    return echo(attempt, context);
}

static enum grove_status be_joined(struct grove_attempt *attempt, void *context)
{
    struct helper helper;
    enum grove_status status;

    (void)context;
    start_helper(&helper, attempt, adopt_late);
    status = await("echo.when.left", "");
    pthread_join(helper.thread, NULL);
    return status == GROVE_OK ? helper.status : status;
}

static enum grove_status misuse(struct grove_attempt *attempt, void *context)
{
    (void)context;
    return grove_context_adopt(attempt) == GROVE_INVALID ? await("echo", "still") : GROVE_FAILED;
}

/* ---- fixture */

static struct helper behind;

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct grove_worker *worker;

    atomic_store(&seen.echoes, 0);
    atomic_store(&seen.early, 0);
    atomic_store(&seen.has_left, false);
    sem_init(&seen.go, 0, 0);
    mesh_start(&f->mesh);
    mesh_worker_open(&f->mesh, &f->worker, "w1", 1);
    worker = f->worker.worker;
    assert_int_equal(grove_worker_handle(worker, "echo", echo, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "echo.when.left", echo_when_left, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "run.beside", run_beside, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "outlive", outlive, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "leave.behind", leave_behind, &behind), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "spread", spread, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "overrun", overrun, &behind), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "be.joined", be_joined, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "misuse", misuse, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "run.until.heard", run_until_heard, NULL),
                     GROVE_OK);
    mesh_worker_run(&f->worker);
    f->client = mesh_client(&f->mesh);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;

    grove_client_close(f->client);
    mesh_worker_stop(&f->worker);
    mesh_stop(&f->mesh);
    sem_destroy(&seen.go);
    free(f);
    return 0;
}

static void expect_success(struct fixture *f, const char *function, const char *expected)
{
    struct grove_task task = GROVE_TASK_INIT;
    struct grove_result result;
    struct grove_failure failure;

    task.function = function;
    if (grove_wait(f->client, &task, &result, &failure) != GROVE_OK) {
        fail_msg("%s: %s", failure.reason, failure.text);
    }
    assert_string_equal(result.bytes.data, expected);
    grove_result_clear(&result);
}

/* ---- tests */

static void an_attempt_keeps_its_slot_while_one_of_its_threads_runs(void **state)
{
    expect_success(*state, "run.beside", "");
    assert_int_equal(atomic_load(&seen.echoes), 2);
    assert_int_equal(atomic_load(&seen.early), 0);
}

static void a_thread_hears_of_its_child_while_another_runs(void **state)
{
    struct fixture *f = *state;
    struct mesh_worker second;

    mesh_worker_open(&f->mesh, &second, "w2", 1);
    assert_int_equal(grove_worker_handle(second.worker, "echo", echo, NULL), GROVE_OK);
    mesh_worker_run(&second);
    expect_success(f, "run.until.heard", "");
    mesh_worker_stop(&second);
}

static void a_thread_that_has_ended_is_not_waited_for(void **state)
{
    expect_success(*state, "outlive", "");
    assert_int_equal(atomic_load(&seen.echoes), 2);
}

static void an_attempt_ends_with_its_last_thread(void **state)
{
    atomic_store(&seen.has_left, true);
    expect_success(*state, "leave.behind", "left");
    assert_int_equal(atomic_load(&seen.echoes), 1);
    pthread_join(behind.thread, NULL);
    assert_int_equal(behind.status, GROVE_OK);
}

static void many_threads_wait_on_one_slot(void **state)
{
    expect_success(*state, "spread", "");
    assert_int_equal(atomic_load(&seen.echoes), THREADS * STEPS + 1);
}

static void the_threads_of_a_stopped_attempt_are_told(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {.size = sizeof(task), .function = "overrun", .timeout_ms = 50};
    struct grove_failure failure;

    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_TIMEOUT);
    grove_failure_clear(&failure);
    sem_wait(&seen.go);
    assert_int_equal(behind.status, GROVE_CANCELLED);
}

static void a_thread_joins_when_there_is_a_slot(void **state)
{
    expect_success(*state, "be.joined", "");
}

static void a_thread_has_one_attempt(void **state)
{
    expect_success(*state, "misuse", "");
    assert_int_equal(grove_context_adopt(NULL), GROVE_INVALID);
    grove_context_release();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_attempt_keeps_its_slot_while_one_of_its_threads_runs,
                                        start, stop),
        cmocka_unit_test_setup_teardown(a_thread_hears_of_its_child_while_another_runs, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_thread_that_has_ended_is_not_waited_for, start, stop),
        cmocka_unit_test_setup_teardown(an_attempt_ends_with_its_last_thread, start, stop),
        cmocka_unit_test_setup_teardown(many_threads_wait_on_one_slot, start, stop),
        cmocka_unit_test_setup_teardown(the_threads_of_a_stopped_attempt_are_told, start, stop),
        cmocka_unit_test_setup_teardown(a_thread_joins_when_there_is_a_slot, start, stop),
        cmocka_unit_test_setup_teardown(a_thread_has_one_attempt, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
