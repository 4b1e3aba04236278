/* SPDX-License-Identifier: MPL-2.0
 * Who may read a join, and how many questions are kept for whom. */
#include "tests/nodes/coordinator/joining.h"

static const struct join_terms gather = {.kind = JOIN_GATHER};

static void a_join_is_read_by_those_who_may(void **state)
{
    struct harness *h = *state;
    struct credential other;
    struct joining joining;
    struct page page = {.most = 1};
    struct id root, id;

    party_credential(&h->party, "other", ROLE_CLIENT | ROLE_WORKER, &other);
    trust(h, &other.certificate_bytes);
    greet(h, 1, &h->party.client);
    enlist(h, 2, 4);
    submit(h, 1, 0, 1, &root);
    joining = open_inside(h, 2, &root, gather);
    append(h, &joining, 0, 1, &id);
    page.join = joining.id;

    greet(h, 4, &other);
    ask_page(h, 4, &other, &page);
    prove(h);
    expect_refused(4, REFUSED_NOT_FOUND);
    assert_int_equal(h->egress.counters.refused[REFUSED_NOT_FOUND], 1);
    greet(h, 3, &h->party.operator);
    page.most = 0;
    ask_page(h, 1, &h->party.client, &page);
    ask_page(h, 3, &h->party.operator, & page);
    ask_page(h, 2, &h->party.worker, &page);
    expect_paged(1, JOIN_OPEN, 0);
    expect_paged(3, JOIN_OPEN, 0);
    expect_paged(2, JOIN_OPEN, 0);
    page.join = (struct id){{9}};
    ask_page(h, 3, &h->party.operator, & page);
    prove(h);
    expect_refused(3, REFUSED_NOT_FOUND);
    credential_clear(&other);
}

/* A worker that has lost the parent's attempt reads no more, though it asked in time. */
static void a_right_is_judged_again_when_there_is_an_answer(void **state)
{
    struct harness *h = *state;
    struct joining joining;
    uint64_t session;
    struct id root, id;

    greet(h, 1, &h->party.client);
    session = enlist(h, 2, 4);
    submit(h, 1, 0, 1, &root);
    joining = open_inside(h, 2, &root, gather);
    append(h, &joining, 0, 1, &id);
    ask_page(h, 2, joining.from, &(struct page){.join = joining.id, .most = 1});
    expect_nothing_sent(2);
    report(h, 2, session, &root, 1); /* the parent ends, and its join with it */
    egress_flush(&h->egress);
    expect_sent(2, MESSAGE_STOP);
    expect_refused(2, REFUSED_NOT_FOUND);
}

static void questions_of_one_join_are_bounded(void **state)
{
    struct harness *h = *state;
    struct joining joining;
    struct page page = {.most = 1};
    struct id id;

    greet(h, 1, &h->party.client);
    joining = open_outside(h, 1, gather);
    append(h, &joining, 0, 1, &id);
    page.join = joining.id;
    for (unsigned i = 0; i < WATCHERS_OF_ONE; i++) {
        ask_page(h, 1, joining.from, &page);
    }
    expect_nothing_sent(1);
    ask_page(h, 1, joining.from, &page);
    assert_true(expect_refused(1, REFUSED_BUSY).retryable);
    assert_int_equal(h->watchers.count, WATCHERS_OF_ONE);
}

static void questions_of_one_session_are_bounded(void **state)
{
    struct harness *h = *state;
    struct watcher question = {.type = MESSAGE_CANCEL};
    struct session *session;

    greet(h, 1, &h->party.client);
    session = sessions_oldest(&h->sessions);
    question.session = session;
    for (uint32_t i = 0; i < WATCHERS_SESSION; i++) {
        memcpy(question.page.join.byte, &i, sizeof(i));
        assert_true(watchers_add(&h->watchers, &question));
    }
    question.page.join = (struct id){{0xff, 0xff, 0xff, 0xff}};
    assert_false(watchers_add(&h->watchers, &question));
    egress_end(&h->egress, session);
    assert_int_equal(h->watchers.count, 0);
    assert_null(watchers_next(&h->watchers));
}

/* Pages for a reader that takes nothing wait as questions; what they show is what is there when it
 * takes them. */
static void a_slow_reader_has_its_pages_when_there_is_room(void **state)
{
    static uint8_t large[400 * LIMIT_KIB];
    struct harness *h = *state;
    struct joining joining;
    struct page page = {.most = 10};
    struct session *session;
    uint64_t worker;
    struct id ids[3];

    greet(h, 1, &h->party.client);
    session = sessions_oldest(&h->sessions);
    worker = enlist(h, 2, 4);
    joining = open_outside(h, 1, gather);
    append(h, &joining, 0, 3, ids);
    h->result = bytes_of(large, sizeof(large));
    report(h, 2, worker, ids, 1);
    egress_flush(&h->egress);

    page.join = joining.id;
    outside.is_full = true;
    for (int i = 0; i < 6; i++) {
        wire_page_encode(&h->frame, 77, &page);
        receive(h, 1, joining.from);
    }
    egress_flush(&h->egress);
    assert_false(session_has_room(session));
    assert_int_equal(h->watchers.count, 3); /* three of these fill what is kept for a session */

    outside.is_full = false;
    h->result = bytes_of_text("small");
    report(h, 2, worker, ids + 1, 2);
    egress_flush(&h->egress);
    for (int i = 0; i < 6; i++) {
        expect_paged(1, JOIN_OPEN, i < 3 ? 1 : 3);
    }
    assert_int_equal(h->watchers.count, 0);
    assert_false(session->is_due);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_join_is_read_by_those_who_may),
        TEST(a_right_is_judged_again_when_there_is_an_answer),
        TEST(questions_of_one_join_are_bounded),
        TEST(questions_of_one_session_are_bounded),
        TEST(a_slow_reader_has_its_pages_when_there_is_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
