/* SPDX-License-Identifier: MPL-2.0
 * The history of a run: what was applied, what lies on the disks of coordinators, then what was
 * said. */
#include "core/id.h"
#include "core/ledger.h"
#include "nodes/coordinator/parts.h"
#include "nodes/coordinator/replica/recovery.h"
#include "nodes/coordinator/replica/replica_parts.h"
#include "tests/simulation/mesh/annals.h"
#include "tests/support/witness.h"

#include <inttypes.h>
#include <raft.h>
#include <string.h>

struct reading {
    struct witness *witness;
    struct forest *forest;
    struct effects effects;
    struct recovery disks[PLAYERS_COORDINATORS]; /* of those that vote */
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

/* ---- disks */

static void read_disk(struct reading *reading, struct players *players, unsigned which)
{
    struct volume *volume = &players->coordinators[which].volume;
    struct fault fault;

    volume_settle(volume);
    if (recovery_read(volume_directory(volume), &reading->disks[which], &fault) != GROVE_OK) {
        players_fail(players, "%s", fault.text);
    }
}

/* The log has what was applied; all have the same entries, those too that nobody applies. */
static void read_log(const struct reading *reading, const struct players *players, unsigned which)
{
    const struct recovery *disk = &reading->disks[which];

    for (size_t i = 0; i < disk->record_count; i++) {
        const struct record *record = &disk->records[i];
        uint64_t size = 0;
        if (i == 0) {
            witness_hear(reading->witness, "start c%u index=%" PRIu64, which + 1,
                         record->index - 1);
        }
        witness_hear(reading->witness, "log c%u index=%" PRIu64 " term=%" PRIu64 " hash=%02x%02x",
                     which + 1, record->index, record->term, record->hash.byte[0],
                     record->hash.byte[1]);
        memcpy(&size, record->payload.data, sizeof(size));
        if (record->type == RAFT_COMMAND && size <= record->payload.size - sizeof(size) &&
            !bytes_equal(annals_group(record->index),
                         bytes_of(record->payload.data + sizeof(size), (size_t)size))) {
            players_fail(players, "entry %" PRIu64 " of c%u is another than was applied",
                         record->index, which + 1);
        }
    }
}

/* A snapshot is what comes of applying all that it stands for. */
static void compare_snapshots(const struct reading *reading, const struct players *players,
                              uint64_t index)
{
    for (unsigned i = 0; i < players->coordinator_count; i++) {
        const struct snapshot *snapshot = &reading->disks[i].snapshot;
        if (!reading->disks[i].has_snapshot || snapshot->head.end.index != index) {
            continue;
        }
        const struct digest expected = annals_state(reading->forest);
        const struct digest found = digest_of(snapshot->state);
        if (!digest_equal(&expected, &found)) {
            players_fail(players, "snapshot %" PRIu64 " of c%u has another state", index, i + 1);
        }
    }
}

static void read_ledger(struct reading *reading, struct players *players,
                        const struct coordinator *leader)
{
    for (unsigned i = 0; i < players->coordinator_count; i++) {
        if (players_votes(leader, &players->coordinators[i])) {
            read_disk(reading, players, i);
        }
    }
    for (uint64_t index = 1; index <= annals_end_index(); index++) {
        apply(reading, annals_group(index));
        compare_snapshots(reading, players, index);
    }
    for (unsigned i = 0; i < players->coordinator_count; i++) {
        read_log(reading, players, i);
        recovery_clear(&reading->disks[i]);
    }
}

/* After the calm all have the same state: that which comes of all that was applied. */
static void compare_forests(const struct reading *reading, const struct players *players,
                            const struct coordinator *leader)
{
    const struct digest expected = annals_state(reading->forest);

    for (unsigned i = 0; i < players->coordinator_count; i++) {
        const struct player *player = &players->coordinators[i];
        if (!players_votes(leader, player)) {
            continue;
        }
        const struct digest found = annals_state(player->coordinator->machine.forest);
        const char *broken = forest_check(player->coordinator->machine.forest);
        if (broken != NULL) {
            players_fail(players, "the forest of %s: %s", player->process->name, broken);
        }
        if (!digest_equal(&expected, &found)) {
            players_fail(players, "%s has another forest", player->process->name);
        }
    }
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

bool players_are_even(const struct players *players)
{
    const struct coordinator *leader = players_leader(players);

    if (leader == NULL) {
        return false;
    }
    const raft_index end = raft_last_index(&leader->replica->voter.raft);
    for (unsigned i = 0; i < players->coordinator_count; i++) {
        struct coordinator *coordinator = players->coordinators[i].coordinator;
        if (!players_votes(leader, &players->coordinators[i])) {
            continue;
        }
        if (coordinator == NULL || raft_last_index(&coordinator->replica->voter.raft) != end ||
            raft_last_applied(&coordinator->replica->voter.raft) != end) {
            return false;
        }
    }
    return true;
}

void players_judge(struct players *players)
{
    const struct forest_options options = {.mesh = players->party.mesh.public_key};
    const struct coordinator *leader = players_leader(players);
    struct reading reading = {.witness = witness_create(), .forest = forest_create(&options)};

    if (leader == NULL) {
        players_fail(players, "nobody leads");
    }
    witness_expect_seals(reading.witness, &options.mesh);
    read_ledger(&reading, players, leader);
    compare_forests(&reading, players, leader);
    read_events(&reading, players);
    const char *wrong = witness_end_quiet(reading.witness);
    if (wrong != NULL) {
        players_fail(players, "the history: %s", wrong);
    }
    effects_clear(&reading.effects);
    forest_destroy(reading.forest);
    witness_destroy(reading.witness);
}
