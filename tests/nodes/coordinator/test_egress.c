/* SPDX-License-Identifier: MPL-2.0
 * Effects to messages: after the commit and not before, one a type and turn, as
 * excerpts that verify; what a full pipe or a lost message took is sent again.
 */
#include "tests/nodes/coordinator/harness.h"

struct expected {
    unsigned batches, assignments, certificates, roots;
};

/* Takes an Assign apart; every excerpt verifies. */
static void expect_assign(struct harness *h, uint8_t route, struct expected expected)
{
    struct assign assign;
    struct bytes element;
    struct sealed sealed;
    unsigned roots = 0;

    assert_int_equal(wire_assign_decode(expect_sent(route, MESSAGE_ASSIGN).body, &assign),
                     GROVE_OK);
    assert_int_equal(assign.batches.count, expected.batches);
    assert_int_equal(assign.assignments.count, expected.assignments);
    assert_int_equal(assign.certificates.count, expected.certificates);
    while (wire_next(&assign.batches, &element)) {
        assert_int_equal(wire_sealed_decode(element, &sealed), GROVE_OK);
        assert_int_equal(seal_open(&sealed, &h->party.mesh.public_key, NULL), GROVE_OK);
    }
    while (wire_next(&assign.assignments, &element)) {
        struct assignment assignment;

        assert_int_equal(wire_assignment_decode(element, &assignment), GROVE_OK);
        if (assignment.root_batch.size > 0) {
            assert_int_equal(wire_sealed_decode(assignment.root_batch, &sealed), GROVE_OK);
            assert_int_equal(seal_open(&sealed, &h->party.mesh.public_key, NULL), GROVE_OK);
            roots++;
        }
    }
    assert_int_equal(roots, expected.roots);
}

static struct notify expect_notify(struct harness *h, uint8_t route, unsigned outcomes)
{
    struct wire_list list;
    struct notify notify;
    struct bytes element;
    struct sealed sealed;

    assert_int_equal(wire_notify_decode(expect_sent(route, MESSAGE_NOTIFY).body, &notify),
                     GROVE_OK);
    assert_int_equal(notify.outcomes.count, outcomes);
    list = notify.outcomes;
    while (wire_next(&list, &element)) {
        assert_int_equal(wire_sealed_decode(element, &sealed), GROVE_OK);
        assert_int_equal(seal_open(&sealed, &h->party.mesh.public_key, NULL), GROVE_OK);
    }
    return notify;
}

/* ---- commits */

static void nothing_is_accepted_before_it_is_committed(void **state)
{
    struct harness *h = *state;
    struct task_item item = party_root(1, "echo", "x", h->egress.stamp_ms);
    struct accepted accepted;
    struct id id;

    greet(h, 1, &h->party.client);
    put_submit(h, &h->party.client, &item, 1, &id);
    receive(h, 1, &h->party.client);
    work(h, 1);
    egress_flush(&h->egress);
    expect_nothing_sent(1);

    assert_true(commit(h));
    assert_int_equal(wire_accepted_decode(expect_sent(1, MESSAGE_ACCEPTED).body, &accepted),
                     GROVE_OK);
    assert_true(bytes_equal(accepted.ids, bytes_of(&id, sizeof(id))));
    assert_int_equal(h->jobs.count, 0);
}

static void refused_items_keep_their_positions(void **state)
{
    struct harness *h = *state;
    struct task_item items[3];
    struct accepted accepted;
    struct item_refused refused;
    struct bytes element;
    struct id ids[3];

    for (uint8_t i = 0; i < 3; i++) {
        items[i] = party_root(i, i == 1 ? "NOT A NAME" : "echo", "x", h->egress.stamp_ms);
    }
    greet(h, 1, &h->party.client);
    put_submit(h, &h->party.client, items, 3, ids);
    receive(h, 1, &h->party.client);
    work(h, 1);
    assert_true(commit(h));
    assert_int_equal(wire_accepted_decode(expect_sent(1, MESSAGE_ACCEPTED).body, &accepted),
                     GROVE_OK);
    memset(&ids[1], 0, sizeof(ids[1]));
    assert_true(bytes_equal(accepted.ids, bytes_of(ids, sizeof(ids))));
    assert_true(wire_next(&accepted.refused, &element));
    assert_int_equal(wire_item_refused_decode(element, &refused), GROVE_OK);
    assert_int_equal(refused.position, 1);
    assert_int_equal(refused.code, REFUSED_FUNCTION_NAME);
}

/* ---- excerpts */

static void a_turn_assigns_each_batch_as_one_excerpt(void **state)
{
    struct harness *h = *state;
    struct id ids[32];

    greet(h, 1, &h->party.client);
    enlist(h, 2, 16);
    submit(h, 1, 0, 10, ids);
    submit(h, 1, 100, 10, ids + 10);
    egress_flush(&h->egress);
    expect_assign(h, 2, (struct expected){.batches = 2, .assignments = 20, .certificates = 1});
    expect_nothing_sent(2);

    submit(h, 1, 200, 1, ids);
    egress_flush(&h->egress);
    expect_assign(h, 2, (struct expected){.batches = 1, .assignments = 1, .certificates = 0});
}

/* Until it is answered, an Enlist that is said again has its worker pass over what comes. */
static void who_enlists_again_is_shown_all_again(void **state)
{
    struct harness *h = *state;
    struct id ids[2];

    greet(h, 1, &h->party.client);
    const uint64_t session = enlist(h, 2, 16);
    submit(h, 1, 0, 1, ids);
    egress_flush(&h->egress);
    expect_assign(h, 2, (struct expected){.batches = 1, .assignments = 1, .certificates = 1});

    assert_int_equal(enlist_in(h, 2, 16), session);
    submit(h, 1, 1, 1, ids + 1);
    egress_flush(&h->egress);
    expect_assign(h, 2, (struct expected){.batches = 2, .assignments = 2, .certificates = 1});
}

/* Its worker would only have to hand it back. */
static void what_a_later_entry_of_the_turn_takes_back_is_not_assigned(void **state)
{
    static const struct command expire = {.kind = COMMAND_EXPIRE};
    struct harness *h = *state;
    struct task_item items[2];

    greet(h, 1, &h->party.client);
    enlist(h, 2, 16);
    for (uint8_t i = 0; i < 2; i++) {
        items[i] = party_root(i, "echo", "x", h->egress.stamp_ms);
    }
    items[0].deadline_ms = h->egress.stamp_ms + 1000;
    put_submit(h, &h->party.client, items, 2, NULL);
    receive(h, 1, &h->party.client);
    work(h, 1);
    assert_true(commit(h));
    pass(h, 2000);
    proposals_add_own(&h->proposals, &expire);
    assert_true(commit(h));
    egress_flush(&h->egress);
    expect_sent(2, MESSAGE_STOP);
    expect_assign(h, 2, (struct expected){.batches = 1, .assignments = 1, .certificates = 1});
}

static void outcomes_of_a_turn_are_one_notify(void **state)
{
    struct harness *h = *state;
    struct notify notify;
    struct id ids[8];
    uint64_t session;

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 16);
    submit(h, 1, 0, 8, ids);
    egress_flush(&h->egress);
    expect_sent(2, MESSAGE_ASSIGN);
    report(h, 2, session, ids, 3);
    report(h, 2, session, ids + 3, 5);
    expect_nothing_sent(1);
    egress_flush(&h->egress);
    notify = expect_notify(h, 1, 2);
    assert_int_equal(notify.certificates.count, 1);
    expect_nothing_sent(1);
    assert_int_equal(h->waiters.count, 0);
}

/* From its Hello to the Welcome, a session that lost its connection passes over what comes. */
static void who_says_hello_again_is_shown_all_again(void **state)
{
    struct harness *h = *state;
    struct id ids[2];

    greet(h, 1, &h->party.client);
    const uint64_t session = enlist(h, 2, 16);
    for (uint8_t i = 0; i < 2; i++) {
        submit(h, 1, i, 1, ids + i);
        egress_flush(&h->egress);
        expect_sent(2, MESSAGE_ASSIGN);
        report(h, 2, session, ids + i, 1);
        egress_flush(&h->egress);
        assert_int_equal(expect_notify(h, 1, 1).certificates.count, 1);
        greet(h, 1, &h->party.client);
    }
}

static void a_root_goes_with_the_first_task_of_its_tree(void **state)
{
    struct harness *h = *state;
    struct accepted accepted;
    struct id root, children[4];

    greet(h, 1, &h->party.client);
    enlist(h, 2, 2);
    submit(h, 1, 0, 1, &root);
    egress_flush(&h->egress);
    expect_assign(h, 2, (struct expected){.batches = 1, .assignments = 1, .certificates = 1});

    put_expand(h, &root, 3, true, children);
    receive(h, 2, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    assert_int_equal(wire_accepted_decode(expect_sent(2, MESSAGE_ACCEPTED).body, &accepted),
                     GROVE_OK);
    assert_int_equal(accepted.refused.count, 0);
    egress_flush(&h->egress);
    expect_assign(h, 2,
                  (struct expected){.batches = 1, .assignments = 3, .certificates = 1, .roots = 1});
}

/* The parent goes on only with what it waited for in its hands. */
static void an_outcome_comes_before_the_resume_it_causes(void **state)
{
    struct harness *h = *state;
    struct wire_list resumed;
    struct bytes element;
    struct held held;
    struct id root, child;
    uint64_t session;

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 1);
    submit(h, 1, 0, 1, &root);
    put_expand(h, &root, 1, true, &child);
    receive(h, 2, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(2, MESSAGE_ACCEPTED);
    egress_flush(&h->egress);
    expect_sent(2, MESSAGE_ASSIGN);

    report(h, 2, session, &child, 1);
    egress_flush(&h->egress);
    expect_notify(h, 2, 1);
    assert_int_equal(wire_resume_decode(expect_sent(2, MESSAGE_RESUME).body, &resumed), GROVE_OK);
    assert_true(wire_next(&resumed, &element));
    assert_int_equal(wire_held_decode(element, &held), GROVE_OK);
    assert_true(id_equal(&held.task, &root));
    assert_int_equal(held.attempt, 1);
}

/* ---- Wait and verdicts */

static void waiting_tells_apart_what_is_unknown_settled_and_open(void **state)
{
    struct harness *h = *state;
    struct item_refused unknown;
    struct bytes element;
    struct notify notify;
    struct id ids[3];
    uint64_t session;

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 4);
    submit(h, 1, 0, 2, ids);
    egress_flush(&h->egress);
    expect_sent(2, MESSAGE_ASSIGN);
    report(h, 2, session, ids, 1);
    egress_flush(&h->egress);
    expect_notify(h, 1, 1);

    ids[2] = (struct id){{0xee}};
    put_wait(h, ids, 3);
    receive(h, 1, &h->party.client);
    prove(h);
    notify = expect_notify(h, 1, 1);
    assert_int_equal(notify.unknown.count, 1);
    assert_true(wire_next(&notify.unknown, &element));
    assert_int_equal(wire_item_refused_decode(element, &unknown), GROVE_OK);
    assert_int_equal(unknown.position, 2);
    assert_int_equal(unknown.code, REFUSED_NOT_FOUND);

    report(h, 2, session, ids + 1, 1);
    egress_flush(&h->egress);
    expect_notify(h, 1, 1);
}

static void a_task_is_read_by_those_who_may(void **state)
{
    struct harness *h = *state;
    struct credential other;
    struct id id;

    party_credential(&h->party, "other", ROLE_CLIENT, &other);
    trust(h, &other.certificate_bytes);
    greet(h, 1, &h->party.client);
    submit(h, 1, 0, 1, &id);

    greet(h, 4, &other);
    put_wait(h, &id, 1);
    receive(h, 4, &other);
    prove(h);
    assert_int_equal(expect_notify(h, 4, 0).unknown.count, 1);

    greet(h, 3, &h->party.operator);
    put_wait(h, &id, 1);
    receive(h, 3, &h->party.operator);
    egress_flush(&h->egress);
    assert_int_equal(expect_notify(h, 3, 0).unknown.count, 0);
    assert_int_equal(h->waiters.count, 2);
    credential_clear(&other);
}

static void verdicts_of_a_turn_share_one_seal(void **state)
{
    static const struct command expire = {.kind = COMMAND_EXPIRE};
    struct harness *h = *state;
    struct task_item items[5];

    for (uint8_t i = 0; i < 5; i++) {
        items[i] = party_root(i, "echo", "x", h->egress.stamp_ms);
        items[i].deadline_ms = h->egress.stamp_ms + 1000;
    }
    greet(h, 1, &h->party.client);
    put_submit(h, &h->party.client, items, 5, NULL);
    receive(h, 1, &h->party.client);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(1, MESSAGE_ACCEPTED);
    pass(h, 2000);
    proposals_add_own(&h->proposals, &expire);
    assert_true(commit(h));
    egress_flush(&h->egress);
    expect_notify(h, 1, 1);
    assert_int_equal(h->egress.verdicts.signatures, 1);
}

/* ---- what is lost */

static void answers_wait_for_room_in_order(void **state)
{
    struct harness *h = *state;
    struct held none = {.attempt = 0};

    greet(h, 1, &h->party.client);
    outside.is_full = true;
    put_heartbeat(h, &none, 0);
    receive(h, 1, &h->party.client);
    wire_empty_encode(&h->frame, 1, MESSAGE_SNAPSHOT);
    receive(h, 1, &h->party.client);
    egress_flush(&h->egress);
    expect_nothing_sent(1);
    outside.is_full = false;
    egress_flush(&h->egress);
    expect_sent(1, MESSAGE_HEARTBEAT);
    expect_refused(1, REFUSED_ROLE);
}

static void a_session_that_takes_nothing_is_ended(void **state)
{
    struct harness *h = *state;

    greet(h, 1, &h->party.client);
    outside.is_full = true;
    for (unsigned i = 0; h->sessions.count > 0 && i < 1000000; i++) {
        put_heartbeat(h, NULL, 0);
        receive(h, 1, &h->party.client);
        egress_flush(&h->egress);
    }
    assert_int_equal(h->sessions.count, 0);
    assert_true(h->egress.counters.full > 0);
}

static void what_is_lost_is_sent_again_after_two_heartbeats(void **state)
{
    struct harness *h = *state;
    struct id ids[2];
    struct held held = {.attempt = 1, .state = HELD_RUNNING};

    greet(h, 1, &h->party.client);
    enlist(h, 2, 4);
    submit(h, 1, 0, 2, ids);
    egress_flush(&h->egress);
    expect_sent(2, MESSAGE_ASSIGN); /* of which only the first task arrives, say */
    held.task = ids[0];

    put_heartbeat(h, &held, 1);
    receive(h, 2, &h->party.worker);
    egress_flush(&h->egress);
    expect_sent(2, MESSAGE_HEARTBEAT);
    expect_nothing_sent(2);

    put_heartbeat(h, &held, 1);
    receive(h, 2, &h->party.worker);
    egress_flush(&h->egress);
    expect_sent(2, MESSAGE_HEARTBEAT);
    expect_assign(h, 2, (struct expected){.batches = 1, .assignments = 1, .certificates = 0});
    assert_int_equal(h->egress.counters.resent, 1);
}

static void what_is_not_its_own_is_stopped_after_two_heartbeats(void **state)
{
    struct harness *h = *state;
    const struct held stray = {.task = {{5}}, .attempt = 3};
    struct wire_list stopped;

    enlist(h, 2, 4);
    for (int i = 0; i < 2; i++) {
        expect_nothing_sent(2);
        put_heartbeat(h, &stray, 1);
        receive(h, 2, &h->party.worker);
        egress_flush(&h->egress);
        expect_sent(2, MESSAGE_HEARTBEAT);
    }
    assert_int_equal(wire_stop_decode(expect_sent(2, MESSAGE_STOP).body, &stopped), GROVE_OK);
    assert_int_equal(stopped.count, 1);
}

static void a_stale_report_is_done_and_stopped(void **state)
{
    struct harness *h = *state;
    struct wire_list list;
    struct bytes element;
    struct stopped stopped;
    uint64_t session;
    struct id id;

    greet(h, 1, &h->party.client);
    session = run_one(h, &id);
    report(h, 2, session, &id, 1);
    egress_flush(&h->egress);
    assert_int_equal(wire_stop_decode(expect_sent(2, MESSAGE_STOP).body, &list), GROVE_OK);
    assert_true(wire_next(&list, &element));
    assert_int_equal(wire_stopped_decode(element, &stopped), GROVE_OK);
    assert_int_equal(stopped.reason, REFUSED_STALE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_accepted_before_it_is_committed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(refused_items_keep_their_positions, setup, teardown),
        cmocka_unit_test_setup_teardown(a_turn_assigns_each_batch_as_one_excerpt, setup, teardown),
        cmocka_unit_test_setup_teardown(who_enlists_again_is_shown_all_again, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_later_entry_of_the_turn_takes_back_is_not_assigned,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(outcomes_of_a_turn_are_one_notify, setup, teardown),
        cmocka_unit_test_setup_teardown(who_says_hello_again_is_shown_all_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_root_goes_with_the_first_task_of_its_tree, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_outcome_comes_before_the_resume_it_causes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(waiting_tells_apart_what_is_unknown_settled_and_open, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_task_is_read_by_those_who_may, setup, teardown),
        cmocka_unit_test_setup_teardown(verdicts_of_a_turn_share_one_seal, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_wait_for_room_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_that_takes_nothing_is_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_lost_is_sent_again_after_two_heartbeats, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_not_its_own_is_stopped_after_two_heartbeats, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_stale_report_is_done_and_stopped, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
