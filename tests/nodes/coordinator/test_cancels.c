/* SPDX-License-Identifier: MPL-2.0
 * Cancelling, and what the leader does by itself: sweeps until nothing is left, and the end of
 * joins that nobody feeds any more. */
#include "tests/nodes/coordinator/joining.h"

static const struct join_terms gather = {.kind = JOIN_GATHER};

static void send_cancel(struct harness *h, uint8_t route, const struct credential *from,
                        const struct cancel *cancel)
{
    wire_cancel_encode(&h->frame, 55, cancel);
    receive(h, route, from);
    work(h, 1);
    assert_true(commit(h));
    egress_flush(&h->egress);
}

static struct cancelled expect_cancelled(uint8_t route)
{
    const struct message message = expect_sent(route, MESSAGE_CANCELLED);
    struct cancelled counts;

    assert_int_equal(message.correlation, 55);
    assert_int_equal(wire_cancelled_decode(message.body, &counts), GROVE_OK);
    return counts;
}

/* A root whose attempt is held, with a join of 250 times `appends` inputs. */
static struct joining grow(struct harness *h, unsigned appends)
{
    struct joining joining;
    struct id root, ids[250];

    greet(h, 1, &h->party.client);
    enlist(h, 2, 4);
    submit(h, 1, 0, 1, &root);
    joining = open_inside(h, 2, &root, gather);
    for (unsigned i = 0; i < appends; i++) {
        append(h, &joining, i * 250, 250, ids);
    }
    return joining;
}

/* ---- Cancel */

static void a_cancel_is_answered_after_its_last_sweep(void **state)
{
    struct harness *h = *state;
    struct cancelled counts, again;
    struct cancel cancel = {.attempt = 0};

    cancel.task = grow(h, 6).root;
    send_cancel(h, 1, &h->party.client, &cancel);
    expect_sent(1, MESSAGE_NOTIFY); /* it is final at once */
    expect_nothing_sent(1);
    assert_int_equal(h->watchers.count, 1);

    chores_propose(&h->chores);
    assert_true(commit(h));
    egress_flush(&h->egress);
    counts = expect_cancelled(1);
    assert_int_equal(counts.never_started + counts.stopped + counts.already_done, 1501);
    assert_int_equal(counts.stopped, 4); /* the root, and three in the other slots */
    assert_int_equal(h->watchers.count, 0);

    send_cancel(h, 1, &h->party.client, &cancel);
    again = expect_cancelled(1);
    assert_memory_equal(&again, &counts, sizeof(counts));
}

static void a_small_tree_is_cancelled_in_one_entry(void **state)
{
    struct harness *h = *state;
    struct cancel cancel = {.attempt = 0};
    struct id id;

    greet(h, 1, &h->party.client);
    submit(h, 1, 0, 1, &id);
    cancel.task = id;
    send_cancel(h, 1, &h->party.client, &cancel);
    expect_sent(1, MESSAGE_NOTIFY);
    assert_int_equal(expect_cancelled(1).never_started, 1);
    expect_nothing_sent(1);
}

static void a_tree_is_cancelled_by_those_who_may(void **state)
{
    struct harness *h = *state;
    struct cancel cancel = {.has_by = true, .attempt = 1};
    struct credential other;
    struct joining joining;
    struct paged paged;

    party_credential(&h->party, "other", ROLE_CLIENT, &other);
    trust(h, &other.certificate_bytes);
    joining = grow(h, 1);
    ask_page(h, 1, &h->party.client, &(struct page){.join = joining.id});
    paged = expect_paged(1, JOIN_OPEN, 0);
    assert_int_equal(paged.accepted, 250);
    cancel.by = joining.root;
    cancel.task = joining.root;
    greet(h, 4, &other);
    send_cancel(h, 4, &other, &cancel);
    expect_refused(4, REFUSED_NOT_FOUND);
    assert_int_equal(forest_counters(h->machine.forest)->cancelled, 0);

    greet(h, 3, &h->party.operator);
    cancel.has_by = false;
    send_cancel(h, 3, &h->party.operator, & cancel);
    assert_int_equal(expect_cancelled(3).stopped, 4);
    credential_clear(&other);
}

static void a_worker_cancels_below_an_attempt_that_it_holds(void **state)
{
    struct harness *h = *state;
    struct cancel cancel = {.has_by = true, .attempt = 2};
    struct joining joining;
    struct id root, ids[3];

    greet(h, 1, &h->party.client);
    enlist(h, 2, 1);
    submit(h, 1, 0, 1, &root);
    joining = open_inside(h, 2, &root, gather);
    append(h, &joining, 0, 3, ids);
    cancel.by = root;
    cancel.task = ids[2];
    send_cancel(h, 2, &h->party.worker, &cancel); /* not the attempt in force */
    expect_refused(2, REFUSED_NOT_FOUND);
    cancel.attempt = 1;
    send_cancel(h, 2, &h->party.worker, &cancel);
    assert_int_equal(expect_cancelled(2).never_started, 1);
    assert_int_equal(forest_counters(h->machine.forest)->cancelled, 1);
}

static void who_has_gone_is_not_answered(void **state)
{
    struct harness *h = *state;
    struct cancel cancel = {.attempt = 0};

    cancel.task = grow(h, 6).root;
    send_cancel(h, 1, &h->party.client, &cancel);
    wire_empty_encode(&h->frame, 9, MESSAGE_GOODBYE);
    receive(h, 1, &h->party.client);
    assert_int_equal(h->watchers.count, 0);
    forget_sent();
    chores_propose(&h->chores);
    assert_true(commit(h));
    egress_flush(&h->egress);
    expect_nothing_sent(1);
}

/* ---- the leader's own commands */

static void sweeps_are_proposed_one_by_one_until_nothing_is_left(void **state)
{
    struct harness *h = *state;
    struct cancel cancel = {.attempt = 0};
    unsigned sweeps = 0;

    cancel.task = grow(h, 14).root;
    chores_propose(&h->chores);
    assert_int_equal(h->proposals.own_count, 0);
    send_cancel(h, 1, &h->party.client, &cancel);
    for (;; sweeps++) {
        chores_propose(&h->chores);
        chores_propose(&h->chores);
        if (h->proposals.own_count == 0) {
            break;
        }
        assert_int_equal(h->proposals.own_count, 1);
        assert_true(commit(h));
    }
    assert_int_equal(sweeps, 3); /* of 1,000 tasks, after as many in the Cancel */
    assert_int_equal(forest_counters(h->machine.forest)->cancelled, 14 * 250 + 1);
}

/* Looks at every join once, as ticks do one by one. */
static void look_around(struct harness *h)
{
    do {
        chores_tick(&h->chores);
    } while (!id_is_zero(&h->chores.outside) && h->proposals.own_count == 0);
}

static enum task_state state_of(const struct harness *h, const struct id *id)
{
    struct task_view view;

    assert_true(forest_task(h->machine.forest, id, &view));
    return view.state;
}

static void end_client(struct harness *h, uint8_t route)
{
    wire_empty_encode(&h->frame, 9, MESSAGE_GOODBYE);
    receive(h, route, &h->party.client);
}

static void a_join_is_abandoned_when_its_signer_has_been_gone_long(void **state)
{
    struct harness *h = *state;
    struct joining joining;
    struct task_view view;

    greet(h, 1, &h->party.client);
    joining = open_outside(h, 1, gather);
    pass(h, UINT64_C(10) * COORDINATOR_ABANDON_MS);
    look_around(h); /* as long as it has a session it may take its time */
    assert_int_equal(h->proposals.own_count, 0);

    end_client(h, 1);
    pass(h, COORDINATOR_ABANDON_MS - 1);
    look_around(h);
    assert_int_equal(h->proposals.own_count, 0);
    pass(h, 1);
    look_around(h);
    assert_true(commit(h));
    assert_true(forest_task(h->machine.forest, &joining.root, &view));
    assert_int_equal(view.code, CODE_ABANDONED);
    look_around(h);
    assert_int_equal(h->proposals.own_count, 0);
}

static void a_signer_that_comes_back_in_time_keeps_its_join(void **state)
{
    struct harness *h = *state;
    struct joining joining;

    greet(h, 1, &h->party.client);
    joining = open_outside(h, 1, gather);
    greet(h, 2, &h->party.client);
    end_client(h, 1);
    pass(h, COORDINATOR_ABANDON_MS);
    look_around(h); /* another of its sessions is there */
    end_client(h, 2);
    pass(h, COORDINATOR_ABANDON_MS - 1);
    greet(h, 3, &h->party.client);
    end_client(h, 3);
    pass(h, COORDINATOR_ABANDON_MS - 1);
    look_around(h);
    assert_int_equal(h->proposals.own_count, 0);
    assert_int_equal(state_of(h, &joining.root), TASK_WAITING);
}

/* It has seen nobody leave, so everybody has the whole time from its beginning on. */
static void a_new_leader_gives_signers_the_whole_time(void **state)
{
    struct harness *h = *state;

    greet(h, 1, &h->party.client);
    open_outside(h, 1, gather);
    end_client(h, 1);
    pass(h, COORDINATOR_ABANDON_MS - 1);
    presence_begin(&h->sessions.presence, h->egress.now_ms);
    assert_int_equal(presence_absent_ms(&h->sessions.presence, &h->party.client.signer->public_key,
                                        h->egress.now_ms),
                     0);
    pass(h, COORDINATOR_ABANDON_MS - 1);
    look_around(h);
    assert_int_equal(h->proposals.own_count, 0);
    pass(h, 1);
    look_around(h);
    assert_int_equal(h->proposals.own_count, 1);
}

static void every_tick_looks_at_another_join(void **state)
{
    struct harness *h = *state;
    struct joining joinings[3];

    for (uint8_t i = 0; i < 3; i++) {
        greet(h, (uint8_t)(1 + i), &h->party.client);
        joinings[i] = open_outside(h, (uint8_t)(1 + i), gather);
    }
    for (int i = 0; i < 3; i++) {
        chores_tick(&h->chores);
        assert_true(id_equal(&h->chores.outside, &joinings[i].id));
    }
    chores_tick(&h->chores);
    assert_true(id_is_zero(&h->chores.outside));
}

static void who_left_long_ago_is_forgotten(void **state)
{
    struct harness *h = *state;
    struct presence *presence = &h->sessions.presence;
    const struct key *client = &h->party.client.signer->public_key;

    greet(h, 1, &h->party.client);
    assert_int_equal(presence_absent_ms(presence, client, h->egress.now_ms), 0);
    end_client(h, 1);
    pass(h, 1000);
    assert_int_equal(presence_absent_ms(presence, client, h->egress.now_ms), 1000);
    pass(h, COORDINATOR_ABANDON_MS);
    chores_tick(&h->chores);
    assert_true(TAILQ_EMPTY(&presence->absent));
    assert_true(presence_absent_ms(presence, client, h->egress.now_ms) >= COORDINATOR_ABANDON_MS);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cancel_is_answered_after_its_last_sweep),
        TEST(a_small_tree_is_cancelled_in_one_entry),
        TEST(a_tree_is_cancelled_by_those_who_may),
        TEST(a_worker_cancels_below_an_attempt_that_it_holds),
        TEST(who_has_gone_is_not_answered),
        TEST(sweeps_are_proposed_one_by_one_until_nothing_is_left),
        TEST(a_join_is_abandoned_when_its_signer_has_been_gone_long),
        TEST(a_signer_that_comes_back_in_time_keeps_its_join),
        TEST(a_new_leader_gives_signers_the_whole_time),
        TEST(every_tick_looks_at_another_join),
        TEST(who_left_long_ago_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
