/* SPDX-License-Identifier: MPL-2.0
 * What a command may ask of its node, and what it may not. The test plays the command: `parent` is
 * a handler that opens a grant, as the one of a command does, and waits until the test has done
 * with it. All but one run on one slot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/errand.h"
#include "core/item.h"
#include "nodes/host/channel.h"
#include "nodes/host/clock.h"
#include "nodes/worker/grants.h"
#include "nodes/worker/worker.h"
#include "tests/support/mesh.h"

#define PATIENCE_MS 120000

static struct fixture {
    struct mesh mesh;
    struct mesh_worker worker;
    struct grove_client *client;
    struct scratch scratch;
    char path[SCRATCH_PATH_SIZE + 16];
    struct grants *grants;
    struct grove_id root;
    sem_t opened, over, entered, leave;
} fixture;

/* ---- functions */

static enum grove_status parent(struct grove_attempt *attempt, void *context)
{
    struct fixture *f = context;
    struct grant *grant = grant_open(f->grants, attempt, f->path);

    if (!grant) {
        return GROVE_IO;
    }
    sem_post(&f->opened);
    sem_wait(&f->over);
    grant_close(grant);
    return GROVE_OK;
}

static enum grove_status echo(struct grove_attempt *attempt, void *context)
{
    const struct grove_bytes payload = grove_attempt_payload(attempt);

    (void)context;
    return grove_attempt_return(attempt, payload.data, payload.size);
}

static enum grove_status name_parent(struct grove_attempt *attempt, void *context)
{
    const struct grove_id id = grove_attempt_parent(attempt);

    (void)context;
    return grove_attempt_return(attempt, &id, sizeof(id));
}

static enum grove_status fail_for_good(struct grove_attempt *attempt, void *context)
{
    (void)context;
    return grove_attempt_fail_permanently(attempt, "no such customer",
                                          (struct grove_bytes){"42", 2});
}

/* Until it is let go, or told to stop. */
static enum grove_status hold(struct grove_attempt *attempt, void *context)
{
    const struct timespec nap = {.tv_nsec = 2000000};
    struct fixture *f = context;

    sem_post(&f->entered);
    while (sem_trywait(&f->leave) != 0 && !grove_cancelled()) {
        nanosleep(&nap, NULL);
    }
    return grove_attempt_return(attempt, "held", 4);
}

/* ---- the command */

static struct channel dial(const struct fixture *f)
{
    struct channel channel;
    const int fd = channel_connect(f->path);

    assert_true(fd >= 0);
    channel_init(&channel, fd);
    return channel;
}

static void send_all(struct channel *channel)
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (channel_flush(channel) == GROVE_BUSY) {
        assert_true(clock_monotonic_ms() < until_ms);
        channel_wait(channel, POLLOUT, PATIENCE_MS);
    }
}

static void ask(struct channel *channel, enum errand_verb verb)
{
    const struct errand errand = {.verb = verb};

    errand_put(&channel->out, &errand);
}

static struct task_item task_of(const char *function, const char *payload)
{
    return (struct task_item){.function = bytes_of_text(function),
                              .payload = bytes_of_text(payload)};
}

static void give_item(struct channel *channel, const struct task_item *item)
{
    struct buffer encoded = {0};

    wire_task_encode(&encoded, item);
    errand_put_input(&channel->out, buffer_bytes(&encoded));
    buffer_clear(&encoded);
}

static void give(struct channel *channel, const char *function, const char *payload)
{
    const struct task_item item = task_of(function, payload);

    give_item(channel, &item);
}

/* The end of what was begun; all of it goes. */
static void end(struct channel *channel)
{
    errand_put_end(&channel->out);
    send_all(channel);
}

/* What is said next; false when nothing more will be. */
static bool hear(struct channel *channel, struct errand_answer *answer)
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct bytes part;
    enum grove_status status;

    while ((status = channel_take(channel, &part)) == GROVE_BUSY) {
        assert_true(clock_monotonic_ms() < until_ms);
        channel_wait(channel, POLLIN, PATIENCE_MS);
    }
    if (status == GROVE_CLOSED) {
        return false;
    }
    assert_int_equal(status, GROVE_OK);
    assert_int_equal(errand_answer_decode(part, answer), GROVE_OK);
    return true;
}

static struct errand_outcome hear_outcome(struct channel *channel)
{
    struct errand_answer answer = {.has_outcome = false};
    struct errand_outcome outcome;

    assert_true(hear(channel, &answer));
    assert_true(answer.has_outcome);
    assert_int_equal(errand_outcome_decode(answer.outcome, &outcome), GROVE_OK);
    return outcome;
}

static struct errand_conclusion hear_conclusion(struct channel *channel)
{
    struct errand_answer answer = {.has_outcome = false};
    struct errand_conclusion conclusion;

    assert_true(hear(channel, &answer));
    assert_true(answer.has_conclusion);
    assert_int_equal(errand_conclusion_decode(answer.conclusion, &conclusion), GROVE_OK);
    return conclusion;
}

/* What a conclusion says of a task, or of what went wrong. */
static struct errand_outcome hear_end(struct channel *channel)
{
    const struct errand_conclusion conclusion = hear_conclusion(channel);
    struct errand_outcome outcome;

    assert_true(conclusion.has_outcome);
    assert_int_equal(errand_outcome_decode(conclusion.outcome, &outcome), GROVE_OK);
    return outcome;
}

static void expect_done(struct channel *channel)
{
    assert_false(hear_conclusion(channel).has_outcome);
}

static void expect_reason(const struct errand_outcome *outcome, const char *reason)
{
    assert_true(bytes_equal(outcome->reason, bytes_of_text(reason)));
}

static struct id submit_item(struct channel *channel, const struct task_item *item)
{
    struct errand_outcome outcome;

    ask(channel, ERRAND_SUBMIT);
    give_item(channel, item);
    end(channel);
    outcome = hear_outcome(channel);
    assert_int_equal(outcome.status, GROVE_OK);
    expect_done(channel);
    return outcome.task;
}

static struct id submit(struct channel *channel, const char *function, const char *payload)
{
    const struct task_item item = task_of(function, payload);

    return submit_item(channel, &item);
}

static void await(struct channel *channel, const struct id *id)
{
    const struct errand errand = {.verb = ERRAND_RESULT, .has_task = true, .task = *id};

    errand_put(&channel->out, &errand);
    send_all(channel);
}

/* A connection that waits for a new child. */
static struct channel run(const struct fixture *f, const char *function, const char *payload)
{
    struct channel channel = dial(f);
    const struct id id = submit(&channel, function, payload);

    await(&channel, &id);
    return channel;
}

static void expect_result(struct channel *channel, const char *text)
{
    const struct errand_outcome outcome = hear_end(channel);

    assert_int_equal(outcome.status, GROVE_OK);
    assert_true(bytes_equal(outcome.bytes, bytes_of_text(text)));
}

/* ---- the parent's life */

static void await_semaphore(sem_t *semaphore)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    assert_int_equal(sem_timedwait(semaphore, &until), 0);
}

static void begin(struct fixture *f)
{
    struct grove_task task = GROVE_TASK_INIT;

    task.function = "parent";
    assert_int_equal(grove_submit(f->client, &task, &f->root, NULL), GROVE_OK);
    await_semaphore(&f->opened);
}

static void finish(struct fixture *f)
{
    sem_post(&f->over);
    assert_int_equal(grove_result(f->client, &f->root, PATIENCE_MS, NULL, NULL), GROVE_OK);
}

/* ---- what it may */

static void a_child_is_of_the_task_that_the_command_runs(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    struct errand_outcome outcome;

    begin(f);
    channel = run(f, "name-parent", "");
    outcome = hear_end(&channel);
    assert_int_equal(outcome.status, GROVE_OK);
    assert_true(bytes_equal(outcome.bytes, bytes_of(&f->root, sizeof(f->root))));
    channel_clear(&channel);
    finish(f);
}

/* Each of them waits for what only a free slot can give; the second comes when its attempt has none
 * already. */
static void calls_side_by_side_wait_for_one_slot(void **state)
{
    struct fixture *f = *state;
    struct channel held, others[3];

    begin(f);
    held = run(f, "hold", "");
    await_semaphore(&f->entered);
    for (size_t i = 0; i < 3; i++) {
        others[i] = run(f, i == 2 ? "fail" : "echo", "side by side");
    }
    sem_post(&f->leave);
    expect_result(&held, "held");
    expect_result(&others[0], "side by side");
    expect_result(&others[1], "side by side");
    assert_int_equal(hear_end(&others[2]).code, GROVE_CODE_PERMANENT);
    for (size_t i = 0; i < 3; i++) {
        channel_clear(&others[i]);
    }
    channel_clear(&held);
    finish(f);
}

static void send_map(struct channel *channel, uint32_t limit, int count)
{
    const struct errand map = {.verb = ERRAND_MAP, .limit = limit};
    char text[16];

    errand_put(&channel->out, &map);
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "%d", i);
        give(channel, "echo", text);
    }
    end(channel);
}

static void expect_map(struct channel *channel, int count)
{
    char text[16];

    for (int i = 0; i < count; i++) {
        const struct errand_outcome outcome = hear_outcome(channel);

        snprintf(text, sizeof(text), "%d", i);
        assert_true(bytes_equal(outcome.bytes, bytes_of_text(text)));
    }
    expect_done(channel);
}

/* Whoever has been answered gives the slot back for those who wait on, for a child that cannot
 * begin before. */
static void one_that_is_answered_keeps_the_slot_from_nobody(void **state)
{
    struct fixture *f = *state;
    struct task_item item = task_of("echo", "late");
    struct channel late, other;
    struct id id;

    begin(f);
    item.delay_ms = 300;
    late = dial(f);
    id = submit_item(&late, &item);
    await(&late, &id);
    other = run(f, "echo", "soon");
    expect_result(&other, "soon");
    expect_result(&late, "late");
    channel_clear(&other);
    channel_clear(&late);
    finish(f);
}

static void send_race(struct channel *channel)
{
    ask(channel, ERRAND_RACE);
    give(channel, "echo", "won");
    end(channel);
}

static void expect_race(struct channel *channel)
{
    assert_true(bytes_equal(hear_outcome(channel).bytes, bytes_of_text("won")));
    expect_done(channel);
}

/* On two slots: one is held all the while, and that is waited for. Calls that do not wait are under
 * way, too. */
static void calls_side_by_side_do_not_wait_for_each_other(void **state)
{
    struct fixture *f = *state;
    struct channel held, busy, others[4];

    begin(f);
    held = run(f, "hold", "");
    await_semaphore(&f->entered);
    busy = dial(f);
    for (int i = 0; i < 100; i++) {
        ask(&busy, ERRAND_SUBMIT);
        give(&busy, "echo", "");
        end(&busy);
    }
    for (int i = 0; i < 10; i++) {
        for (size_t j = 0; j < 4; j++) {
            others[j] = run(f, "echo", "at once");
        }
        for (size_t j = 0; j < 4; j++) {
            expect_result(&others[j], "at once");
            send_race(&others[j]);
        }
        for (size_t j = 0; j < 4; j++) {
            expect_race(&others[j]);
            send_map(&others[j], 2, 3);
        }
        for (size_t j = 0; j < 4; j++) {
            expect_map(&others[j], 3);
            channel_clear(&others[j]);
        }
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(hear_outcome(&busy).status, GROVE_OK);
        expect_done(&busy);
    }
    sem_post(&f->leave);
    expect_result(&held, "held");
    channel_clear(&busy);
    channel_clear(&held);
    finish(f);
}

static void a_failure_comes_with_its_code_and_text(void **state)
{
    struct fixture *f = *state;
    struct channel channel;
    struct errand_outcome outcome;

    begin(f);
    channel = run(f, "fail", "");
    outcome = hear_end(&channel);
    assert_int_equal(outcome.status, GROVE_FAILED);
    assert_int_equal(outcome.code, GROVE_CODE_PERMANENT);
    expect_reason(&outcome, "permanent");
    assert_true(bytes_equal(outcome.text, bytes_of_text("no such customer")));
    assert_true(bytes_equal(outcome.bytes, bytes_of_text("42")));
    assert_true(bytes_equal(outcome.function, bytes_of_text("fail")));
    channel_clear(&channel);
    finish(f);
}

static void a_map_takes_inputs_and_gives_outcomes_in_order(void **state)
{
    struct fixture *f = *state;
    struct channel channel;

    begin(f);
    channel = dial(f);
    send_map(&channel, 4, 300);
    expect_map(&channel, 300);
    channel_clear(&channel);
    finish(f);
}

static void a_race_names_its_winner(void **state)
{
    struct fixture *f = *state;
    struct errand_conclusion conclusion;
    struct channel channel;

    begin(f);
    channel = dial(f);
    ask(&channel, ERRAND_RACE);
    give(&channel, "fail", "");
    give(&channel, "echo", "first");
    end(&channel);
    assert_int_equal(hear_outcome(&channel).code, GROVE_CODE_PERMANENT);
    assert_true(bytes_equal(hear_outcome(&channel).bytes, bytes_of_text("first")));
    conclusion = hear_conclusion(&channel);
    assert_false(conclusion.has_outcome);
    assert_true(bytes_equal(conclusion.winners, bytes_of("\1\0\0\0", 4)));
    channel_clear(&channel);
    finish(f);
}

static unsigned waiting(struct fixture *f)
{
    struct handlers *handlers = &f->worker.worker->handlers;
    unsigned count;

    sched_yield();
    pthread_mutex_lock(&handlers->lock);
    count = handlers->waiting;
    pthread_mutex_unlock(&handlers->lock);
    return count;
}

static void await_waiting(struct fixture *f, unsigned count)
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (waiting(f) != count) {
        assert_true(clock_monotonic_ms() < until_ms);
    }
}

/* What `grove run` in the background leaves behind when it is killed: the attempt goes on. */
static void a_call_that_hangs_up_holds_nobody(void **state)
{
    struct fixture *f = *state;
    struct channel channel;

    begin(f);
    channel = run(f, "hold", "");
    await_semaphore(&f->entered);
    await_waiting(f, 1);
    channel_clear(&channel);
    await_waiting(f, 0);
    channel = run(f, "echo", "after");
    sem_post(&f->leave);
    expect_result(&channel, "after");
    channel_clear(&channel);
    finish(f);
}

static void more_connections_than_are_served_wait_for_their_turn(void **state)
{
    struct fixture *f = *state;
    struct channel idle[GRANT_CONNECTIONS], late;
    struct id id;

    begin(f);
    for (size_t i = 0; i < GRANT_CONNECTIONS; i++) {
        idle[i] = dial(f);
        id = submit(&idle[i], "echo", "");
    }
    late = dial(f);
    await(&late, &id);
    channel_wait(&late, POLLIN, 200); /* it would be answered at once, if it were served */
    assert_int_equal(channel_take(&late, &(struct bytes){NULL, 0}), GROVE_BUSY);
    channel_clear(&idle[0]);
    expect_result(&late, "");
    for (size_t i = 1; i < GRANT_CONNECTIONS; i++) {
        channel_clear(&idle[i]);
    }
    channel_clear(&late);
    finish(f);
}

/* ---- what it may not */

static void expect_fault(const struct fixture *f, struct channel *channel, const char *reason)
{
    struct errand_answer answer;
    const struct errand_outcome outcome = hear_end(channel);

    expect_reason(&outcome, reason);
    assert_false(hear(channel, &answer));
    channel_clear(channel);
    *channel = run(f, "echo", "others are served");
    expect_result(channel, "others are served");
    channel_clear(channel);
}

static void a_command_cannot_claim_another_parent(void **state)
{
    struct fixture *f = *state;
    struct task_item item = task_of("echo", "");
    struct channel channel;

    begin(f);
    item.lineage = (struct lineage){.present = true, .attempt = 1};
    memset(&item.lineage.parent, 7, sizeof(item.lineage.parent));
    item.lineage.root = item.lineage.parent;
    channel = dial(f);
    ask(&channel, ERRAND_SUBMIT);
    give_item(&channel, &item);
    end(&channel);
    expect_fault(f, &channel, "lineage");
    channel = dial(f);
    ask(&channel, ERRAND_MAP);
    give_item(&channel, &item);
    end(&channel);
    expect_fault(f, &channel, "lineage");
    finish(f);
}

/* It names the client's own task, which is no child of the attempt. */
static void a_command_awaits_only_children(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = GROVE_TASK_INIT;
    struct errand_outcome outcome;
    struct channel stranger, child;
    struct grove_id id;
    struct id of;

    begin(f);
    child = run(f, "hold", "");
    await_semaphore(&f->entered);
    task.function = "echo";
    assert_int_equal(grove_submit(f->client, &task, &id, NULL), GROVE_OK);
    memcpy(&of, &id, sizeof(of));
    stranger = dial(f);
    await(&stranger, &of);
    outcome = hear_end(&stranger);
    expect_reason(&outcome, "awaited");
    sem_post(&f->leave);
    expect_result(&child, "held");
    await(&stranger, &of); /* with no other call beside it */
    outcome = hear_end(&stranger);
    expect_reason(&outcome, "awaited");
    channel_clear(&stranger);
    channel_clear(&child);
    finish(f);
}

static void nonsense_ends_its_own_connection_only(void **state)
{
    static const char garbage[] = "GET / HTTP/1.1\r\n\r\n";
    struct fixture *f = *state;
    struct channel channel;

    begin(f);
    channel = dial(f);
    buffer_append(&channel.out, garbage, sizeof(garbage) - 1);
    send_all(&channel);
    expect_fault(f, &channel, "too-large");
    channel = dial(f);
    buffer_append(&channel.out, "\3\0\0\0abc", 7);
    send_all(&channel);
    expect_fault(f, &channel, "malformed");
    channel = dial(f);
    end(&channel);
    expect_fault(f, &channel, "malformed");
    channel = dial(f);
    ask(&channel, ERRAND_SUBMIT);
    ask(&channel, ERRAND_SUBMIT);
    send_all(&channel);
    expect_fault(f, &channel, "malformed");
    finish(f);
}

/* Nothing said, half a size, half an errand, inputs without an end: the attempt ends all the same,
 * and with it whoever is connected; then nobody can be. */
static void the_grant_ends_with_the_attempt(void **state)
{
    struct fixture *f = *state;
    struct errand_answer answer;
    struct channel open[5];

    begin(f);
    for (size_t i = 0; i < 5; i++) {
        open[i] = dial(f);
    }
    buffer_append(&open[1].out, "\1\0", 2);
    buffer_append(&open[2].out, "\100\0\0\0abc", 7);
    ask(&open[3], ERRAND_MAP);
    give(&open[3], "echo", "");
    for (size_t i = 0; i < 4; i++) {
        send_all(&open[i]);
    }
    channel_clear(&open[4]);
    open[4] = run(f, "hold", "");
    await_semaphore(&f->entered);
    finish(f);
    for (size_t i = 0; i < 5; i++) {
        while (hear(&open[i], &answer)) {
            assert_true(answer.has_conclusion); /* that it is over */
        }
        channel_clear(&open[i]);
    }
    assert_int_equal(channel_connect(f->path), -1);
    assert_int_not_equal(access(f->path, F_OK), 0);
    sem_post(&f->leave); /* a child may outlive who awaited it */
}

static void cancelling_the_parent_ends_what_its_command_waits_for(void **state)
{
    struct fixture *f = *state;
    struct grove_cancelled counts;
    struct grove_failure failure;
    struct errand_outcome outcome;
    struct channel channel;

    begin(f);
    channel = run(f, "hold", "");
    await_semaphore(&f->entered);
    assert_int_equal(grove_cancel(f->client, &f->root, &counts, NULL), GROVE_OK);
    outcome = hear_end(&channel);
    expect_reason(&outcome, "cancelled");
    channel_clear(&channel);
    sem_post(&f->over);
    assert_int_equal(grove_result(f->client, &f->root, PATIENCE_MS, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_CANCELLED);
    grove_failure_clear(&failure);
}

/* ---- all of it */

static int setup_slots(void **state, uint32_t slots)
{
    struct fixture *f = &fixture;

    mesh_start(&f->mesh);
    f->client = mesh_client(&f->mesh);
    scratch_make(&f->scratch);
    snprintf(f->path, sizeof(f->path), "%.*s/socket", SCRATCH_PATH_SIZE, f->scratch.path);
    f->grants = grants_create();
    sem_init(&f->opened, 0, 0);
    sem_init(&f->over, 0, 0);
    sem_init(&f->entered, 0, 0);
    sem_init(&f->leave, 0, 0);
    mesh_worker_open(&f->mesh, &f->worker, "w", slots);
    assert_int_equal(grove_worker_handle(f->worker.worker, "parent", parent, f), GROVE_OK);
    assert_int_equal(grove_worker_handle(f->worker.worker, "echo", echo, f), GROVE_OK);
    assert_int_equal(grove_worker_handle(f->worker.worker, "name-parent", name_parent, f),
                     GROVE_OK);
    assert_int_equal(grove_worker_handle(f->worker.worker, "fail", fail_for_good, f), GROVE_OK);
    assert_int_equal(grove_worker_handle(f->worker.worker, "hold", hold, f), GROVE_OK);
    mesh_worker_run(&f->worker);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_slots(state, 1);
}

static int setup_two(void **state)
{
    return setup_slots(state, 2);
}

/* Whoever is still in, when a test has failed, gets out. */
static int teardown(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 16; i++) {
        sem_post(&f->over);
        sem_post(&f->leave);
    }
    grove_client_close(f->client);
    mesh_worker_stop(&f->worker);
    grants_destroy(f->grants);
    mesh_stop(&f->mesh);
    scratch_remove(&f->scratch);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_child_is_of_the_task_that_the_command_runs),
        TEST(calls_side_by_side_wait_for_one_slot),
        TEST(one_that_is_answered_keeps_the_slot_from_nobody),
        cmocka_unit_test_setup_teardown(calls_side_by_side_do_not_wait_for_each_other, setup_two,
                                        teardown),
        TEST(a_failure_comes_with_its_code_and_text),
        TEST(a_map_takes_inputs_and_gives_outcomes_in_order),
        TEST(a_race_names_its_winner),
        TEST(a_call_that_hangs_up_holds_nobody),
        TEST(more_connections_than_are_served_wait_for_their_turn),
        TEST(a_command_cannot_claim_another_parent),
        TEST(a_command_awaits_only_children),
        TEST(nonsense_ends_its_own_connection_only),
        TEST(the_grant_ends_with_the_attempt),
        TEST(cancelling_the_parent_ends_what_its_command_waits_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
