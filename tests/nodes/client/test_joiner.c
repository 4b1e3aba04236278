/* SPDX-License-Identifier: MPL-2.0
 * Gather, race and map, from clients and from handlers, against a real coordinator and workers. */
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
#include <time.h>

#include "nodes/host/clock.h"
#include "tests/support/mesh.h"

struct fixture {
    struct mesh mesh;
    struct mesh_worker worker;
    struct grove_client *client;
};

/* What handlers see; set anew for each test. */
static struct {
    atomic_uint starts;
    atomic_uint running, most;
    atomic_uint crowd; /* so many are to run beside each other */
    sem_t entered;
    sem_t go;
    sem_t many; /* posted at each STARTS_MANY starts */
} seen;

#define STARTS_MANY 2500u

/* ---- handlers */

static void count_start(void)
{
    if ((atomic_fetch_add(&seen.starts, 1) + 1) % STARTS_MANY == 0) {
        sem_post(&seen.many);
    }
}

static enum grove_status return_text(struct grove_attempt *attempt, const char *text)
{
    return grove_attempt_return(attempt, text, strlen(text));
}

static const char *payload_of(const struct grove_attempt *attempt)
{
    return grove_attempt_payload(attempt).data;
}

static enum grove_status echo(struct grove_attempt *attempt, void *context)
{
    (void)context;
    count_start();
    return return_text(attempt, payload_of(attempt));
}

/* Fails when its payload is odd. */
static enum grove_status even(struct grove_attempt *attempt, void *context)
{
    (void)context;
    atomic_fetch_add(&seen.starts, 1);
    if (strtol(payload_of(attempt), NULL, 10) % 2 != 0) {
        return grove_attempt_fail(attempt, "odd", (struct grove_bytes){NULL, 0});
    }
    return return_text(attempt, payload_of(attempt));
}

static enum grove_status fail_by_name(struct grove_attempt *attempt, void *context)
{
    (void)context;
    return grove_attempt_fail(attempt, payload_of(attempt), (struct grove_bytes){NULL, 0});
}

static bool goes_within_ms(long ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return sem_timedwait(&seen.go, &until) == 0;
}

/* Numbers below fifty are done at once, all others when they are told to stop. */
static enum grove_status fifty(struct grove_attempt *attempt, void *context)
{
    (void)context;
    atomic_fetch_add(&seen.starts, 1);
    if (strtol(payload_of(attempt), NULL, 10) < 50) {
        return return_text(attempt, payload_of(attempt));
    }
    while (!grove_cancelled()) {
        (void)goes_within_ms(5);
    }
    return GROVE_CANCELLED;
}

/* Ends when the test lets it, or when it is told to stop. */
static enum grove_status hold(struct grove_attempt *attempt, void *context)
{
    (void)context;
    sem_post(&seen.entered);
    while (!goes_within_ms(5)) {
        if (grove_cancelled()) {
            sem_post(&seen.entered);
            return GROVE_CANCELLED;
        }
    }
    return return_text(attempt, payload_of(attempt));
}

/* Counts how many run beside it; the first wait until so many do. */
static enum grove_status crowd(struct grove_attempt *attempt, void *context)
{
    const unsigned running = atomic_fetch_add(&seen.running, 1) + 1;
    unsigned most = atomic_load(&seen.most);

    (void)context;
    atomic_fetch_add(&seen.starts, 1);
    while (running > most && !atomic_compare_exchange_weak(&seen.most, &most, running)) {
    }
    for (unsigned i = 0; i < 20 || atomic_load(&seen.most) < atomic_load(&seen.crowd); i++) {
        sched_yield();
    }
    atomic_fetch_sub(&seen.running, 1);
    return return_text(attempt, payload_of(attempt));
}

/* ---- inputs */

struct inputs {
    size_t count;
    struct grove_task *task;
    char (*text)[16];
};

static struct inputs make_inputs(const char *function, size_t count)
{
    struct inputs inputs = {count, calloc(count + 1, sizeof(*inputs.task)),
                            calloc(count + 1, sizeof(*inputs.text))};

    for (size_t i = 0; i < count; i++) {
        inputs.task[i] = (struct grove_task)GROVE_TASK_INIT;
        inputs.task[i].function = function;
        inputs.task[i].payload.data = inputs.text[i];
        inputs.task[i].payload.size =
            (size_t)snprintf(inputs.text[i], sizeof(inputs.text[i]), "%zu", i);
    }
    return inputs;
}

static void clear_inputs(struct inputs *inputs)
{
    free(inputs->task);
    free(inputs->text);
}

static void expect_in_order(const struct inputs *inputs, const struct grove_joined *joined)
{
    assert_int_equal(joined->count, inputs->count);
    assert_int_equal(joined->succeeded, inputs->count);
    assert_int_equal(joined->failed + joined->cancelled, 0);
    for (size_t i = 0; i < inputs->count; i++) {
        assert_string_equal(joined->results[i].bytes.data, inputs->text[i]);
        assert_null(joined->failures[i].reason);
    }
}

typedef enum grove_status joining_call(struct grove_client *client, const struct grove_task *tasks,
                                       size_t count, const struct grove_join_options *options,
                                       struct grove_joined *joined);

static void expect_joined(joining_call *call, struct grove_client *client, const char *function,
                          size_t count)
{
    struct inputs inputs = make_inputs(function, count);
    struct grove_joined joined = GROVE_JOINED_INIT;

    if (call(client, inputs.task, count, NULL, &joined) != GROVE_OK) {
        fail_msg("%zu: %s: %s", count, joined.failure.reason, joined.failure.text);
    }
    expect_in_order(&inputs, &joined);
    grove_joined_clear(&joined);
    clear_inputs(&inputs);
}

/* ---- handlers that join */

/* The last is more than a page. Inputs of a map are never assigned ahead: each has its own turns.
 */
static const size_t sizes[] = {0, 1, 2, 255, 256, 257, 1100};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static enum grove_status gather_inside(struct grove_attempt *attempt, void *context)
{
    (void)context;
    for (size_t i = 0; i < SIZES; i++) {
        expect_joined(grove_gather, NULL, "echo", sizes[i]);
    }
    return return_text(attempt, "gathered");
}

static enum grove_status map_inside(struct grove_attempt *attempt, void *context)
{
    (void)context;
    for (size_t i = 0; i < SIZES; i++) {
        expect_joined(grove_map, NULL, "echo", sizes[i]);
    }
    return return_text(attempt, "mapped");
}

/* Gathers at its first attempt, fails, and gathers again. */
static enum grove_status gather_twice(struct grove_attempt *attempt, void *context)
{
    (void)context;
    expect_joined(grove_gather, NULL, "echo", 300);
    if (grove_attempt_number(attempt) == 1) {
        return grove_attempt_fail(attempt, "on purpose", (struct grove_bytes){NULL, 0});
    }
    return return_text(attempt, "gathered");
}

static enum grove_status gather_equals(struct grove_attempt *attempt, void *context)
{
    (void)context;
    expect_joined(grove_gather, NULL, "echo", 2);
    expect_joined(grove_gather, NULL, "echo", 2);
    return return_text(attempt, "gathered");
}

static enum grove_status gather_submitted(struct grove_attempt *attempt, void *context)
{
    struct inputs inputs = make_inputs("echo", 600);
    struct grove_id *ids = calloc(inputs.count, sizeof(*ids));
    struct grove_joined joined = GROVE_JOINED_INIT;

    (void)context;
    assert_int_equal(grove_submit_many(NULL, inputs.task, inputs.count, ids, NULL), GROVE_OK);
    if (grove_gather_submitted(ids, inputs.count, NULL, &joined) != GROVE_OK) {
        fail_msg("%s: %s", joined.failure.reason, joined.failure.text);
    }
    expect_in_order(&inputs, &joined);
    for (size_t i = 0; i < inputs.count; i++) {
        assert_memory_equal(&joined.results[i].task, &ids[i], sizeof(ids[i]));
    }
    grove_joined_clear(&joined);
    assert_int_equal(grove_gather_submitted(ids, 0, NULL, NULL), GROVE_OK);
    free(ids);
    clear_inputs(&inputs);
    return return_text(attempt, "gathered");
}

/* Only hands the status on. */
static enum grove_status hand_on(struct grove_attempt *attempt, void *context)
{
    struct inputs inputs = make_inputs("even", 4);
    const enum grove_status status = grove_gather(NULL, inputs.task, 4, NULL, NULL);

    (void)attempt;
    (void)context;
    clear_inputs(&inputs);
    return status;
}

static enum grove_status cancel_child(struct grove_attempt *attempt, void *context)
{
    struct grove_task child = {.size = sizeof(child), .function = "hold"};
    const struct grove_id own = grove_attempt_id(attempt);
    struct grove_cancelled counts;
    struct grove_failure failure;
    struct grove_id id;

    (void)context;
    assert_int_equal(grove_submit(NULL, &child, &id, NULL), GROVE_OK);
    sem_wait(&seen.entered);
    assert_int_equal(grove_cancel(NULL, &own, NULL, &failure), GROVE_NOT_FOUND);
    grove_failure_clear(&failure);
    assert_int_equal(grove_cancel(NULL, &id, &counts, NULL), GROVE_OK);
    assert_int_equal(counts.stopped, 1);
    assert_int_equal(counts.never_started + counts.already_done, 0);
    assert_int_equal(grove_result(NULL, &id, GROVE_FOREVER, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_CANCELLED);
    grove_failure_clear(&failure);
    return return_text(attempt, "cancelled");
}

/* Two threads of one handler gather at a time. */
static void *gather_beside(void *context)
{
    struct grove_attempt *attempt = context;

    assert_int_equal(grove_context_adopt(attempt), GROVE_OK);
    expect_joined(grove_map, NULL, "echo", 700);
    return NULL;
}

static enum grove_status gather_in_threads(struct grove_attempt *attempt, void *context)
{
    pthread_t thread;

    (void)context;
    assert_int_equal(pthread_create(&thread, NULL, gather_beside, attempt), 0);
    expect_joined(grove_gather, NULL, "echo", 600);
    grove_context_release();
    pthread_join(thread, NULL);
    return return_text(attempt, "gathered");
}

/* ---- streams */

struct flow {
    const char *function;
    uint64_t count;
    uint64_t given, taken;
    uint64_t stops_at;  /* an outcome; 0: none */
    bool is_slow;       /* has nothing every other time */
    uint64_t at_once;   /* ... of all that follow these */
    bool is_one_by_one; /* has nothing until the outcome before has come */
    bool was_busy;
    uint64_t most_outstanding;
    unsigned looks;
    char text[24];
};

static enum grove_status next(void *context, uint64_t position, struct grove_task *task)
{
    struct flow *flow = context;

    if (flow->is_slow && !flow->was_busy) {
        flow->was_busy = true;
        return GROVE_BUSY;
    }
    flow->was_busy = false;
    if (flow->is_one_by_one && flow->given >= flow->at_once && flow->taken < flow->given) {
        sched_yield();
        return GROVE_BUSY;
    }
    assert_true(position <= flow->given);
    if (position == flow->count) {
        return GROVE_CLOSED;
    }
    flow->given = position + 1;
    if (flow->given - flow->taken > flow->most_outstanding) {
        flow->most_outstanding = flow->given - flow->taken;
    }
    task->function = flow->function;
    task->payload.data = flow->text;
    task->payload.size =
        (size_t)snprintf(flow->text, sizeof(flow->text), "%llu", (unsigned long long)position);
    return GROVE_OK;
}

static enum grove_status take(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure)
{
    struct flow *flow = context;
    char text[24];

    assert_int_equal(position, flow->taken);
    flow->taken++;
    if (result->bytes.data) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)position);
        assert_string_equal(result->bytes.data, text);
    } else {
        assert_non_null(failure->reason);
    }
    return flow->stops_at == flow->taken ? GROVE_FULL : GROVE_OK;
}

static enum grove_status look(void *context, const struct grove_join_progress *progress)
{
    struct flow *flow = context;

    flow->looks++;
    assert_true(progress->succeeded + progress->failed + progress->running <= flow->given);
    assert_true(progress->total == 0 || progress->total == flow->count);
    return GROVE_OK;
}

static struct grove_stream stream_of(struct flow *flow)
{
    struct grove_stream stream = GROVE_STREAM_INIT;

    stream.next = next;
    stream.take = take;
    stream.context = flow;
    return stream;
}

static void expect_streamed(struct grove_client *client, uint64_t count, uint32_t limit,
                            bool is_slow)
{
    struct flow flow = {.function = "echo", .count = count, .is_slow = is_slow};
    const struct grove_stream stream = stream_of(&flow);
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;

    options.limit = limit;
    options.progress = look;
    options.context = &flow;
    if (grove_map_stream(client, &stream, &options, &joined) != GROVE_OK) {
        fail_msg("%s: %s", joined.failure.reason, joined.failure.text);
    }
    assert_int_equal(flow.given, count);
    assert_int_equal(flow.taken, count);
    assert_int_equal(joined.count, count);
    assert_int_equal(joined.succeeded, count);
    assert_null(joined.results);
    assert_true(count == 0 || flow.looks > 0);
    grove_joined_clear(&joined);
}

static enum grove_status stream_inside(struct grove_attempt *attempt, void *context)
{
    struct flow flow = {.function = "echo", .count = 260, .is_one_by_one = true, .at_once = 256};
    const struct grove_stream stream = stream_of(&flow);

    (void)context;
    assert_int_equal(grove_map_stream(NULL, &stream, NULL, NULL), GROVE_OK);
    assert_int_equal(flow.taken, 260);
    expect_streamed(NULL, 0, 5, false);
    expect_streamed(NULL, 1, 5, true);
    expect_streamed(NULL, 1100, 5, false);
    expect_streamed(NULL, 700, 500, true);
    return return_text(attempt, "streamed");
}

/* ---- fixture */

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct grove_worker *worker;

    atomic_store(&seen.starts, 0);
    atomic_store(&seen.running, 0);
    atomic_store(&seen.most, 0);
    atomic_store(&seen.crowd, 0);
    sem_init(&seen.entered, 0, 0);
    sem_init(&seen.go, 0, 0);
    sem_init(&seen.many, 0, 0);
    mesh_start(&f->mesh);
    mesh_worker_open(&f->mesh, &f->worker, "w1", 4);
    worker = f->worker.worker;
    assert_int_equal(grove_worker_handle(worker, "echo", echo, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "even", even, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "fail", fail_by_name, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "hold", hold, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "fifty", fifty, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "crowd", crowd, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "gather", gather_inside, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "map", map_inside, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "twice", gather_twice, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "equals", gather_equals, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "submitted", gather_submitted, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "hand.on", hand_on, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "cancel", cancel_child, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "threads", gather_in_threads, NULL), GROVE_OK);
    assert_int_equal(grove_worker_handle(worker, "stream", stream_inside, NULL), GROVE_OK);
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
    sem_destroy(&seen.go);
    sem_destroy(&seen.many);
    free(f);
    return 0;
}

static void expect_result(struct fixture *f, const char *function, const char *payload,
                          const char *expected)
{
    struct grove_task task = GROVE_TASK_INIT;
    struct grove_result result;
    struct grove_failure failure;

    task.function = function;
    task.payload = (struct grove_bytes){payload, strlen(payload)};
    if (grove_wait(f->client, &task, &result, &failure) != GROVE_OK) {
        fail_msg("%s: %s", failure.reason, failure.text);
    }
    assert_string_equal(result.bytes.data, expected);
    grove_result_clear(&result);
}

/* ---- tests */

static void a_client_gathers_in_order(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < SIZES; i++) {
        expect_joined(grove_gather, f->client, "echo", sizes[i]);
    }
}

static void a_client_maps_in_order(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < SIZES; i++) {
        expect_joined(grove_map, f->client, "echo", sizes[i]);
    }
}

static void a_handler_gathers_in_order(void **state)
{
    expect_result(*state, "gather", "", "gathered");
}

static void a_handler_maps_in_order(void **state)
{
    expect_result(*state, "map", "", "mapped");
}

static void all_failures_are_collected(void **state)
{
    struct fixture *f = *state;
    struct inputs inputs = make_inputs("even", 10);
    struct grove_joined joined = GROVE_JOINED_INIT;

    assert_int_equal(grove_gather(f->client, inputs.task, 10, NULL, &joined), GROVE_FAILED);
    assert_int_equal(joined.count, 10);
    assert_int_equal(joined.succeeded, 5);
    assert_int_equal(joined.failed, 5);
    assert_int_equal(joined.cancelled, 0);
    assert_int_equal(joined.first_failed, 1);
    assert_string_equal(joined.failure.text, "5 of 10 failed, input 1 (even) first: odd");
    assert_int_equal(joined.failure.code, GROVE_CODE_FAILED);
    for (size_t i = 0; i < 10; i++) {
        if (i % 2 == 0) {
            assert_string_equal(joined.results[i].bytes.data, inputs.text[i]);
        } else {
            assert_string_equal(joined.failures[i].text, "odd");
        }
    }
    grove_joined_clear(&joined);
    clear_inputs(&inputs);
}

static void a_gather_stops_at_a_failure(void **state)
{
    struct fixture *f = *state;
    struct grove_task tasks[3] = {
        {.size = sizeof(*tasks), .function = "hold"},
        {.size = sizeof(*tasks), .function = "fail", .payload = {"no luck", 7}},
        {.size = sizeof(*tasks), .function = "hold"},
    };
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;

    options.stop_on_failure = true;
    assert_int_equal(grove_gather(f->client, tasks, 3, &options, &joined), GROVE_FAILED);
    assert_int_equal(joined.first_failed, 1);
    assert_int_equal(joined.failed, 1);
    assert_int_equal(joined.cancelled, 2);
    assert_int_equal(joined.failures[0].code, GROVE_CODE_CANCELLED);
    assert_int_equal(joined.failures[2].code, GROVE_CODE_CANCELLED);
    assert_string_equal(joined.failure.text, "1 of 3 failed, input 1 (fail) first: no luck");
    grove_joined_clear(&joined);
}

/* Of 5,000 inputs half of which fail, one at a time: the third failure is that of the sixth. */
static void a_map_stops_after_some_failures(void **state)
{
    struct fixture *f = *state;
    struct inputs inputs = make_inputs("even", 5000);
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;

    options.limit = 1;
    options.max_failures = 3;
    assert_int_equal(grove_map(f->client, inputs.task, 5000, &options, &joined), GROVE_FAILED);
    assert_int_equal(joined.count, 5000);
    assert_int_equal(joined.failed, 3);
    assert_int_equal(joined.succeeded, 3);
    assert_int_equal(joined.cancelled, 4994);
    assert_int_equal(atomic_load(&seen.starts), 6);
    assert_int_equal(joined.failures[6].code, GROVE_CODE_CANCELLED);
    assert_int_equal(joined.failures[4999].code, GROVE_CODE_CANCELLED);
    grove_joined_clear(&joined);
    clear_inputs(&inputs);
}

static void a_map_keeps_its_limit(void **state)
{
    static const uint32_t limits[] = {1, 2, 3};
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        struct inputs inputs = make_inputs("crowd", 400);
        struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
        struct grove_joined joined = GROVE_JOINED_INIT;

        options.limit = limits[i];
        atomic_store(&seen.most, 0);
        atomic_store(&seen.crowd, limits[i]);
        assert_int_equal(grove_map(f->client, inputs.task, 400, &options, &joined), GROVE_OK);
        expect_in_order(&inputs, &joined);
        assert_int_equal(atomic_load(&seen.most), limits[i]);
        grove_joined_clear(&joined);
        clear_inputs(&inputs);
    }
}

/* The fast failure does not win; the losers are told to stop, and what waits never starts. */
static void a_slow_success_beats_a_fast_failure(void **state)
{
    struct fixture *f = *state;
    struct grove_task tasks[6] = {
        {.size = sizeof(*tasks), .function = "fail", .payload = {"too fast", 8}},
        {.size = sizeof(*tasks), .function = "hold", .payload = {"held", 4}},
        {.size = sizeof(*tasks), .function = "hold", .payload = {"held", 4}},
        {.size = sizeof(*tasks), .function = "echo", .payload = {"late", 4}, .delay_ms = 3600000},
        {.size = sizeof(*tasks), .function = "echo", .payload = {"slow", 4}, .delay_ms = 200},
        {.size = sizeof(*tasks), .function = "hold", .payload = {"held", 4}},
    };
    struct grove_joined joined = GROVE_JOINED_INIT;

    if (grove_race(f->client, tasks, 6, NULL, &joined) != GROVE_OK) {
        fail_msg("%s: %s", joined.failure.reason, joined.failure.text);
    }
    assert_int_equal(joined.winner_count, 1);
    assert_int_equal(joined.winners[0], 4);
    assert_string_equal(joined.results[4].bytes.data, "slow");
    assert_string_equal(joined.failures[0].text, "too fast");
    assert_int_equal(joined.cancelled, 4);
    assert_int_equal(atomic_load(&seen.starts), 1);
    grove_joined_clear(&joined);
    for (unsigned i = 0; i < 6; i++) {
        sem_wait(&seen.entered); /* three began, and three were told */
    }
}

static void a_race_that_all_lose_tells_why(void **state)
{
    struct fixture *f = *state;
    struct grove_task tasks[3] = {
        {.size = sizeof(*tasks), .function = "fail", .payload = {"first", 5}},
        {.size = sizeof(*tasks), .function = "even", .payload = {"1", 1}},
        {.size = sizeof(*tasks), .function = "fail", .payload = {"third", 5}},
    };
    struct grove_joined joined = GROVE_JOINED_INIT;

    assert_int_equal(grove_race(f->client, tasks, 3, NULL, &joined), GROVE_FAILED);
    assert_int_equal(joined.failure.code, GROVE_CODE_JOIN_FAILED);
    assert_string_equal(joined.failure.text, "0 of 1 won; input 0 (fail): first; input 1 (even): "
                                             "odd; input 2 (fail): third");
    assert_int_equal(joined.winner_count, 0);
    assert_int_equal(joined.failed, 3);
    grove_joined_clear(&joined);
}

static void a_race_may_have_more_winners_or_take_any_end(void **state)
{
    struct fixture *f = *state;
    struct inputs inputs = make_inputs("even", 5);
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;
    struct grove_task settled[2] = {
        {.size = sizeof(*settled), .function = "fail", .payload = {"fast", 4}},
        {.size = sizeof(*settled), .function = "hold", .payload = {"held", 4}},
    };

    options.winners = 3;
    assert_int_equal(grove_race(f->client, inputs.task, 5, &options, &joined), GROVE_OK);
    assert_int_equal(joined.winner_count, 3);
    assert_int_equal(joined.winners[0] + joined.winners[1] + joined.winners[2], 0 + 2 + 4);
    grove_joined_clear(&joined);
    options.winners = 4;
    assert_int_equal(grove_race(f->client, inputs.task, 5, &options, &joined), GROVE_FAILED);
    assert_int_equal(joined.winner_count, 3);
    grove_joined_clear(&joined);
    options.winners = 0;
    options.first_settled = true;
    assert_int_equal(grove_race(f->client, settled, 2, &options, &joined), GROVE_FAILED);
    assert_int_equal(joined.winners[0], 0);
    assert_string_equal(joined.failure.text, "fast");
    grove_joined_clear(&joined);
    clear_inputs(&inputs);
}

static void streams_go_through_in_order(void **state)
{
    struct fixture *f = *state;

    expect_streamed(f->client, 0, 5, false);
    expect_streamed(f->client, 1, 5, true);
    expect_streamed(f->client, 1100, 5, false);
    expect_streamed(f->client, 700, 500, true);
}

/* The end comes when nothing is on its way any more: no outcome is left to tell that it is over, so
 * that is asked. Under TSan handlers stood still for want of it. */
static void inputs_may_wait_for_outcomes(void **state)
{
    struct fixture *f = *state;
    struct flow flow = {.function = "echo", .count = 3, .is_one_by_one = true};
    const struct grove_stream stream = stream_of(&flow);

    assert_int_equal(grove_map_stream(f->client, &stream, NULL, NULL), GROVE_OK);
    assert_int_equal(flow.taken, 3);
    assert_int_equal(flow.most_outstanding, 1);
}

static void a_handler_streams_in_order(void **state)
{
    expect_result(*state, "stream", "", "streamed");
}

/* The root is cancelled with it: nothing more of it starts. */
static void whoever_takes_the_outcomes_may_stop(void **state)
{
    struct fixture *f = *state;
    struct flow flow = {.function = "fifty", .count = 100000, .stops_at = 50};
    const struct grove_stream stream = stream_of(&flow);
    struct grove_joined joined = GROVE_JOINED_INIT;
    struct grove_failure failure;
    struct grove_cancelled counts;
    unsigned starts;

    assert_int_equal(grove_map_stream(f->client, &stream, NULL, &joined), GROVE_FULL);
    assert_int_equal(flow.taken, 50);
    assert_int_equal(grove_result(f->client, &joined.id, GROVE_FOREVER, NULL, &failure),
                     GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_CANCELLED);
    grove_failure_clear(&failure);
    assert_int_equal(grove_cancel(f->client, &joined.id, &counts, NULL), GROVE_OK);
    expect_result(f, "echo", "behind all that had begun", "behind all that had begun");
    starts = atomic_load(&seen.starts) - 1;
    assert_true(counts.never_started > 0);
    /* What its worker held, and had not begun, was told to stop as well. */
    assert_in_range(counts.stopped + counts.already_done, starts, starts + 16);
    expect_result(f, "echo", "nothing begins any more", "nothing begins any more");
    assert_int_equal(atomic_load(&seen.starts), starts + 2);
    grove_joined_clear(&joined);
}

static void the_same_key_is_the_same_join(void **state)
{
    struct fixture *f = *state;
    struct inputs inputs = make_inputs("echo", 300);
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT, again = GROVE_JOINED_INIT;

    options.key = "once";
    assert_int_equal(grove_map(f->client, inputs.task, 300, &options, &joined), GROVE_OK);
    assert_int_equal(grove_map(f->client, inputs.task, 300, &options, &again), GROVE_OK);
    expect_in_order(&inputs, &again);
    assert_memory_equal(&joined.id, &again.id, sizeof(joined.id));
    assert_int_equal(atomic_load(&seen.starts), 300);
    grove_joined_clear(&again);
    inputs.task[299].payload.size = 1; /* behind the first portion */
    assert_int_equal(grove_map(f->client, inputs.task, 300, &options, &again), GROVE_CONFLICT);
    grove_joined_clear(&again);
    assert_int_equal(grove_map(f->client, inputs.task, 290, &options, &again), GROVE_CONFLICT);
    grove_joined_clear(&again);
    inputs.task[0].payload.size = 0; /* in it */
    assert_int_equal(grove_map(f->client, inputs.task, 300, &options, &again), GROVE_CONFLICT);
    assert_int_equal(atomic_load(&seen.starts), 300);
    grove_joined_clear(&joined);
    grove_joined_clear(&again);
    clear_inputs(&inputs);
}

struct gatherer {
    struct grove_client *client;
    struct inputs inputs;
    const char *key;
    struct grove_joined joined;
    enum grove_status status;
    pthread_t thread;
};

static void *gather_elsewhere(void *context)
{
    struct gatherer *gatherer = context;
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;

    options.key = gatherer->key;
    gatherer->status = grove_gather(gatherer->client, gatherer->inputs.task, gatherer->inputs.count,
                                    &options, &gatherer->joined);
    return NULL;
}

/* The first goes on, and whoever gives the key again with its inputs gets them. */
static void a_key_given_with_other_inputs_harms_nothing(void **state)
{
    struct fixture *f = *state;
    struct gatherer gatherer = {
        .client = f->client,
        .inputs = make_inputs("hold", 2),
        .key = "mine",
        .joined = GROVE_JOINED_INIT,
    };
    struct inputs others = make_inputs("hold", 3);
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;

    options.key = "mine";
    assert_int_equal(pthread_create(&gatherer.thread, NULL, gather_elsewhere, &gatherer), 0);
    sem_wait(&seen.entered);
    sem_wait(&seen.entered);
    assert_int_equal(grove_gather(f->client, others.task, 3, &options, &joined), GROVE_CONFLICT);
    grove_joined_clear(&joined);
    sem_post(&seen.go);
    sem_post(&seen.go);
    pthread_join(gatherer.thread, NULL);
    assert_int_equal(gatherer.status, GROVE_OK);
    expect_in_order(&gatherer.inputs, &gatherer.joined);
    grove_joined_clear(&gatherer.joined);
    clear_inputs(&gatherer.inputs);
    clear_inputs(&others);
}

static void a_parent_that_failed_gets_what_has_succeeded(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {.size = sizeof(task), .function = "twice", .max_attempts = 2};

    assert_int_equal(grove_wait(f->client, &task, NULL, NULL), GROVE_OK);
    assert_int_equal(atomic_load(&seen.starts), 300);
}

static void equal_joins_of_one_parent_are_two(void **state)
{
    expect_result(*state, "equals", "", "gathered");
    assert_int_equal(atomic_load(&seen.starts), 4);
}

static void children_submitted_before_are_gathered(void **state)
{
    expect_result(*state, "submitted", "", "gathered");
    assert_int_equal(grove_gather_submitted(NULL, 1, NULL, NULL), GROVE_INVALID);
}

static void a_handler_may_hand_the_failure_on(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = {.size = sizeof(task), .function = "hand.on"};
    struct grove_failure failure;

    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_string_equal(failure.text, "2 of 4 failed, input 1 (even) first: odd");
    grove_failure_clear(&failure);
}

static void threads_of_a_handler_join_beside_each_other(void **state)
{
    expect_result(*state, "threads", "", "gathered");
    assert_int_equal(atomic_load(&seen.starts), 1300);
}

static void a_handler_cancels_what_is_below_it(void **state)
{
    expect_result(*state, "cancel", "", "cancelled");
}

static void cancelling_counts(void **state)
{
    struct fixture *f = *state;
    struct grove_task tasks[2] = {
        {.size = sizeof(*tasks), .function = "hold"},
        {.size = sizeof(*tasks), .function = "echo", .delay_ms = 3600000},
    };
    struct grove_id ids[2], unknown = {{1, 2, 3}};
    struct grove_cancelled counts;
    struct grove_failure failure;

    assert_int_equal(grove_submit_many(f->client, tasks, 2, ids, NULL), GROVE_OK);
    sem_wait(&seen.entered);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(grove_cancel(f->client, &ids[0], &counts, NULL), GROVE_OK);
        assert_int_equal(counts.stopped, 1);
        assert_int_equal(grove_cancel(f->client, &ids[1], &counts, NULL), GROVE_OK);
        assert_int_equal(counts.never_started, 1);
    }
    assert_int_equal(grove_result(f->client, &ids[1], GROVE_FOREVER, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_CANCELLED);
    grove_failure_clear(&failure);
    assert_int_equal(grove_cancel(f->client, &unknown, &counts, &failure), GROVE_NOT_FOUND);
    assert_string_equal(failure.reason, "not-found");
    grove_failure_clear(&failure);
    assert_int_equal(grove_cancel(NULL, &unknown, NULL, NULL), GROVE_INVALID);
}

/* Whether one of two inputs was done in time, where the other never is. */
static bool is_done_by_deadline(struct fixture *f, uint64_t left_ms)
{
    struct grove_task tasks[2] = {
        {.size = sizeof(*tasks), .function = "hold"},
        {.size = sizeof(*tasks), .function = "echo", .payload = {"done", 4}},
    };
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;
    bool is_done;

    options.deadline_ms = clock_unix_ms() + left_ms;
    assert_int_equal(grove_gather(f->client, tasks, 2, &options, &joined), GROVE_FAILED);
    assert_int_equal(joined.failure.code, GROVE_CODE_DEADLINE);
    assert_int_equal(joined.failures[0].code, GROVE_CODE_CANCELLED);
    is_done = joined.results[1].bytes.data != NULL;
    if (is_done) {
        assert_string_equal(joined.results[1].bytes.data, "done");
    }
    grove_joined_clear(&joined);
    return is_done;
}

/* What was done by then stays, if the machine did anything by then. */
static void a_join_ends_at_its_deadline(void **state)
{
    uint64_t left_ms = 1;

    while (!is_done_by_deadline(*state, left_ms)) {
        left_ms *= 2;
        assert_true(left_ms < MESH_PATIENCE_MS);
    }
}

static void a_task_that_breaks_a_rule_keeps_all_from_running(void **state)
{
    struct fixture *f = *state;
    struct inputs inputs = make_inputs("echo", 3);
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;
    struct grove_joined joined = GROVE_JOINED_INIT;

    inputs.task[2].function = "even";
    assert_int_equal(grove_map(f->client, inputs.task, 3, NULL, &joined), GROVE_INVALID);
    assert_string_equal(joined.failure.text, "a map has one function");
    grove_joined_clear(&joined);
    inputs.task[2].function = "No Name";
    assert_int_equal(grove_gather(f->client, inputs.task, 3, NULL, &joined), GROVE_INVALID);
    grove_joined_clear(&joined);
    assert_int_equal(grove_race(f->client, inputs.task, 0, NULL, &joined), GROVE_INVALID);
    grove_joined_clear(&joined);
    options.winners = 300;
    assert_int_equal(grove_race(f->client, inputs.task, 2, &options, NULL), GROVE_INVALID);
    assert_int_equal(grove_gather(NULL, inputs.task, 2, NULL, NULL), GROVE_INVALID);
    expect_result(f, "echo", "x", "x");
    assert_int_equal(atomic_load(&seen.starts), 1);
    clear_inputs(&inputs);
}

/* ---- a coordinator that ends and comes back */

static void a_gather_survives_restarts_of_the_coordinator(void **state)
{
    enum { COUNT = 4 * STARTS_MANY };
    struct fixture *f = *state;
    struct gatherer gatherer = {
        .client = f->client,
        .inputs = make_inputs("echo", COUNT),
        .joined = GROVE_JOINED_INIT,
    };

    assert_int_equal(pthread_create(&gatherer.thread, NULL, gather_elsewhere, &gatherer), 0);
    for (unsigned i = 1; i <= 3; i++) {
        sem_wait(&seen.many);
        mesh_restart(&f->mesh);
    }
    pthread_join(gatherer.thread, NULL);
    if (gatherer.status != GROVE_OK) {
        fail_msg("%s: %s", gatherer.joined.failure.reason, gatherer.joined.failure.text);
    }
    expect_in_order(&gatherer.inputs, &gatherer.joined);
    assert_int_equal(atomic_load(&seen.starts), COUNT);
    grove_joined_clear(&gatherer.joined);
    clear_inputs(&gatherer.inputs);
}

static void closing_the_client_ends_a_join(void **state)
{
    struct fixture *f = *state;
    struct gatherer gatherer = {
        .client = mesh_client(&f->mesh),
        .inputs = make_inputs("hold", 3),
        .joined = GROVE_JOINED_INIT,
    };

    assert_int_equal(pthread_create(&gatherer.thread, NULL, gather_elsewhere, &gatherer), 0);
    sem_wait(&seen.entered);
    grove_client_close(gatherer.client);
    pthread_join(gatherer.thread, NULL);
    assert_int_equal(gatherer.status, GROVE_CLOSED);
    grove_joined_clear(&gatherer.joined);
    for (unsigned i = 0; i < 3; i++) {
        sem_post(&seen.go);
    }
    clear_inputs(&gatherer.inputs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_gathers_in_order),
        TEST(a_client_maps_in_order),
        TEST(a_handler_gathers_in_order),
        TEST(a_handler_maps_in_order),
        TEST(all_failures_are_collected),
        TEST(a_gather_stops_at_a_failure),
        TEST(a_map_stops_after_some_failures),
        TEST(a_map_keeps_its_limit),
        TEST(a_slow_success_beats_a_fast_failure),
        TEST(a_race_that_all_lose_tells_why),
        TEST(a_race_may_have_more_winners_or_take_any_end),
        TEST(streams_go_through_in_order),
        TEST(inputs_may_wait_for_outcomes),
        TEST(a_handler_streams_in_order),
        TEST(whoever_takes_the_outcomes_may_stop),
        TEST(the_same_key_is_the_same_join),
        TEST(a_key_given_with_other_inputs_harms_nothing),
        TEST(a_parent_that_failed_gets_what_has_succeeded),
        TEST(equal_joins_of_one_parent_are_two),
        TEST(children_submitted_before_are_gathered),
        TEST(a_handler_may_hand_the_failure_on),
        TEST(threads_of_a_handler_join_beside_each_other),
        TEST(a_handler_cancels_what_is_below_it),
        TEST(cancelling_counts),
        TEST(a_join_ends_at_its_deadline),
        TEST(a_task_that_breaks_a_rule_keeps_all_from_running),
        TEST(a_gather_survives_restarts_of_the_coordinator),
        TEST(closing_the_client_ends_a_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
