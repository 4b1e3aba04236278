/* SPDX-License-Identifier: MPL-2.0
 * Hostile frames: each is refused for its reason, the reason is counted, and
 * the ledger has no entry of it. */
#include "tests/nodes/coordinator/harness.h"

static uint64_t counted(const struct harness *h, enum refusal refusal)
{
    return h->egress.counters.refused[refusal];
}

/* Nothing waits for the ledger, and nothing is under way. */
static void expect_no_entry(struct harness *h)
{
    assert_int_equal(h->jobs.count, 0);
    assert_false(commit(h));
}

static void garbage_is_malformed(void **state)
{
    struct harness *h = *state;
    const struct key *user = &h->party.client.signer->public_key;

    greet(h, 1, &h->party.client);
    receive_bytes(h, 1, user, bytes_of("\xff\xff\xff\xff\xff", 5));
    expect_refused(1, REFUSED_MALFORMED);
    receive_bytes(h, 1, user, bytes_of("", 0));
    expect_refused(1, REFUSED_MALFORMED);
    assert_int_equal(counted(h, REFUSED_MALFORMED), 2);
    expect_no_entry(h);
}

static void a_message_of_many_parts_is_malformed(void **state)
{
    struct harness *h = *state;
    const struct bus_message message = {.route = route_of(1),
                                        .has_user = true,
                                        .user = h->party.client.signer->public_key,
                                        .status = GROVE_MALFORMED};

    ingress_receive(&h->ingress, &message);
    expect_refused(1, REFUSED_MALFORMED);
    expect_no_entry(h);
}

static void hello_comes_first_and_is_small(void **state)
{
    struct harness *h = *state;
    struct task_item item = party_root(1, "echo", "x", h->egress.stamp_ms);
    static uint8_t big[LIMIT_HELLO_SIZE + 64] = {0x08, 0x01, 0x52}; /* version 1, hello */

    put_submit(h, &h->party.client, &item, 1, NULL);
    receive(h, 1, &h->party.client);
    expect_refused(1, REFUSED_NO_SESSION);

    big[3] = (uint8_t)((sizeof(big) - 5) & 0x7f) | 0x80;
    big[4] = (uint8_t)((sizeof(big) - 5) >> 7);
    receive_bytes(h, 1, &h->party.client.signer->public_key, bytes_of(big, sizeof(big)));
    expect_refused(1, REFUSED_TOO_LARGE);
    assert_int_equal(counted(h, REFUSED_NO_SESSION), 1);
    assert_int_equal(h->sessions.count, 0);
    expect_no_entry(h);
}

static void another_mesh_or_ledger_is_refused(void **state)
{
    struct harness *h = *state;
    struct hello hello = {.mesh = {{1}}, .boot = {{2}}};

    wire_hello_encode(&h->frame, 1, &hello);
    receive(h, 1, &h->party.client);
    expect_refused(1, REFUSED_WRONG_MESH);

    hello.mesh = h->party.mesh.public_key;
    hello.has_ledger = true;
    hello.ledger = (struct id){{9}};
    h->egress.ledger = (struct id){{8}};
    wire_hello_encode(&h->frame, 1, &hello);
    receive(h, 1, &h->party.client);
    expect_refused(1, REFUSED_WRONG_MESH);
    assert_int_equal(counted(h, REFUSED_WRONG_MESH), 2);
}

/* It may be one whose disk was lost, at an address that workers know. */
static void one_that_waits_to_be_added_sends_away(void **state)
{
    struct harness *h = *state;
    const struct hello hello = {
        .mesh = h->party.mesh.public_key, .boot = {{2}}, .has_ledger = true, .ledger = {{9}}};

    h->egress.ledger = (struct id){{0}};
    h->ingress.is_leader = false;
    wire_hello_encode(&h->frame, 1, &hello);
    receive(h, 1, &h->party.client);
    expect_refused(1, REFUSED_NO_LEADER);
}

static void a_stranger_is_refused(void **state)
{
    struct harness *h = *state;
    struct credential stranger;

    party_credential(&h->party, "stranger", ROLE_CLIENT, &stranger);
    put_hello(h, 1);
    receive(h, 1, &stranger);
    expect_refused(1, REFUSED_UNKNOWN_KEY);
    put_hello(h, 1);
    receive_bytes(h, 1, NULL, buffer_bytes(&h->frame));
    assert_int_equal(h->ingress.counters.dropped, 1);
    expect_nothing_sent(1);
    credential_clear(&stranger);
}

static void a_route_under_another_user_loses_its_session(void **state)
{
    struct harness *h = *state;

    greet(h, 1, &h->party.client);
    put_heartbeat(h, NULL, 0);
    receive(h, 1, &h->party.worker);
    expect_nothing_sent(1);
    assert_int_equal(h->ingress.counters.dropped, 1);
    assert_int_equal(h->sessions.count, 0);
}

static void each_type_has_its_roles(void **state)
{
    static const enum message_type of_workers[] = {MESSAGE_ENLIST, MESSAGE_REPORT, MESSAGE_RETURN,
                                                   MESSAGE_CHECKPOINT, MESSAGE_PROGRESS};
    static const enum message_type of_operators[] = {MESSAGE_ADMIT, MESSAGE_SNAPSHOT, MESSAGE_LIMIT,
                                                     MESSAGE_CHANGE, MESSAGE_DRAIN};
    static const enum message_type not_of_observers[] = {
        MESSAGE_SUBMIT, MESSAGE_EXPAND, MESSAGE_PAGE, MESSAGE_CANCEL, MESSAGE_FETCH};
    static const enum message_type of_nobody[] = {
        MESSAGE_WELCOME, MESSAGE_ACCEPTED, MESSAGE_ASSIGN,    MESSAGE_NOTIFY, MESSAGE_STOP,
        MESSAGE_DONE,    MESSAGE_PAGED,    MESSAGE_CANCELLED, MESSAGE_RECALL, MESSAGE_FETCHED};
    struct harness *h = *state;
    struct credential observer;

    party_credential(&h->party, "observer", ROLE_OBSERVER, &observer);
    trust(h, &observer.certificate_bytes);
    greet(h, 4, &observer);
    for (size_t i = 0; i < sizeof(not_of_observers) / sizeof(not_of_observers[0]); i++) {
        wire_empty_encode(&h->frame, 1, not_of_observers[i]);
        receive(h, 4, &observer);
        expect_refused(4, REFUSED_ROLE);
    }
    credential_clear(&observer);
    greet(h, 1, &h->party.client);
    for (size_t i = 0; i < sizeof(of_workers) / sizeof(of_workers[0]); i++) {
        wire_empty_encode(&h->frame, 1, of_workers[i]);
        receive(h, 1, &h->party.client);
        expect_refused(1, REFUSED_ROLE);
    }
    for (size_t i = 0; i < sizeof(of_operators) / sizeof(of_operators[0]); i++) {
        wire_empty_encode(&h->frame, 1, of_operators[i]);
        receive(h, 1, &h->party.client);
        expect_refused(1, REFUSED_ROLE);
    }
    for (size_t i = 0; i < sizeof(of_nobody) / sizeof(of_nobody[0]); i++) {
        wire_empty_encode(&h->frame, 1, of_nobody[i]);
        receive(h, 1, &h->party.client);
        expect_refused(1, REFUSED_UNEXPECTED);
    }
    assert_int_equal(h->snapshots, 0);
    expect_no_entry(h);
}

static void a_worker_enlists_before_it_works(void **state)
{
    static const enum message_type of_workers[] = {MESSAGE_REPORT, MESSAGE_EXPAND, MESSAGE_RETURN};
    struct harness *h = *state;

    greet(h, 2, &h->party.worker);
    for (size_t i = 0; i < sizeof(of_workers) / sizeof(of_workers[0]); i++) {
        wire_empty_encode(&h->frame, 1, of_workers[i]);
        receive(h, 2, &h->party.worker);
        expect_refused(2, REFUSED_NO_WORKER_SESSION);
    }
    expect_no_entry(h);
}

static void only_its_own_seal_counts(void **state)
{
    struct harness *h = *state;
    struct task_item item = party_root(1, "echo", "x", h->egress.stamp_ms);

    greet(h, 1, &h->party.client);
    put_submit(h, &h->party.worker, &item, 1, NULL);
    receive(h, 1, &h->party.client);
    work(h, 1);
    expect_refused(1, REFUSED_WRONG_SIGNER);
    assert_int_equal(counted(h, REFUSED_WRONG_SIGNER), 1);
    expect_no_entry(h);
}

/* Flips a bit of every byte of the batch, one at a time. */
static void no_flipped_bit_comes_through(void **state)
{
    struct harness *h = *state;
    struct task_item item = party_root(1, "echo", "some payload", h->egress.stamp_ms);
    uint64_t refused = 0;

    greet(h, 1, &h->party.client);
    put_submit(h, &h->party.client, &item, 1, NULL);
    struct buffer whole = h->frame;

    h->frame = (struct buffer){.size = 0};
    /* Before the batch come version and correlation, after it `wait`: nobody
     * signs these. */
    for (size_t i = 20; i < whole.size - 2; i++) {
        whole.data[i] ^= 4;
        receive_bytes(h, 1, &h->party.client.signer->public_key, buffer_bytes(&whole));
        whole.data[i] ^= 4;
        work(h, (unsigned)h->jobs.count);
        assert_int_equal(expect_sent(1, MESSAGE_REFUSED).correlation, 42);
        penalties_clear(&h->ingress.penalties);
        put_hello(h, 1); /* the session may be gone */
        receive(h, 1, &h->party.client);
        expect_sent(1, MESSAGE_WELCOME);
        refused++;
    }
    assert_true(refused > 100);
    assert_true(counted(h, REFUSED_BAD_SIGNATURE) > 0);
    expect_no_entry(h);
    buffer_clear(&whole);
}

static void send_forged(struct harness *h)
{
    struct task_item item = party_root(1, "echo", "x", h->egress.stamp_ms);

    put_submit(h, &h->party.client, &item, 1, NULL);
    h->frame.data[h->frame.size - 40] ^= 1;
    receive(h, 1, &h->party.client);
}

static void three_bad_signatures_hold_a_key_off(void **state)
{
    struct harness *h = *state;

    greet(h, 1, &h->party.client);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(h->sessions.count, 1);
        send_forged(h);
        work(h, 1);
        expect_refused(1, REFUSED_BAD_SIGNATURE);
    }
    assert_int_equal(h->sessions.count, 0);
    assert_int_equal(h->ingress.counters.held_off, 1);

    put_hello(h, 1);
    receive(h, 1, &h->party.client);
    assert_true(expect_refused(1, REFUSED_HELD_OFF).retry_ms > 590000);
    greet(h, 2, &h->party.worker); /* others are not concerned */
    pass(h, 600000);
    greet(h, 1, &h->party.client);
    expect_no_entry(h);
}

static void what_has_no_room_is_busy(void **state)
{
    struct harness *h = *state;
    struct task_item item = party_root(1, "echo", "x", h->egress.stamp_ms);

    greet(h, 1, &h->party.client);
    h->jobs.size = LIMIT_UNCOMMITTED_SIZE;
    put_submit(h, &h->party.client, &item, 1, NULL);
    receive(h, 1, &h->party.client);
    assert_true(expect_refused(1, REFUSED_BUSY).retryable);
    h->jobs.size = 0;
    h->ingress.is_leader = false;
    put_submit(h, &h->party.client, &item, 1, NULL);
    receive(h, 1, &h->party.client);
    expect_refused(1, REFUSED_NO_LEADER);
    expect_no_entry(h);
}

/* A checkpoint as a worker sends it, of whatever task. */
static void put_checkpoint(struct harness *h)
{
    wire_empty_encode(&h->frame, 1, MESSAGE_CHECKPOINT);
}

static void put_wait_for(struct harness *h, const struct id *parent, const struct id *child)
{
    const struct waits wait = {
        .task = *parent, .attempt = 1, .awaited = bytes_of(child, sizeof(*child))};
    struct wire_writer writer;

    wire_open(&writer, &h->frame, MESSAGE_EXPAND, 8);
    wire_put_waits(&writer, EXPAND_WAITS, &wait);
    wire_close(&writer);
}

/* Takes it, as far as the ledger. */
static void expect_taken(struct harness *h, uint8_t route, const struct credential *from)
{
    receive(h, route, from);
    work(h, 1);
    assert_true(commit(h));
    egress_flush(&h->egress);
    forget_sent();
}

/* Refused before anybody looks at a signature. */
static void expect_no_room(struct harness *h, uint8_t route, const struct credential *from)
{
    const uint64_t before = counted(h, REFUSED_DISK);

    receive(h, route, from);
    assert_true(expect_refused(route, REFUSED_DISK).retryable);
    assert_int_equal(counted(h, REFUSED_DISK), before + 1);
    expect_no_entry(h);
}

static void on_a_disk_nearly_full_what_has_begun_ends_and_nothing_begins(void **state)
{
    struct harness *h = *state;
    struct task_item item = party_root(9, "echo", "x", h->egress.stamp_ms);
    const struct credential *worker = &h->party.worker;
    const uint64_t session = enlist(h, 2, 4);
    struct id parents[2], children[1];

    greet(h, 1, &h->party.client);
    submit(h, 1, 0, 2, parents);
    put_expand(h, &parents[0], 1, false, children);
    expect_taken(h, 2, worker);

    h->ingress.room = REPLICA_ROOM_LOW;
    put_submit(h, &h->party.client, &item, 1, NULL);
    expect_no_room(h, 1, &h->party.client);
    put_expand(h, &parents[0], 1, true, children);
    expect_no_room(h, 2, worker);
    put_checkpoint(h);
    expect_no_room(h, 2, worker);
    put_wait_for(h, &parents[0], children);
    expect_taken(h, 2, worker);
    put_report(h, session, &parents[1], 1);
    expect_taken(h, 2, worker);

    h->ingress.room = REPLICA_ROOM_NONE;
    put_report(h, session, children, 1);
    expect_no_room(h, 2, worker);

    h->ingress.room = REPLICA_ROOM_ENOUGH;
    put_report(h, session, children, 1);
    expect_taken(h, 2, worker);
    put_submit(h, &h->party.client, &item, 1, NULL);
    expect_taken(h, 1, &h->party.client);
}

static void admitting_is_all_or_nothing(void **state)
{
    struct harness *h = *state;
    struct credential good;
    struct wire_writer writer;

    party_credential(&h->party, "good", ROLE_CLIENT, &good);
    greet(h, 3, &h->party.operator);
    wire_open(&writer, &h->frame, MESSAGE_ADMIT, 4);
    wire_put_bytes(&writer, ADMIT_CERTIFICATES, buffer_bytes(&good.certificate_bytes));
    good.certificate_bytes.data[good.certificate_bytes.size - 1] ^= 1;
    wire_put_bytes(&writer, ADMIT_CERTIFICATES, buffer_bytes(&good.certificate_bytes));
    wire_close(&writer);
    receive(h, 3, &h->party.operator);
    work(h, 1);
    expect_refused(3, REFUSED_CERTIFICATE);
    expect_no_entry(h);
    credential_clear(&good);
}

static void snapshots_are_the_operators(void **state)
{
    struct harness *h = *state;

    greet(h, 3, &h->party.operator);
    wire_empty_encode(&h->frame, 4, MESSAGE_SNAPSHOT);
    receive(h, 3, &h->party.operator);
    expect_sent(3, MESSAGE_DONE);
    assert_int_equal(h->snapshots, 1);
}

/* Says Hello on a route of its own. */
static void knock(struct harness *h, unsigned number, const struct credential *from)
{
    struct bus_frame *frame;
    struct bus_message message = {
        .route = {.size = 5, .byte = {1, (uint8_t)number, (uint8_t)(number >> 8)}},
        .has_user = true,
        .user = from->signer->public_key,
        .status = GROVE_OK};

    put_hello(h, 1);
    frame = malloc(sizeof(*frame) + h->frame.size);
    assert_non_null(frame);
    *frame = (struct bus_frame){.holders = 1, .bytes = bytes_of(frame + 1, h->frame.size)};
    memcpy(frame + 1, h->frame.data, h->frame.size);
    buffer_reset(&h->frame);
    message.frame = frame;
    ingress_receive(&h->ingress, &message);
    bus_frame_release(frame);
    forget_sent();
}

static void an_identity_has_so_many_sessions_and_no_more(void **state)
{
    struct harness *h = *state;
    const struct key *client = &h->party.client.signer->public_key;

    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++) {
        knock(h, i, &h->party.client);
    }
    assert_int_equal(sessions_of(&h->sessions, client), LIMIT_CONNECTIONS);
    assert_int_equal(counted(h, REFUSED_CONNECTIONS), 0);
    put_hello(h, 1);
    receive(h, 1, &h->party.client);
    assert_true(expect_refused(1, REFUSED_CONNECTIONS).retryable);
    assert_int_equal(counted(h, REFUSED_CONNECTIONS), 1);
    knock(h, 7, &h->party.client); /* one of those it has */
    greet(h, 2, &h->party.operator);
    assert_int_equal(h->sessions.count, LIMIT_CONNECTIONS + 1);
    expect_no_entry(h);

    egress_end(&h->egress, sessions_oldest(&h->sessions));
    greet(h, 1, &h->party.client);
    stay(h, LIMIT_SESSION_MS);
    assert_int_equal(sessions_of(&h->sessions, client), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(garbage_is_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_message_of_many_parts_is_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_identity_has_so_many_sessions_and_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(hello_comes_first_and_is_small, setup, teardown),
        cmocka_unit_test_setup_teardown(another_mesh_or_ledger_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_waits_to_be_added_sends_away, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stranger_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_route_under_another_user_loses_its_session, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(each_type_has_its_roles, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_enlists_before_it_works, setup, teardown),
        cmocka_unit_test_setup_teardown(only_its_own_seal_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(no_flipped_bit_comes_through, setup, teardown),
        cmocka_unit_test_setup_teardown(three_bad_signatures_hold_a_key_off, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_no_room_is_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(
            on_a_disk_nearly_full_what_has_begun_ends_and_nothing_begins, setup, teardown),
        cmocka_unit_test_setup_teardown(admitting_is_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(snapshots_are_the_operators, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
