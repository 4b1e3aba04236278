/* SPDX-License-Identifier: MPL-2.0
 * A task as it was signed goes to those who may read it, and to nobody else. */
#include "tests/nodes/coordinator/harness.h"

#include "core/fetch_message.h"
#include "core/id.h"

static void ask(struct harness *h, uint8_t route, const struct credential *from,
                const struct id *task)
{
    wire_fetch_encode(&h->frame, 8, task);
    receive(h, route, from);
    prove(h);
}

/* The only item of what came, which verifies and has the id that was asked for. */
static struct task_item expect_task(struct harness *h, uint8_t route, const struct id *task,
                                    struct fetched *fetched)
{
    const struct message message = expect_sent(route, MESSAGE_FETCHED);
    struct task_item item;
    struct sealed sealed;

    assert_int_equal(message.correlation, 8);
    assert_int_equal(wire_fetched_decode(message.body, fetched), GROVE_OK);
    assert_int_equal(wire_sealed_decode(fetched->batch, &sealed), GROVE_OK);
    assert_int_equal(seal_open(&sealed, &h->party.client.mesh, NULL), GROVE_OK);
    assert_int_equal(sealed.item_count, 1);
    assert_int_equal(wire_task_decode(sealed.item[0], &item), GROVE_OK);
    const struct digest payload = digest_of(item.payload);
    const struct id id = id_of_task(&item, &sealed.seal.signer, &payload);

    assert_true(id_equal(&id, task));
    return item;
}

static void one_of_a_batch_comes_alone(void **state)
{
    struct harness *h = *state;
    struct fetched fetched;
    struct bytes certificate;
    struct id ids[3];

    greet(h, 1, &h->party.client);
    submit(h, 1, 0, 3, ids);
    ask(h, 1, &h->party.client, &ids[1]);
    const struct task_item item = expect_task(h, 1, &ids[1], &fetched);

    assert_true(bytes_equal(item.function, bytes_of_text("echo")));
    assert_false(fetched.has_ended);
    assert_true(wire_next(&fetched.certificates, &certificate));
    assert_true(bytes_equal(certificate, buffer_bytes(&h->party.client.certificate_bytes)));
}

static void how_it_ended_comes_with_it(void **state)
{
    struct harness *h = *state;
    struct fetched fetched;
    struct id id;

    greet(h, 1, &h->party.client);
    run_one(h, &id);
    greet(h, 3, &h->party.operator);
    ask(h, 3, &h->party.operator, & id);
    expect_task(h, 3, &id, &fetched);
    assert_true(fetched.has_ended);
    assert_int_equal(fetched.code, CODE_SUCCEEDED);
}

static void others_are_told_that_there_is_none(void **state)
{
    struct harness *h = *state;
    struct credential other;
    struct id id;

    greet(h, 1, &h->party.client);
    submit(h, 1, 0, 1, &id);
    party_credential(&h->party, "other", ROLE_CLIENT | ROLE_WORKER, &other);
    trust(h, &other.certificate_bytes);
    greet(h, 4, &other);
    ask(h, 4, &other, &id);
    expect_refused(4, REFUSED_NOT_FOUND);
    credential_clear(&other);
    id.byte[0] ^= 1;
    ask(h, 1, &h->party.client, &id);
    expect_refused(1, REFUSED_NOT_FOUND);
    wire_empty_encode(&h->frame, 6, MESSAGE_FETCH);
    receive(h, 1, &h->party.client);
    expect_refused(1, REFUSED_MALFORMED);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_of_a_batch_comes_alone),
        TEST(how_it_ended_comes_with_it),
        TEST(others_are_told_that_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
