/* SPDX-License-Identifier: MPL-2.0
 * The history of a run: what lies on the disk of a coordinator, then what was said. */
#include "core/ledger.h"
#include "nodes/coordinator/parts.h"
#include "nodes/coordinator/replica/recovery.h"
#include "tests/simulation/mesh/players.h"
#include "tests/support/witness.h"

#include <inttypes.h>
#include <raft.h>
#include <string.h>

struct reading {
    struct witness *witness;
    struct forest *forest;
    struct effects effects;
};

static void apply(struct reading *reading, struct bytes entry)
{
    struct ledger_group group;
    struct command command;

    if (ledger_group_open(entry, &group) != GROVE_OK) {
        return;
    }
    while (ledger_group_next(&group, &command) == GROVE_OK) {
        command.token = 1;
        effects_reset(&reading->effects);
        forest_apply(reading->forest, &command, &reading->effects);
        witness_see(reading->witness, reading->forest, &command, &reading->effects);
    }
}

/* Of one the commands, too; of the others, that they have the same entries. */
static void read_ledger(struct reading *reading, struct players *players, unsigned which)
{
    struct volume *volume = &players->coordinators[which].volume;
    struct recovery read;
    struct recovery *recovery = &read;
    struct fault fault;

    volume_settle(volume);
    if (recovery_read(volume_directory(volume), recovery, &fault) != GROVE_OK) {
        players_fail(players, "%s", fault.text);
    }
    for (size_t i = 0; i < recovery->record_count; i++) {
        const struct record *record = &recovery->records[i];
        uint64_t size = 0;
        witness_hear(reading->witness, "log c%u index=%" PRIu64 " term=%" PRIu64 " hash=%02x%02x",
                     which + 1, record->index, record->term, record->hash.byte[0],
                     record->hash.byte[1]);
        memcpy(&size, record->payload.data, sizeof(size));
        if (which == 0 && record->type == RAFT_COMMAND &&
            size <= record->payload.size - sizeof(size)) {
            apply(reading, bytes_of(record->payload.data + sizeof(size), (size_t)size));
        }
    }
    recovery_clear(recovery);
}

static bool put(void *context, const void *data, size_t size)
{
    buffer_append(context, data, size);
    return true;
}

/* After the calm all three have applied the same, and have the same state. */
static void compare_forests(const struct players *players)
{
    struct buffer expected = {.size = 0};
    struct buffer bytes = {.size = 0};

    for (unsigned i = 0; i < PLAYERS_COORDINATORS; i++) {
        const struct player *player = &players->coordinators[i];
        const struct forest *forest = player->coordinator->machine.forest;
        const char *broken = forest_check(player->coordinator->machine.forest);
        if (broken != NULL) {
            players_fail(players, "the forest of %s: %s", player->process->name, broken);
        }
        buffer_reset(&bytes);
        forest_snapshot(forest, put, i == 0 ? &expected : &bytes);
        if (i > 0 && !bytes_equal(buffer_bytes(&expected), buffer_bytes(&bytes))) {
            players_fail(players, "c1 and %s have different forests", player->process->name);
        }
    }
    buffer_clear(&expected);
    buffer_clear(&bytes);
}

static void read_events(struct reading *reading, struct players *players)
{
    buffer_append(&players->events, "", 1);
    char *rest = (char *)players->events.data;
    for (char *line = NULL; (line = strsep(&rest, "\n")) != NULL;) {
        if (*line != '\0') {
            witness_hear(reading->witness, "%s", line);
        }
    }
}

void players_judge(struct players *players)
{
    const struct forest_options options = {.mesh = players->party.mesh.public_key};
    struct reading reading = {.witness = witness_create(), .forest = forest_create(&options)};

    compare_forests(players);
    for (unsigned i = 0; i < PLAYERS_COORDINATORS; i++) {
        read_ledger(&reading, players, i);
    }
    read_events(&reading, players);
    const char *wrong = witness_end_quiet(reading.witness);
    if (wrong != NULL) {
        players_fail(players, "the history: %s", wrong);
    }
    effects_clear(&reading.effects);
    forest_destroy(reading.forest);
    witness_destroy(reading.witness);
}
