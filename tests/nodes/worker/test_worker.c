/* SPDX-License-Identifier: MPL-2.0
 * Clients and workers against a real coordinator: what the API promises. */
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

#include "core/text.h"
#include "tests/support/mesh.h"

struct fixture {
    struct mesh mesh;
    struct mesh_worker worker;
    struct grove_client *client;
};

/* What handlers count and wait for; set anew for each test. */
static struct {
    atomic_uint calls;
    atomic_uint running, most;
    sem_t entered;
    sem_t go;
} seen;

/* ---- handlers */

static enum grove_status echo(struct grove_attempt *attempt, void *context)
{
    struct grove_bytes payload = grove_attempt_payload(attempt);

    (void)context;
    return grove_attempt_return(attempt, payload.data, payload.size);
}

static enum grove_status fail_by_name(struct grove_attempt *attempt, void *context)
{
    struct grove_bytes payload = grove_attempt_payload(attempt);

    (void)context;
    return grove_attempt_fail(attempt, payload.data, (struct grove_bytes){"more", 4});
}

/* Fails at its first attempt only. */
static enum grove_status fail_once(struct grove_attempt *attempt, void *context)
{
    (void)context;
    if (grove_attempt_number(attempt) == 1) {
        return grove_attempt_fail(attempt, "not yet", (struct grove_bytes){NULL, 0});
    }
    return grove_attempt_return(attempt, "now", 3);
}

/* Makes children, one after the other, down to depth 0: payload is the depth. */
static enum grove_status nest(struct grove_attempt *attempt, void *context)
{
    int depth = (int)strtol(grove_attempt_payload(attempt).data, NULL, 10);
    unsigned running = atomic_fetch_add(&seen.running, 1) + 1;
    char text[16];

    (void)context;
    if (running > atomic_load(&seen.most)) {
        atomic_store(&seen.most, running);
    }
    for (int i = 0; depth > 0 && i < 3; i++) {
        struct grove_task child = {.size = sizeof(child), .function = "nest", .payload = {text, 0}};
        struct grove_result result;
        enum grove_status status;

        child.payload.size = (size_t)snprintf(text, sizeof(text), "%d", depth - 1);
        atomic_fetch_sub(&seen.running, 1);
        status = grove_wait(NULL, &child, &result, NULL);
        atomic_fetch_add(&seen.running, 1);
        if (status != GROVE_OK) {
            atomic_fetch_sub(&seen.running, 1);
            return status;
        }
        assert_string_equal(result.bytes.data, "done");
        grove_result_clear(&result);
        grove_progress(100 * (unsigned)(i + 1) / 3, text);
    }
    atomic_fetch_sub(&seen.running, 1);
    atomic_fetch_add(&seen.calls, 1);
    return grove_attempt_return(attempt, "done", 4);
}

/* Submits `payload` children first, then awaits them all by id. */
static enum grove_status fan_out(struct grove_attempt *attempt, void *context)
{
    size_t count = (size_t)strtol(grove_attempt_payload(attempt).data, NULL, 10);
    struct grove_task *tasks = calloc(count, sizeof(*tasks));
    struct grove_id *ids = calloc(count, sizeof(*ids));
    struct grove_result *results = calloc(count, sizeof(*results));
    enum grove_status status;
    size_t right = 0;

    (void)context;
    for (size_t i = 0; i < count; i++) {
        tasks[i] = (struct grove_task){
            .size = sizeof(*tasks), .function = "echo", .payload = {&tasks[i].delay_ms, 0}};
    }
    status = grove_submit_many(NULL, tasks, count, ids, NULL);
    if (status == GROVE_OK) {
        status = grove_result_many(NULL, ids, count, GROVE_FOREVER, results, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        right += memcmp(&results[i].task, &ids[i], sizeof(ids[i])) == 0;
        grove_result_clear(&results[i]);
    }
    free(tasks);
    free(ids);
    free(results);
    if (status == GROVE_OK) {
        char text[24];
        int size = snprintf(text, sizeof(text), "%zu", right);

        return grove_attempt_return(attempt, text, (size_t)size);
    }
    return status;
}

/* Only hands on the status of a child that fails. */
static enum grove_status hand_on(struct grove_attempt *attempt, void *context)
{
    struct grove_task child = {
        .size = sizeof(child), .function = "fail", .payload = grove_attempt_payload(attempt)};

    (void)context;
    return grove_wait(NULL, &child, NULL, NULL);
}

/* Waits until the test lets it go, or until it is told to stop. */
static enum grove_status hold(struct grove_attempt *attempt, void *context)
{
    (void)context;
    sem_post(&seen.entered);
    sem_wait(&seen.go);
    return grove_attempt_return(attempt, "held", 4);
}

static enum grove_status until_cancelled(struct grove_attempt *attempt, void *context)
{
    (void)attempt;
    (void)context;
    sem_post(&seen.entered);
    while (!grove_cancelled()) {
        sched_yield();
    }
    sem_post(&seen.go);
    return GROVE_CANCELLED;
}

static enum grove_status keep(struct grove_attempt *attempt, void *context)
{
    struct grove_bytes kept = grove_attempt_checkpoint_load(attempt);

    (void)context;
    if (kept.size == 0) {
        if (grove_checkpoint("half way", 8) != GROVE_OK) {
            return GROVE_CLOSED;
        }
        return grove_attempt_fail(attempt, "on purpose", (struct grove_bytes){NULL, 0});
    }
    return grove_attempt_return(attempt, kept.data, kept.size);
}

static enum grove_status too_large(struct grove_attempt *attempt, void *context)
{
    char *data = calloc(1, GROVE_PAYLOAD_SIZE + 1);
    enum grove_status status = grove_attempt_return(attempt, data, GROVE_PAYLOAD_SIZE + 1);

    (void)context;
    free(data);
    return status;
}

/* ---- fixture */

static void add_functions(struct grove_worker *worker)
{
    assert_int_equal(grove_worker_handle(worker, "echo", echo, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "fail", fail_by_name, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "fail.once", fail_once, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "nest", nest, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "fan.out", fan_out, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "hand.on", hand_on, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "hold", hold, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "until.cancelled", until_cancelled, NULL),
                     GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "keep", keep, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "too.large", too_large, NULL), GROVE_OK);
    assert_int_equal(grove_worker_exec(worker, "upper", "tr a-z A-Z"), GROVE_OK);
    assert_int_equal(grove_worker_exec(worker, "exit.3", "echo why >&2; exit 3"), GROVE_OK);
    assert_int_equal(grove_worker_exec(worker, "asleep", "exec sleep 600"), GROVE_OK);
    assert_int_equal(grove_worker_exec(worker, "whoami", "echo $GROVE_FUNCTION $GROVE_ATTEMPT"),
                     GROVE_OK);
}

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    atomic_store(&seen.calls, 0);
    atomic_store(&seen.running, 0);
    atomic_store(&seen.most, 0);
    sem_init(&seen.entered, 0, 0);
    sem_init(&seen.go, 0, 0);
    mesh_start(&f->mesh);
    mesh_worker_open(&f->mesh, &f->worker, "w1", 1);
    add_functions(f->worker.worker);
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
    free(f);
    return 0;
}

static enum grove_status run(struct fixture *f, const char *function, const char *payload,
                             struct grove_result *result, struct grove_failure *failure)
{
    struct grove_task task = GROVE_TASK_INIT;

    task.function = function;
    task.payload = (struct grove_bytes){payload, strlen(payload)};
    return grove_wait(f->client, &task, result, failure);
}

static void expect_result(struct fixture *f, const char *function, const char *payload,
                          const char *expected)
{
    struct grove_result result;
    struct grove_failure failure;

    if (run(f, function, payload, &result, &failure) != GROVE_OK) {
        fail_msg("%s: %s", failure.reason, failure.text);
    }
    assert_string_equal(result.bytes.data, expected);
    grove_result_clear(&result);
}

static void expect_failure(struct fixture *f, const char *function, const char *payload,
                           enum grove_code code, const char *text)
{
    struct grove_failure failure;

    assert_int_equal(run(f, function, payload, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, code);
    assert_string_equal(failure.text, text);
    assert_string_equal(failure.function, function);
    grove_failure_clear(&failure);
}

/* ---- tests */

static void a_task_returns_its_result(void **state)
{
    expect_result(*state, "echo", "hello", "hello");
    expect_result(*state, "echo", "", "");
}

static void a_failure_brings_text_and_bytes(void **state)
{
    struct fixture *f = *state;
    struct grove_failure failure;

    assert_int_equal(run(f, "fail", "no", NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_FAILED);
    assert_string_equal(failure.reason, "failed");
    assert_string_equal(failure.text, "no");
    assert_string_equal(failure.bytes.data, "more");
    assert_int_equal(failure.attempt, 1);
    grove_failure_clear(&failure);
}

static void a_failed_attempt_is_followed_by_another(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {.size = sizeof(task), .function = "fail.once", .max_attempts = 2};
    struct grove_result result;

    assert_int_equal(grove_wait(f->client, &task, &result, NULL), GROVE_OK);
    assert_string_equal(result.bytes.data, "now");
    assert_int_equal(result.attempt, 2);
    grove_result_clear(&result);
}

static void a_waiting_parent_holds_no_slot(void **state)
{
    struct fixture *f = *state;

    expect_result(f, "nest", "3", "done");
    assert_int_equal(atomic_load(&seen.calls), 1 + 3 + 9 + 27);
    assert_int_equal(atomic_load(&seen.most), 1);
}

static void a_thousand_trees_finish_on_one_slot(void **state)
{
    enum { COUNT = 1000 };
    struct fixture *f = *state;
    struct grove_task *tasks = calloc(COUNT, sizeof(*tasks));

    for (size_t i = 0; i < COUNT; i++) {
        tasks[i] =
            (struct grove_task){.size = sizeof(*tasks), .function = "nest", .payload = {"1", 1}};
    }
    assert_int_equal(grove_wait_many(f->client, tasks, COUNT, NULL, NULL), GROVE_OK);
    assert_int_equal(atomic_load(&seen.calls), COUNT * 4);
    assert_int_equal(atomic_load(&seen.most), 1);
    free(tasks);
}

static void a_handler_awaits_many_children(void **state)
{
    expect_result(*state, "fan.out", "1", "1");
    expect_result(*state, "fan.out", "600", "600");
}

static void the_failure_of_a_child_is_handed_on(void **state)
{
    expect_failure(*state, "hand.on", "no such luck", GROVE_CODE_FAILED, "fail: no such luck");
}

/* What is too long is cut, but never within a character: it would be no text any more. */
static void a_long_failure_is_handed_on_as_text(void **state)
{
    struct fixture *f = *state;
    struct grove_failure failure;
    char payload[LIMIT_TEXT_LENGTH + 1] = "";

    for (size_t i = 0; i + 2 < sizeof(payload); i += 2) {
        memcpy(payload + i, "\xc3\xa9", 3);
    }
    assert_int_equal(run(f, "hand.on", payload, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_FAILED);
    assert_true(text_is_valid(bytes_of_text(failure.text)));
    assert_memory_equal(failure.text, "fail: \xc3\xa9", 8);
    grove_failure_clear(&failure);
    payload[1] = '\0';
    payload[0] = 'x';
    expect_failure(f, "hand.on", payload, GROVE_CODE_FAILED, "fail: x");
}

static void many_are_submitted_and_awaited_in_order(void **state)
{
    enum { COUNT = 3000 };
    struct fixture *f = *state;
    struct grove_task *tasks = calloc(COUNT, sizeof(*tasks));
    struct grove_result *results = calloc(COUNT, sizeof(*results));
    char(*texts)[16] = calloc(COUNT, sizeof(*texts));

    for (size_t i = 0; i < COUNT; i++) {
        size_t size = (size_t)snprintf(texts[i], sizeof(texts[i]), "%zu", i);

        tasks[i] = (struct grove_task){
            .size = sizeof(*tasks), .function = "echo", .payload = {texts[i], size}};
    }
    assert_int_equal(grove_wait_many(f->client, tasks, COUNT, results, NULL), GROVE_OK);
    for (size_t i = 0; i < COUNT; i++) {
        assert_string_equal(results[i].bytes.data, texts[i]);
        grove_result_clear(&results[i]);
    }
    free(tasks);
    free(results);
    free(texts);
}

static void a_refused_item_leaves_its_neighbours_alone(void **state)
{
    struct fixture *f = *state;
    struct grove_task tasks[3] = {
        {.size = sizeof(*tasks), .function = "echo"},
        {.size = sizeof(*tasks), .function = "No Name"},
        {.size = sizeof(*tasks), .function = "echo", .priority = 7},
    };
    struct grove_failure failures[3];
    struct grove_id ids[3];
    struct grove_id zero = {{0}};

    assert_int_equal(grove_submit_many(f->client, tasks, 3, ids, failures), GROVE_INVALID);
    assert_int_equal(failures[0].status, GROVE_OK);
    assert_int_equal(failures[1].status, GROVE_INVALID);
    assert_int_equal(failures[2].status, GROVE_OK);
    assert_memory_not_equal(&ids[0], &zero, sizeof(zero));
    assert_memory_equal(&ids[1], &zero, sizeof(zero));
    assert_int_equal(grove_result(f->client, &ids[2], GROVE_FOREVER, NULL, NULL), GROVE_OK);
    grove_failure_clear(&failures[1]);
}

static void the_same_key_is_the_same_task(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {
        .size = sizeof(task), .function = "echo", .payload = {"a", 1}, .key = "k"};
    struct grove_failure failure;
    struct grove_id ids[2];

    assert_int_equal(grove_submit(f->client, &task, &ids[0], NULL), GROVE_OK);
    assert_int_equal(grove_submit(f->client, &task, &ids[1], NULL), GROVE_OK);
    assert_memory_equal(&ids[0], &ids[1], sizeof(ids[0]));
    task.payload.data = "b";
    assert_int_equal(grove_submit(f->client, &task, NULL, &failure), GROVE_CONFLICT);
    assert_string_equal(failure.reason, "conflict");
    grove_failure_clear(&failure);
}

static void an_unknown_id_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct grove_id id = {{1, 2, 3}};
    struct grove_failure failure;

    assert_int_equal(grove_result(f->client, &id, GROVE_FOREVER, NULL, &failure), GROVE_NOT_FOUND);
    grove_failure_clear(&failure);
}

static void awaiting_ends_when_its_time_is_over(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {.size = sizeof(task), .function = "hold"};
    struct grove_id id;

    assert_int_equal(grove_submit(f->client, &task, &id, NULL), GROVE_OK);
    sem_wait(&seen.entered);
    assert_int_equal(grove_result(f->client, &id, 1, NULL, NULL), GROVE_TIMEOUT);
    sem_post(&seen.go);
    assert_int_equal(grove_result(f->client, &id, GROVE_FOREVER, NULL, NULL), GROVE_OK);
}

static void an_attempt_over_its_time_is_reported_and_told_to_stop(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {
        .size = sizeof(task), .function = "until.cancelled", .timeout_ms = 50};
    struct grove_failure failure;

    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_TIMEOUT);
    grove_failure_clear(&failure);
    sem_wait(&seen.go);
    expect_result(f, "echo", "after", "after");
}

static void a_checkpoint_reaches_the_next_attempt(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {.size = sizeof(task), .function = "keep", .max_attempts = 2};
    struct grove_result result;

    assert_int_equal(grove_wait(f->client, &task, &result, NULL), GROVE_OK);
    assert_string_equal(result.bytes.data, "half way");
    grove_result_clear(&result);
}

static void a_result_over_the_limit_is_a_failure_for_good(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {.size = sizeof(task), .function = "too.large", .max_attempts = 3};
    struct grove_failure failure;

    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_PERMANENT);
    grove_failure_clear(&failure);
}

static void a_payload_over_the_limit_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    char *data = calloc(1, GROVE_PAYLOAD_SIZE + 1);
    struct grove_task task = {
        .size = sizeof(task), .function = "echo", .payload = {data, GROVE_PAYLOAD_SIZE + 1}};
    struct grove_result result;

    assert_int_equal(grove_wait(f->client, &task, NULL, NULL), GROVE_TOO_LARGE);
    task.payload.size--;
    assert_int_equal(grove_wait(f->client, &task, &result, NULL), GROVE_OK);
    assert_int_equal(result.bytes.size, GROVE_PAYLOAD_SIZE);
    grove_result_clear(&result);
    free(data);
}

static void a_command_is_a_function(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {.size = sizeof(task), .function = "asleep", .timeout_ms = 50};
    struct grove_failure failure;

    expect_result(f, "upper", "hello", "HELLO");
    expect_result(f, "whoami", "", "whoami 1\n");
    expect_failure(f, "exit.3", "", GROVE_CODE_FAILED, "exit status 3: why");
    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_TIMEOUT);
    grove_failure_clear(&failure);
}

static void outcomes_survive_a_restart_of_the_coordinator(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {.size = sizeof(task), .function = "hold"};
    struct grove_id id;

    assert_int_equal(grove_submit(f->client, &task, &id, NULL), GROVE_OK);
    sem_wait(&seen.entered);
    mesh_restart(&f->mesh);
    sem_post(&seen.go);
    assert_int_equal(grove_result(f->client, &id, GROVE_FOREVER, NULL, NULL), GROVE_OK);
    assert_int_equal(sem_trywait(&seen.entered), -1);
}

/* Three restarts in the middle of many trees: all finish, and each task has run once, as nobody
 * died but the one who keeps the books. */
static void trees_survive_restarts_of_the_coordinator(void **state)
{
    enum { COUNT = 200 };
    struct fixture *f = *state;
    struct grove_task *tasks = calloc(COUNT, sizeof(*tasks));
    struct grove_id *ids = calloc(COUNT, sizeof(*ids));

    for (size_t i = 0; i < COUNT; i++) {
        tasks[i] =
            (struct grove_task){.size = sizeof(*tasks), .function = "nest", .payload = {"2", 1}};
    }
    assert_int_equal(grove_submit_many(f->client, tasks, COUNT, ids, NULL), GROVE_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(grove_result(f->client, &ids[i * 10], GROVE_FOREVER, NULL, NULL),
                         GROVE_OK);
        mesh_restart(&f->mesh);
    }
    assert_int_equal(grove_result_many(f->client, ids, COUNT, GROVE_FOREVER, NULL, NULL), GROVE_OK);
    assert_int_equal(atomic_load(&seen.calls), COUNT * 13);
    free(tasks);
    free(ids);
}

static void a_stopped_worker_finishes_what_it_started(void **state)
{
    struct fixture *f = *state;
    struct grove_task tasks[3] = {
        {.size = sizeof(*tasks), .function = "hold"},
        {.size = sizeof(*tasks), .function = "echo"},
        {.size = sizeof(*tasks), .function = "echo"},
    };
    struct grove_id ids[3];

    assert_int_equal(grove_submit_many(f->client, tasks, 3, ids, NULL), GROVE_OK);
    sem_wait(&seen.entered);
    grove_worker_stop(f->worker.worker);
    sem_post(&seen.go);
    assert_int_equal(grove_result(f->client, &ids[0], GROVE_FOREVER, NULL, NULL), GROVE_OK);
    mesh_worker_stop(&f->worker);
    mesh_worker_open(&f->mesh, &f->worker, "w1", 2);
    add_functions(f->worker.worker);
    mesh_worker_run(&f->worker);
    assert_int_equal(grove_result_many(f->client, ids, 3, GROVE_FOREVER, NULL, NULL), GROVE_OK);
}

static void a_second_worker_of_that_name_is_refused(void **state)
{
    struct fixture *f = *state;
    struct mesh_worker second;

    expect_result(f, "echo", "first", "first");
    mesh_worker_open(&f->mesh, &second, "w1", 1);
    assert_int_equal(grove_worker_run(second.worker, second.error), GROVE_IN_USE);
    assert_non_null(strstr(second.error, "w1"));
    grove_worker_close(second.worker);
}

static void calls_without_client_or_handler_are_refused(void **state)
{
    struct grove_task task = {.size = sizeof(task), .function = "echo"};

    (void)state;
    assert_int_equal(grove_submit(NULL, &task, NULL, NULL), GROVE_INVALID);
    assert_int_equal(grove_checkpoint("x", 1), GROVE_INVALID);
    assert_false(grove_cancelled());
    grove_progress(50, "ignored");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_returns_its_result, start, stop),
        cmocka_unit_test_setup_teardown(a_failure_brings_text_and_bytes, start, stop),
        cmocka_unit_test_setup_teardown(a_failed_attempt_is_followed_by_another, start, stop),
        cmocka_unit_test_setup_teardown(a_waiting_parent_holds_no_slot, start, stop),
        cmocka_unit_test_setup_teardown(a_thousand_trees_finish_on_one_slot, start, stop),
        cmocka_unit_test_setup_teardown(a_handler_awaits_many_children, start, stop),
        cmocka_unit_test_setup_teardown(the_failure_of_a_child_is_handed_on, start, stop),
        cmocka_unit_test_setup_teardown(a_long_failure_is_handed_on_as_text, start, stop),
        cmocka_unit_test_setup_teardown(many_are_submitted_and_awaited_in_order, start, stop),
        cmocka_unit_test_setup_teardown(a_refused_item_leaves_its_neighbours_alone, start, stop),
        cmocka_unit_test_setup_teardown(the_same_key_is_the_same_task, start, stop),
        cmocka_unit_test_setup_teardown(an_unknown_id_is_not_found, start, stop),
        cmocka_unit_test_setup_teardown(awaiting_ends_when_its_time_is_over, start, stop),
        cmocka_unit_test_setup_teardown(an_attempt_over_its_time_is_reported_and_told_to_stop,
                                        start, stop),
        cmocka_unit_test_setup_teardown(a_checkpoint_reaches_the_next_attempt, start, stop),
        cmocka_unit_test_setup_teardown(a_result_over_the_limit_is_a_failure_for_good, start, stop),
        cmocka_unit_test_setup_teardown(a_payload_over_the_limit_is_refused_at_once, start, stop),
        cmocka_unit_test_setup_teardown(a_command_is_a_function, start, stop),
        cmocka_unit_test_setup_teardown(outcomes_survive_a_restart_of_the_coordinator, start, stop),
        cmocka_unit_test_setup_teardown(trees_survive_restarts_of_the_coordinator, start, stop),
        cmocka_unit_test_setup_teardown(a_stopped_worker_finishes_what_it_started, start, stop),
        cmocka_unit_test_setup_teardown(a_second_worker_of_that_name_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(calls_without_client_or_handler_are_refused, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
