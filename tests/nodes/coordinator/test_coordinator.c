/* SPDX-License-Identifier: MPL-2.0
 * A whole coordinator on a thread, and raw peers on sockets: a task from end to
 * end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/refusal.h"
#include "core/revocation.h"
#include "nodes/coordinator/coordinator.h"
#include "nodes/host/clock.h"
#include "tests/support/party.h"
#include "tests/support/scratch.h"

#define WAIT_MS 10000u

struct received {
    struct bus_frame *frame;
    struct message message;
};

#define INBOX 256

struct peer {
    struct fixture *fixture;
    const struct credential *credential;
    struct bus_socket *socket;
    struct received inbox[INBOX];
    size_t first, last;
    struct id boot;
    uint64_t session;
};

struct fixture {
    struct party party;
    struct scratch scratch;
    struct coordinator *coordinator;
    struct coordinator_options options;
    struct bytes admitted[3];
    pthread_t thread;
    struct bus *bus;
    uint64_t give_up_ms;
    struct peer client, worker, operator, stats;
    struct buffer frame;
};

/* ---- peers */

static void receive(void *context, const struct bus_message *message)
{
    struct peer *peer = context;
    struct received *received = &peer->inbox[peer->last % INBOX];

    assert_int_equal(message->status, GROVE_OK);
    assert_true(peer->last - peer->first < INBOX);
    received->frame = bus_frame_retain(message->frame);
    peer->last++;
    bus_stop(peer->fixture->bus);
}

/* Lets a peer try again what could not be done at once. */
static void on_tick(void *context)
{
    struct fixture *f = context;

    bus_stop(f->bus);
}

static void turn(struct fixture *f)
{
    if (clock_monotonic_ms() > f->give_up_ms) {
        fail_msg("nothing came");
    }
    bus_run(f->bus);
}

static void connect_to(struct fixture *f, struct peer *peer, const struct credential *credential,
                       uint16_t port)
{
    char endpoint[64];

    *peer = (struct peer){.fixture = f, .credential = credential, .boot = {{(uint8_t)port, 7}}};
    memcpy(peer->boot.byte + 4, credential->signer->public_key.byte, 8);
    snprintf(endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", port);
    assert_int_equal(bus_connect(f->bus, endpoint, &f->party.coordinator.link->public_key,
                                 credential->link, receive, peer, &peer->socket),
                     GROVE_OK);
}

static void send_bytes(struct fixture *f, struct peer *peer, struct bytes bytes)
{
    f->give_up_ms = clock_monotonic_ms() + WAIT_MS;
    while (bus_send(peer->socket, NULL, NULL, bytes) == GROVE_BUSY) {
        turn(f);
    }
}

static void send_frame(struct fixture *f, struct peer *peer)
{
    send_bytes(f, peer, buffer_bytes(&f->frame));
    buffer_reset(&f->frame);
}

static struct bus_frame *next_frame(struct fixture *f, struct peer *peer)
{
    f->give_up_ms = clock_monotonic_ms() + WAIT_MS;
    while (peer->first == peer->last) {
        turn(f);
    }
    return peer->inbox[peer->first++ % INBOX].frame;
}

/* The next message of a peer, which must be of this type; its body is kept
 * until the next. */
static struct message expect(struct fixture *f, struct peer *peer, enum message_type type)
{
    static struct bus_frame *kept;
    struct message message;

    bus_frame_release(kept);
    kept = next_frame(f, peer);
    assert_int_equal(wire_message_open(bus_frame_bytes(kept), &message), GROVE_OK);
    assert_int_equal(message.type, type);
    return message;
}

static void expect_refused(struct fixture *f, struct peer *peer, enum refusal refusal)
{
    const struct message message = expect(f, peer, MESSAGE_REFUSED);
    struct refused refused;

    assert_int_equal(wire_refused_decode(message.body, &refused), GROVE_OK);
    assert_int_equal(refused.code, refusal);
}

static void send_hello(struct fixture *f, struct peer *peer)
{
    const struct hello hello = {.mesh = f->party.mesh.public_key, .boot = peer->boot};

    wire_hello_encode(&f->frame, 1, &hello);
    send_frame(f, peer);
}

static void send_submit(struct fixture *f, struct peer *peer, const struct task_item *items,
                        unsigned count, struct id *ids)
{
    struct buffer batch = {.size = 0};
    struct wire_writer writer;

    party_seal_tasks(peer->credential, items, count, ids, &batch);
    wire_open(&writer, &f->frame, MESSAGE_SUBMIT, 42);
    wire_put_bytes(&writer, SUBMIT_BATCH, buffer_bytes(&batch));
    wire_put_uint(&writer, SUBMIT_WAIT, 1);
    wire_close(&writer);
    buffer_clear(&batch);
    send_frame(f, peer);
}

static void send_enlist(struct fixture *f, struct peer *peer)
{
    struct wire_writer writer;

    wire_open(&writer, &f->frame, MESSAGE_ENLIST, 2);
    wire_put_bytes(&writer, ENLIST_INSTANCE, bytes_of_text("host-1"));
    wire_put_bytes(&writer, ENLIST_FUNCTIONS, bytes_of_text("echo"));
    wire_put_uint(&writer, ENLIST_SLOTS, 4);
    wire_put_uint(&writer, ENLIST_WINDOW, 4);
    wire_put_uint(&writer, ENLIST_MAX_WAITING, 16);
    wire_close(&writer);
    send_frame(f, peer);
}

static void greet(struct fixture *f, struct peer *peer)
{
    send_hello(f, peer);
    expect(f, peer, MESSAGE_WELCOME);
}

static void enlist(struct fixture *f)
{
    struct welcome welcome;

    greet(f, &f->worker);
    send_enlist(f, &f->worker);
    assert_int_equal(wire_welcome_decode(expect(f, &f->worker, MESSAGE_WELCOME).body, &welcome),
                     GROVE_OK);
    f->worker.session = welcome.session;
    assert_true(welcome.session > 0);
}

/* Takes an Assign apart: each item must verify, and is answered with its own
 * payload. */
static unsigned run_assigned(struct fixture *f, struct bytes body)
{
    struct result_item results[LIMIT_BATCH_ITEMS];
    struct buffer batch = {.size = 0};
    struct wire_writer writer;
    struct assign assign;
    struct bytes element;
    struct sealed sealed[16];
    unsigned batches = 0;
    unsigned count = 0;

    assert_int_equal(wire_assign_decode(body, &assign), GROVE_OK);
    while (wire_next(&assign.batches, &element)) {
        assert_true(batches < 16);
        assert_int_equal(wire_sealed_decode(element, &sealed[batches]), GROVE_OK);
        assert_int_equal(seal_open(&sealed[batches], &f->party.mesh.public_key, NULL), GROVE_OK);
        batches++;
    }
    while (wire_next(&assign.assignments, &element)) {
        struct assignment assignment;
        struct task_item item;

        assert_int_equal(wire_assignment_decode(element, &assignment), GROVE_OK);
        assert_int_equal(wire_task_decode(sealed[assignment.batch].item[assignment.item], &item),
                         GROVE_OK);
        results[count] = (struct result_item){
            .nonce = {9, (uint8_t)count},
            .task = assignment.task,
            .root = assignment.task,
            .function = item.function,
            .payload_digest = digest_of(item.payload),
            .attempt = assignment.attempt,
            .session = f->worker.session,
            .code = CODE_SUCCEEDED,
            .bytes = item.payload,
        };
        count++;
    }
    party_seal_results(&f->party.worker, results, count, &batch);
    wire_open(&writer, &f->frame, MESSAGE_REPORT, 3);
    wire_put_bytes(&writer, REPORT_BATCH, buffer_bytes(&batch));
    wire_close(&writer);
    buffer_clear(&batch);
    send_frame(f, &f->worker);
    return count;
}

/* ---- the coordinator */

static void *serve(void *context)
{
    struct fixture *f = context;
    char error[COORDINATOR_ERROR_SIZE];

    assert_int_equal(coordinator_run(f->coordinator, error), GROVE_OK);
    return NULL;
}

static void start(struct fixture *f)
{
    char error[COORDINATOR_ERROR_SIZE] = "";

    if (coordinator_open(&f->options, &f->coordinator, error) != GROVE_OK) {
        fail_msg("%s", error);
    }
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    connect_to(f, &f->client, &f->party.client, coordinator_task_port(f->coordinator));
    connect_to(f, &f->worker, &f->party.worker, coordinator_task_port(f->coordinator));
    connect_to(f, &f->operator, & f->party.operator, coordinator_task_port(f->coordinator));
    connect_to(f, &f->stats, &f->party.operator, coordinator_stats_port(f->coordinator));
}

static void drop(struct fixture *f, struct peer *peer)
{
    while (peer->first < peer->last) {
        bus_frame_release(peer->inbox[peer->first++ % INBOX].frame);
    }
    bus_close(f->bus, peer->socket);
    peer->socket = NULL;
}

static void stop(struct fixture *f)
{
    drop(f, &f->client);
    drop(f, &f->worker);
    drop(f, &f->operator);
    drop(f, &f->stats);
    coordinator_stop(f->coordinator);
    pthread_join(f->thread, NULL);
    coordinator_close(f->coordinator);
    f->coordinator = NULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    party_make(&f->party);
    scratch_make(&f->scratch);
    f->bus = bus_create(0);
    assert_int_equal(bus_every(f->bus, 10, on_tick, f), GROVE_OK);
    f->admitted[0] = buffer_bytes(&f->party.client.certificate_bytes);
    f->admitted[1] = buffer_bytes(&f->party.worker.certificate_bytes);
    f->admitted[2] = buffer_bytes(&f->party.operator.certificate_bytes);
    f->options = (struct coordinator_options){
        .directory = f->scratch.path,
        .listen = "127.0.0.1:0",
        .credential = &f->party.coordinator,
        .bootstrap = true,
        .admitted = f->admitted,
        .admitted_count = 3,
        .segment_size = 1 << 20,
    };
    start(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stop(f);
    bus_destroy(f->bus);
    buffer_clear(&f->frame);
    scratch_remove(&f->scratch);
    party_clear(&f->party);
    free(f);
    return 0;
}

static json_t *ask(struct fixture *f, const char *request)
{
    struct bus_frame *frame;
    struct bytes bytes;
    json_t *answer;

    send_bytes(f, &f->stats, bytes_of_text(request));
    frame = next_frame(f, &f->stats);
    bytes = bus_frame_bytes(frame);
    answer = json_loadb((const char *)bytes.data, bytes.size, 0, NULL);
    bus_frame_release(frame);
    assert_non_null(answer);
    return answer;
}

static json_int_t number_at(json_t *object, const char *outer, const char *inner)
{
    return json_integer_value(json_object_get(json_object_get(object, outer), inner));
}

/* ---- tests */

static void a_task_runs_from_end_to_end(void **state)
{
    struct fixture *f = *state;
    struct task_item item = party_root(1, "echo", "hello", clock_unix_ms());
    struct accepted accepted;
    struct notify notify;
    struct sealed sealed;
    struct result_item result;
    struct bytes element;
    struct id id;

    greet(f, &f->client);
    send_submit(f, &f->client, &item, 1, &id);
    assert_int_equal(wire_accepted_decode(expect(f, &f->client, MESSAGE_ACCEPTED).body, &accepted),
                     GROVE_OK);
    assert_int_equal(accepted.refused.count, 0);
    assert_true(bytes_equal(accepted.ids, bytes_of(&id, sizeof(id))));

    enlist(f);
    assert_int_equal(run_assigned(f, expect(f, &f->worker, MESSAGE_ASSIGN).body), 1);
    expect(f, &f->worker, MESSAGE_DONE);

    assert_int_equal(wire_notify_decode(expect(f, &f->client, MESSAGE_NOTIFY).body, &notify),
                     GROVE_OK);
    assert_int_equal(notify.certificates.count, 1);
    assert_true(wire_next(&notify.outcomes, &element));
    assert_int_equal(wire_sealed_decode(element, &sealed), GROVE_OK);
    assert_true(key_equal(&sealed.seal.signer, &f->party.worker.signer->public_key));
    assert_int_equal(seal_open(&sealed, &f->party.mesh.public_key, NULL), GROVE_OK);
    assert_int_equal(wire_result_decode(sealed.item[0], &result), GROVE_OK);
    assert_true(bytes_equal(result.bytes, bytes_of_text("hello")));
    assert_true(id_equal(&result.task, &id));
}

static void a_batch_is_assigned_and_notified_as_one_excerpt(void **state)
{
    struct fixture *f = *state;
    struct task_item items[8];
    struct notify notify;
    struct id ids[8];

    for (uint8_t i = 0; i < 8; i++) {
        items[i] = party_root(i, "echo", "x", clock_unix_ms());
    }
    enlist(f);
    greet(f, &f->client);
    send_submit(f, &f->client, items, 8, ids);
    expect(f, &f->client, MESSAGE_ACCEPTED);
    assert_int_equal(run_assigned(f, expect(f, &f->worker, MESSAGE_ASSIGN).body), 8);
    expect(f, &f->worker, MESSAGE_DONE);
    assert_int_equal(wire_notify_decode(expect(f, &f->client, MESSAGE_NOTIFY).body, &notify),
                     GROVE_OK);
    assert_int_equal(notify.outcomes.count, 1);
}

static void nobody_is_heard_before_hello(void **state)
{
    struct fixture *f = *state;
    struct task_item item = party_root(1, "echo", "hello", clock_unix_ms());
    struct hello stranger = {.mesh = {{1}}, .boot = {{2}}};

    send_submit(f, &f->client, &item, 1, NULL);
    expect_refused(f, &f->client, REFUSED_NO_SESSION);
    wire_hello_encode(&f->frame, 1, &stranger);
    send_frame(f, &f->client);
    expect_refused(f, &f->client, REFUSED_WRONG_MESH);
}

static void what_was_accepted_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct task_item item = party_root(1, "echo", "hello", clock_unix_ms());
    struct wire_writer writer;
    struct notify notify;
    struct id id;

    greet(f, &f->client);
    send_submit(f, &f->client, &item, 1, &id);
    expect(f, &f->client, MESSAGE_ACCEPTED);
    stop(f);
    f->options.admitted_count = 0;
    f->options.bootstrap = false;
    start(f);

    greet(f, &f->client);
    wire_open(&writer, &f->frame, MESSAGE_WAIT, 5);
    wire_put_bytes(&writer, WAIT_IDS, bytes_of(&id, sizeof(id)));
    wire_close(&writer);
    send_frame(f, &f->client);
    assert_int_equal(wire_notify_decode(expect(f, &f->client, MESSAGE_NOTIFY).body, &notify),
                     GROVE_OK);
    assert_int_equal(notify.unknown.count, 0);
    assert_int_equal(notify.outcomes.count, 0);
    enlist(f);
    run_assigned(f, expect(f, &f->worker, MESSAGE_ASSIGN).body);
    assert_int_equal(wire_notify_decode(expect(f, &f->client, MESSAGE_NOTIFY).body, &notify),
                     GROVE_OK);
    assert_int_equal(notify.outcomes.count, 1);
}

static json_int_t worker_count(struct fixture *f)
{
    json_t *answer = ask(f, "stats");
    const json_int_t count = json_integer_value(json_object_get(answer, "workers"));

    json_decref(answer);
    return count;
}

/* Both went at once, and only the coordinator is back. */
static void a_worker_that_stays_away_after_a_restart_is_retired(void **state)
{
    struct fixture *f = *state;
    struct task_item item = party_root(1, "echo", "hello", clock_unix_ms());
    const uint64_t until_ms = clock_monotonic_ms() + WAIT_MS;
    json_t *answer;

    enlist(f);
    greet(f, &f->client);
    send_submit(f, &f->client, &item, 1, NULL);
    expect(f, &f->client, MESSAGE_ACCEPTED);
    expect(f, &f->worker, MESSAGE_ASSIGN);
    stop(f);
    f->options.session_ms = 500;
    start(f);

    while (worker_count(f) > 0) {
        assert_true(clock_monotonic_ms() < until_ms);
    }
    answer = ask(f, "stats");
    assert_int_equal(number_at(answer, "states", "ready"), 1);
    assert_int_equal(number_at(answer, "totals", "losses"), 1);
    json_decref(answer);
}

static void stats_answer_from_one_frame(void **state)
{
    struct fixture *f = *state;
    struct task_item item = party_root(1, "nobody-runs-this", "secret-payload", clock_unix_ms());
    char text[ID_TEXT_SIZE], request[64];
    json_t *answer, *task;
    struct id id;

    greet(f, &f->client);
    send_submit(f, &f->client, &item, 1, &id);
    expect(f, &f->client, MESSAGE_ACCEPTED);

    answer = ask(f, "stats");
    assert_string_equal(json_string_value(json_object_get(answer, "leader")), "coordinator");
    assert_int_equal(number_at(answer, "states", "ready"), 1);
    json_decref(answer);

    id_format(&id, text);
    snprintf(request, sizeof(request), "tree %s", text);
    answer = ask(f, request);
    assert_string_equal(json_string_value(json_object_get(answer, "schema")), "grove.tree/1");
    assert_string_equal(json_string_value(json_object_get(answer, "root_id")), text);
    task = json_array_get(json_object_get(answer, "tasks"), 0);
    assert_string_equal(json_string_value(json_object_get(task, "waiting")),
                        "no worker offers nobody-runs-this");
    json_decref(answer);

    answer = ask(f, "dance");
    assert_non_null(json_object_get(answer, "error"));
    json_decref(answer);
}

static void put_admit(struct fixture *f, struct bytes signed_form)
{
    struct wire_writer writer;

    wire_open(&writer, &f->frame, MESSAGE_ADMIT, 6);
    wire_put_bytes(&writer, ADMIT_CERTIFICATES, signed_form);
    wire_close(&writer);
}

/* Its connection stays: ZeroMQ cannot cut one off. */
static void a_revoked_observer_learns_nothing_more(void **state)
{
    struct fixture *f = *state;
    struct revocation revocation = {.mesh = f->party.mesh.public_key, .of_identity = true};
    struct buffer signed_form = {.size = 0};
    struct credential observer;
    json_t *answer;

    party_credential(&f->party, "observer", ROLE_OBSERVER, &observer);
    greet(f, &f->operator);
    put_admit(f, buffer_bytes(&observer.certificate_bytes));
    send_frame(f, &f->operator);
    expect(f, &f->operator, MESSAGE_DONE);
    drop(f, &f->stats);
    connect_to(f, &f->stats, &observer, coordinator_stats_port(f->coordinator));
    answer = ask(f, "stats");
    assert_null(json_object_get(answer, "error"));
    json_decref(answer);

    revocation.sign_key = observer.signer->public_key;
    revocation_issue(&signed_form, &revocation, &f->party.mesh);
    put_admit(f, buffer_bytes(&signed_form));
    send_frame(f, &f->operator);
    expect(f, &f->operator, MESSAGE_DONE);
    answer = ask(f, "stats");
    assert_string_equal(json_string_value(json_object_get(answer, "reason")), "revoked");
    assert_null(json_object_get(answer, "applied"));
    json_decref(answer);

    drop(f, &f->stats);
    connect_to(f, &f->stats, &f->party.operator, coordinator_stats_port(f->coordinator));
    answer = ask(f, "stats");
    assert_int_equal(number_at(answer, "refusals", "revoked"), 1);
    json_decref(answer);
    buffer_clear(&signed_form);
    credential_clear(&observer);
}

static void an_operator_admits_and_asks_for_a_snapshot(void **state)
{
    struct fixture *f = *state;
    struct credential other;

    party_credential(&f->party, "other", ROLE_CLIENT, &other);
    greet(f, &f->operator);
    put_admit(f, buffer_bytes(&other.certificate_bytes));
    send_frame(f, &f->operator);
    expect(f, &f->operator, MESSAGE_DONE);

    drop(f, &f->client);
    connect_to(f, &f->client, &other, coordinator_task_port(f->coordinator));
    greet(f, &f->client);

    wire_empty_encode(&f->frame, 7, MESSAGE_SNAPSHOT);
    send_frame(f, &f->operator);
    expect(f, &f->operator, MESSAGE_DONE);
    wire_empty_encode(&f->frame, 7, MESSAGE_SNAPSHOT);
    send_frame(f, &f->client);
    expect_refused(f, &f->client, REFUSED_ROLE);
    drop(f, &f->client);
    connect_to(f, &f->client, &f->party.client, coordinator_task_port(f->coordinator));
    credential_clear(&other);
}

/* It would pass over all that the ledger holds, and be empty. */
static void the_ledger_of_another_mesh_is_refused(void **state)
{
    struct fixture *f = *state;
    struct coordinator *coordinator = NULL;
    struct coordinator_options options = f->options;
    char error[COORDINATOR_ERROR_SIZE] = "";
    struct party other;

    party_make(&other);
    stop(f);
    options.credential = &other.coordinator;
    assert_int_equal(coordinator_open(&options, &coordinator, error), GROVE_WRONG_MESH);
    assert_non_null(strstr(error, f->scratch.path));
    assert_null(coordinator);
    start(f);
    enlist(f);
    party_clear(&other);
}

static void an_empty_directory_is_refused_without_bootstrap(void **state)
{
    struct fixture *f = *state;
    struct coordinator *coordinator = NULL;
    struct coordinator_options options = f->options;
    char error[COORDINATOR_ERROR_SIZE] = "";
    struct scratch empty;

    scratch_make(&empty);
    options.directory = empty.path;
    options.bootstrap = false;
    assert_int_equal(coordinator_open(&options, &coordinator, error), GROVE_EMPTY);
    assert_non_null(strstr(error, empty.path));
    assert_null(coordinator);
    scratch_remove(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_runs_from_end_to_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_is_assigned_and_notified_as_one_excerpt, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nobody_is_heard_before_hello, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_accepted_is_there_after_a_restart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_worker_that_stays_away_after_a_restart_is_retired, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(stats_answer_from_one_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(a_revoked_observer_learns_nothing_more, setup, teardown),
        cmocka_unit_test_setup_teardown(an_operator_admits_and_asks_for_a_snapshot, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_ledger_of_another_mesh_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_directory_is_refused_without_bootstrap, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
