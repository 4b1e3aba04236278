/* SPDX-License-Identifier: MPL-2.0
 * What comes as an outcome, and what of it a caller ever sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "core/id.h"
#include "nodes/client/outcomes.h"
#include "tests/support/party.h"

struct fixture {
    struct party party;
    struct session session;
    struct outcomes outcomes;
    struct call *call;
    struct request *request;
    struct grove_result result;
    struct grove_failure failure;
    struct result_item item; /* as the worker would make it */
};

static void admit(struct fixture *f, const struct credential *credential)
{
    bool changed;

    assert_int_equal(trust_admit(&f->session.trust, buffer_bytes(&credential->certificate_bytes),
                                 credential->certificate.not_before_ms, &changed),
                     REFUSED_NOT);
}

/* A client that has submitted echo("hello") and awaits it. */
static int setup(void **state)
{
    static const uint8_t hash_key[16] = {1};
    struct fixture *f = calloc(1, sizeof(*f));
    struct grove_task task = {.size = sizeof(task), .function = "echo", .payload = {"hello", 5}};
    struct wanted wanted = {.result = &f->result, .failure = &f->failure};

    party_make(&f->party);
    trust_init(&f->session.trust, &f->party.mesh.public_key, hash_key);
    f->session.credential = &f->party.client;
    admit(f, &f->party.client);
    admit(f, &f->party.worker);
    admit(f, &f->party.coordinator);
    outcomes_init(&f->outcomes, &f->session);
    f->call = call_create(CALL_RUN, 1, NULL);
    call_add_task(f->call, &task, &wanted, 1000);
    call_name_tasks(f->call, &f->party.client.signer->public_key);
    f->request = &f->call->requests[0];
    f->request->wants_answer = false;
    outcomes_await(&f->outcomes, f->request);
    f->item = (struct result_item){
        .nonce = {1},
        .task = f->request->id,
        .root = f->request->id,
        .function = bytes_of_text("echo"),
        .payload_digest = digest_of(bytes_of_text("hello")),
        .attempt = 1,
        .session = 7,
        .bytes = bytes_of_text("hello"),
    };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    grove_result_clear(&f->result);
    grove_failure_clear(&f->failure);
    call_destroy(f->call);
    outcomes_clear(&f->outcomes);
    trust_clear(&f->session.trust);
    party_clear(&f->party);
    free(f);
    return 0;
}

static void take(struct fixture *f, struct bytes sealed)
{
    struct buffer frame = {0};
    struct wire_writer writer;
    struct message message;
    struct notify notify;

    wire_open(&writer, &frame, MESSAGE_NOTIFY, 0);
    wire_put_bytes(&writer, NOTIFY_OUTCOMES, sealed);
    wire_close(&writer);
    assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_OK);
    assert_int_equal(wire_notify_decode(message.body, &notify), GROVE_OK);
    outcomes_take(&f->outcomes, &notify);
    buffer_clear(&frame);
}

static void take_result(struct fixture *f, const struct credential *signer)
{
    struct buffer sealed = {0};

    party_seal_results(signer, &f->item, 1, &sealed);
    take(f, buffer_bytes(&sealed));
    buffer_clear(&sealed);
}

static void take_verdict(struct fixture *f, const struct credential *signer,
                         const struct verdict_item *item)
{
    struct sealed sealed = {.item_count = 1};
    struct buffer encoded = {0};
    struct buffer out = {0};
    struct digest leaf;

    wire_verdict_encode(&encoded, item);
    sealed.item[0] = buffer_bytes(&encoded);
    leaf = seal_leaf(sealed.item[0]);
    seal_make(signer->signer, &signer->mesh, SEAL_VERDICT, &leaf, 1, &sealed.seal);
    wire_sealed_encode(&out, &sealed);
    take(f, buffer_bytes(&out));
    buffer_clear(&encoded);
    buffer_clear(&out);
}

static void expect_distrust(struct fixture *f, enum grove_status status)
{
    assert_int_equal(f->call->left, 0);
    assert_int_equal(f->request->status, status);
    assert_null(f->result.bytes.data);
    assert_int_equal(f->failure.code, GROVE_CODE_NONE);
    assert_int_equal(f->outcomes.refused, 1);
}

static void a_good_result_is_returned(void **state)
{
    struct fixture *f = *state;

    take_result(f, &f->party.worker);
    assert_int_equal(f->request->status, GROVE_OK);
    assert_string_equal(f->result.bytes.data, "hello");
    assert_ptr_equal(STAILQ_FIRST(&f->outcomes.finished), f->call);
    assert_int_equal(f->outcomes.refused, 0);
}

static void the_same_result_twice_is_taken_once(void **state)
{
    struct fixture *f = *state;

    take_result(f, &f->party.worker);
    take_result(f, &f->party.worker);
    assert_int_equal(f->call->left, 0);
    assert_int_equal(f->outcomes.refused, 0);
}

static void a_result_by_no_worker_is_refused(void **state)
{
    struct fixture *f = *state;

    take_result(f, &f->party.coordinator);
    expect_distrust(f, GROVE_DENIED);
}

static void a_result_by_a_stranger_is_refused(void **state)
{
    struct fixture *f = *state;
    struct credential stranger;

    party_credential(&f->party, "stranger", ROLE_WORKER, &stranger);
    take_result(f, &stranger);
    expect_distrust(f, GROVE_UNKNOWN_KEY);
    credential_clear(&stranger);
}

static void a_result_for_another_function_is_refused(void **state)
{
    struct fixture *f = *state;

    f->item.function = bytes_of_text("other");
    take_result(f, &f->party.worker);
    expect_distrust(f, GROVE_BAD_SIGNATURE);
}

/* The right to run the function of one result says nothing of the next one's: here the first is of
 * a task that nobody awaits. */
static void each_function_of_a_batch_needs_the_right(void **state)
{
    struct fixture *f = *state;
    struct certificate wanted = {
        .name = "narrow",
        .roles = ROLE_WORKER,
        .run_count = 1,
        .run = {{"other"}},
        .not_before_ms = f->party.worker.certificate.not_before_ms,
        .not_after_ms = f->party.worker.certificate.not_after_ms,
    };
    struct result_item items[2] = {f->item, f->item};
    struct credential narrow;
    struct buffer sealed = {0};

    credential_make(&f->party.mesh, &wanted, &narrow);
    admit(f, &narrow);
    items[0].task.byte[0] ^= 1;
    items[0].function = bytes_of_text("other");
    party_seal_results(&narrow, items, 2, &sealed);
    take(f, buffer_bytes(&sealed));
    expect_distrust(f, GROVE_DENIED);
    buffer_clear(&sealed);
    credential_clear(&narrow);
}

static void a_result_for_another_payload_is_refused(void **state)
{
    struct fixture *f = *state;

    f->item.payload_digest.byte[0] ^= 1;
    take_result(f, &f->party.worker);
    expect_distrust(f, GROVE_BAD_SIGNATURE);
}

static void a_result_under_another_root_or_parent_is_refused(void **state)
{
    struct fixture *f = *state;

    f->item.root.byte[0] ^= 1;
    f->item.has_parent = true;
    take_result(f, &f->party.worker);
    expect_distrust(f, GROVE_BAD_SIGNATURE);
}

static void a_result_for_another_task_ends_nothing(void **state)
{
    struct fixture *f = *state;

    f->item.task.byte[0] ^= 1;
    take_result(f, &f->party.worker);
    assert_int_equal(f->call->left, 1);
}

/* Every bit of a sealed result counts: flipped, nothing of it is returned as a success. */
static void no_flipped_bit_is_returned(void **state)
{
    struct fixture *f = *state;
    struct buffer sealed = {0};

    party_seal_results(&f->party.worker, &f->item, 1, &sealed);
    for (size_t bit = 0; bit < sealed.size * 8; bit++) {
        sealed.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        take(f, buffer_bytes(&sealed));
        sealed.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_null(f->result.bytes.data);
        if (f->call->left == 0) {
            /* Awaited anew. */
            assert_int_not_equal(f->request->status, GROVE_OK);
            grove_failure_clear(&f->failure);
            f->request->status = GROVE_OK;
            f->request->wants_outcome = true;
            f->call->left = 1;
            f->call->is_finishing = false;
            STAILQ_INIT(&f->outcomes.finished);
            outcomes_await(&f->outcomes, f->request);
        }
    }
    buffer_clear(&sealed);
}

static void a_verdict_needs_a_coordinator(void **state)
{
    struct fixture *f = *state;
    struct verdict_item verdict = {
        .task = f->request->id,
        .root = f->request->id,
        .function = bytes_of_text("echo"),
        .payload_digest = f->item.payload_digest,
        .code = CODE_POISON,
        .text = bytes_of_text("killed three workers"),
    };

    take_verdict(f, &f->party.worker, &verdict);
    expect_distrust(f, GROVE_DENIED);
}

static void a_verdict_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct verdict_item verdict = {
        .task = f->request->id,
        .root = f->request->id,
        .function = bytes_of_text("echo"),
        .payload_digest = f->item.payload_digest,
        .code = CODE_POISON,
        .text = bytes_of_text("killed three workers"),
    };

    take_verdict(f, &f->party.coordinator, &verdict);
    assert_int_equal(f->request->status, GROVE_FAILED);
    assert_int_equal(f->failure.code, GROVE_CODE_POISON);
    assert_string_equal(f->failure.text, "killed three workers");
}

static void two_that_await_one_id_both_end(void **state)
{
    struct fixture *f = *state;
    struct call *second = call_create(CALL_AWAIT, 2, NULL);
    struct grove_result results[2] = {{.attempt = 0}};

    for (size_t i = 0; i < 2; i++) {
        call_add_id(second, &f->request->id, &(struct wanted){.result = &results[i]});
        outcomes_await(&f->outcomes, &second->requests[i]);
    }
    outcomes_forget(&f->outcomes, f->request);
    outcomes_forget(&f->outcomes, &second->requests[0]);
    outcomes_await(&f->outcomes, f->request);
    outcomes_await(&f->outcomes, &second->requests[0]);
    take_result(f, &f->party.worker);
    assert_int_equal(f->call->left, 0);
    assert_int_equal(second->left, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(results[i].bytes.data, "hello");
        grove_result_clear(&results[i]);
    }
    call_destroy(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_result_is_returned, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_result_twice_is_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_result_by_no_worker_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_result_by_a_stranger_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_result_for_another_function_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(each_function_of_a_batch_needs_the_right, setup, teardown),
        cmocka_unit_test_setup_teardown(a_result_for_another_payload_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_result_under_another_root_or_parent_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_result_for_another_task_ends_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(no_flipped_bit_is_returned, setup, teardown),
        cmocka_unit_test_setup_teardown(a_verdict_needs_a_coordinator, setup, teardown),
        cmocka_unit_test_setup_teardown(a_verdict_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(two_that_await_one_id_both_end, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
