/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/mesh/annals.h"

#include "core/id.h"
#include "nodes/coordinator/machine.h"
#include "tests/simulation/memory.h"

#include <inttypes.h>
#include <stdlib.h>

#define STATE_EVERY 16u /* indexes */
#define STRETCH 16u     /* that coordinators compare; there are few entries in a run */

/* Of one index. */
struct entry {
    struct buffer group;
    struct digest state; /* after it */
    bool has_state;
};

/* Between a coordinator's machine and its replica. Its memory goes with the process. */
struct reader {
    struct replica_machine machine;
    struct process *process;
    uint64_t index; /* of the last group that it applied */
    bool is_open;
};

static struct {
    struct players *players;
    uint64_t retention;
    struct entry *list; /* by index */
    size_t room;
    uint64_t end;
} annals;

void annals_begin(struct players *players, uint64_t retention)
{
    annals.players = players;
    annals.retention = retention;
    annals.end = 0;
}

void annals_end(void)
{
    for (size_t i = 0; i < annals.room; i++) {
        buffer_clear(&annals.list[i].group);
    }
    free(annals.list);
    annals.list = NULL;
    annals.room = 0;
}

struct bytes annals_group(uint64_t index)
{
    return index < annals.room ? buffer_bytes(&annals.list[index].group) : bytes_of(NULL, 0);
}

uint64_t annals_end_index(void)
{
    return annals.end;
}

static bool put(void *context, const void *data, size_t size)
{
    buffer_append(context, data, size);
    return true;
}

struct digest annals_state(const struct forest *forest)
{
    struct buffer bytes = {.size = 0};

    memory_hold();
    forest_snapshot(forest, put, &bytes);
    const struct digest digest = digest_of(buffer_bytes(&bytes));
    buffer_clear(&bytes);
    memory_go_on();
    return digest;
}

static struct entry *entry_at(uint64_t index)
{
    if (index >= annals.room) {
        const size_t room = 2 * (size_t)index + 64;
        memory_hold();
        annals.list = realloc(annals.list, room * sizeof(*annals.list));
        memory_go_on();
        if (annals.list == NULL) {
            abort();
        }
        memset(annals.list + annals.room, 0, (room - annals.room) * sizeof(*annals.list));
        annals.room = room;
    }
    return &annals.list[index];
}

/* ---- what a replica drives */

static void compare_group(const struct reader *reader, struct entry *entry, uint64_t index,
                          struct bytes group)
{
    if (index <= reader->index) {
        players_fail(annals.players, "%s applies entry %" PRIu64 " after %" PRIu64,
                     reader->process->name, index, reader->index);
    }
    if (entry->group.size == 0) {
        memory_hold();
        buffer_append(&entry->group, group.data, group.size);
        memory_go_on();
    } else if (!bytes_equal(buffer_bytes(&entry->group), group)) {
        players_fail(annals.players, "%s applies another entry %" PRIu64, reader->process->name,
                     index);
    }
}

/* Whoever goes on from a snapshot comes to the same as whoever applied it all. */
static void compare_state(const struct reader *reader, struct entry *entry, uint64_t index)
{
    const struct machine *machine = reader->machine.context;
    const struct digest state = annals_state(machine->forest);
    const char *broken = forest_check(machine->forest);

    if (broken != NULL) {
        players_fail(annals.players, "the forest of %s: %s", reader->process->name, broken);
    }
    if (entry->has_state && !digest_equal(&entry->state, &state)) {
        players_fail(annals.players, "%s has another state after entry %" PRIu64,
                     reader->process->name, index);
    }
    entry->state = state;
    entry->has_state = true;
}

static void apply(void *context, uint64_t index, const uint8_t *data, size_t size)
{
    struct reader *reader = context;
    struct entry *entry = entry_at(index);

    compare_group(reader, entry, index, bytes_of(data, size));
    reader->machine.apply(reader->machine.context, index, data, size);
    reader->index = index;
    if (index > annals.end) {
        annals.end = index;
    }
    if (index % STATE_EVERY == 0) {
        compare_state(reader, entry, index);
    }
}

static int write_snapshot(void *context, struct snapshot_writer *writer)
{
    const struct reader *reader = context;

    players_tell(annals.players, "fault %s.snapshot on", reader->process->name);
    return reader->machine.snapshot_write(reader->machine.context, writer);
}

static enum grove_status read_state(void *context, const uint8_t *data, size_t size)
{
    const struct reader *reader = context;

    return reader->machine.read(reader->machine.context, data, size);
}

static void adopt(void *context)
{
    struct reader *reader = context;

    players_tell(annals.players, "fault %s.%s on", reader->process->name,
                 reader->is_open ? "installed" : "restored");
    reader->machine.adopt(reader->machine.context);
}

static void lost(void *context)
{
    const struct reader *reader = context;

    reader->machine.lost(reader->machine.context);
}

/* What an operator should know, a snapshot that is tried again say, nobody has to. */
static void note(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static void fatal(void *context, enum grove_status status, const char *text)
{
    (void)context;
    (void)status;
    world_die(text);
}

/* ---- the calls */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
enum grove_status __wrap_replica_open(const struct replica_options *options,
                                      const struct replica_machine *machine,
                                      struct replica **replica, struct fault *fault)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    struct replica_options quiet = *options;
    const struct replica_machine face = {.context = reader,
                                         .apply = apply,
                                         .snapshot_write = write_snapshot,
                                         .read = read_state,
                                         .adopt = adopt,
                                         .lost = lost};

    if (reader == NULL) {
        abort();
    }
    reader->machine = *machine;
    reader->process = world.current;
    ((struct machine *)machine->context)->concord.entries = STRETCH;
    quiet.note = note;
    quiet.fatal = fatal;
    const enum grove_status status = __real_replica_open(&quiet, &face, replica, fault);
    reader->is_open = true;
    return status;
}

struct forest *__wrap_forest_create(const struct forest_options *options)
{
    struct forest_options less = *options;

    less.retention_size = annals.retention;
    return __real_forest_create(&less);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
