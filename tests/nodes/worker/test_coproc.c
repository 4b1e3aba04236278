/* SPDX-License-Identifier: MPL-2.0
 * Commands that stay: one child runs one attempt after the other, and what it does wrong is the
 * failure of one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "tests/support/mesh.h"

#define PATIENCE_MS 120000u

/* What it does is what its payload says. */
static const char script[] =
    "while read -r line; do\n"
    "  id=${line#*\\\"id\\\":\\\"}; id=${id%%\\\"*}\n"
    "  payload=${line##*\\\"payload\\\":\\\"}; payload=${payload%\\\"\\}}\n"
    "  case $payload in\n"
    "  who) echo '{\"id\":\"'$id'\",\"result\":\"'$$'\"}' ;;\n"
    "  '') echo '{\"id\":\"'$id'\",\"result\":\"\"}' ;;\n"
    "  die) kill -KILL $$ ;;\n"
    "  quit) exit 0 ;;\n"
    "  data) echo ' wrong ' >&2; exit 65 ;;\n"
    "  rubbish) echo hello ;;\n"
    "  other) echo '{\"id\":\"00\",\"result\":\"x\"}' ;;\n"
    "  none) echo '{\"result\":\"x\"}' ;;\n"
    "  twice) printf '{\"id\":\"%s\",\"result\":\"a\"}\\n{\"id\":\"b\"}\\n' $id ;;\n"
    "  endless) tr '\\0' x </dev/zero ;;\n"
    "  hang) sleep 600 ;;\n"
    "  tidy) trap ': >$TMPDIR/tidied; exit' TERM; : >$TMPDIR/begun; sleep 600 & wait ;;\n"
    "  refuse) echo '{\"id\":\"'$id'\",\"error\":\"no\",\"permanent\":true,\"bytes\":\"more\"}' "
    ";;\n"
    "  fail) echo noise >&2; echo '{\"id\":\"'$id'\",\"error\":\"\"}' ;;\n"
    "  aside) echo '{\"error\":\"as I said\"}' >&3; exit 1 ;;\n"
    "  chat) echo '{\"id\":\"'$id'\",\"result\":\"'$$'\"}'\n"
    "    (until [ -e $TMPDIR/go ]; do :; done; echo unasked; : >$TMPDIR/said) & ;;\n"
    "  meet) mkdir $TMPDIR/$$; until [ $(ls $TMPDIR | grep -c '^[0-9]*$') = 2 ]; do :; done\n"
    "    echo '{\"id\":\"'$id'\",\"result\":\"'$$'\"}' ;;\n"
    "  esac\n"
    "done\n"
    "rmdir $TMPDIR/[0-9]*; : >$TMPDIR/ended\n";

/* Reads on to its end, and stays. */
static const char deaf[] = "trap '' TERM; sh $TMPDIR/script; exec sleep 600";

struct fixture {
    struct mesh mesh;
    struct mesh_worker worker;
    bool has_stopped;
    struct grove_client *client;
    struct scratch files;
};

static void offer_for(const struct mesh_worker *worker, const char *function, const char *command,
                      uint32_t grace_ms)
{
    struct grove_command_options options = GROVE_COMMAND_OPTIONS_INIT;

    options.mode = GROVE_COMMAND_STAYS;
    options.grace_ms = grace_ms;
    assert_int_equal(grove_worker_command(worker->worker, function, command, &options), GROVE_OK);
}

static void offer(const struct mesh_worker *worker, const char *function, const char *command)
{
    offer_for(worker, function, command, PATIENCE_MS);
}

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fd;

    scratch_make(&f->files);
    fd = scratch_open(&f->files, "script");
    assert_int_equal(write(fd, script, sizeof(script) - 1), sizeof(script) - 1);
    close(fd);
    setenv("TMPDIR", f->files.path, 1);
    mesh_start(&f->mesh);
    mesh_worker_open(&f->mesh, &f->worker, "w1", 2);
    offer(&f->worker, "stay", "exec sh $TMPDIR/script");
    offer(&f->worker, "copy",
          "exec stdbuf -oL sed -n "
          "'s/^{\"id\":\"\\([^\"]*\\)\".*\"payload_base64\":\"\\([^\"]*\\)\"}$/"
          "{\"id\":\"\\1\",\"result_base64\":\"\\2\"}/p'");
    offer(&f->worker, "hasty",
          "head=$(head -c 39); head=${head#*id\\\":\\\"}\n"
          "echo '{\"id\":\"'${head%%\\\"*}'\",\"result\":\"x\"}'; exec sleep 600");
    offer_for(&f->worker, "deaf", deaf, 50);
    mesh_worker_run(&f->worker);
    f->client = mesh_client(&f->mesh);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;

    grove_client_close(f->client);
    if (!f->has_stopped) {
        mesh_worker_stop(&f->worker);
    }
    mesh_stop(&f->mesh);
    unsetenv("TMPDIR");
    scratch_remove(&f->files);
    free(f);
    return 0;
}

static struct grove_task task_of(const char *payload)
{
    struct grove_task task = GROVE_TASK_INIT;

    task.function = "stay";
    task.payload = (struct grove_bytes){payload, strlen(payload)};
    return task;
}

static long result_of(struct fixture *f, const char *payload)
{
    const struct grove_task task = task_of(payload);
    struct grove_result result;
    struct grove_failure failure;
    long number;

    if (grove_wait(f->client, &task, &result, &failure) != GROVE_OK) {
        fail_msg("%s: %s", failure.reason, failure.text);
    }
    number = strtol(result.bytes.data, NULL, 10);
    grove_result_clear(&result);
    return number;
}

static void expect_failure(struct fixture *f, const char *payload, enum grove_code code,
                           const char *text)
{
    const struct grove_task task = task_of(payload);
    struct grove_failure failure;

    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_string_equal(failure.text, text);
    assert_int_equal(failure.code, code);
    grove_failure_clear(&failure);
}

/* Only the attempt fails, and the next one has a new child. */
static void expect_loss(struct fixture *f, const char *payload, enum grove_code code,
                        const char *text)
{
    const long before = result_of(f, "who");

    expect_failure(f, payload, code, text);
    assert_int_not_equal(result_of(f, "who"), before);
}

static void one_child_runs_one_attempt_after_the_other(void **state)
{
    struct fixture *f = *state;
    const long child = result_of(f, "who");

    assert_true(child > 0);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(result_of(f, "who"), child);
    }
    assert_int_equal(result_of(f, ""), 0);
    assert_int_equal(result_of(f, "who"), child);
}

static void there_is_one_for_each_slot(void **state)
{
    struct fixture *f = *state;
    const struct grove_task task = task_of("meet");
    struct grove_result results[2];
    struct grove_id ids[2];

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(grove_submit(f->client, &task, &ids[i], NULL), GROVE_OK);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(grove_result(f->client, &ids[i], PATIENCE_MS, &results[i], NULL),
                         GROVE_OK);
    }
    assert_string_not_equal(results[0].bytes.data, results[1].bytes.data);
    grove_result_clear(&results[0]);
    grove_result_clear(&results[1]);
}

static void bytes_that_are_no_text_go_as_base64(void **state)
{
    struct fixture *f = *state;
    uint8_t *data = malloc(1 << 20);
    struct grove_task task = task_of("");
    struct grove_result result;

    for (size_t i = 0; i < 1 << 20; i++) {
        data[i] = (uint8_t)(i * 31 + (i >> 12));
    }
    task.function = "copy";
    task.payload = (struct grove_bytes){data, 1 << 20};
    assert_int_equal(grove_wait(f->client, &task, &result, NULL), GROVE_OK);
    assert_int_equal(result.bytes.size, 1 << 20);
    assert_memory_equal(result.bytes.data, data, 1 << 20);
    grove_result_clear(&result);
    free(data);
}

static void one_that_dies_fails_its_attempt_only(void **state)
{
    struct fixture *f = *state;

    expect_loss(f, "die", GROVE_CODE_FAILED, "killed by signal 9 (SIGKILL)");
    expect_loss(f, "quit", GROVE_CODE_FAILED, "ended without an answer");
    expect_loss(f, "data", GROVE_CODE_PERMANENT, "exit status 65 (wrong data): wrong");
    expect_loss(f, "aside", GROVE_CODE_FAILED, "as I said");
}

static const char rubbish[] = "answered by something else than one line of JSON with the task's id "
                              "and a result or an error";

/* What is left of the question would be in the way of the next. */
static void one_that_answers_before_it_has_read_the_question_is_replaced(void **state)
{
    struct fixture *f = *state;
    char *payload = calloc(1, 1 << 20);
    struct grove_task task;
    struct grove_failure failure;

    memset(payload, 'x', (1 << 20) - 1);
    task = task_of(payload);
    task.function = "hasty";
    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_string_equal(failure.text, rubbish);
    grove_failure_clear(&failure);
    free(payload);
}

static void one_that_answers_rubbish_is_replaced(void **state)
{
    struct fixture *f = *state;

    expect_loss(f, "rubbish", GROVE_CODE_FAILED, rubbish);
    expect_loss(f, "other", GROVE_CODE_FAILED, rubbish);
    expect_loss(f, "none", GROVE_CODE_FAILED, rubbish);
    expect_loss(f, "twice", GROVE_CODE_FAILED, rubbish);
}

static void one_that_answers_too_much_is_replaced(void **state)
{
    struct fixture *f = *state;

    expect_loss(f, "endless", GROVE_CODE_PERMANENT,
                "answered by a line of more than 2 MiB (2,097,152 bytes)");
}

static void await_file(const struct fixture *f, const char *name)
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    char path[SCRATCH_PATH_SIZE + 16];

    snprintf(path, sizeof(path), "%s/%s", f->files.path, name);
    while (access(path, F_OK) != 0) {
        assert_true(clock_monotonic_ms() < until_ms);
        sched_yield();
    }
}

/* Its attempt has ended well, and the next must not be answered by what it said since. */
static void one_that_speaks_unasked_is_replaced(void **state)
{
    struct fixture *f = *state;
    const long before = result_of(f, "chat");

    close(scratch_open(&f->files, "go"));
    await_file(f, "said");
    assert_int_not_equal(result_of(f, "who"), before);
}

static void one_that_is_over_its_time_is_replaced(void **state)
{
    struct fixture *f = *state;
    const long before = result_of(f, "who");
    struct grove_task task = task_of("hang");
    struct grove_failure failure;

    task.timeout_ms = 200;
    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_TIMEOUT);
    grove_failure_clear(&failure);
    assert_int_not_equal(result_of(f, "who"), before);
}

/* Cancels a task once it has begun, and waits for its slot: both are free again for a meeting. */
static void one_that_is_told_to_stop_has_its_grace(void **state)
{
    struct fixture *f = *state;
    const struct grove_task task = task_of("tidy");
    struct grove_id id;

    assert_int_equal(grove_submit(f->client, &task, &id, NULL), GROVE_OK);
    await_file(f, "begun");
    assert_int_equal(grove_cancel(f->client, &id, NULL, NULL), GROVE_OK);
    await_file(f, "tidied");
    there_is_one_for_each_slot(state);
}

static void one_that_does_not_stop_is_killed_after_its_grace(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = task_of("hang");
    struct grove_failure failure;

    task.function = "deaf";
    task.timeout_ms = 200;
    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_TIMEOUT);
    grove_failure_clear(&failure);
}

/* Stops a worker whose child does not end with it: it was told to when it has written so. */
static bool ends_within_grace(struct fixture *f, uint32_t grace_ms)
{
    struct grove_task task = task_of("who");
    struct mesh_worker worker;
    char path[SCRATCH_PATH_SIZE + 16];

    mesh_worker_open(&f->mesh, &worker, "w2", 1);
    offer_for(&worker, "deafer", deaf, grace_ms);
    mesh_worker_run(&worker);
    task.function = "deafer";
    assert_int_equal(grove_wait(f->client, &task, NULL, NULL), GROVE_OK);
    mesh_worker_stop(&worker);
    snprintf(path, sizeof(path), "%s/ended", f->files.path);
    return access(path, F_OK) == 0;
}

/* It is not killed before, however long it takes to hear that it was told. */
static void one_that_does_not_end_with_the_worker_is_killed_after_its_grace(void **state)
{
    uint32_t grace_ms = 100;

    while (!ends_within_grace(*state, grace_ms)) {
        grace_ms *= 2;
        assert_true(grace_ms < PATIENCE_MS);
    }
}

static void one_that_answers_that_it_failed_stays(void **state)
{
    struct fixture *f = *state;
    const struct grove_task task = task_of("refuse");
    const long before = result_of(f, "who");
    struct grove_failure failure;

    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_PERMANENT);
    assert_string_equal(failure.text, "no");
    assert_string_equal(failure.bytes.data, "more");
    grove_failure_clear(&failure);
    expect_failure(f, "fail", GROVE_CODE_FAILED, "failed: noise");
    assert_int_equal(result_of(f, "who"), before);
}

static void with_the_worker_they_end_by_themselves(void **state)
{
    struct fixture *f = *state;
    char path[SCRATCH_PATH_SIZE + 16];

    (void)result_of(f, "who");
    snprintf(path, sizeof(path), "%s/ended", f->files.path);
    assert_int_not_equal(access(path, F_OK), 0);
    mesh_worker_stop(&f->worker);
    f->has_stopped = true;
    assert_int_equal(access(path, F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_child_runs_one_attempt_after_the_other),
        TEST(there_is_one_for_each_slot),
        TEST(bytes_that_are_no_text_go_as_base64),
        TEST(one_that_dies_fails_its_attempt_only),
        TEST(one_that_answers_rubbish_is_replaced),
        TEST(one_that_answers_before_it_has_read_the_question_is_replaced),
        TEST(one_that_answers_too_much_is_replaced),
        TEST(one_that_speaks_unasked_is_replaced),
        TEST(one_that_is_over_its_time_is_replaced),
        TEST(one_that_is_told_to_stop_has_its_grace),
        TEST(one_that_does_not_stop_is_killed_after_its_grace),
        TEST(one_that_does_not_end_with_the_worker_is_killed_after_its_grace),
        TEST(one_that_answers_that_it_failed_stays),
        TEST(with_the_worker_they_end_by_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
