/* SPDX-License-Identifier: MPL-2.0
 * Limits of functions: set by operators, told to the workers that they concern. */
#include "tests/nodes/coordinator/harness.h"

/* Enlists a worker with an instance and a function of its own. */
static void enlist_as(struct harness *h, uint8_t route, const char *instance, const char *function)
{
    struct wire_writer writer;

    wire_open(&writer, &h->frame, MESSAGE_ENLIST, 2);
    wire_put_bytes(&writer, ENLIST_INSTANCE, bytes_of_text(instance));
    wire_put_bytes(&writer, ENLIST_FUNCTIONS, bytes_of_text(function));
    wire_put_uint(&writer, ENLIST_SLOTS, 1);
    wire_put_uint(&writer, ENLIST_WINDOW, 4);
    wire_close(&writer);
    receive(h, route, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(route, MESSAGE_WELCOME);
    egress_flush(&h->egress);
}

static void set_limit(struct harness *h, const char *function, uint32_t running)
{
    const struct limit limit = {
        .function = bytes_of_text(function), .change = LIMIT_CHANGE_RUNNING, .running = running};

    wire_limit_encode(&h->frame, 6, &limit);
    receive(h, 3, &h->party.operator);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(3, MESSAGE_DONE);
    egress_flush(&h->egress);
}

static void expect_recall(uint8_t route, const char *function)
{
    struct bytes name;

    assert_int_equal(wire_recall_decode(expect_sent(route, MESSAGE_RECALL).body, &name), GROVE_OK);
    assert_true(bytes_equal(name, bytes_of_text(function)));
}

static void a_recall_goes_to_every_worker_that_it_concerns(void **state)
{
    struct harness *h = *state;
    struct id ids[2];

    greet(h, 1, &h->party.worker);
    enlist_as(h, 1, "host-1", "echo");
    greet(h, 2, &h->party.worker);
    enlist_as(h, 2, "host-2", "step");
    greet(h, 4, &h->party.worker);
    enlist_as(h, 4, "host-3", "echo");
    greet(h, 3, &h->party.operator);
    set_limit(h, "echo", 2);
    expect_recall(1, "echo");
    expect_recall(4, "echo");
    expect_nothing_sent(2);
    greet(h, 7, &h->party.client);
    submit(h, 7, 0, 2, ids); /* both have a turn again */
    egress_flush(&h->egress);
    expect_sent(1, MESSAGE_ASSIGN);
    expect_sent(4, MESSAGE_ASSIGN);
    assert_int_equal(h->egress.counters.recalled, 2);

    set_limit(h, "echo", 3); /* takes nothing away */
    expect_nothing_sent(1);
    greet(h, 6, &h->party.worker);
    enlist_as(h, 6, "host-4", "echo"); /* has nothing yet */
    expect_nothing_sent(6);
}

/* It may have missed one while it was away. */
static void a_worker_that_comes_back_is_told_again(void **state)
{
    struct harness *h = *state;

    greet(h, 1, &h->party.worker);
    enlist_as(h, 1, "host-1", "echo");
    expect_nothing_sent(1);
    egress_end(&h->egress, sessions_oldest(&h->sessions));
    greet(h, 3, &h->party.operator);
    set_limit(h, "echo", 2);
    put_hello(h, 1); /* the same process on another route */
    receive(h, 5, &h->party.worker);
    expect_sent(5, MESSAGE_WELCOME);
    enlist_as(h, 5, "host-1", "echo");
    expect_recall(5, "echo");
    egress_flush(&h->egress);
    expect_nothing_sent(5);
}

static void a_limit_has_a_good_name(void **state)
{
    struct harness *h = *state;
    const struct limit limit = {.function = bytes_of_text("Not A Name")};

    greet(h, 3, &h->party.operator);
    wire_limit_encode(&h->frame, 6, &limit);
    receive(h, 3, &h->party.operator);
    work(h, 1);
    expect_refused(3, REFUSED_FUNCTION_NAME);
    assert_false(commit(h));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_recall_goes_to_every_worker_that_it_concerns),
        TEST(a_worker_that_comes_back_is_told_again),
        TEST(a_limit_has_a_good_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
