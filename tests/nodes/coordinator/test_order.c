/* SPDX-License-Identifier: MPL-2.0
 * The order in which a turn sends what it owes. */
#include "tests/nodes/coordinator/harness.h"

/* The next message to anybody, which must have gone to this route and be of this type. */
static void expect_next(uint8_t route, enum message_type type)
{
    const struct route wanted = route_of(route);
    size_t i = 0;

    while (i < outside.count && outside.sent[i].is_taken) {
        i++;
    }
    assert_true(i < outside.count);
    assert_memory_equal(&outside.sent[i].route, &wanted, sizeof(wanted));
    expect_sent(route, type);
}

/* Each frame wakes its peer, and on few cores the peer runs before the next one goes. */
static void work_goes_first_and_what_only_confirms_goes_last(void **state)
{
    struct harness *h = *state;
    struct task_item item = party_root(1, "echo", "x", h->egress.stamp_ms);
    struct id root;
    uint64_t session;

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 1);
    put_submit(h, &h->party.client, &item, 1, &root);
    receive(h, 1, &h->party.client);
    work(h, 1);
    assert_true(land(h));
    egress_flush(&h->egress);
    expect_next(2, MESSAGE_ASSIGN);
    expect_next(1, MESSAGE_ACCEPTED);

    put_report(h, session, &root, 1);
    receive(h, 2, &h->party.worker);
    work(h, 1);
    assert_true(land(h));
    egress_flush(&h->egress);
    expect_next(1, MESSAGE_NOTIFY);
    expect_next(2, MESSAGE_DONE);
    assert_int_equal(h->jobs.count, 0);
}

/* A task may have ended before it is submitted again: its ids come first, for they say whose
 * outcome it is. */
static void an_accepted_comes_before_the_outcomes_of_its_ids(void **state)
{
    struct harness *h = *state;
    struct task_item item = party_root(1, "echo", "x", h->egress.stamp_ms);
    struct id root;
    uint64_t session;

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 1);
    put_submit(h, &h->party.client, &item, 1, &root);
    receive(h, 1, &h->party.client);
    work(h, 1);
    assert_true(commit(h));
    report(h, 2, session, &root, 1);
    egress_flush(&h->egress);
    forget_sent();

    put_submit(h, &h->party.client, &item, 1, &root);
    receive(h, 1, &h->party.client);
    work(h, 1);
    assert_true(land(h));
    egress_flush(&h->egress);
    expect_next(1, MESSAGE_ACCEPTED);
    expect_next(1, MESSAGE_NOTIFY);
}

/* Else the worker would start it in the slot of the attempt that goes on. */
static void new_work_comes_after_a_resume(void **state)
{
    struct harness *h = *state;
    struct task_item item = party_root(9, "echo", "x", h->egress.stamp_ms);
    struct id root, child, other;
    uint64_t session;

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 1);
    submit(h, 1, 0, 1, &root);
    put_expand(h, &root, 1, true, &child);
    receive(h, 2, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    egress_flush(&h->egress);
    forget_sent();

    put_report(h, session, &child, 1);
    receive(h, 2, &h->party.worker);
    put_submit(h, &h->party.client, &item, 1, &other);
    receive(h, 1, &h->party.client);
    work(h, 2);
    assert_true(land(h));
    egress_flush(&h->egress);
    expect_next(1, MESSAGE_ACCEPTED);
    expect_next(2, MESSAGE_NOTIFY);
    expect_next(2, MESSAGE_RESUME);
    expect_next(2, MESSAGE_ASSIGN);
    expect_next(2, MESSAGE_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(work_goes_first_and_what_only_confirms_goes_last, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_accepted_comes_before_the_outcomes_of_its_ids, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(new_work_comes_after_a_resume, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
