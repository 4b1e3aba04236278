/* SPDX-License-Identifier: MPL-2.0
 * What a worker takes in to run, and what it refuses, whatever its coordinator says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "nodes/worker/worker_loop.h"
#include "tests/support/party.h"
#include "tests/support/scratch.h"

struct fixture {
    struct party party;
    struct scratch keys;
    struct grove_worker *worker;
    struct task_item item;
    struct assignment assignment;
    struct assignment more[2]; /* of the same batch */
    unsigned more_count;
    struct buffer batch, root_batch;
};

/* Payloads in the order in which their handlers started; there is one slot. */
static struct {
    char text[64];
    sem_t ended;
} seen;

static enum grove_status note(struct grove_attempt *attempt, void *context)
{
    (void)context;
    strncat(seen.text, grove_attempt_payload(attempt).data, 15);
    sem_post(&seen.ended);
    return GROVE_OK;
}

static void admit(struct fixture *f, const struct credential *credential)
{
    bool changed;

    assert_int_equal(trust_admit(&f->worker->session.trust,
                                 buffer_bytes(&credential->certificate_bytes),
                                 credential->certificate.not_before_ms, &changed),
                     REFUSED_NOT);
}

/* A worker that starts nothing, and an assignment of echo("hello") by the client. */
static int setup(void **state)
{
    static const uint8_t hash_key[16] = {1};
    struct fixture *f = calloc(1, sizeof(*f));
    struct grove_worker_options options = GROVE_WORKER_OPTIONS_INIT;
    char path[SCRATCH_PATH_SIZE + 32];
    char error[GROVE_ERROR_SIZE];

    party_make(&f->party);
    scratch_make(&f->keys);
    snprintf(path, sizeof(path), "%s/worker", f->keys.path);
    assert_int_equal(credential_save(path, &f->party.worker, error), GROVE_OK);
    options.credential_path = path;
    options.instance = "w";
    options.slots = 1;
    seen.text[0] = '\0';
    sem_init(&seen.ended, 0, 0);
    assert_int_equal(grove_worker_open(&options, &f->worker, error), GROVE_OK);
    assert_int_equal(grove_worker_handle(f->worker, "echo", note, NULL), GROVE_OK);
    handlers_pause(&f->worker->handlers);
    trust_init(&f->worker->session.trust, &f->party.mesh.public_key, hash_key);
    admit(f, &f->party.client);
    admit(f, &f->party.worker);
    f->worker->is_enlisted = true;
    f->item = party_root(1, "echo", "hello", 1000);
    f->assignment.attempt = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    trust_clear(&f->worker->session.trust);
    grove_worker_close(f->worker);
    scratch_remove(&f->keys);
    buffer_clear(&f->batch);
    buffer_clear(&f->root_batch);
    party_clear(&f->party);
    free(f);
    return 0;
}

static void seal(struct fixture *f, const struct credential *signer)
{
    buffer_reset(&f->batch);
    party_seal_tasks(signer, &f->item, 1, &f->assignment.task, &f->batch);
}

static void assign(struct fixture *f)
{
    struct buffer frame = {0};
    struct wire_writer writer;
    struct message message;

    wire_open(&writer, &frame, MESSAGE_ASSIGN, 0);
    wire_put_bytes(&writer, ASSIGN_BATCHES, buffer_bytes(&f->batch));
    wire_put_assignment(&writer, ASSIGN_ASSIGNMENTS, &f->assignment);
    for (unsigned i = 0; i < f->more_count; i++) {
        wire_put_assignment(&writer, ASSIGN_ASSIGNMENTS, &f->more[i]);
    }
    wire_close(&writer);
    assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_OK);
    worker_receive(f->worker, &message);
    buffer_clear(&frame);
}

static void expect_held(struct fixture *f)
{
    assert_int_equal(f->worker->held_count, 1);
    assert_int_equal(f->worker->returned.size, 0);
}

static void expect_refused(struct fixture *f)
{
    assert_int_equal(f->worker->held_count, 0);
    assert_true(f->worker->returned.size > 0);
}

/* Makes the item a child of a root that `submitter` made. */
static void make_child_of(struct fixture *f, const char *function,
                          const struct credential *submitter)
{
    struct task_item root = party_root(9, function, "", 1000);

    f->item.lineage = (struct lineage){.present = true, .attempt = 1};
    party_seal_tasks(submitter, &root, 1, &f->item.lineage.root, &f->root_batch);
    f->item.lineage.parent = f->item.lineage.root;
    f->assignment.depth = 1;
}

static void make_child(struct fixture *f, const struct credential *submitter)
{
    make_child_of(f, "root", submitter);
}

static void a_task_by_a_client_is_taken_once(void **state)
{
    struct fixture *f = *state;

    seal(f, &f->party.client);
    assign(f);
    assign(f);
    expect_held(f);
    assert_non_null(held_find(f->worker, &f->assignment.task, 1));
}

/* In which session, it cannot know before: reported for another, the attempt would run again. */
static void what_comes_before_the_welcome_is_left(void **state)
{
    struct fixture *f = *state;

    seal(f, &f->party.client);
    f->worker->is_enlisted = false;
    assign(f);
    assert_int_equal(f->worker->held_count, 0);
    assert_int_equal(f->worker->returned.size, 0);
}

static void stop(struct fixture *f)
{
    const struct stopped stopped = {.task = f->assignment.task, .attempt = f->assignment.attempt};
    struct buffer frame = {0};
    struct wire_writer writer;
    struct message message;

    wire_open(&writer, &frame, MESSAGE_STOP, 0);
    wire_put_stopped(&writer, STOP_STOPPED, &stopped);
    wire_close(&writer);
    assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_OK);
    worker_receive(f->worker, &message);
    buffer_clear(&frame);
}

/* A coordinator that lost the Return assigns it here again: it must not run twice. */
static void what_was_handed_back_is_held_until_that_is_safe(void **state)
{
    struct fixture *f = *state;
    struct parcel *parcel;

    seal(f, &f->party.client);
    assign(f);
    stop(f);
    assert_int_equal(f->worker->held_count, 1);
    assert_true(f->worker->returned.size > 0);
    assign(f);
    assert_int_equal(f->worker->handlers.queued, 0);
    reports_send(f->worker);
    assign(f);
    assert_int_equal(f->worker->handlers.queued, 0);
    parcel = TAILQ_FIRST(&f->worker->parcels.list);
    assert_int_equal(parcel->type, MESSAGE_RETURN);
    reports_done(f->worker, parcel);
    assert_int_equal(f->worker->held_count, 0);
}

static void a_task_by_a_stranger_is_refused(void **state)
{
    struct fixture *f = *state;
    struct credential stranger;

    party_credential(&f->party, "stranger", ROLE_CLIENT, &stranger);
    seal(f, &stranger);
    assign(f);
    expect_refused(f);
    credential_clear(&stranger);
}

static void a_task_by_an_operator_is_refused(void **state)
{
    struct fixture *f = *state;

    admit(f, &f->party.operator);
    seal(f, &f->party.operator);
    assign(f);
    expect_refused(f);
}

static void another_id_is_refused(void **state)
{
    struct fixture *f = *state;

    seal(f, &f->party.client);
    f->assignment.task.byte[3] ^= 1;
    assign(f);
    expect_refused(f);
}

static void no_flipped_bit_is_taken(void **state)
{
    struct fixture *f = *state;

    seal(f, &f->party.client);
    for (size_t bit = 0; bit < f->batch.size * 8; bit++) {
        f->batch.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assign(f);
        f->batch.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        expect_refused(f);
    }
}

static void positions_beyond_the_batch_are_refused(void **state)
{
    struct fixture *f = *state;

    seal(f, &f->party.client);
    f->assignment.item = 1;
    assign(f);
    expect_refused(f);
    f->assignment.item = 0;
    f->assignment.batch = 1;
    assign(f);
    expect_refused(f);
}

static void an_unknown_function_cannot_be_run(void **state)
{
    struct fixture *f = *state;

    f->item.function = bytes_of_text("other");
    seal(f, &f->party.client);
    assign(f);
    expect_refused(f);
}

static void a_child_needs_its_root_once(void **state)
{
    struct fixture *f = *state;

    make_child(f, &f->party.client);
    seal(f, &f->party.worker);
    assign(f);
    expect_refused(f);
    f->assignment.root_batch = buffer_bytes(&f->root_batch);
    buffer_reset(&f->worker->returned);
    assign(f);
    expect_held(f);
    f->assignment.root_batch = bytes_of(NULL, 0);
    f->assignment.attempt = 2;
    assign(f);
    assert_int_equal(f->worker->held_count, 2);
}

static void a_root_that_is_said_to_be_a_child_is_refused(void **state)
{
    struct fixture *f = *state;

    f->assignment.depth = 1;
    seal(f, &f->party.client);
    assign(f);
    expect_refused(f);
}

static void a_child_that_a_client_claims_is_refused(void **state)
{
    struct fixture *f = *state;

    make_child(f, &f->party.client);
    f->assignment.root_batch = buffer_bytes(&f->root_batch);
    seal(f, &f->party.client);
    assign(f);
    expect_refused(f);
}

/* What a client makes is a child only as an input of a join of its own. */
static void an_input_of_a_join_is_made_by_its_caller(void **state)
{
    struct fixture *f = *state;

    make_child_of(f, JOIN_FUNCTION, &f->party.client);
    f->assignment.root_batch = buffer_bytes(&f->root_batch);
    seal(f, &f->party.client);
    assign(f);
    expect_refused(f); /* in no join */
    buffer_reset(&f->worker->returned);
    f->item.lineage.join_kind = JOIN_MAP + JOIN_REVISION;
    seal(f, &f->party.client);
    assign(f);
    expect_held(f);
}

static void an_input_by_another_is_refused(void **state)
{
    struct fixture *f = *state;
    struct credential other;

    party_credential(&f->party, "other", ROLE_CLIENT, &other);
    admit(f, &other);
    make_child_of(f, JOIN_FUNCTION, &f->party.client);
    f->assignment.root_batch = buffer_bytes(&f->root_batch);
    f->item.lineage.join_kind = JOIN_MAP;
    seal(f, &other);
    assign(f);
    expect_refused(f);
    credential_clear(&other);
}

static void an_input_of_no_join_is_refused(void **state)
{
    struct fixture *f = *state;

    make_child(f, &f->party.client);
    f->assignment.root_batch = buffer_bytes(&f->root_batch);
    f->item.lineage.join_kind = JOIN_MAP;
    seal(f, &f->party.client);
    assign(f);
    expect_refused(f);
}

static void an_input_below_another_parent_is_refused(void **state)
{
    struct fixture *f = *state;

    make_child_of(f, JOIN_FUNCTION, &f->party.client);
    f->assignment.root_batch = buffer_bytes(&f->root_batch);
    f->item.lineage.join_kind = JOIN_MAP;
    f->item.lineage.parent.byte[0] ^= 1;
    seal(f, &f->party.client);
    assign(f);
    expect_refused(f);
}

static void a_child_in_a_tree_without_the_right_is_refused(void **state)
{
    struct fixture *f = *state;
    struct certificate wanted = {
        .name = "narrow",
        .roles = ROLE_CLIENT,
        .submit_count = 1,
        .submit = {{"root"}},
        .not_before_ms = f->party.client.certificate.not_before_ms,
        .not_after_ms = f->party.client.certificate.not_after_ms,
    };
    struct credential narrow;

    credential_make(&f->party.mesh, &wanted, &narrow);
    admit(f, &narrow);
    make_child(f, &narrow);
    f->assignment.root_batch = buffer_bytes(&f->root_batch);
    seal(f, &f->party.worker);
    assign(f);
    expect_refused(f);
    credential_clear(&narrow);
}

/* The right to the function of one item says nothing of the next one's. */
static void each_function_of_a_batch_needs_the_right(void **state)
{
    struct fixture *f = *state;
    const struct task_item items[] = {party_root(1, "echo", "a", 1000),
                                      party_root(2, "other", "b", 1000),
                                      party_root(3, "echo", "c", 1000)};
    struct certificate wanted = {
        .name = "narrow",
        .roles = ROLE_CLIENT,
        .submit_count = 1,
        .submit = {{"echo"}},
        .not_before_ms = f->party.client.certificate.not_before_ms,
        .not_after_ms = f->party.client.certificate.not_after_ms,
    };
    struct credential narrow;
    struct id ids[3];

    credential_make(&f->party.mesh, &wanted, &narrow);
    admit(f, &narrow);
    assert_int_equal(grove_worker_handle(f->worker, "other", note, NULL), GROVE_OK);
    party_seal_tasks(&narrow, items, 3, ids, &f->batch);
    f->assignment.task = ids[0];
    f->more[0] = (struct assignment){.task = ids[1], .attempt = 1, .item = 1};
    f->more[1] = (struct assignment){.task = ids[2], .attempt = 1, .item = 2};
    f->more_count = 2;
    assign(f);
    assert_int_equal(f->worker->held_count, 2);
    assert_null(held_find(f->worker, &ids[1], 1));
    credential_clear(&narrow);
}

static void another_trees_root_does_not_vouch(void **state)
{
    struct fixture *f = *state;

    make_child(f, &f->party.client);
    f->assignment.root_batch = buffer_bytes(&f->root_batch);
    f->item.lineage.root.byte[0] ^= 1;
    seal(f, &f->party.worker);
    assign(f);
    expect_refused(f);
}

/* One that is behind starts last, whenever it came. */
static void children_start_before_roots_and_those_before_large_trees(void **state)
{
    struct fixture *f = *state;

    make_child(f, &f->party.client);
    f->assignment.root_batch = buffer_bytes(&f->root_batch);
    f->assignment.is_behind = true;
    f->item.payload = bytes_of_text("behind ");
    seal(f, &f->party.worker);
    assign(f);
    f->assignment = (struct assignment){.attempt = 1};
    f->item = party_root(2, "echo", "root ", 1000);
    seal(f, &f->party.client);
    assign(f);
    make_child(f, &f->party.client);
    f->item.payload = bytes_of_text("child ");
    seal(f, &f->party.worker);
    assign(f);
    assert_int_equal(f->worker->held_count, 3);
    handlers_unpause(&f->worker->handlers);
    for (int i = 0; i < 3; i++) {
        sem_wait(&seen.ended);
    }
    while (!handlers_are_idle(&f->worker->handlers)) {
        sched_yield();
    }
    worker_collect(f->worker);
    assert_string_equal(seen.text, "child root behind ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_task_by_a_client_is_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_comes_before_the_welcome_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_handed_back_is_held_until_that_is_safe, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_task_by_a_stranger_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_task_by_an_operator_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_id_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(no_flipped_bit_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(positions_beyond_the_batch_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_function_cannot_be_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_needs_its_root_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_root_that_is_said_to_be_a_child_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_child_that_a_client_claims_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_input_of_a_join_is_made_by_its_caller, setup, teardown),
        cmocka_unit_test_setup_teardown(an_input_by_another_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_input_of_no_join_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_input_below_another_parent_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_in_a_tree_without_the_right_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(each_function_of_a_batch_needs_the_right, setup, teardown),
        cmocka_unit_test_setup_teardown(another_trees_root_does_not_vouch, setup, teardown),
        cmocka_unit_test_setup_teardown(children_start_before_roots_and_those_before_large_trees,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
