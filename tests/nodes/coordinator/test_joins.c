/* SPDX-License-Identifier: MPL-2.0
 * Joins as clients and workers meet them: appends answered each at its place, pages when there is
 * something to say and not before. */
#include "tests/nodes/coordinator/joining.h"

static const struct join_terms gather = {.kind = JOIN_GATHER};
static const struct join_terms race = {.kind = JOIN_RACE};
static const struct join_terms narrow_map = {
    .kind = JOIN_MAP, .function = {(const uint8_t *)"echo", 4}, .limit = 1};

/* The excerpts of a page verify; returns how many items they hold. */
static unsigned verify_outcomes(const struct harness *h, struct wire_list outcomes,
                                enum seal_kind kind, const struct key *signer)
{
    struct bytes element;
    struct sealed sealed;
    unsigned count = 0;

    while (wire_next(&outcomes, &element)) {
        assert_int_equal(wire_sealed_decode(element, &sealed), GROVE_OK);
        assert_int_equal(seal_open(&sealed, &h->party.mesh.public_key, NULL), GROVE_OK);
        if (sealed.seal.kind == kind) {
            assert_true(key_equal(&sealed.seal.signer, signer));
            count += sealed.item_count;
        }
    }
    return count;
}

/* ---- appends */

static void appends_are_answered_each_at_its_position(void **state)
{
    static const struct append appends[] = {{.offset = 0, .first = 0, .count = 2},
                                            {.offset = 7, .first = 2, .count = 1},
                                            {.offset = 2, .close = true}};
    static const uint8_t answers[] = {REFUSED_NOT, REFUSED_JOIN, REFUSED_NOT};
    struct harness *h = *state;
    struct accepted accepted;
    struct item_refused refused;
    struct joining joining;
    struct bytes element;

    greet(h, 1, &h->party.client);
    joining = open_outside(h, 1, gather);
    put_appends(h, &joining, 0, appends, 3);
    accepted = expand(h, &joining);
    assert_true(bytes_equal(accepted.appends, bytes_of(answers, sizeof(answers))));
    assert_int_equal(accepted.ids.size, 3 * sizeof(struct id));
    assert_true(wire_next(&accepted.refused, &element));
    assert_int_equal(wire_item_refused_decode(element, &refused), GROVE_OK);
    assert_int_equal(refused.position, 2);
    assert_int_equal(refused.code, REFUSED_JOIN);
}

static void a_worker_appends_for_an_attempt_that_it_holds(void **state)
{
    struct harness *h = *state;
    struct joining joining;
    struct id root, ids[3];

    greet(h, 1, &h->party.client);
    enlist(h, 2, 4);
    submit(h, 1, 0, 1, &root);
    joining = open_inside(h, 2, &root, gather);
    append(h, &joining, 0, 3, ids);
    ask_page(h, 2, joining.from, &(struct page){.join = joining.id});
    assert_int_equal(expect_paged(2, JOIN_OPEN, 0).accepted, 3);
}

static void expand_from_outside_is_for_a_join_alone(void **state)
{
    static const struct append none[1];
    struct harness *h = *state;
    struct joining joining;
    struct wire_writer writer;
    struct waits waits = {.attempt = 1};

    greet(h, 1, &h->party.client);
    joining = open_outside(h, 1, gather);
    joining.is_outside = false; /* with terms, as from an attempt */
    put_appends(h, &joining, 0, none, 1);
    receive(h, 1, &h->party.client);
    work(h, 1);
    expect_refused(1, REFUSED_NO_WORKER_SESSION);

    wire_open(&writer, &h->frame, MESSAGE_EXPAND, 8);
    waits.task = joining.id;
    wire_put_waits(&writer, EXPAND_WAITS, &waits);
    wire_close(&writer);
    receive(h, 1, &h->party.client);
    work(h, 1);
    expect_refused(1, REFUSED_NO_WORKER_SESSION);
    assert_false(commit(h));
}

/* Adopted children cost next to nothing to send, and a look-up each to take. */
static void the_inputs_of_one_message_are_bounded(void **state)
{
    static const struct id nobody[250];
    struct append four[4] = {{.adopted = bytes_of(nobody, sizeof(nobody))}};
    struct harness *h = *state;
    struct joining joining;

    greet(h, 1, &h->party.client);
    joining = open_outside(h, 1, gather);
    four[1] = four[2] = four[3] = four[0];
    put_appends(h, &joining, 0, four, 4);
    assert_int_equal(expand(h, &joining).appends.size, 4);
    four[0].count = 1;
    put_appends(h, &joining, 0, four, 4);
    receive(h, 1, &h->party.client);
    work(h, 1);
    expect_refused(1, REFUSED_TOO_LARGE);
    assert_false(commit(h));
}

static void terms_that_make_no_sense_are_malformed(void **state)
{
    static const struct append none[1];
    struct harness *h = *state;
    struct joining joining = {.route = 2, .from = &h->party.worker, .parent = {{1}}};

    enlist(h, 2, 4);
    joining.terms = (struct join_terms){.kind = JOIN_MAP, .limit = 3}; /* of what function? */
    put_appends(h, &joining, 0, none, 1);
    receive(h, 2, &h->party.worker);
    work(h, 1);
    expect_refused(2, REFUSED_MALFORMED);
    assert_false(commit(h));
}

/* ---- pages */

static void a_page_waits_for_the_input_at_its_offset(void **state)
{
    const struct key *signer;
    struct harness *h = *state;
    struct joining joining;
    struct paged paged;
    uint64_t session;
    struct id ids[3];

    signer = &h->party.worker.signer->public_key;
    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 4);
    joining = open_outside(h, 1, gather);
    append(h, &joining, 0, 3, ids);
    ask_page(h, 1, joining.from, &(struct page){.join = joining.id, .most = 10});
    expect_nothing_sent(1);

    report(h, 2, session, ids + 1, 1);
    egress_flush(&h->egress);
    expect_nothing_sent(1);
    assert_int_equal(h->watchers.count, 1);

    report(h, 2, session, ids, 1);
    egress_flush(&h->egress);
    paged = expect_paged(1, JOIN_OPEN, 2);
    assert_true(bytes_equal(paged.ids, bytes_of(ids, 2 * sizeof(struct id))));
    assert_int_equal(verify_outcomes(h, paged.outcomes, SEAL_RESULT, signer), 2);
    assert_int_equal(paged.certificates.count, 1);
    assert_int_equal(paged.succeeded, 2);
    assert_int_equal(h->watchers.count, 0);

    ask_page(h, 1, joining.from, &(struct page){.join = joining.id, .offset = 1, .most = 10});
    paged = expect_paged(1, JOIN_OPEN, 1);
    assert_int_equal(paged.offset, 1);
    assert_int_equal(paged.certificates.count, 0); /* this session has seen it */
}

static void news_of_a_turn_is_told_once(void **state)
{
    struct harness *h = *state;
    struct joining joining;
    uint64_t session;
    struct id ids[4];

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 4);
    joining = open_outside(h, 1, gather);
    append(h, &joining, 0, 4, ids);
    ask_page(h, 1, joining.from, &(struct page){.join = joining.id, .most = 10});
    for (int i = 0; i < 4; i++) {
        report(h, 2, session, ids + i, 1);
    }
    egress_flush(&h->egress);
    expect_paged(1, JOIN_OPEN, 4);
    expect_nothing_sent(1);
    assert_int_equal(h->egress.counters.paged, 1);
}

static void a_page_waits_for_room(void **state)
{
    struct harness *h = *state;
    struct joining joining;
    struct id ids[LIMIT_JOIN_CREDIT];
    uint64_t session;

    greet(h, 1, &h->party.client);
    joining = open_outside(h, 1, narrow_map);
    append(h, &joining, 0, LIMIT_JOIN_CREDIT, ids);
    ask_page(h, 1, joining.from, &(struct page){.join = joining.id, .room = 2});
    session = enlist(h, 2, 4); /* the first input starts */
    egress_flush(&h->egress);
    expect_nothing_sent(1);
    skip_sent(MESSAGE_ASSIGN);
    report(h, 2, session, ids, 1); /* and the second, in its place */
    egress_flush(&h->egress);
    assert_int_equal(expect_paged(1, JOIN_OPEN, 0).room, 2);
}

static void a_page_that_asks_for_nothing_is_answered_at_once(void **state)
{
    struct harness *h = *state;
    struct joining joining;
    struct paged paged;
    struct id ids[2];

    greet(h, 1, &h->party.client);
    joining = open_outside(h, 1, narrow_map);
    append(h, &joining, 0, 2, ids);
    ask_page(h, 1, joining.from, &(struct page){.join = joining.id});
    paged = expect_paged(1, JOIN_OPEN, 0);
    assert_int_equal(paged.accepted, 2);
    assert_int_equal(paged.room, LIMIT_JOIN_CREDIT - 2);
    assert_false(paged.closed);
    assert_int_equal(paged.outcomes.count, 0);
}

static void a_join_that_is_over_answers_every_page(void **state)
{
    struct harness *h = *state;
    struct joining joining;
    struct paged paged;
    uint64_t session;
    struct id ids[2];

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 4);
    joining = open_outside(h, 1, gather);
    append(h, &joining, 0, 2, ids);
    close_join(h, &joining, 2);
    ask_page(h, 1, joining.from, &(struct page){.join = joining.id, .offset = 2, .most = 1});
    expect_nothing_sent(1);
    report(h, 2, session, ids, 2);
    egress_flush(&h->egress);
    expect_sent(1, MESSAGE_NOTIFY); /* the root's verdict, which Submit waited for */
    paged = expect_paged(1, JOIN_COMPLETE, 0);
    assert_true(paged.closed);
    ask_page(h, 1, joining.from, &(struct page){.join = joining.id, .most = 1});
    expect_paged(1, JOIN_COMPLETE, 1);
}

/* What no worker ended is a verdict, sealed by the coordinator; the winners are named in order. */
static void the_losers_of_a_race_have_verdicts(void **state)
{
    static const uint8_t winner[] = {1, 0, 0, 0};
    struct harness *h = *state;
    const struct key *coordinator = &h->party.coordinator.signer->public_key;
    struct joining joining;
    struct paged paged;
    uint64_t session;
    struct id ids[3];

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 4);
    joining = open_outside(h, 1, race);
    append(h, &joining, 0, 3, ids);
    report(h, 2, session, ids + 1, 1);
    egress_flush(&h->egress);
    expect_sent(1, MESSAGE_NOTIFY);
    ask_page(h, 1, joining.from, &(struct page){.join = joining.id, .most = 10});
    paged = expect_paged(1, JOIN_WON, 3);
    assert_int_equal(verify_outcomes(h, paged.outcomes, SEAL_VERDICT, coordinator), 2);
    assert_true(bytes_equal(paged.winners, bytes_of(winner, sizeof(winner))));
    assert_int_equal(paged.failed, 2);
}

/* As many as `most` says, and a page goes on where the one before ended. */
static void outcomes_come_page_by_page_in_order(void **state)
{
    struct harness *h = *state;
    struct joining joining;
    struct paged paged;
    uint64_t session;
    struct id ids[200];

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 200);
    joining = open_outside(h, 1, gather);
    append(h, &joining, 0, 200, ids);
    report(h, 2, session, ids, 200);
    egress_flush(&h->egress);
    for (uint32_t at = 0; at < 200; at += 40) {
        ask_page(h, 1, joining.from, &(struct page){.join = joining.id, .offset = at, .most = 40});
        paged = expect_paged(1, JOIN_OPEN, 40);
        assert_true(bytes_equal(paged.ids, bytes_of(ids + at, 40 * sizeof(struct id))));
        assert_int_equal(paged.offset, at);
    }
}

/* A page holds so many bytes, but at least one outcome. */
static void a_page_is_bounded_in_bytes(void **state)
{
    static uint8_t large[LIMIT_BATCH_SIZE / 4];
    static uint8_t largest[LIMIT_PAYLOAD_SIZE];
    struct harness *h = *state;
    struct joining joining;
    struct page page = {.most = 10};
    uint64_t session;
    struct id ids[6];

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 8);
    joining = open_outside(h, 1, gather);
    append(h, &joining, 0, 6, ids);
    h->result = bytes_of(large, sizeof(large));
    for (int i = 0; i < 5; i++) {
        report(h, 2, session, ids + i, 1);
    }
    h->result = bytes_of(largest, sizeof(largest));
    report(h, 2, session, ids + 5, 1);
    page.join = joining.id;
    ask_page(h, 1, joining.from, &page);
    expect_paged(1, JOIN_OPEN, 3); /* of a quarter and a little more each */
    page.offset = 3;
    ask_page(h, 1, joining.from, &page);
    expect_paged(1, JOIN_OPEN, 2);
    page.offset = 5;
    ask_page(h, 1, joining.from, &page);
    expect_paged(1, JOIN_OPEN, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(appends_are_answered_each_at_its_position),
        TEST(a_worker_appends_for_an_attempt_that_it_holds),
        TEST(expand_from_outside_is_for_a_join_alone),
        TEST(the_inputs_of_one_message_are_bounded),
        TEST(terms_that_make_no_sense_are_malformed),
        TEST(a_page_waits_for_the_input_at_its_offset),
        TEST(news_of_a_turn_is_told_once),
        TEST(a_page_waits_for_room),
        TEST(a_page_that_asks_for_nothing_is_answered_at_once),
        TEST(a_join_that_is_over_answers_every_page),
        TEST(the_losers_of_a_race_have_verdicts),
        TEST(outcomes_come_page_by_page_in_order),
        TEST(a_page_is_bounded_in_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
