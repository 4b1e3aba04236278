/* SPDX-License-Identifier: MPL-2.0
 * What a handler may do with its attempt: race and gather inside it, and lend it to other threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/mesh.h"

#define SLOTS 3 /* of a race of four, the last begins when one has ended */

struct fixture {
    struct mesh mesh;
    struct mesh_worker worker;
    struct grove_client *client;
};

/* What handlers and their threads see; set anew for each test. */
static struct {
    sem_t entered, told;
    pthread_t thread;
    enum grove_status closed;
} seen;

static enum grove_status return_text(struct grove_attempt *attempt, const char *text)
{
    return grove_attempt_return(attempt, text, strlen(text));
}

/* ---- children */

static enum grove_status echo(struct grove_attempt *attempt, void *context)
{
    const struct grove_bytes payload = grove_attempt_payload(attempt);

    (void)context;
    return grove_attempt_return(attempt, payload.data, payload.size);
}

static enum grove_status fail_by_name(struct grove_attempt *attempt, void *context)
{
    (void)context;
    return grove_attempt_fail(attempt, grove_attempt_payload(attempt).data,
                              (struct grove_bytes){NULL, 0});
}

static enum grove_status name_parent(struct grove_attempt *attempt, void *context)
{
    const struct grove_id parent = grove_attempt_parent(attempt);
    char id[GROVE_ID_TEXT_SIZE];

    (void)context;
    grove_id_format(&parent, id);
    return return_text(attempt, id);
}

static void await_stop(void)
{
    const struct timespec nap = {.tv_nsec = 2000000};

    while (!grove_cancelled()) {
        nanosleep(&nap, NULL);
    }
}

static enum grove_status hold(struct grove_attempt *attempt, void *context)
{
    (void)attempt;
    (void)context;
    sem_post(&seen.entered);
    await_stop();
    sem_post(&seen.told);
    return GROVE_CANCELLED;
}

/* Succeeds when two others hold. */
static enum grove_status come_late(struct grove_attempt *attempt, void *context)
{
    (void)context;
    sem_wait(&seen.entered);
    sem_wait(&seen.entered);
    return return_text(attempt, "slow");
}

/* ---- joins */

static struct grove_task task_of(const char *function, const char *payload)
{
    struct grove_task task = GROVE_TASK_INIT;

    task.function = function;
    task.payload = (struct grove_bytes){payload, strlen(payload)};
    return task;
}

static enum grove_status race(struct grove_attempt *attempt, void *context)
{
    struct grove_task tasks[] = {task_of("fail", "too fast"), task_of("hold", ""),
                                 task_of("late", ""), task_of("hold", "")};
    struct grove_joined joined = GROVE_JOINED_INIT;

    (void)context;
    assert_int_equal(grove_race(NULL, tasks, 4, NULL, &joined), GROVE_OK);
    assert_int_equal(joined.winner_count, 1);
    assert_int_equal(joined.winners[0], 2);
    assert_string_equal(joined.results[2].bytes.data, "slow");
    assert_string_equal(joined.failures[0].text, "too fast");
    assert_int_equal(joined.failures[1].code, GROVE_CODE_CANCELLED);
    assert_int_equal(joined.failures[3].code, GROVE_CODE_CANCELLED);
    grove_joined_clear(&joined);
    return return_text(attempt, "raced");
}

static enum grove_status race_for_two(struct grove_attempt *attempt, void *context)
{
    struct grove_task tasks[] = {task_of("echo", "a"), task_of("fail", "b"), task_of("echo", "c")};
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;

    (void)attempt;
    (void)context;
    options.winners = 2;
    assert_int_equal(grove_race(NULL, tasks, 3, &options, &joined), GROVE_OK);
    assert_int_equal(joined.winner_count, 2);
    assert_int_equal(joined.winners[0] + joined.winners[1], 0 + 2);
    grove_joined_clear(&joined);
    options.winners = 3;
    return grove_race(NULL, tasks, 3, &options, NULL);
}

static enum grove_status next(void *context, uint64_t position, struct grove_task *task)
{
    if (position == 600) {
        return GROVE_CLOSED;
    }
    *task = task_of(position % 100 == 50 ? "fail" : "echo", context);
    return GROVE_OK;
}

static enum grove_status take(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure)
{
    if (position % 100 == 50) {
        assert_string_equal(failure->text, context);
    } else {
        assert_string_equal(result->bytes.data, context);
    }
    return GROVE_OK;
}

static enum grove_status gather_streamed(struct grove_attempt *attempt, void *context)
{
    struct grove_stream stream = GROVE_STREAM_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;
    char text[] = "the same";

    (void)context;
    stream.next = next;
    stream.take = take;
    stream.context = text;
    assert_int_equal(grove_gather_stream(NULL, &stream, NULL, &joined), GROVE_FAILED);
    assert_int_equal(joined.succeeded, 594);
    assert_int_equal(joined.failed, 6);
    assert_int_equal(joined.first_failed, 50);
    assert_null(joined.results);
    grove_joined_clear(&joined);
    return return_text(attempt, "gathered");
}

/* ---- threads */

static enum grove_status adopt_again(struct grove_attempt *attempt, void *context)
{
    (void)context;
    assert_int_equal(grove_context_adopt(NULL), GROVE_INVALID);
    assert_int_equal(grove_context_adopt(attempt), GROVE_INVALID);
    grove_context_release();
    grove_context_release();
    assert_int_equal(
        grove_submit(NULL,
                     &(struct grove_task){.size = sizeof(struct grove_task), .function = "echo"},
                     NULL, NULL),
        GROVE_INVALID);
    assert_int_equal(grove_context_adopt(attempt), GROVE_OK);
    return return_text(attempt, "adopted");
}

/* Its end releases the attempt. */
static void *make_child(void *context)
{
    struct grove_attempt *attempt = context;
    const struct grove_task task = task_of("parent", "");
    const struct grove_id own = grove_attempt_id(attempt);
    char id[GROVE_ID_TEXT_SIZE];
    struct grove_result result;

    grove_id_format(&own, id);
    assert_int_equal(grove_context_adopt(attempt), GROVE_OK);
    assert_int_equal(grove_wait(NULL, &task, &result, NULL), GROVE_OK);
    assert_string_equal(result.bytes.data, id);
    grove_result_clear(&result);
    return NULL;
}

static enum grove_status lend(struct grove_attempt *attempt, void *context)
{
    pthread_t thread;

    (void)context;
    assert_int_equal(pthread_create(&thread, NULL, make_child, attempt), 0);
    grove_context_release();
    pthread_join(thread, NULL);
    return return_text(attempt, "lent");
}

static void *hold_elsewhere(void *context)
{
    assert_int_equal(grove_context_adopt(context), GROVE_OK);
    sem_post(&seen.entered);
    await_stop();
    sem_post(&seen.told);
    return NULL;
}

static enum grove_status lend_and_hold(struct grove_attempt *attempt, void *context)
{
    pthread_t thread;

    (void)context;
    assert_int_equal(pthread_create(&thread, NULL, hold_elsewhere, attempt), 0);
    pthread_join(thread, NULL);
    return GROVE_CANCELLED;
}

/* Nothing can be lent once the handler has returned; this one keeps it from ending. */
static void *adopt_late(void *context)
{
    struct grove_attempt *attempt = context;

    while ((seen.closed = grove_context_adopt(attempt)) == GROVE_OK) {
        grove_context_release();
        sched_yield();
    }
    return NULL;
}

static void *outlive(void *context)
{
    pthread_t late;

    assert_int_equal(grove_context_adopt(context), GROVE_OK);
    sem_post(&seen.entered);
    assert_int_equal(pthread_create(&late, NULL, adopt_late, context), 0);
    pthread_join(late, NULL);
    return NULL;
}

static enum grove_status lend_and_return(struct grove_attempt *attempt, void *context)
{
    (void)context;
    assert_int_equal(pthread_create(&seen.thread, NULL, outlive, attempt), 0);
    sem_wait(&seen.entered);
    return return_text(attempt, "returned");
}

/* ---- fixture */

static const struct {
    const char *name;
    grove_handler *handler;
} functions[] = {
    {"echo", echo},
    {"fail", fail_by_name},
    {"parent", name_parent},
    {"hold", hold},
    {"late", come_late},
    {"race", race},
    {"race.for.two", race_for_two},
    {"gather", gather_streamed},
    {"adopt", adopt_again},
    {"lend", lend},
    {"lend.and.hold", lend_and_hold},
    {"lend.and.return", lend_and_return},
};

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    sem_init(&seen.entered, 0, 0);
    sem_init(&seen.told, 0, 0);
    mesh_start(&f->mesh);
    mesh_worker_open(&f->mesh, &f->worker, "w1", SLOTS);
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        assert_int_equal(
            grove_worker_handle(f->worker.worker, functions[i].name, functions[i].handler, NULL),
            GROVE_OK);
    }
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
    sem_destroy(&seen.entered);
    sem_destroy(&seen.told);
    free(f);
    return 0;
}

static void expect_result(struct fixture *f, const char *function, const char *expected)
{
    const struct grove_task task = task_of(function, "");
    struct grove_result result;
    struct grove_failure failure;

    if (grove_wait(f->client, &task, &result, &failure) != GROVE_OK) {
        fail_msg("%s: %s", failure.reason, failure.text);
    }
    assert_string_equal(result.bytes.data, expected);
    grove_result_clear(&result);
}

/* ---- tests */

static void a_handler_races(void **state)
{
    expect_result(*state, "race", "raced");
    sem_wait(&seen.told);
    sem_wait(&seen.told);
}

static void a_handler_races_for_more_winners_than_there_are(void **state)
{
    struct fixture *f = *state;
    const struct grove_task task = task_of("race.for.two", "");
    struct grove_failure failure;

    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_string_equal(failure.text, "2 of 3 won; input 1 (fail): b");
    grove_failure_clear(&failure);
}

static void a_handler_gathers_a_stream(void **state)
{
    expect_result(*state, "gather", "gathered");
}

static void a_thread_has_one_attempt_at_most(void **state)
{
    expect_result(*state, "adopt", "adopted");
}

static void a_thread_that_adopts_makes_children(void **state)
{
    expect_result(*state, "lend", "lent");
}

static void a_thread_that_adopts_is_told_to_stop(void **state)
{
    struct fixture *f = *state;
    const struct grove_task task = task_of("lend.and.hold", "");
    struct grove_cancelled counts;
    struct grove_id id;

    assert_int_equal(grove_submit(f->client, &task, &id, NULL), GROVE_OK);
    sem_wait(&seen.entered);
    assert_int_equal(grove_cancel(f->client, &id, &counts, NULL), GROVE_OK);
    assert_int_equal(counts.stopped, 1);
    sem_wait(&seen.told);
}

static void an_attempt_lasts_as_long_as_its_threads(void **state)
{
    expect_result(*state, "lend.and.return", "returned");
    pthread_join(seen.thread, NULL);
    assert_int_equal(seen.closed, GROVE_CLOSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_handler_races),
        TEST(a_handler_races_for_more_winners_than_there_are),
        TEST(a_handler_gathers_a_stream),
        TEST(a_thread_has_one_attempt_at_most),
        TEST(a_thread_that_adopts_makes_children),
        TEST(a_thread_that_adopts_is_told_to_stop),
        TEST(an_attempt_lasts_as_long_as_its_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
