/* SPDX-License-Identifier: MPL-2.0
 * Commands as functions of a mesh: what becomes of their tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "nodes/host/clock.h"
#include "nodes/worker/exec.h"
#include "nodes/worker/worker.h"
#include "tests/support/mesh.h"

#define PATIENCE_MS 120000u

struct fixture {
    struct mesh mesh;
    struct mesh_worker worker;
    struct grove_client *client;
    struct scratch files; /* of commands, in their TMPDIR */
};

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    scratch_make(&f->files);
    setenv("TMPDIR", f->files.path, 1);
    mesh_start(&f->mesh);
    mesh_worker_open(&f->mesh, &f->worker, "w1", 1);
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
    unsetenv("TMPDIR");
    scratch_remove(&f->files);
    free(f);
    return 0;
}

static void offer(const struct mesh_worker *worker, const char *function, const char *command)
{
    assert_int_equal(grove_worker_exec(worker->worker, function, command), GROVE_OK);
}

static struct grove_task task_of(const char *function, const char *payload)
{
    struct grove_task task = GROVE_TASK_INIT;

    task.function = function;
    task.payload = (struct grove_bytes){payload, strlen(payload)};
    return task;
}

static void expect_result(struct fixture *f, const struct grove_id *id, const char *expected)
{
    struct grove_result result;
    struct grove_failure failure;

    if (grove_result(f->client, id, PATIENCE_MS, &result, &failure) != GROVE_OK) {
        fail_msg("%s: %s", failure.reason, failure.text);
    }
    assert_string_equal(result.bytes.data, expected);
    grove_result_clear(&result);
}

static void expect_success(struct fixture *f, const struct grove_task *task, const char *expected)
{
    struct grove_id id;

    assert_int_equal(grove_submit(f->client, task, &id, NULL), GROVE_OK);
    expect_result(f, &id, expected);
}

static void expect_failure(struct fixture *f, const struct grove_task *task, enum grove_code code,
                           const char *text, uint32_t attempt)
{
    struct grove_failure failure;

    assert_int_equal(grove_wait(f->client, task, NULL, &failure), GROVE_FAILED);
    assert_string_equal(failure.text, text);
    assert_int_equal(failure.code, code);
    assert_int_equal(failure.attempt, attempt);
    grove_failure_clear(&failure);
}

static bool has_file(const struct fixture *f, const char *name)
{
    char path[SCRATCH_PATH_SIZE + 32];

    snprintf(path, sizeof(path), "%s/%s", f->files.path, name);
    return access(path, F_OK) == 0;
}

static void await_file(const struct fixture *f, const char *name)
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    const struct timespec nap = {.tv_nsec = 2000000};

    while (!has_file(f, name)) {
        assert_true(clock_monotonic_ms() < until_ms);
        nanosleep(&nap, NULL);
    }
}

static void make_file(const struct fixture *f, const char *name)
{
    char path[SCRATCH_PATH_SIZE + 32];

    snprintf(path, sizeof(path), "%s/%s", f->files.path, name);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

/* ---- verdicts */

static void the_exit_status_is_the_verdict(void **state)
{
    static const struct {
        const char *status, *text;
        enum grove_code code;
        uint32_t attempt;
    } ends[] = {
        {"65", "exit status 65 (wrong data): why", GROVE_CODE_PERMANENT, 1},
        {"66", "exit status 66 (no input): why", GROVE_CODE_PERMANENT, 1},
        {"77", "exit status 77 (no permission): why", GROVE_CODE_PERMANENT, 1},
        {"69", "exit status 69 (unavailable): why", GROVE_CODE_FAILED, 1},
        {"75", "exit status 75 (temporary): why", GROVE_CODE_FAILED, 2},
        {"1", "exit status 1: why", GROVE_CODE_FAILED, 1},
    };
    struct fixture *f = *state;

    offer(&f->worker, "end", "echo partial; echo why >&2; exit $(cat)");
    mesh_worker_run(&f->worker);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct grove_task task = task_of("end", ends[i].status);

        task.max_attempts = ends[i].code == GROVE_CODE_PERMANENT ? 2 : ends[i].attempt;
        expect_failure(f, &task, ends[i].code, ends[i].text, ends[i].attempt);
    }
}

static void partial_output_is_no_result(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = task_of("killed", "");

    offer(&f->worker, "killed", "head -c 100000 /dev/zero; kill -KILL $$");
    mesh_worker_run(&f->worker);
    expect_failure(f, &task, GROVE_CODE_FAILED, "killed by signal 9 (SIGKILL)", 1);
}

static void too_much_output_is_a_failure_for_good(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = task_of("much", "");

    task.max_attempts = 2;
    offer(&f->worker, "much", "head -c 1048577 /dev/zero");
    mesh_worker_run(&f->worker);
    expect_failure(f, &task, GROVE_CODE_PERMANENT,
                   "wrote more than 1 MiB (1,048,576 bytes) to stdout", 1);
}

static void the_end_of_stderr_comes_with_the_failure(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = task_of("wordy", "");
    struct grove_failure failure;

    offer(&f->worker, "wordy",
          "head -c 100000 /dev/zero >&2; printf '\\nthe last\\377 line \\n\\n' >&2; exit 1");
    mesh_worker_run(&f->worker);
    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_string_equal(failure.text, "exit status 1: the last? line");
    assert_int_equal(failure.bytes.size, EXEC_STDERR_SIZE);
    assert_memory_equal((const char *)failure.bytes.data + EXEC_STDERR_SIZE - 18,
                        "\nthe last\377 line \n\n", 18);
    grove_failure_clear(&failure);
}

/* ---- what a node cannot run */

/* It is tried here once: then this worker does not offer it for a while. */
static void what_a_node_cannot_run_another_does(void **state)
{
    static const char *const statuses[] = {"126", "127", "78"};
    struct fixture *f = *state;
    struct mesh_worker other;
    struct grove_id ids[3];

    for (size_t i = 0; i < 3; i++) {
        char command[64];

        snprintf(command, sizeof(command), "cd $TMPDIR; set -C; : >was%s || : >again; exit %s",
                 statuses[i], statuses[i]);
        offer(&f->worker, statuses[i], command);
        f->worker.worker->function[i].pause_ms = UINT64_C(10) * PATIENCE_MS;
    }
    mesh_worker_run(&f->worker);
    for (size_t i = 0; i < 3; i++) {
        struct grove_task task = task_of(statuses[i], "");
        char name[16];

        assert_int_equal(grove_submit(f->client, &task, &ids[i], NULL), GROVE_OK);
        snprintf(name, sizeof(name), "was%s", statuses[i]);
        await_file(f, name);
    }
    mesh_worker_open(&f->mesh, &other, "w2", 1);
    for (size_t i = 0; i < 3; i++) {
        offer(&other, statuses[i], "echo $GROVE_FUNCTION there");
    }
    mesh_worker_run(&other);
    expect_result(f, &ids[0], "126 there\n");
    expect_result(f, &ids[1], "127 there\n");
    expect_result(f, &ids[2], "78 there\n");
    assert_false(has_file(f, "again"));
    mesh_worker_stop(&other);
}

/* Else the task would come straight back. */
static void what_it_cannot_run_is_not_offered_to_another_leader(void **state)
{
    struct fixture *f = *state;
    const struct grove_task ill = task_of("ill", "");
    const struct grove_task well = task_of("well", "");
    struct mesh_worker other;
    struct grove_id id;

    offer(&f->worker, "ill", "cd $TMPDIR; set -C; : >was || : >again; exit 127");
    offer(&f->worker, "well", "echo well");
    f->worker.worker->function[0].pause_ms = UINT64_C(10) * PATIENCE_MS;
    mesh_worker_run(&f->worker);
    assert_int_equal(grove_submit(f->client, &ill, &id, NULL), GROVE_OK);
    await_file(f, "was");
    expect_success(f, &well, "well\n");
    mesh_restart(&f->mesh);
    expect_success(f, &well, "well\n");
    mesh_worker_open(&f->mesh, &other, "w2", 1);
    offer(&other, "ill", "echo there");
    mesh_worker_run(&other);
    expect_result(f, &id, "there\n");
    assert_false(has_file(f, "again"));
    mesh_worker_stop(&other);
}

/* Nobody else offers it, so the task waits until this node can. */
static void what_it_cannot_run_is_tried_again_after_a_while(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = task_of("late", "");
    struct grove_id id;

    offer(&f->worker, "late", "touch $TMPDIR/tried; [ -e $TMPDIR/ready ] || exit 127; echo now");
    f->worker.worker->function[0].pause_ms = 50;
    mesh_worker_run(&f->worker);
    assert_int_equal(grove_submit(f->client, &task, &id, NULL), GROVE_OK);
    await_file(f, "tried");
    make_file(f, "ready");
    expect_result(f, &id, "now\n");
}

/* It may have done something before it said so. */
static void what_may_run_only_once_is_not_handed_back(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = task_of("once", "");

    task.at_most_once = true;
    offer(&f->worker, "once", "exit 127");
    mesh_worker_run(&f->worker);
    expect_failure(f, &task, GROVE_CODE_FAILED, "exit status 127 (not found here)", 1);
}

/* ---- fd 3 */

static void a_checkpoint_of_a_command_reaches_its_next_attempt(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = task_of("count", "");
    struct grove_id id;

    task.max_attempts = 2;
    offer(&f->worker, "count",
          "cat $GROVE_CHECKPOINT_FILE; [ $GROVE_ATTEMPT = 2 ] && exit 0\n"
          "for i in $(seq 200); do echo '{\"checkpoint\":\"'$i'\"}' >&3; done\n"
          "echo '{\"checkpoint_base64\":\"bGFzdA==\"}' >&3; exit 1");
    mesh_worker_run(&f->worker);
    assert_int_equal(grove_submit(f->client, &task, &id, NULL), GROVE_OK);
    expect_result(f, &id, "last");
}

/* An attempt that is over its time is reported as such: what it says afterwards does not count. */
static void a_checkpoint_is_kept_while_the_command_runs(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = task_of("long", "");

    task.max_attempts = 12; /* on a busy machine the first may not get that far */
    task.timeout_ms = 1000;
    offer(&f->worker, "long",
          "[ -s $GROVE_CHECKPOINT_FILE ] && exec cat $GROVE_CHECKPOINT_FILE\n"
          "echo '{\"checkpoint\":\"here\"}' >&3; exec sleep 600");
    mesh_worker_run(&f->worker);
    expect_success(f, &task, "here");
}

static void a_command_says_why_it_fails(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = task_of("picky", "");
    struct grove_failure failure;

    task.max_attempts = 2;
    offer(&f->worker, "picky",
          "echo '{\"error\":\"no such customer\",\"permanent\":true,\"bytes\":\"{}\"}' >&3\n"
          "echo noise >&2; exit 1");
    offer(&f->worker, "forgiving", "echo '{\"error\":\"none really\"}' >&3; echo fine");
    mesh_worker_run(&f->worker);
    assert_int_equal(grove_wait(f->client, &task, NULL, &failure), GROVE_FAILED);
    assert_int_equal(failure.code, GROVE_CODE_PERMANENT);
    assert_string_equal(failure.text, "no such customer");
    assert_string_equal(failure.bytes.data, "{}");
    grove_failure_clear(&failure);
    task = task_of("forgiving", "");
    expect_success(f, &task, "fine\n");
}

static void a_flood_on_fd_3_harms_nobody(void **state)
{
    struct fixture *f = *state;
    struct grove_task task = task_of("logs", "");

    offer(&f->worker, "logs", "yes '{\"log\":\"flood\"}' >&3 & seq 100000 | tail -n 1");
    offer(&f->worker, "noise", "cat /dev/urandom >&3 & seq 100000 | tail -n 1");
    offer(&f->worker, "endless", "tr '\\0' x </dev/zero >&3 & seq 100000 | tail -n 1");
    mesh_worker_run(&f->worker);
    expect_success(f, &task, "100000\n");
    task.function = "noise";
    expect_success(f, &task, "100000\n");
    task.function = "endless";
    expect_success(f, &task, "100000\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_exit_status_is_the_verdict),
        TEST(partial_output_is_no_result),
        TEST(too_much_output_is_a_failure_for_good),
        TEST(the_end_of_stderr_comes_with_the_failure),
        TEST(what_a_node_cannot_run_another_does),
        TEST(what_it_cannot_run_is_not_offered_to_another_leader),
        TEST(what_it_cannot_run_is_tried_again_after_a_while),
        TEST(what_may_run_only_once_is_not_handed_back),
        TEST(a_checkpoint_of_a_command_reaches_its_next_attempt),
        TEST(a_checkpoint_is_kept_while_the_command_runs),
        TEST(a_command_says_why_it_fails),
        TEST(a_flood_on_fd_3_harms_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
