/* SPDX-License-Identifier: MPL-2.0
 * Hostile entries of the ledger: what is read can be written again and reads the same. */
#include <assert.h>

#include "core/ledger.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct command command, back;
    struct ledger_group group, group_back;
    struct buffer again = {0};

    if (ledger_group_open(bytes_of(data, size), &group) != GROVE_OK) {
        return 0;
    }
    for (;;) {
        enum grove_status status = ledger_group_next(&group, &command);

        if (status == GROVE_NOT_FOUND) {
            break;
        }
        if (status == GROVE_OK) {
            buffer_reset(&again);
            ledger_group_begin(&again, command.at_ms);
            ledger_group_append(&again, &command);
            assert(ledger_group_open(buffer_bytes(&again), &group_back) == GROVE_OK);
            assert(ledger_group_next(&group_back, &back) == GROVE_OK);
            assert(back.kind == command.kind && back.at_ms == command.at_ms);
        }
    }
    buffer_clear(&again);
    return 0;
}
