/* SPDX-License-Identifier: MPL-2.0
 * Hostile frames and items: nothing is read past the end, and what is let in can be sent again. */
#include <assert.h>

#include "tests/support/samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_task(struct bytes bytes, struct buffer *again)
{
    struct task_item item, back;

    if (wire_task_decode(bytes, &item) == GROVE_OK) {
        buffer_reset(again);
        wire_task_encode(again, &item);
        assert(wire_task_decode(buffer_bytes(again), &back) == GROVE_OK);
        assert(bytes_equal(item.payload, back.payload) && bytes_equal(item.key, back.key));
    }
}

static void check_result(struct bytes bytes, struct buffer *again)
{
    struct result_item item, back;

    if (wire_result_decode(bytes, &item) == GROVE_OK) {
        buffer_reset(again);
        wire_result_encode(again, &item);
        assert(wire_result_decode(buffer_bytes(again), &back) == GROVE_OK);
        assert(id_equal(&item.task, &back.task) && bytes_equal(item.bytes, back.bytes));
    }
}

static void check_verdict(struct bytes bytes, struct buffer *again)
{
    struct verdict_item item, back;

    if (wire_verdict_decode(bytes, &item) == GROVE_OK) {
        buffer_reset(again);
        wire_verdict_encode(again, &item);
        assert(wire_verdict_decode(buffer_bytes(again), &back) == GROVE_OK);
        assert(item.code == back.code);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes bytes = bytes_of(data, size);
    struct buffer again = {0};
    struct message message;

    if (wire_message_open(bytes, &message) == GROVE_OK) {
        enum grove_status status = sample_decode(message.type, message.body);
        assert(status == GROVE_OK || status == GROVE_MALFORMED || status == GROVE_TOO_LARGE);
    }
    check_task(bytes, &again);
    check_result(bytes, &again);
    check_verdict(bytes, &again);
    buffer_clear(&again);
    return 0;
}
