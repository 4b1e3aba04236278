/* SPDX-License-Identifier: MPL-2.0
 * Commands: what goes in, what comes out, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/limits.h"
#include "nodes/host/clock.h"
#include "nodes/worker/exec.h"

#define MOST (64 * LIMIT_MIB)
#define PATIENCE_MS 120000

static struct guardian *guardian;

static const char *const environment[] = {"PATH=/usr/bin:/bin", "GROVE_TASK_ID=abc", NULL};

static void run_with(const char *command, struct bytes input, size_t most, int stop_fd,
                     struct exec_outcome *outcome)
{
    struct exec_job job = {
        .guardian = guardian,
        .command = command,
        .directory = "/",
        .environment = environment,
        .input = input,
        .output_most = most,
        .stop_fd = stop_fd,
        .grace_ms = 50,
    };

    exec_run(&job, outcome);
}

static void expect_output(const char *command, const char *expected)
{
    struct exec_outcome outcome;

    run_with(command, bytes_of(NULL, 0), MOST, -1, &outcome);
    assert_int_equal(outcome.end, EXEC_EXITED);
    assert_int_equal(outcome.number, 0);
    buffer_append(&outcome.output, "", 1);
    assert_string_equal(outcome.output.data, expected);
    exec_outcome_clear(&outcome);
}

static void expect_end(const char *command, enum exec_end end, int number)
{
    struct exec_outcome outcome;

    run_with(command, bytes_of_text("input"), MOST, -1, &outcome);
    assert_int_equal(outcome.end, end);
    assert_int_equal(outcome.number, number);
    exec_outcome_clear(&outcome);
}

/* Both pipes are full at once when the input is larger than they are. */
static void any_size_goes_through_both_pipes(void **state)
{
    static const size_t sizes[] = {0, 1, 64 * LIMIT_KIB, LIMIT_MIB, 32 * LIMIT_MIB};
    uint8_t *data = malloc(32 * LIMIT_MIB);

    (void)state;
    for (size_t i = 0; i < 32 * LIMIT_MIB; i++) {
        data[i] = (uint8_t)(i * 31 + (i >> 12));
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct exec_outcome outcome;

        run_with("cat", bytes_of(data, sizes[i]), MOST, -1, &outcome);
        assert_int_equal(outcome.end, EXEC_EXITED);
        assert_true(bytes_equal(buffer_bytes(&outcome.output), bytes_of(data, sizes[i])));
        exec_outcome_clear(&outcome);
    }
    free(data);
}

static void input_that_is_not_read_does_not_matter(void **state)
{
    uint8_t *data = calloc(1, LIMIT_MIB);
    struct exec_outcome outcome;

    (void)state;
    run_with("exec <&-; echo done", bytes_of(data, LIMIT_MIB), MOST, -1, &outcome);
    assert_int_equal(outcome.end, EXEC_EXITED);
    assert_memory_equal(outcome.output.data, "done\n", 5);
    exec_outcome_clear(&outcome);
    free(data);
}

static void the_exit_status_is_told(void **state)
{
    (void)state;
    expect_end("exit 0", EXEC_EXITED, 0);
    expect_end("exit 3", EXEC_EXITED, 3);
    expect_end("exit 255", EXEC_EXITED, 255);
    expect_end("no-such-command 2>&-", EXEC_EXITED, 127);
}

static void death_by_a_signal_is_no_exit(void **state)
{
    (void)state;
    expect_end("kill -SEGV $$", EXEC_SIGNALED, SIGSEGV);
    expect_end("kill -KILL $$", EXEC_SIGNALED, SIGKILL);
}

static void the_end_of_stderr_is_kept(void **state)
{
    struct exec_outcome outcome;

    (void)state;
    run_with("for i in $(seq 20000); do echo line $i >&2; done", bytes_of(NULL, 0), MOST, -1,
             &outcome);
    assert_int_equal(outcome.end, EXEC_EXITED);
    assert_int_equal(outcome.errors.size, EXEC_STDERR_SIZE);
    assert_memory_equal(outcome.errors.data + EXEC_STDERR_SIZE - 11, "line 20000\n", 11);
    exec_outcome_clear(&outcome);
}

static void too_much_output_ends_it(void **state)
{
    struct exec_outcome outcome;

    (void)state;
    run_with("yes", bytes_of(NULL, 0), LIMIT_MIB, -1, &outcome);
    assert_int_equal(outcome.end, EXEC_TOO_LARGE);
    assert_true(outcome.output.size <= LIMIT_MIB);
    exec_outcome_clear(&outcome);
}

static void a_stop_asks_first(void **state)
{
    struct exec_outcome outcome;
    int stop_fd = eventfd(1, EFD_CLOEXEC);

    (void)state;
    run_with("trap 'echo asked; exit 9' TERM; while :; do sleep 0.01; done", bytes_of(NULL, 0),
             MOST, stop_fd, &outcome);
    assert_int_equal(outcome.end, EXEC_STOPPED);
    exec_outcome_clear(&outcome);
    close(stop_fd);
}

/* Gone, or a zombie that its new parent has yet to reap. */
static bool is_dead(pid_t pid)
{
    char path[64];
    char text[256] = "";
    int fd;
    bool is_zombie;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    fd = open(path, O_RDONLY);
    if (fd < 0) {
        return true;
    }
    is_zombie = read(fd, text, sizeof(text) - 1) <= 0 || strstr(text, ") Z ") != NULL;
    close(fd);
    return is_zombie;
}

/* What ignores SIGTERM is killed, and so is what it started. */
static void the_whole_group_is_killed(void **state)
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct exec_outcome outcome;

    (void)state;
    run_with("trap '' TERM; (trap '' TERM; exec sleep 600) & echo $! >&2; kill -KILL $$",
             bytes_of(NULL, 0), MOST, -1, &outcome);
    assert_int_equal(outcome.end, EXEC_SIGNALED);
    buffer_append(&outcome.errors, "", 1);
    while (!is_dead((pid_t)strtol((const char *)outcome.errors.data, NULL, 10))) {
        assert_true(clock_monotonic_ms() < until_ms);
    }
    exec_outcome_clear(&outcome);
}

/* It says its number from another session, and has ended when the outcome is there. */
static void what_has_left_the_group_is_killed_too(void **state)
{
    struct exec_outcome outcome;

    (void)state;
    run_with(
        "(setsid sh -c 'trap \"\" TERM; echo $$; exec sleep 600 >&-' &) | (read pid; echo $pid)",
        bytes_of(NULL, 0), MOST, -1, &outcome);
    assert_int_equal(outcome.end, EXEC_EXITED);
    buffer_append(&outcome.output, "", 1);
    assert_true(strtol((const char *)outcome.output.data, NULL, 10) > 0);
    assert_true(is_dead((pid_t)strtol((const char *)outcome.output.data, NULL, 10)));
    exec_outcome_clear(&outcome);
}

static void what_ignores_a_stop_is_killed(void **state)
{
    struct exec_outcome outcome;
    char command[128];
    int stop[2];

    (void)state;
    assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
    /* It asks for its own end, once it ignores the signal. */
    snprintf(command, sizeof(command),
             "trap '' TERM; echo >/proc/%ld/fd/%d; while :; do sleep 600; done", (long)getpid(),
             stop[1]);
    run_with(command, bytes_of(NULL, 0), MOST, stop[0], &outcome);
    assert_int_equal(outcome.end, EXEC_STOPPED);
    exec_outcome_clear(&outcome);
    close(stop[0]);
    close(stop[1]);
}

static void a_grandchild_that_holds_stdout_delays_nothing(void **state)
{
    uint64_t before_ms = clock_monotonic_ms();

    (void)state;
    expect_output("sleep 600 & echo done", "done\n");
    assert_true(clock_monotonic_ms() - before_ms < 60000);
}

/* It is no longer of the group, and goes on writing until nobody reads. */
static void a_writer_that_left_the_group_delays_nothing(void **state)
{
    struct exec_outcome outcome;

    (void)state;
    run_with("setsid yes & seq 100000 >&2", bytes_of(NULL, 0), LIMIT_MIB, -1, &outcome);
    assert_true(outcome.end == EXEC_EXITED || outcome.end == EXEC_TOO_LARGE);
    exec_outcome_clear(&outcome);
}

static void a_flood_does_not_keep_us_from_the_clock(void **state)
{
    struct exec_outcome outcome;

    (void)state;
    run_with("trap '' TERM; yes >&2 & yes >&3 & yes", bytes_of(NULL, 0), LIMIT_MIB, -1, &outcome);
    assert_int_equal(outcome.end, EXEC_TOO_LARGE);
    exec_outcome_clear(&outcome);
}

static void the_environment_is_the_given_one(void **state)
{
    (void)state;
    setenv("GROVE_TEST_SECRET", "leaks", 1);
    expect_output("echo $GROVE_TASK_ID", "abc\n");
    expect_output("echo \"[$GROVE_TEST_SECRET]\"", "[]\n");
    unsetenv("GROVE_TEST_SECRET");
}

static void only_the_four_pipes_are_open(void **state)
{
    int leaked = open("/dev/null", O_RDONLY);

    (void)state;
    assert_true(leaked > 2);
    /* ls has one more open: the directory it lists. */
    expect_output("ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 4 ");
    close(leaked);
}

static void signals_are_as_a_fresh_process_has_them(void **state)
{
    (void)state;
    expect_output("grep SigBlk /proc/self/status | tr -d '\\n\\t'", "SigBlk:0000000000000000");
    /* Ignored here. */
    expect_end("kill -PIPE $$", EXEC_SIGNALED, SIGPIPE);
}

static void no_descriptor_and_no_child_is_left(void **state)
{
    int before = dup(0);
    int after;

    (void)state;
    close(before);
    for (int i = 0; i < 20; i++) {
        expect_end("exit 1", EXEC_EXITED, 1);
    }
    after = dup(0);
    close(after);
    assert_int_equal(before, after);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* the guardian alone */
}

static void a_keeper_that_is_killed_takes_its_command_along(void **state)
{
    (void)state;
    expect_end("kill -9 $PPID; while :; do :; done", EXEC_SIGNALED, SIGKILL);
    expect_end("exit 7", EXEC_EXITED, 7);
}

/* A command that was handed to it while it died is as lost as those that ran. */
static void a_guardian_that_is_killed_takes_its_commands_along_and_is_replaced(void **state)
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct exec_outcome outcome = {.end = EXEC_SIGNALED};

    (void)state;
    expect_end("read -r _ _ _ guardian _ </proc/$PPID/stat; kill -9 $guardian; while :; do :; done",
               EXEC_SIGNALED, SIGKILL);
    while (outcome.end != EXEC_EXITED) {
        assert_true(clock_monotonic_ms() < until_ms);
        run_with("exit 7", bytes_of(NULL, 0), MOST, -1, &outcome);
        exec_outcome_clear(&outcome);
    }
    assert_int_equal(outcome.end, EXEC_EXITED);
    assert_int_equal(outcome.number, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_size_goes_through_both_pipes),
        cmocka_unit_test(input_that_is_not_read_does_not_matter),
        cmocka_unit_test(the_exit_status_is_told),
        cmocka_unit_test(death_by_a_signal_is_no_exit),
        cmocka_unit_test(the_end_of_stderr_is_kept),
        cmocka_unit_test(too_much_output_ends_it),
        cmocka_unit_test(a_stop_asks_first),
        cmocka_unit_test(the_whole_group_is_killed),
        cmocka_unit_test(what_has_left_the_group_is_killed_too),
        cmocka_unit_test(what_ignores_a_stop_is_killed),
        cmocka_unit_test(a_grandchild_that_holds_stdout_delays_nothing),
        cmocka_unit_test(a_writer_that_left_the_group_delays_nothing),
        cmocka_unit_test(a_flood_does_not_keep_us_from_the_clock),
        cmocka_unit_test(the_environment_is_the_given_one),
        cmocka_unit_test(only_the_four_pipes_are_open),
        cmocka_unit_test(signals_are_as_a_fresh_process_has_them),
        cmocka_unit_test(no_descriptor_and_no_child_is_left),
        cmocka_unit_test(a_keeper_that_is_killed_takes_its_command_along),
        cmocka_unit_test(a_guardian_that_is_killed_takes_its_commands_along_and_is_replaced),
    };

    signal(SIGPIPE, SIG_IGN);
    guardian = guardian_start(NULL);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    guardian_stop(guardian);
    return failed;
}
