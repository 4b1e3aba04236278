/* SPDX-License-Identifier: MPL-2.0
 * The forest behind the ledger. */
#include "nodes/coordinator/machine.h"

#include <errno.h>

#include "core/ledger.h"
#include "core/notice.h"
#include "nodes/coordinator/replica/snapshot.h"

#define LARGE_FOREST UINT64_C(1000000) /* bytes */

void machine_init(struct machine *machine, const struct forest_options *options)
{
    *machine = (struct machine){.options = *options, .forest = forest_create(options)};
    concord_init(&machine->concord);
}

static void await_remover(struct machine *machine)
{
    if (machine->is_removing) {
        pthread_join(machine->remover, NULL);
        machine->is_removing = false;
    }
}

void machine_clear(struct machine *machine)
{
    await_remover(machine);
    forest_destroy(machine->read);
    forest_destroy(machine->forest);
    effects_clear(&machine->effects);
    *machine = (struct machine){.forest = NULL};
}

static void apply_command(struct machine *machine, struct command *command, uint64_t at_ms,
                          size_t i)
{
    const size_t before = machine->effects.count;

    command->at_ms = at_ms;
    command->token = i < machine->token_count ? machine->tokens[i] : 0;
    forest_apply(machine->forest, command, &machine->effects);
    concord_add(&machine->concord, machine->effects.list + before, machine->effects.count - before);
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
    concord_enter(&machine->concord, index, machine->forest);
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

static enum grove_status read_state(void *context, const uint8_t *data, size_t size)
{
    struct machine *machine = context;

    forest_destroy(machine->read);
    machine->read = NULL;
    return forest_restore(&machine->options, bytes_of(data, size), &machine->read);
}

static void *remove_forest(void *context)
{
    forest_destroy(context);
    return NULL;
}

static bool is_large(const struct forest *forest)
{
    const struct forest_counters *counters = forest_counters(forest);

    return counters->body_size + counters->settled_size + counters->remembered_size > LARGE_FOREST;
}

/* A large one takes as long to remove as it took to read: that is not for the loop either. */
static void discard(struct machine *machine, struct forest *forest)
{
    await_remover(machine);
    machine->is_removing =
        is_large(forest) && pthread_create(&machine->remover, NULL, remove_forest, forest) == 0;
    if (!machine->is_removing) {
        forest_destroy(forest);
    }
}

static void adopt(void *context)
{
    struct machine *machine = context;
    struct forest *old = machine->forest;

    concord_cut(&machine->concord);
    machine->forest = machine->read;
    machine->read = NULL;
    if (machine->effects.notices != NULL) {
        notices_cut(machine->effects.notices);
    }
    discard(machine, old);
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
        .read = read_state,
        .adopt = adopt,
        .lost = lost,
    };
}
