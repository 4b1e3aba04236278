/* SPDX-License-Identifier: MPL-2.0
 * Commands to bytes and back: the entries of the ledger (schema/ledger.proto). Decoding borrows
 * from the entry. */
#ifndef GROVE_CORE_LEDGER_H
#define GROVE_CORE_LEDGER_H

#include "core/buffer.h"
#include "core/command.h"

struct ledger_group {
    uint64_t at_ms;
    struct wire_list commands;
};

/* Starts an entry in an empty buffer. */
void ledger_group_begin(struct buffer *out, uint64_t at_ms);

/* Appends one command as an element of the group begun in `out`; at_ms and token are not written.
 */
void ledger_group_append(struct buffer *out, const struct command *command);

/* An upper bound of what ledger_group_append adds, so that a group ends at its byte cap. */
size_t ledger_command_size(const struct command *command);

/* errors    GROVE_MALFORMED: not an entry of this ledger */
enum grove_status ledger_group_open(struct bytes entry, struct ledger_group *group) GROVE_CHECKED;

/* Decodes the next command; all of it but `command` itself lies in the entry.
 *
 *   errors    GROVE_NOT_FOUND at the end; GROVE_MALFORMED for one to be skipped, `command` is then
 * worthless */
enum grove_status ledger_group_next(struct ledger_group *group, struct command *command)
    GROVE_CHECKED;

#endif
