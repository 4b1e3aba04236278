/* SPDX-License-Identifier: MPL-2.0
 * The forest behind the ledger. */
#include "nodes/coordinator/machine.h"

#include <errno.h>

#include "core/ledger.h"
#include "core/notice.h"
#include "nodes/coordinator/replica/snapshot.h"

void machine_init(struct machine *machine, const struct forest_options *options)
{
    *machine = (struct machine){.options = *options, .forest = forest_create(options)};
}

void machine_clear(struct machine *machine)
{
    forest_destroy(machine->forest);
    effects_clear(&machine->effects);
    *machine = (struct machine){.forest = NULL};
}

static void apply_command(struct machine *machine, struct command *command, uint64_t at_ms,
                          size_t i)
{
    command->at_ms = at_ms;
    command->token = i < machine->token_count ? machine->tokens[i] : 0;
    forest_apply(machine->forest, command, &machine->effects);
}

/* What cannot be read is passed over, alike on every replica: stopping at it would stop them all at
 * every start. */
static void apply_group(struct machine *machine, struct bytes entry)
{
    struct ledger_group group;
    struct command command;
    enum grove_status status;

    if (ledger_group_open(entry, &group) != GROVE_OK) {
        machine->malformed++;
        return;
    }
    for (size_t i = 0; (status = ledger_group_next(&group, &command)) != GROVE_NOT_FOUND; i++) {
        if (status == GROVE_OK) {
            apply_command(machine, &command, group.at_ms, i);
        } else {
            machine->malformed++;
        }
    }
}

static void apply(void *context, uint64_t index, const uint8_t *data, size_t size)
{
    struct machine *machine = context;

    machine->index = index;
    if (machine->effects.notices != NULL) {
        notices_begin(machine->effects.notices, index);
    }
    apply_group(machine, bytes_of(data, size));
    machine->tokens = NULL;
    machine->token_count = 0;
}

struct sink {
    struct snapshot_writer *writer;
};

static bool put(void *context, const void *data, size_t size)
{
    const struct sink *sink = context;

    snapshot_put(sink->writer, data, size);
    return true;
}

static int write_snapshot(void *context, struct snapshot_writer *writer)
{
    const struct machine *machine = context;
    struct sink sink = {.writer = writer};

    return forest_snapshot(machine->forest, put, &sink) ? 0 : EIO;
}

static enum grove_status restore(void *context, const uint8_t *data, size_t size)
{
    struct machine *machine = context;
    struct forest *forest;
    const enum grove_status status =
        forest_restore(&machine->options, bytes_of(data, size), &forest);

    if (status == GROVE_OK) {
        forest_destroy(machine->forest);
        machine->forest = forest;
        if (machine->effects.notices != NULL) {
            notices_cut(machine->effects.notices);
        }
    }
    return status;
}

/* Whatever is applied next, the tokens are not its. */
static void lost(void *context)
{
    struct machine *machine = context;

    machine->lost = machine->tokens != NULL;
    machine->tokens = NULL;
    machine->token_count = 0;
}

struct replica_machine machine_face(struct machine *machine)
{
    return (struct replica_machine){
        .context = machine,
        .apply = apply,
        .snapshot_write = write_snapshot,
        .restore = restore,
        .lost = lost,
    };
}
