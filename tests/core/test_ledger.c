/* SPDX-License-Identifier: MPL-2.0
 * Commands come back from the ledger as they were written, in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>

#include "core/field.h"
#include "core/id.h"
#include "core/ledger.h"
#include "schema/ledger.pb.h"
#include "tests/support/samples.h"

#define AT_MS UINT64_C(1767225600000)

struct fixture {
    struct buffer items;
    struct buffer sealed_bytes;
    struct buffer frame;
    struct buffer entry;
    struct batch batch;
    struct digest leaves[LIMIT_BATCH_ITEMS];
    struct id ids[LIMIT_BATCH_ITEMS];
    struct digest digests[LIMIT_BATCH_ITEMS];
    struct command command;
    struct command back;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    ledger_group_begin(&f->entry, AT_MS);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    buffer_clear(&f->items);
    buffer_clear(&f->sealed_bytes);
    buffer_clear(&f->frame);
    buffer_clear(&f->entry);
    free(f);
    return 0;
}

static const struct batch *make_batch(struct fixture *f, enum seal_kind kind, unsigned count)
{
    struct batch *batch = &f->batch;

    sample_batch(kind, count, &f->items, &batch->sealed, f->leaves);
    for (unsigned i = 0; i < count; i++) {
        memset(&f->ids[i], (int)i, sizeof(f->ids[i]));
        f->digests[i] = digest_of(batch->sealed.item[i]);
    }
    buffer_reset(&f->sealed_bytes);
    wire_sealed_encode(&f->sealed_bytes, &batch->sealed);
    batch->bytes = buffer_bytes(&f->sealed_bytes);
    batch->leaves = f->leaves;
    batch->ids = f->ids;
    batch->digests = kind == SEAL_TASK ? f->digests : NULL;
    return batch;
}

static struct bytes body_of(struct fixture *f, enum message_type type)
{
    struct message message;

    buffer_reset(&f->frame);
    sample_frame(type, &f->frame);
    assert_int_equal(wire_message_open(buffer_bytes(&f->frame), &message), GROVE_OK);
    return message.body;
}

/* Writes f->command as the only one of an entry and reads it back. */
static enum grove_status pass(struct fixture *f)
{
    struct ledger_group group;

    buffer_reset(&f->entry);
    ledger_group_begin(&f->entry, AT_MS);
    size_t before = f->entry.size;
    ledger_group_append(&f->entry, &f->command);
    assert_true(f->entry.size - before <= ledger_command_size(&f->command));
    assert_int_equal(ledger_group_open(buffer_bytes(&f->entry), &group), GROVE_OK);
    assert_int_equal(group.at_ms, AT_MS);
    enum grove_status status = ledger_group_next(&group, &f->back);
    if (status == GROVE_OK) {
        struct command none;

        assert_int_equal(f->back.kind, f->command.kind);
        assert_int_equal(f->back.at_ms, AT_MS);
        assert_int_equal(f->back.token, 0);
        assert_int_equal(ledger_group_next(&group, &none), GROVE_NOT_FOUND);
    }
    return status;
}

static void check_batch(const struct fixture *f, const struct batch *back)
{
    size_t count = f->batch.sealed.item_count;

    assert_true(bytes_equal(back->bytes, f->batch.bytes));
    assert_int_equal(back->sealed.item_count, count);
    assert_memory_equal(back->leaves, f->leaves, count * sizeof(f->leaves[0]));
    assert_memory_equal(back->ids, f->ids, count * sizeof(f->ids[0]));
    if (f->batch.digests != NULL) {
        assert_memory_equal(back->digests, f->digests, count * sizeof(f->digests[0]));
    } else {
        assert_null(back->digests);
    }
    /* In place: it borrows from the entry. */
    assert_in_range((uintptr_t)back->ids, (uintptr_t)f->entry.data,
                    (uintptr_t)f->entry.data + f->entry.size);
}

static void submits_come_back(void **state)
{
    struct fixture *f = *state;

    for (unsigned count = 1; count <= LIMIT_BATCH_ITEMS; count += 85) {
        f->command = (struct command){.kind = COMMAND_SUBMIT, .token = 5};
        f->command.submit.batch = *make_batch(f, SEAL_TASK, count);
        assert_int_equal(pass(f), GROVE_OK);
        check_batch(f, &f->back.submit.batch);
    }
}

static void expands_come_back_with_and_without_children(void **state)
{
    struct fixture *f = *state;
    struct expand expand;
    struct waits waits;
    struct bytes element;

    assert_int_equal(wire_expand_decode(body_of(f, MESSAGE_EXPAND), &expand), GROVE_OK);
    for (int has_batch = 0; has_batch < 2; has_batch++) {
        f->command = (struct command){.kind = COMMAND_EXPAND};
        f->command.expand.session = 17;
        f->command.expand.waits = expand.waits;
        f->command.expand.progress = expand.progress;
        f->command.expand.has_batch = has_batch;
        f->command.expand.batch = *make_batch(f, SEAL_TASK, 3);
        assert_int_equal(pass(f), GROVE_OK);
        assert_int_equal(f->back.expand.session, 17);
        assert_int_equal(f->back.expand.has_batch, has_batch);
        if (has_batch) {
            check_batch(f, &f->back.expand.batch);
        }
        assert_int_equal(f->back.expand.progress.count, 1);
        assert_true(wire_next(&f->back.expand.waits, &element));
        assert_int_equal(wire_waits_decode(element, &waits), GROVE_OK);
        assert_int_equal(waits.positions.size, 2);
    }
}

static void reports_come_back(void **state)
{
    struct fixture *f = *state;
    struct report report;

    assert_int_equal(wire_report_decode(body_of(f, MESSAGE_REPORT), &report), GROVE_OK);
    f->command = (struct command){.kind = COMMAND_REPORT};
    f->command.report.session = UINT64_MAX;
    f->command.report.batch = *make_batch(f, SEAL_RESULT, 3);
    f->command.report.progress = report.progress;
    assert_int_equal(pass(f), GROVE_OK);
    assert_true(f->back.report.session == UINT64_MAX);
    assert_int_equal(f->back.report.progress.count, 1);
    check_batch(f, &f->back.report.batch);
}

static void returns_and_checkpoints_come_back(void **state)
{
    struct fixture *f = *state;
    struct bytes body = body_of(f, MESSAGE_RETURN);
    struct bytes element;
    struct returned returned;

    f->command = (struct command){.kind = COMMAND_RETURN};
    f->command.return_.session = 1;
    assert_int_equal(wire_return_decode(body, &f->command.return_.returned), GROVE_OK);
    assert_int_equal(pass(f), GROVE_OK);
    assert_true(wire_next(&f->back.return_.returned, &element));
    assert_int_equal(wire_returned_decode(element, &returned), GROVE_OK);
    assert_int_equal(returned.reason, RETURN_CANNOT_RUN);

    f->command = (struct command){.kind = COMMAND_CHECKPOINT};
    f->command.checkpoint.session = 2;
    f->command.checkpoint.encoded = body_of(f, MESSAGE_CHECKPOINT);
    assert_int_equal(pass(f), GROVE_OK);
    assert_int_equal(f->back.checkpoint.session, 2);
    assert_true(bytes_equal(f->back.checkpoint.checkpoint.bytes, bytes_of_text("row 17")));
    f->command.checkpoint.encoded = bytes_of_text("rubbish");
    assert_int_equal(pass(f), GROVE_MALFORMED);
}

static void workers_come_and_go(void **state)
{
    struct fixture *f = *state;

    f->command = (struct command){.kind = COMMAND_ENLIST};
    f->command.enlist.identity = sample_signer(2).public_key;
    f->command.enlist.boot.byte[3] = 9;
    f->command.enlist.encoded = body_of(f, MESSAGE_ENLIST);
    assert_int_equal(pass(f), GROVE_OK);
    assert_true(key_equal(&f->back.enlist.identity, &f->command.enlist.identity));
    assert_int_equal(f->back.enlist.boot.byte[3], 9);
    assert_int_equal(f->back.enlist.enlist.functions.count, 2);
    assert_int_equal(f->back.enlist.enlist.slots, 4);

    f->command = (struct command){.kind = COMMAND_RETIRE};
    f->command.retire.session = 8;
    f->command.retire.reason = RETIRE_REPLACED;
    assert_int_equal(pass(f), GROVE_OK);
    assert_int_equal(f->back.retire.session, 8);
    assert_int_equal(f->back.retire.reason, RETIRE_REPLACED);
}

static void the_small_ones_come_back(void **state)
{
    struct fixture *f = *state;

    f->command = (struct command){.kind = COMMAND_EXPIRE};
    assert_int_equal(pass(f), GROVE_OK);
    f->command = (struct command){.kind = COMMAND_FORGET};
    assert_int_equal(pass(f), GROVE_OK);
    f->command = (struct command){.kind = COMMAND_TRUST};
    f->command.trust.certificate = bytes_of_text("signed form");
    assert_int_equal(pass(f), GROVE_OK);
    assert_true(bytes_equal(f->back.trust.certificate, bytes_of_text("signed form")));
}

static void a_group_holds_commands_in_order(void **state)
{
    struct fixture *f = *state;
    struct ledger_group group;
    struct command retire = {.kind = COMMAND_RETIRE};

    retire.retire.reason = RETIRE_SILENT;
    for (uint64_t i = 0; i < LIMIT_GROUP_COMMANDS; i++) {
        retire.retire.session = i;
        ledger_group_append(&f->entry, &retire);
    }
    assert_int_equal(ledger_group_open(buffer_bytes(&f->entry), &group), GROVE_OK);
    for (uint64_t i = 0; i < LIMIT_GROUP_COMMANDS; i++) {
        assert_int_equal(ledger_group_next(&group, &f->back), GROVE_OK);
        assert_int_equal(f->back.retire.session, i);
    }
    assert_int_equal(ledger_group_next(&group, &f->back), GROVE_NOT_FOUND);
    ledger_group_append(&f->entry, &retire);
    assert_int_equal(ledger_group_open(buffer_bytes(&f->entry), &group), GROVE_MALFORMED);
}

/* One that cannot be read does not hide those after it. */
static void a_broken_command_is_stepped_over(void **state)
{
    struct fixture *f = *state;
    struct ledger_group group;
    const struct command expire = {.kind = COMMAND_EXPIRE};

    field_put_bytes(&f->entry, grove_ledger_v1_Group_commands_tag, bytes_of_text("rubbish"));
    ledger_group_append(&f->entry, &expire);
    assert_int_equal(ledger_group_open(buffer_bytes(&f->entry), &group), GROVE_OK);
    assert_int_equal(ledger_group_next(&group, &f->back), GROVE_MALFORMED);
    assert_int_equal(ledger_group_next(&group, &f->back), GROVE_OK);
    assert_int_equal(f->back.kind, COMMAND_EXPIRE);
}

static void what_the_pool_computed_must_fit_the_batch(void **state)
{
    struct fixture *f = *state;

    f->command = (struct command){.kind = COMMAND_SUBMIT};
    f->command.submit.batch = *make_batch(f, SEAL_TASK, 3);
    f->command.submit.batch.sealed.item_count =
        2; /* writes two ids and leaves beside three items */
    assert_int_equal(pass(f), GROVE_MALFORMED);
    f->command.submit.batch = *make_batch(f, SEAL_TASK, 3);
    f->command.submit.batch.digests = NULL;
    assert_int_equal(pass(f), GROVE_MALFORMED);
    f->command.submit.batch = *make_batch(f, SEAL_RESULT, 3);
    assert_int_equal(pass(f), GROVE_MALFORMED);
}

static void truncated_entries_are_read_no_further(void **state)
{
    struct fixture *f = *state;

    f->command = (struct command){.kind = COMMAND_SUBMIT};
    f->command.submit.batch = *make_batch(f, SEAL_TASK, 2);
    ledger_group_append(&f->entry, &f->command);
    for (size_t size = 0; size < f->entry.size; size++) {
        uint8_t *exact = malloc(size + 1);
        struct ledger_group group;

        memcpy(exact, f->entry.data, size);
        if (ledger_group_open(bytes_of(exact, size), &group) == GROVE_OK) {
            assert_int_equal(ledger_group_next(&group, &f->back), GROVE_NOT_FOUND);
        }
        free(exact);
    }
}

static void numbers_are_those_of_the_schema(void **state)
{
    static const uint32_t numbers[][2] = {
        {COMMAND_SUBMIT, grove_ledger_v1_Command_submit_tag},
        {COMMAND_EXPAND, grove_ledger_v1_Command_expand_tag},
        {COMMAND_REPORT, grove_ledger_v1_Command_report_tag},
        {COMMAND_RETURN, grove_ledger_v1_Command_returned_tag},
        {COMMAND_CHECKPOINT, grove_ledger_v1_Command_checkpoint_tag},
        {COMMAND_ENLIST, grove_ledger_v1_Command_enlist_tag},
        {COMMAND_RETIRE, grove_ledger_v1_Command_retire_tag},
        {COMMAND_EXPIRE, grove_ledger_v1_Command_expire_tag},
        {COMMAND_TRUST, grove_ledger_v1_Command_trust_tag},
        {COMMAND_FORGET, grove_ledger_v1_Command_forget_tag},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_int_equal(numbers[i][0], numbers[i][1]);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(submits_come_back),
        TEST(expands_come_back_with_and_without_children),
        TEST(reports_come_back),
        TEST(returns_and_checkpoints_come_back),
        TEST(workers_come_and_go),
        TEST(the_small_ones_come_back),
        TEST(a_group_holds_commands_in_order),
        TEST(a_broken_command_is_stepped_over),
        TEST(what_the_pool_computed_must_fit_the_batch),
        TEST(truncated_entries_are_read_no_further),
        TEST(numbers_are_those_of_the_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
