/* SPDX-License-Identifier: MPL-2.0
 * Sessions, the seats of workers, who waits, and what each was shown. */
#include "tests/nodes/coordinator/harness.h"

#include "core/revocation.h"
#include "nodes/coordinator/shown.h"
#include "nodes/coordinator/stamp.h"

/* ---- silence */

static void a_silent_client_is_forgotten(void **state)
{
    struct harness *h = *state;
    struct id id;

    greet(h, 1, &h->party.client);
    submit(h, 1, 0, 1, &id);
    assert_int_equal(h->waiters.count, 1);
    stay(h, LIMIT_SESSION_MS - 1);
    assert_int_equal(h->sessions.count, 1);
    stay(h, 1);
    assert_int_equal(h->sessions.count, 0);
    assert_int_equal(h->waiters.count, 0);
    put_heartbeat(h, NULL, 0);
    receive(h, 1, &h->party.client);
    expect_refused(1, REFUSED_NO_SESSION);
}

static void a_silent_worker_is_retired_once(void **state)
{
    struct harness *h = *state;

    enlist(h, 2, 1);
    stay(h, LIMIT_SESSION_MS);
    ingress_tick(&h->ingress);
    assert_int_equal(h->proposals.own_count, 1);
    assert_true(commit(h));
    assert_int_equal(forest_counters(h->machine.forest)->sessions, 0);
    assert_null(TAILQ_FIRST(&h->seats.oldest_first));
}

static void a_worker_that_is_heard_keeps_its_seat(void **state)
{
    struct harness *h = *state;

    enlist(h, 2, 1);
    for (int i = 0; i < 5; i++) {
        stay(h, LIMIT_HEARTBEAT_MS);
        put_heartbeat(h, NULL, 0);
        receive(h, 2, &h->party.worker);
        expect_sent(2, MESSAGE_HEARTBEAT);
        ingress_tick(&h->ingress);
    }
    assert_int_equal(h->proposals.own_count, 0);
}

/* It heard nobody, though all spoke. */
static void a_coordinator_that_slept_judges_nobody_yet(void **state)
{
    struct harness *h = *state;

    enlist(h, 2, 1);
    pass(h, LIMIT_SESSION_MS);
    ingress_tick(&h->ingress);
    stay(h, LIMIT_SESSION_MS - 1);
    assert_int_equal(h->sessions.count, 1);
    assert_int_equal(h->proposals.own_count, 0);
    stay(h, 1);
    assert_int_equal(h->sessions.count, 0);
    assert_int_equal(h->proposals.own_count, 1);
}

static void a_new_leader_gives_workers_a_whole_session_time(void **state)
{
    struct harness *h = *state;
    const uint64_t index = enlist(h, 2, 1);

    /* As after a restart: the ledger knows the worker, and nobody is connected.
     */
    egress_end(&h->egress, sessions_oldest(&h->sessions));
    seats_remove(&h->seats, seats_find(&h->seats, index));
    seats_take(&h->seats, index, h->egress.now_ms);
    stay(h, LIMIT_SESSION_MS - 1);
    assert_int_equal(h->proposals.own_count, 0);
    stay(h, 1);
    assert_int_equal(h->proposals.own_count, 1);
}

static void a_goodbye_retires_a_worker_through_the_ledger(void **state)
{
    struct harness *h = *state;

    enlist(h, 2, 1);
    wire_empty_encode(&h->frame, 4, MESSAGE_GOODBYE);
    receive(h, 2, &h->party.worker);
    assert_int_equal(h->sessions.count, 1);
    work(h, 1);
    assert_true(commit(h));
    expect_sent(2, MESSAGE_DONE);
    assert_int_equal(h->sessions.count, 0);
    assert_int_equal(forest_counters(h->machine.forest)->sessions, 0);
}

/* The same process on a new connection: it keeps its index, and speaks through
 * the new route. */
static void a_worker_comes_back_by_its_boot_id(void **state)
{
    struct harness *h = *state;
    struct wire_writer writer;
    struct welcome welcome;
    const uint64_t index = enlist(h, 2, 1);

    put_hello(h, 2);
    receive(h, 7, &h->party.worker);
    expect_sent(7, MESSAGE_WELCOME);
    wire_open(&writer, &h->frame, MESSAGE_ENLIST, 2);
    wire_put_bytes(&writer, ENLIST_INSTANCE, bytes_of_text("host-1"));
    wire_put_bytes(&writer, ENLIST_FUNCTIONS, bytes_of_text("echo"));
    wire_put_uint(&writer, ENLIST_SLOTS, 1);
    wire_close(&writer);
    receive(h, 7, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    assert_int_equal(wire_welcome_decode(expect_sent(7, MESSAGE_WELCOME).body, &welcome), GROVE_OK);
    assert_int_equal(welcome.session, index);

    wire_empty_encode(&h->frame, 1, MESSAGE_REPORT);
    receive(h, 2, &h->party.worker);
    expect_refused(2, REFUSED_NO_WORKER_SESSION);
}

static void a_second_boot_of_an_instance_is_refused(void **state)
{
    struct harness *h = *state;
    struct wire_writer writer;

    enlist(h, 2, 1);
    greet(h, 7, &h->party.worker);
    wire_open(&writer, &h->frame, MESSAGE_ENLIST, 2);
    wire_put_bytes(&writer, ENLIST_INSTANCE, bytes_of_text("host-1"));
    wire_put_bytes(&writer, ENLIST_FUNCTIONS, bytes_of_text("echo"));
    wire_put_uint(&writer, ENLIST_SLOTS, 1);
    wire_close(&writer);
    receive(h, 7, &h->party.worker);
    work(h, 1);
    assert_true(commit(h));
    expect_refused(7, REFUSED_DUPLICATE_INSTANCE);
}

static void a_revoked_identity_loses_its_sessions(void **state)
{
    struct harness *h = *state;
    struct revocation revocation = {.mesh = h->party.mesh.public_key,
                                    .of_identity = true,
                                    .sign_key = h->party.client.signer->public_key,
                                    .reason = "lost",
                                    .at_ms = h->egress.stamp_ms};
    struct buffer signed_form = {.size = 0};
    struct id id;

    greet(h, 1, &h->party.client);
    greet(h, 2, &h->party.worker);
    submit(h, 1, 0, 1, &id);
    revocation_issue(&signed_form, &revocation, &h->party.mesh);
    trust(h, &signed_form);
    assert_true(h->egress.trust_changed);
    egress_judge_sessions(&h->egress);
    expect_refused(1, REFUSED_REVOKED);
    assert_int_equal(h->sessions.count, 1);
    assert_int_equal(h->waiters.count, 0);
    put_hello(h, 1);
    receive(h, 1, &h->party.client);
    expect_refused(1, REFUSED_REVOKED);
    buffer_clear(&signed_form);
}

/* ---- progress */

static void progress_is_of_those_who_hold_the_attempt(void **state)
{
    struct harness *h = *state;
    struct wire_writer writer;
    struct progress_item item = {.attempt = 1, .percent = 40, .text = bytes_of_text("half way")};
    struct id id;

    greet(h, 1, &h->party.client);
    enlist(h, 2, 1);
    submit(h, 1, 0, 1, &id);
    item.task = id;
    wire_open(&writer, &h->frame, MESSAGE_PROGRESS, 0);
    wire_put_progress(&writer, PROGRESS_PROGRESS, &item);
    item.attempt = 2;
    wire_put_progress(&writer, PROGRESS_PROGRESS, &item);
    item.task = (struct id){{3}};
    wire_put_progress(&writer, PROGRESS_PROGRESS, &item);
    wire_close(&writer);
    receive(h, 2, &h->party.worker);
    assert_int_equal(h->progress.count, 1);
    assert_int_equal(progress_find(&h->progress, &id, 1)->percent, 40);
    assert_null(progress_find(&h->progress, &id, 2));
}

/* ---- the small tables */

static void waiting_twice_is_waiting_once(void **state)
{
    struct harness *h = *state;
    const struct route one = route_of(1), two = route_of(2);
    const struct key key = {{1}};
    struct session *a = sessions_open(&h->sessions, &one, &key, 0);
    struct session *b = sessions_open(&h->sessions, &two, &key, 0);
    const struct id task = {{7}};
    struct waiter *waiter;
    unsigned count = 0;

    waiters_add(&h->waiters, a, &task);
    waiters_add(&h->waiters, b, &task);
    waiters_add(&h->waiters, a, &task);
    assert_int_equal(h->waiters.count, 2);
    waiters_drop(&h->waiters, a);
    for (waiter = waiters_take(&h->waiters, &task); waiter != NULL;
         waiter = waiters_release(&h->waiters, waiter)) {
        assert_ptr_equal(waiter->session, b);
        count++;
    }
    assert_int_equal(count, 1);
    assert_null(waiters_take(&h->waiters, &task));
}

static void roots_are_shown_again_after_many_others(void **state)
{
    static const uint8_t hash_key[16] = {1};
    struct shown shown;
    struct id root = {{0}};

    (void)state;
    shown_init(&shown, hash_key);
    assert_true(shown_add_root(&shown, &root));
    assert_false(shown_add_root(&shown, &root));
    for (unsigned i = 1; i <= SHOWN_ROOTS; i++) {
        struct id other = {{(uint8_t)(i >> 8), (uint8_t)i, 1}};

        assert_true(shown_add_root(&shown, &other));
    }
    assert_true(shown_add_root(&shown, &root));
    shown_clear(&shown);
}

static void ledger_time_never_goes_back_and_follows_slowly(void **state)
{
    struct stamp stamp = {.last_ms = 0};

    (void)state;
    stamp_begin(&stamp, 5000, 1000, 100);
    assert_int_equal(stamp_now(&stamp, 1000, 100), 5000); /* the wall clock was set back */
    assert_int_equal(stamp_now(&stamp, 6000, 5100), 10000 - 5000 / STAMP_SLEW); /* time goes on */
    stamp_begin(&stamp, 5000, 6000, 5100);
    assert_int_equal(stamp_now(&stamp, 9007000, 6100), 7000 + 1000 / STAMP_SLEW);
    assert_int_equal(stamp_now(&stamp, 1, 6100), 7000 + 1000 / STAMP_SLEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_silent_client_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_worker_is_retired_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_that_is_heard_keeps_its_seat, setup, teardown),
        cmocka_unit_test_setup_teardown(a_coordinator_that_slept_judges_nobody_yet, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_new_leader_gives_workers_a_whole_session_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_goodbye_retires_a_worker_through_the_ledger, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_worker_comes_back_by_its_boot_id, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_boot_of_an_instance_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_revoked_identity_loses_its_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(progress_is_of_those_who_hold_the_attempt, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_twice_is_waiting_once, setup, teardown),
        cmocka_unit_test(roots_are_shown_again_after_many_others),
        cmocka_unit_test(ledger_time_never_goes_back_and_follows_slowly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
