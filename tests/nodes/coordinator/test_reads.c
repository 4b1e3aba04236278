/* SPDX-License-Identifier: MPL-2.0
 * What only a leader may say, that there is no such task or that it has not ended, is said when a
 * group or a barrier proves that it led after it was asked. */
#include "tests/nodes/coordinator/harness.h"

#include "core/fetch_message.h"

static const struct id unknown = {{0xee}};

static void ask(struct harness *h, uint8_t route, const struct id *ids, size_t count)
{
    put_wait(h, ids, count);
    receive(h, route, &h->party.client);
    egress_flush(&h->egress);
}

/* Proposes something of the coordinator's own. */
static void propose(struct harness *h)
{
    const struct command command = {.kind = COMMAND_EXPIRE};

    proposals_add_own(&h->proposals, &command);
}

static void expect_unknown(uint8_t route)
{
    struct item_refused refused;
    struct bytes element;
    struct notify notify;

    assert_int_equal(wire_notify_decode(expect_sent(route, MESSAGE_NOTIFY).body, &notify),
                     GROVE_OK);
    assert_true(wire_next(&notify.unknown, &element));
    assert_int_equal(wire_item_refused_decode(element, &refused), GROVE_OK);
    assert_int_equal(refused.code, REFUSED_NOT_FOUND);
}

static void an_unknown_task_is_denied_when_that_is_proved(void **state)
{
    struct harness *h = *state;

    greet(h, 1, &h->party.client);
    ask(h, 1, &unknown, 1);
    expect_nothing_sent(1);
    assert_true(reads_want(&h->reads));
    propose(h);
    assert_true(commit(h));
    egress_flush(&h->egress);
    expect_unknown(1);
    assert_false(reads_want(&h->reads));
}

/* It may have begun while this coordinator still led, and the question came when it did not. */
static void a_group_that_began_before_proves_nothing(void **state)
{
    struct harness *h = *state;

    greet(h, 1, &h->party.client);
    reads_begin(&h->reads);
    ask(h, 1, &unknown, 1);
    reads_prove(&h->reads);
    egress_flush(&h->egress);
    expect_nothing_sent(1);
    assert_true(reads_want(&h->reads));
    prove(h);
    expect_unknown(1);
}

static void what_is_accepted_meanwhile_is_not_denied(void **state)
{
    struct harness *h = *state;
    struct task_item item = party_root(7, "echo", "payload", h->egress.stamp_ms);
    struct notify notify;
    struct bytes element;
    struct id id;

    greet(h, 1, &h->party.client);
    greet(h, 2, &h->party.client);
    put_submit(h, &h->party.client, &item, 1, &id);
    receive(h, 2, &h->party.client);
    work(h, 1);
    ask(h, 1, &id, 1);
    assert_true(commit(h));
    egress_flush(&h->egress);
    assert_int_equal(wire_notify_decode(expect_sent(1, MESSAGE_NOTIFY).body, &notify), GROVE_OK);
    assert_false(wire_next(&notify.unknown, &element));
}

static void what_has_ended_is_told_at_once(void **state)
{
    struct harness *h = *state;
    struct fetched fetched;
    struct notify notify;
    struct bytes element;
    struct id id;

    greet(h, 1, &h->party.client);
    run_one(h, &id);
    egress_flush(&h->egress);
    expect_sent(1, MESSAGE_NOTIFY); /* the submitter waits */
    ask(h, 1, &id, 1);
    assert_int_equal(wire_notify_decode(expect_sent(1, MESSAGE_NOTIFY).body, &notify), GROVE_OK);
    assert_true(wire_next(&notify.outcomes, &element));
    wire_fetch_encode(&h->frame, 8, &id);
    receive(h, 1, &h->party.client);
    assert_int_equal(wire_fetched_decode(expect_sent(1, MESSAGE_FETCHED).body, &fetched), GROVE_OK);
    assert_true(fetched.has_ended);
    assert_false(reads_want(&h->reads));
}

static void pages_and_fetches_are_proved_too(void **state)
{
    struct harness *h = *state;
    const struct page page = {.join = unknown, .most = 1};
    struct fetched fetched;
    struct id id;

    greet(h, 1, &h->party.client);
    submit(h, 1, 0, 1, &id);
    wire_fetch_encode(&h->frame, 8, &id);
    receive(h, 1, &h->party.client);
    wire_page_encode(&h->frame, 9, &page);
    receive(h, 1, &h->party.client);
    egress_flush(&h->egress);
    expect_nothing_sent(1);
    propose(h);
    assert_true(commit(h));
    egress_flush(&h->egress);
    assert_int_equal(wire_fetched_decode(expect_sent(1, MESSAGE_FETCHED).body, &fetched), GROVE_OK);
    assert_false(fetched.has_ended);
    expect_refused(1, REFUSED_NOT_FOUND);
}

static void who_is_gone_is_not_answered(void **state)
{
    struct harness *h = *state;

    greet(h, 1, &h->party.client);
    ask(h, 1, &unknown, 1);
    egress_end(&h->egress, sessions_oldest(&h->sessions));
    propose(h);
    assert_true(commit(h));
    egress_flush(&h->egress);
    expect_nothing_sent(1);
    ask(h, 1, &unknown, 1);
    expect_refused(1, REFUSED_NO_SESSION);
}

static void only_so_many_wait(void **state)
{
    struct harness *h = *state;

    greet(h, 1, &h->party.client);
    for (unsigned i = 0; i < LIMIT_UNCOMMITTED; i++) {
        put_wait(h, &unknown, 1);
        receive(h, 1, &h->party.client);
    }
    expect_nothing_sent(1);
    ask(h, 1, &unknown, 1);
    expect_refused(1, REFUSED_BUSY);
    reads_clear(&h->reads);
    ask(h, 1, &unknown, 1);
    expect_nothing_sent(1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_task_is_denied_when_that_is_proved),
        TEST(a_group_that_began_before_proves_nothing),
        TEST(what_is_accepted_meanwhile_is_not_denied),
        TEST(what_has_ended_is_told_at_once),
        TEST(pages_and_fetches_are_proved_too),
        TEST(who_is_gone_is_not_answered),
        TEST(only_so_many_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
