/* SPDX-License-Identifier: MPL-2.0
 * What a whole coordinator does by itself: it goes on with what a command left over, ends joins
 * whose signer is gone, and proves that it leads. */
#include "tests/nodes/coordinator/peers.h"

#define ABANDON_MS 200u

static struct id submit_join(struct fixture *f)
{
    const struct join_terms gather = {.kind = JOIN_GATHER, .first = {{1}}};
    struct task_item item = party_root(1, "grove.join", "", clock_unix_ms());
    struct buffer payload = {0};
    struct id root;

    wire_terms_encode(&payload, &gather);
    item.payload = buffer_bytes(&payload);
    send_submit(f, &f->client, &item, 1, &root);
    buffer_clear(&payload);
    expect(f, &f->client, MESSAGE_ACCEPTED);
    return root;
}

/* Appends a whole batch of inputs from `offset` on. */
static void append(struct fixture *f, const struct id *root, uint32_t offset)
{
    const struct append append = {
        .parent = *root, .attempt = 1, .offset = offset, .count = LIMIT_BATCH_ITEMS};
    struct task_item items[LIMIT_BATCH_ITEMS];
    struct buffer batch = {0};
    struct wire_writer writer;

    for (uint32_t i = 0; i < LIMIT_BATCH_ITEMS; i++) {
        items[i] = party_root((uint8_t)i, "echo", "input", 0);
        items[i].expires_ms = 0;
        items[i].nonce[1] = (uint8_t)(offset >> 8);
        items[i].lineage = (struct lineage){.present = true,
                                            .parent = *root,
                                            .root = *root,
                                            .attempt = 1,
                                            .join_kind = JOIN_GATHER,
                                            .join_position = offset + i};
    }
    party_seal_tasks(&f->party.client, items, LIMIT_BATCH_ITEMS, NULL, &batch);
    wire_open(&writer, &f->frame, MESSAGE_EXPAND, 8);
    wire_put_bytes(&writer, EXPAND_BATCH, buffer_bytes(&batch));
    wire_put_append(&writer, EXPAND_APPENDS, &append);
    wire_close(&writer);
    buffer_clear(&batch);
    send_frame(f, &f->client);
    expect(f, &f->client, MESSAGE_ACCEPTED);
}

static void what_a_command_leaves_over_is_gone_on_with(void **state)
{
    struct fixture *f = *state;
    struct cancel cancel = {.attempt = 0};
    struct cancelled counts;

    greet(f, &f->client);
    cancel.task = submit_join(f);
    for (uint32_t i = 0; i < 10; i++) {
        append(f, &cancel.task, i * LIMIT_BATCH_ITEMS);
    }
    wire_cancel_encode(&f->frame, 55, &cancel);
    send_frame(f, &f->client);
    expect(f, &f->client, MESSAGE_NOTIFY);
    assert_int_equal(wire_cancelled_decode(expect(f, &f->client, MESSAGE_CANCELLED).body, &counts),
                     GROVE_OK);
    assert_int_equal(counts.never_started, 10 * LIMIT_BATCH_ITEMS + 1);
}

static void a_join_ends_when_its_signer_is_gone(void **state)
{
    struct fixture *f = *state;
    struct verdict_item verdict;
    struct wire_writer writer;
    struct sealed sealed;
    struct notify notify;
    struct bytes element;
    struct id root;

    stop(f);
    f->options.bootstrap = false;
    f->options.abandon_ms = ABANDON_MS;
    start(f);
    greet(f, &f->client);
    greet(f, &f->operator);
    root = submit_join(f);
    wire_open(&writer, &f->frame, MESSAGE_WAIT, 5);
    wire_put_bytes(&writer, WAIT_IDS, bytes_of(&root, sizeof(root)));
    wire_close(&writer);
    send_frame(f, &f->operator);
    expect(f, &f->operator, MESSAGE_NOTIFY); /* of nothing yet */
    wire_empty_encode(&f->frame, 9, MESSAGE_GOODBYE);
    send_frame(f, &f->client);
    expect(f, &f->client, MESSAGE_DONE);

    assert_int_equal(wire_notify_decode(expect(f, &f->operator, MESSAGE_NOTIFY).body, &notify),
                     GROVE_OK);
    assert_true(wire_next(&notify.outcomes, &element));
    assert_int_equal(wire_sealed_decode(element, &sealed), GROVE_OK);
    assert_int_equal(wire_verdict_decode(sealed.item[0], &verdict), GROVE_OK);
    assert_true(id_equal(&verdict.task, &root));
    assert_int_equal(verdict.code, CODE_ABANDONED);
}

/* Nothing else happens, so the proof that this one leads is a barrier. */
static void what_is_not_there_is_denied(void **state)
{
    static const struct id unknown = {{0xee}};
    struct fixture *f = *state;
    struct wire_writer writer;
    struct notify notify;

    greet(f, &f->client);
    for (uint64_t i = 1; i <= 3; i++) {
        wire_open(&writer, &f->frame, MESSAGE_WAIT, i);
        wire_put_bytes(&writer, WAIT_IDS, bytes_of(&unknown, sizeof(unknown)));
        wire_close(&writer);
        send_frame(f, &f->client);
        const struct message message = expect(f, &f->client, MESSAGE_NOTIFY);
        assert_int_equal(message.correlation, i);
        assert_int_equal(wire_notify_decode(message.body, &notify), GROVE_OK);
        assert_int_equal(notify.unknown.count, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_command_leaves_over_is_gone_on_with, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(a_join_ends_when_its_signer_is_gone, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
