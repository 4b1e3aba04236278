/* SPDX-License-Identifier: MPL-2.0
 * What time does to a forest beyond a single task: backoffs that grow no more, many timers at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/forest_fixture.h"

/* Fails the attempt that runs, and returns how long the next one has to wait. */
static uint64_t fail_once(struct fixture *f, const char *task)
{
    report(f, "w1", task, CODE_FAILED);
    expect_state(f, task, "delayed");
    const uint64_t wait_ms = view_of(f, task).due_ms - f->now_ms;
    expire(f, wait_ms);
    return wait_ms;
}

/* One second, doubling, and no more than five minutes, each with up to a quarter more. */
static void a_backoff_ends_its_doubling(void **state)
{
    struct fixture *f = *state;
    uint64_t least_ms = 1000;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .max_attempts = 20);
    for (unsigned i = 0; i < 12; i++) {
        assert_in_range(fail_once(f, "a"), least_ms, least_ms + least_ms / 4);
        least_ms = least_ms < 150000 ? 2 * least_ms : 300000;
    }
    assert_int_equal(least_ms, 300000);
}

/* By the task's id: what failed together does not come back together. */
static void backoffs_are_spread(void **state)
{
    struct fixture *f = *state;
    uint64_t least_ms = UINT64_MAX;
    uint64_t most_ms = 0;
    char name[2] = "a";

    enlist(f, "w1", .slots = 8);
    submit_with(f, "a b c d e f g h", .max_attempts = 2);
    for (; name[0] <= 'h'; name[0]++) {
        report(f, "w1", name, CODE_FAILED);
        const uint64_t wait_ms = view_of(f, name).due_ms - f->now_ms;
        least_ms = wait_ms < least_ms ? wait_ms : least_ms;
        most_ms = wait_ms > most_ms ? wait_ms : most_ms;
    }
    assert_true(most_ms - least_ms > 50);
}

/* Fine print 12. */
static void many_timers_at_once_ring_in_steps(void **state)
{
    struct fixture *f = *state;
    char names[8 * 100];

    for (unsigned batch = 0; batch < 15; batch++) {
        size_t size = 0;
        for (unsigned i = 0; i < 100; i++) {
            size += (size_t)snprintf(names + size, sizeof(names) - size, "t%u ", batch * 100 + i);
        }
        submit_with(f, names, .delay_ms = 5000);
    }
    expire(f, 5000);
    assert_int_equal(forest_counters(f->forest)->state[TASK_READY], 1000);
    assert_int_equal(forest_due_ms(f->forest), f->now_ms);
    expire(f, 0);
    assert_int_equal(forest_counters(f->forest)->state[TASK_READY], 1500);
    assert_int_equal(forest_due_ms(f->forest), UINT64_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_backoff_ends_its_doubling),
        TEST(backoffs_are_spread),
        TEST(many_timers_at_once_ring_in_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
