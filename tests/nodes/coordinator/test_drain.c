/* SPDX-License-Identifier: MPL-2.0
 * Workers that an operator wants to leave are told so, by their instance or their name. */
#include "tests/nodes/coordinator/harness.h"

static void ask(struct harness *h, const char *name)
{
    wire_drain_encode(&h->frame, 6, bytes_of_text(name));
    receive(h, 3, &h->party.operator);
}

static void every_worker_of_that_name_is_told(void **state)
{
    struct harness *h = *state;

    enlist(h, 2, 1);
    greet(h, 3, &h->party.operator);
    ask(h, "worker");
    expect_sent(2, MESSAGE_GOODBYE);
    assert_int_equal(expect_sent(3, MESSAGE_DONE).correlation, 6);
    ask(h, "host-1");
    expect_sent(2, MESSAGE_GOODBYE);
    expect_sent(3, MESSAGE_DONE);
    ask(h, "host");
    expect_nothing_sent(2);
    expect_refused(3, REFUSED_NOT_FOUND);
    assert_false(commit(h));
}

static void one_that_is_away_is_known_but_hears_nothing(void **state)
{
    struct harness *h = *state;

    enlist(h, 2, 1);
    greet(h, 3, &h->party.operator);
    egress_end(&h->egress, sessions_find(&h->sessions, &(struct route){5, {0, 0, 0, 0, 2}}));
    ask(h, "worker");
    expect_sent(3, MESSAGE_DONE);
    expect_nothing_sent(2);
}

static void nonsense_is_refused(void **state)
{
    struct harness *h = *state;

    greet(h, 3, &h->party.operator);
    wire_empty_encode(&h->frame, 6, MESSAGE_DRAIN);
    receive(h, 3, &h->party.operator);
    expect_refused(3, REFUSED_MALFORMED);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_worker_of_that_name_is_told),
        TEST(one_that_is_away_is_known_but_hears_nothing),
        TEST(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
