/* SPDX-License-Identifier: MPL-2.0
 * Messages come back as they were sent, and nothing else is let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "core/field.h"
#include "schema/grove.pb.h"
#include "tests/support/samples.h"

static void every_frame_opens_as_what_it_is(void **state)
{
    struct buffer frame = {0};

    (void)state;
    for (const enum message_type *type = sample_types; *type != 0; type++) {
        struct message message;

        buffer_reset(&frame);
        sample_frame(*type, &frame);
        assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_OK);
        assert_int_equal(message.type, *type);
        assert_int_equal(message.correlation, 7);
        assert_int_equal(sample_decode(*type, message.body), GROVE_OK);
    }
    buffer_clear(&frame);
}

static void elements_of_lists_come_back(void **state)
{
    struct buffer frame = {0};
    struct message message;
    struct assign assign;
    struct assignment assignment;
    struct bytes element;

    (void)state;
    sample_frame(MESSAGE_ASSIGN, &frame);
    assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_OK);
    assert_int_equal(wire_assign_decode(message.body, &assign), GROVE_OK);
    assert_int_equal(assign.batches.count, 1);
    assert_int_equal(assign.certificates.count, 1);
    assert_true(wire_next(&assign.assignments, &element));
    assert_int_equal(wire_assignment_decode(element, &assignment), GROVE_OK);
    assert_int_equal(assignment.attempt, 1);
    assert_int_equal(assignment.generation, 2);
    assert_int_equal(assignment.item, 1);
    assert_int_equal(assignment.depth, 3);
    assert_true(bytes_equal(assignment.checkpoint, bytes_of_text("at 3")));
    assert_true(bytes_equal(assignment.root_batch, bytes_of_text("root")));
    assert_true(assignment.is_behind);
    assert_false(wire_next(&assign.assignments, &element));
    buffer_clear(&frame);
}

/* Elements of two lists may alternate. */
static void lists_may_be_mixed(void **state)
{
    const struct progress_item progress = {.attempt = 1, .percent = 5};
    const struct waits waits = {.attempt = 2};
    struct buffer frame = {0};
    struct wire_writer writer;
    struct message message;
    struct expand expand;
    struct bytes element;
    unsigned seen = 0;

    (void)state;
    wire_open(&writer, &frame, MESSAGE_EXPAND, 0);
    for (int i = 0; i < 3; i++) {
        wire_put_progress(&writer, EXPAND_PROGRESS, &progress);
        wire_put_waits(&writer, EXPAND_WAITS, &waits);
    }
    wire_close(&writer);
    assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_OK);
    assert_int_equal(message.correlation, 0);
    assert_int_equal(wire_expand_decode(message.body, &expand), GROVE_OK);
    while (wire_next(&expand.waits, &element)) {
        struct waits back;

        assert_int_equal(wire_waits_decode(element, &back), GROVE_OK);
        assert_int_equal(back.attempt, 2);
        seen++;
    }
    assert_int_equal(seen, 3);
    assert_int_equal(expand.progress.count, 3);
    buffer_clear(&frame);
}

/* ---- what is not let in */

/* A body cut anywhere either fails or has lost whole fields at its end. */
static void a_truncated_frame_never_opens(void **state)
{
    struct buffer frame = {0};

    (void)state;
    for (const enum message_type *type = sample_types; *type != 0; type++) {
        buffer_reset(&frame);
        sample_frame(*type, &frame);
        for (size_t size = 0; size < frame.size; size++) {
            uint8_t *exact = malloc(size + 1);
            struct message message = {.correlation = 99};

            memcpy(exact, frame.data, size);
            assert_int_equal(wire_message_open(bytes_of(exact, size), &message), GROVE_MALFORMED);
            assert_int_equal(message.correlation, 99);
            free(exact);
        }
    }
    buffer_clear(&frame);
}

static void a_truncated_body_is_read_no_further(void **state)
{
    struct buffer frame = {0};

    (void)state;
    for (const enum message_type *type = sample_types; *type != 0; type++) {
        struct message message;

        buffer_reset(&frame);
        sample_frame(*type, &frame);
        assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_OK);
        for (size_t size = 0; size < message.body.size; size++) {
            uint8_t *exact = malloc(size + 1);

            memcpy(exact, message.body.data, size);
            enum grove_status status = sample_decode(*type, bytes_of(exact, size));
            assert_true(status == GROVE_OK || status == GROVE_MALFORMED);
            free(exact);
        }
    }
    buffer_clear(&frame);
}

/* Appends one more field to each body: one that no message has, and a copy of its first field. */
static void unknown_and_repeated_fields_are_refused(void **state)
{
    struct buffer frame = {0};
    struct buffer body = {0};

    (void)state;
    for (const enum message_type *type = sample_types; *type != 0; type++) {
        struct message message;
        struct field first;

        buffer_reset(&frame);
        sample_frame(*type, &frame);
        assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_OK);
        for (uint32_t number = 27; number < 100; number += 36) {
            buffer_reset(&body);
            buffer_append(&body, message.body.data, message.body.size);
            field_put_uint(&body, number, 1);
            assert_int_equal(sample_decode(*type, buffer_bytes(&body)), GROVE_MALFORMED);
        }
        struct bytes rest = message.body;
        if (rest.size > 0 && field_take(&rest, &first) && first.type == FIELD_VARINT) {
            buffer_reset(&body);
            buffer_append(&body, message.body.data, message.body.size);
            field_put_uint(&body, first.number, first.value);
            assert_int_equal(sample_decode(*type, buffer_bytes(&body)), GROVE_MALFORMED);
        }
    }
    buffer_clear(&frame);
    buffer_clear(&body);
}

static void frames_of_another_version_are_told(void **state)
{
    struct buffer frame = {0};
    struct message message;

    (void)state;
    sample_frame(MESSAGE_HELLO, &frame);
    frame.data[1] = 2;
    assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_VERSION);
    frame.data[1] = 1;
    buffer_append(&frame, "\x08\x01", 2);
    assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_MALFORMED);
    assert_int_equal(wire_message_open(bytes_of_text(""), &message), GROVE_MALFORMED);
    assert_int_equal(wire_message_open(bytes_of(frame.data, LIMIT_FRAME_SIZE + 1), &message),
                     GROVE_TOO_LARGE);
    buffer_reset(&frame);
    field_put_uint(&frame, 1, 1);
    field_put_bytes(&frame, 15, bytes_of_text("")); /* no such type */
    assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_MALFORMED);
    buffer_reset(&frame);
    field_put_uint(&frame, 1, 1);
    field_put_bytes(&frame, MESSAGE_GOODBYE, bytes_of_text("x"));
    assert_int_equal(wire_message_open(buffer_bytes(&frame), &message), GROVE_MALFORMED);
    buffer_clear(&frame);
}

/* ---- the schema */

#define TYPE(NAME, name)                                                                           \
    {                                                                                              \
        MESSAGE_##NAME, grove_v1_Message_##name##_tag                                              \
    }
#define FIELD(FIELD_NAME, message, name)                                                           \
    {                                                                                              \
        FIELD_NAME, grove_v1_##message##_##name##_tag                                              \
    }

static const uint32_t numbers[][2] = {
    TYPE(HELLO, hello),
    TYPE(WELCOME, welcome),
    TYPE(REFUSED, refused),
    TYPE(HEARTBEAT, heartbeat),
    TYPE(GOODBYE, goodbye),
    TYPE(SUBMIT, submit),
    TYPE(ACCEPTED, accepted),
    TYPE(WAIT, wait),
    TYPE(NOTIFY, notify),
    TYPE(ENLIST, enlist),
    TYPE(ASSIGN, assign),
    TYPE(EXPAND, expand),
    TYPE(RESUME, resume),
    TYPE(REPORT, report),
    TYPE(RETURN, returned),
    TYPE(STOP, stop),
    TYPE(CHECKPOINT, checkpoint),
    TYPE(PROGRESS, progress),
    TYPE(ADMIT, admit),
    TYPE(DONE, done),
    TYPE(SNAPSHOT, snapshot),
    TYPE(CHANGE, change),
    FIELD(SUBMIT_BATCH, Submit, batch),
    FIELD(SUBMIT_WAIT, Submit, wait),
    FIELD(ACCEPTED_IDS, Accepted, ids),
    FIELD(ACCEPTED_REFUSED, Accepted, refused),
    FIELD(ACCEPTED_STAMP, Accepted, stamp_ms),
    FIELD(ACCEPTED_SETTLED, Accepted, settled),
    FIELD(WAIT_IDS, Wait, ids),
    FIELD(NOTIFY_OUTCOMES, Notify, outcomes),
    FIELD(NOTIFY_CERTIFICATES, Notify, certificates),
    FIELD(NOTIFY_UNKNOWN, Notify, unknown),
    FIELD(WELCOME_LEDGER, Welcome, ledger),
    FIELD(WELCOME_STAMP, Welcome, stamp_ms),
    FIELD(WELCOME_SESSION, Welcome, session),
    FIELD(WELCOME_CERTIFICATES, Welcome, certificates),
    FIELD(WELCOME_HEARTBEAT, Welcome, heartbeat_ms),
    FIELD(WELCOME_SESSION_MS, Welcome, session_ms),
    FIELD(WELCOME_COORDINATORS, Welcome, coordinators),
    FIELD(REFUSED_LEADER, Refused, leader),
    FIELD(HEARTBEAT_HELD, Heartbeat, held),
    FIELD(HEARTBEAT_STAMP, Heartbeat, stamp_ms),
    FIELD(ENLIST_INSTANCE, Enlist, instance),
    FIELD(ENLIST_FUNCTIONS, Enlist, functions),
    FIELD(ENLIST_SLOTS, Enlist, slots),
    FIELD(ENLIST_WINDOW, Enlist, window),
    FIELD(ENLIST_MAX_WAITING, Enlist, max_waiting),
    FIELD(ENLIST_HELD, Enlist, held),
    FIELD(ENLIST_PREVIOUS_EXITED, Enlist, previous_exited),
    FIELD(ASSIGN_BATCHES, Assign, batches),
    FIELD(ASSIGN_ASSIGNMENTS, Assign, assignments),
    FIELD(ASSIGN_CERTIFICATES, Assign, certificates),
    FIELD(EXPAND_BATCH, Expand, batch),
    FIELD(EXPAND_WAITS, Expand, waits),
    FIELD(EXPAND_PROGRESS, Expand, progress),
    FIELD(RESUME_RESUMED, Resume, resumed),
    FIELD(REPORT_BATCH, Report, batch),
    FIELD(REPORT_PROGRESS, Report, progress),
    FIELD(RETURN_RETURNED, Return, returned),
    FIELD(CHECKPOINT_TASK, Checkpoint, task),
    FIELD(CHECKPOINT_ATTEMPT, Checkpoint, attempt),
    FIELD(CHECKPOINT_BYTES, Checkpoint, bytes),
    FIELD(CHECKPOINT_PROGRESS, Checkpoint, progress),
    FIELD(STOP_STOPPED, Stop, stopped),
    FIELD(PROGRESS_PROGRESS, Progress, progress),
    FIELD(ADMIT_CERTIFICATES, Admit, certificates),
    FIELD(DONE_INDEX, Done, index),
    {SEAL_TASK, grove_v1_Kind_KIND_TASK},
    {SEAL_RESULT, grove_v1_Kind_KIND_RESULT},
    {SEAL_VERDICT, grove_v1_Kind_KIND_VERDICT},
    {CODE_FAILED, grove_v1_Code_CODE_FAILED},
    {CODE_PERMANENT, grove_v1_Code_CODE_PERMANENT},
    {CODE_TIMEOUT, grove_v1_Code_CODE_TIMEOUT},
    {CODE_CANCELLED, grove_v1_Code_CODE_CANCELLED},
    {CODE_POISON, grove_v1_Code_CODE_POISON},
    {CODE_DEADLINE, grove_v1_Code_CODE_DEADLINE},
    {CODE_REFUSED, grove_v1_Code_CODE_REFUSED},
    {CODE_LOST, grove_v1_Code_CODE_LOST},
    {CODE_ABANDONED, grove_v1_Code_CODE_ABANDONED},
};

static void numbers_are_those_of_the_schema(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_int_equal(numbers[i][0], numbers[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_opens_as_what_it_is),
        cmocka_unit_test(elements_of_lists_come_back),
        cmocka_unit_test(lists_may_be_mixed),
        cmocka_unit_test(a_truncated_frame_never_opens),
        cmocka_unit_test(a_truncated_body_is_read_no_further),
        cmocka_unit_test(unknown_and_repeated_fields_are_refused),
        cmocka_unit_test(frames_of_another_version_are_told),
        cmocka_unit_test(numbers_are_those_of_the_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
