/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/mesh/annals.h"

#include "nodes/coordinator/parts.h"
#include "nodes/coordinator/replica/heap.h"
#include "nodes/coordinator/replica/journal.h"
#include "nodes/coordinator/replica/peer_address.h"
#include "nodes/host/clock.h"
#include "tests/simulation/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <raft.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BIRTH 7u /* of the disks */

void players_fail(const struct players *players, const char *format, ...)
{
    va_list arguments;

    dprintf(STDERR_FILENO, "seed %" PRIu64 ": after %.6f s: ", players->seed,
            (double)world.schedule.now_us / 1e6);
    va_start(arguments, format);
    vdprintf(STDERR_FILENO, format, arguments);
    va_end(arguments);
    dprintf(STDERR_FILENO, "\n");
    _Exit(1);
}

void players_tell(struct players *players, const char *format, ...)
{
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    memory_hold();
    buffer_append(&players->events, line, (size_t)size);
    buffer_append(&players->events, "\n", 1);
    memory_go_on();
}

static void wake(void *key, uint64_t unused)
{
    (void)unused;
    threads_wake(key, true);
}

void players_sleep(uint64_t for_us)
{
    int here; /* a key that no other thread has */

    schedule_after(&world.schedule, for_us, wake, &here, 0);
    threads_park(&here);
}

/* ---- keys */

static void make_player(struct players *players, struct player *player, const char *name,
                        uint32_t roles)
{
    *player = (struct player){.players = players, .process = world_add(name)};
    party_credential(&players->party, name, roles, &player->credential);
    snprintf(player->path, sizeof(player->path), "%s/%s", players->keys.path, name);
}

/* Every credential names coordinators. */
static void name_coordinators(struct players *players, struct player *player, unsigned count)
{
    struct credential *credential = &player->credential;
    char error[CREDENTIAL_ERROR_SIZE];

    for (unsigned i = 0; i < count; i++) {
        const struct player *coordinator = &players->coordinators[i];
        struct coordinator_address *address = &credential->coordinator[i];
        snprintf(address->endpoint, sizeof(address->endpoint), "tcp://%s", coordinator->listen);
        address->certificate = coordinator->credential.certificate;
        buffer_append(&address->certificate_bytes, coordinator->credential.certificate_bytes.data,
                      coordinator->credential.certificate_bytes.size);
    }
    credential->coordinator_count = count;
    if (credential_save(player->path, credential, error) != GROVE_OK) {
        players_fail(players, "%s", error);
    }
}

/* ---- a ledger of its founders */

static void configure(const struct players *players, struct raft_configuration *configuration)
{
    raft_configuration_init(configuration);
    for (unsigned i = 0; i < players->founder_count; i++) {
        const struct player *player = &players->coordinators[i];
        struct peer_address address = {.identity = player->credential.signer->public_key};
        char text[REPLICA_ADDRESS_SIZE];
        snprintf(address.endpoint, sizeof(address.endpoint), "tcp://%s", player->listen);
        peer_address_write(&address, text);
        if (raft_configuration_add(configuration, player->volume.member, text, RAFT_VOTER) != 0) {
            abort();
        }
    }
}

static void found(const struct players *players, struct player *player)
{
    static const struct id ledger = {{1}};
    const struct journal_options options = {.directory = volume_path(&player->volume),
                                            .segment_size = players->segment_size,
                                            .now_ns = clock_monotonic_ns};
    struct raft_configuration configuration;
    struct raft_buffer encoded;
    struct buffer payload = {.size = 0};
    struct recovery recovery;
    struct journal *journal;
    struct fault fault;

    configure(players, &configuration);
    if (raft_configuration_encode(&configuration, &encoded) != 0) {
        abort();
    }
    raft_configuration_close(&configuration);
    buffer_append(&payload, encoded.base, encoded.len);
    raft_free(encoded.base);
    buffer_append(&payload, &ledger, sizeof(ledger));
    struct record first = {.term = 1, .type = RAFT_CHANGE, .payload = buffer_bytes(&payload)};
    if (journal_open(&options, true, &journal, &recovery, &fault) != GROVE_OK ||
        journal_begin(journal, &ledger, &first, &recovery, &fault) != GROVE_OK) {
        players_fail(players, "no ledger begins: %s", fault.text);
    }
    recovery_clear(&recovery);
    journal_close(journal);
    buffer_clear(&payload);
    volume_kill(&player->volume);
}

void players_draw_habits(struct disk *habits)
{
    static const uint64_t most_us[] = {500, 5000, 60000};

    habits->write_least_us = 0;
    habits->write_most_us = most_us[dice_below(&world.dice, 3)];
    habits->snapshot_most_us = dice_between(&world.dice, 1000, 500000);
}

static void make_coordinator(struct players *players, unsigned number)
{
    static const char *const names[] = {"c1", "c2", "c3", "c4", "c5", "c6", "c7"};
    struct player *player = &players->coordinators[number];

    make_player(players, player, names[number], ROLE_COORDINATOR);
    player->number = number;
    snprintf(player->listen, sizeof(player->listen), "10.0.0.%u:7310", number + 1);
    disk_init(&player->habits, &world.schedule, &world.dice);
    players_draw_habits(&player->habits);
    volume_init(&player->volume, &player->habits);
    player->volume.runs = world_runs;
    player->volume.ring = bus_ring;
    player->volume.owner = player->process;
    player->process->volume = &player->volume;
    if (number < players->founder_count) {
        player->volume.member = peer_id(&player->credential.signer->public_key, BIRTH);
    }
}

static void make_coordinators(struct players *players)
{
    for (unsigned i = 0; i < players->coordinator_count; i++) {
        make_coordinator(players, i);
    }
    heap_install();
    for (unsigned i = 0; i < players->founder_count; i++) {
        found(players, &players->coordinators[i]);
    }
}

/* How much of its past a ledger keeps: all of it in some runs, little in most. */
static void draw_sizes(struct players *players)
{
    const size_t records = (size_t)dice_between(&world.dice, 4, 64) << 10;
    const bool compacts = dice_chance(&world.dice, 750);

    players->segment_size = SEGMENT_RECORDS_OFFSET + records;
    players->snapshot_size =
        compacts ? (size_t)dice_between(&world.dice, 1 << 10, 64 << 10) : SIZE_MAX / 2;
    annals_begin(players, dice_chance(&world.dice, 500) ? dice_between(&world.dice, 1, 20000) : 0);
}

static void draw_members(struct players *players)
{
    players->churns = dice_chance(&world.dice, 600);
    players->founder_count = dice_chance(&world.dice, 300) ? 5 : 3;
    players->coordinator_count = players->founder_count + (players->churns ? PLAYERS_SPARE : 0);
}

static void admit(struct players *players, struct player *player, unsigned known)
{
    players->admitted[players->admitted_count++] =
        buffer_bytes(&player->credential.certificate_bytes);
    name_coordinators(players, player, known);
}

/* Clients and workers may have to hear of a coordinator from another. */
static void admit_all(struct players *players)
{
    const unsigned all = players->coordinator_count;
    const unsigned known = dice_chance(&world.dice, 500) ? players->founder_count : all;

    for (unsigned i = 0; i < all; i++) {
        admit(players, &players->coordinators[i], all);
    }
    for (unsigned i = 0; i < PLAYERS_WORKERS; i++) {
        admit(players, &players->workers[i], known);
    }
    for (unsigned i = 0; i < PLAYERS_CLIENTS; i++) {
        admit(players, &players->clients[i], known);
    }
    admit(players, &players->operator, known);
}

void players_begin(struct players *players, uint64_t seed)
{
    static const char *const workers[] = {"w1", "w2"};
    static const char *const clients[] = {"p1", "p2"};

    world_begin(seed);
    *players = (struct players){.seed = seed};
    draw_sizes(players);
    draw_members(players);
    party_make(&players->party);
    scratch_make(&players->keys);
    make_coordinators(players);
    for (unsigned i = 0; i < PLAYERS_WORKERS; i++) {
        make_player(players, &players->workers[i], workers[i], ROLE_WORKER);
    }
    for (unsigned i = 0; i < PLAYERS_CLIENTS; i++) {
        make_player(players, &players->clients[i], clients[i], ROLE_CLIENT);
    }
    make_player(players, &players->operator, "o1", ROLE_OPERATOR);
    admit_all(players);
}

void players_end(struct players *players)
{
    world_end();
    annals_end();
    for (unsigned i = 0; i < players->coordinator_count; i++) {
        players->coordinators[i].volume.journal = NULL;
        volume_clear(&players->coordinators[i].volume);
    }
    scratch_remove(&players->keys);
    party_clear(&players->party);
    buffer_clear(&players->events);
}
