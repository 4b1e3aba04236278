/* SPDX-License-Identifier: MPL-2.0
 * A whole coordinator: a task from end to end, restarts, refusals, statistics. */
#include "tests/nodes/coordinator/peers.h"

#include "core/revocation.h"

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
