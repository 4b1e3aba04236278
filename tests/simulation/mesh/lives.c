/* SPDX-License-Identifier: MPL-2.0
 * The lives of nodes: they start, are killed, or end themselves for want of room or memory. */
#include "tests/simulation/mesh/annals.h"

#include "nodes/coordinator/parts.h"
#include "tests/simulation/memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void begin_thread(struct player *player, void *(*start)(void *))
{
    pthread_t thread;

    world.current = player->process;
    if (pthread_create(&thread, NULL, start, player) != 0) {
        abort();
    }
    world.current = NULL;
}

static void begin_life(struct player *player, void (*died)(void *owner, const char *why))
{
    struct process *process = player->process;

    process->is_up = true;
    process->starves = memory_threatens(process);
    process->died = died;
    process->owner = player;
}

static void come_again(struct player *player)
{
    player->restart_us = world.schedule.now_us + dice_between(&world.dice, 10000, 3000000);
}

/* ---- coordinators */

void players_crash_coordinator(struct player *player, bool loses_power)
{
    if (player->volume.journal != NULL) {
        journal_crash(player->volume.journal);
    }
    player->volume.journal = NULL;
    player->coordinator = NULL; /* its memory is gone */
    world_crash(player->process);
    if (loses_power) {
        volume_cut_power(&player->volume);
    } else {
        volume_kill(&player->volume);
    }
}

/* Something that may end a node has happened to it. */
static bool is_excused(const struct player *player)
{
    return player->process->starves || player->volume.failed;
}

static void coordinator_died(void *owner, const char *why)
{
    struct player *player = owner;

    player->wanted = is_excused(player);
    if (!player->wanted && !player->volume.damaged) {
        players_fail(player->players, "%s ends itself: %s", player->process->name, why);
    }
    players_tell(player->players, "fault %s.died on %.60s", player->process->name, why);
    players_crash_coordinator(player, false);
    come_again(player);
}

static void *run_coordinator(void *context)
{
    struct player *player = context;
    char error[COORDINATOR_ERROR_SIZE] = "";

    if (coordinator_run(player->coordinator, error) != GROVE_OK) {
        world_die(error);
    }
    return NULL;
}

struct opening {
    struct player *player;
    enum grove_status status;
    char error[COORDINATOR_ERROR_SIZE];
};

static void open_coordinator(void *context)
{
    struct opening *opening = context;
    struct player *player = opening->player;
    const struct players *players = player->players;
    const struct coordinator_options options = {
        .directory = volume_path(&player->volume),
        .listen = player->listen,
        .credential = &player->credential,
        .join = true,
        .has_peers = true,
        .admitted = players->admitted,
        .admitted_count = players->admitted_count,
        .segment_size = players->segment_size,
        .snapshot_size = players->snapshot_size,
    };

    opening->status = coordinator_open(&options, &player->coordinator, opening->error);
}

/* What only may be missing where a disk lied or rotted, with or without a sign. */
static bool has_less(const struct volume_said *now, const struct volume_said *before)
{
    return now->end < before->end || now->term < before->term ||
           (now->term == before->term && before->vote != 0 && now->vote != before->vote);
}

static bool end_damaged(struct player *player, const char *how)
{
    players_tell(player->players, "fault %s.%s on", player->process->name, how);
    players_crash_coordinator(player, false);
    return false;
}

/* It does not start. What it has done on the way there takes back nothing of what its disk has
 * said, and is undone; `before` is taken. */
static bool give_up_start(struct player *player, struct volume_said before,
                          const struct opening *opening)
{
    if (player->process->is_up) {
        coordinator_died(player, opening->error);
    }
    free(player->volume.said.terms);
    player->volume.said = before;
    return player->wanted || end_damaged(player, "refused");
}

bool players_start_coordinator(struct player *player)
{
    struct volume_said before = volume_said_copy(&player->volume.said);
    struct opening opening = {.player = player, .status = GROVE_OK};

    world_note(2, player->process->number);
    begin_life(player, coordinator_died);
    if (!world_does(player->process, open_coordinator, &opening) || opening.status != GROVE_OK) {
        return give_up_start(player, before, &opening);
    }
    const bool is_less = has_less(&player->volume.said, &before);
    free(before.terms);
    if (is_less && !player->volume.damaged) {
        players_fail(player->players, "%s has forgotten what its disk had", player->process->name);
    }
    if (is_less) {
        return end_damaged(player, "forgot");
    }
    player->volume.damaged = player->volume.flipped = false;
    begin_thread(player, run_coordinator);
    return true;
}

const struct coordinator *players_leader(const struct players *players)
{
    const struct coordinator *leader = NULL;
    uint64_t term = 0;

    for (unsigned i = 0; i < players->coordinator_count; i++) {
        const struct coordinator *coordinator = players->coordinators[i].coordinator;
        if (coordinator != NULL && coordinator->leads &&
            replica_status(coordinator->replica).term > term) {
            leader = coordinator;
            term = replica_status(coordinator->replica).term;
        }
    }
    return leader;
}

static const struct member *member_of(const struct coordinator *leader, const struct player *player)
{
    for (size_t i = 0; i < leader->members.count; i++) {
        const struct member *member = &leader->members.list[i];
        if (key_equal(&member->address.identity, &player->credential.signer->public_key)) {
            return member;
        }
    }
    return NULL;
}

bool players_takes_part(const struct coordinator *leader, const struct player *player)
{
    return member_of(leader, player) != NULL;
}

bool players_votes(const struct coordinator *leader, const struct player *player)
{
    const struct member *member = member_of(leader, player);

    return member != NULL && member->role == REPLICA_VOTER;
}

void players_watch(struct players *players)
{
    for (unsigned i = 0; i < players->coordinator_count; i++) {
        struct player *player = &players->coordinators[i];
        if (player->coordinator != NULL && player->coordinator->leads) {
            const uint64_t term = replica_status(player->coordinator->replica).term;
            if (term != player->led) {
                players_tell(players, "lead %s term=%" PRIu64, player->process->name, term);
            }
            player->led = term;
        }
    }
}

/* ---- workers, clients */

void players_crash_worker(struct player *player)
{
    player->worker = NULL;
    world_crash(player->process);
}

static void worker_died(void *owner, const char *why)
{
    struct player *player = owner;

    if (!player->process->starves) {
        players_fail(player->players, "%s ends itself: %s", player->process->name, why);
    }
    players_tell(player->players, "fault %s.died on %.60s", player->process->name, why);
    players_crash_worker(player);
    come_again(player);
}

static void *run_worker(void *context)
{
    struct player *player = context;
    char error[GROVE_ERROR_SIZE] = "";

    if (grove_worker_run(player->worker, error) != GROVE_OK) {
        world_die(error);
    }
    return NULL;
}

static void open_worker(void *context)
{
    struct player *player = context;
    const struct players *players = player->players;
    struct grove_worker_options options = GROVE_WORKER_OPTIONS_INIT;
    char instance[32];
    char error[GROVE_ERROR_SIZE] = "";

    options.credential_path = player->path;
    snprintf(instance, sizeof(instance), "%s.%" PRIu64, player->process->name,
             player->process->life);
    options.instance = instance; /* the one before may be thought alive */
    options.slots = 2;
    if (grove_worker_open(&options, &player->worker, error) != GROVE_OK ||
        grove_worker_handle(player->worker, "work", players->work, player) != GROVE_OK ||
        grove_worker_handle(player->worker, "flow", players->flow, player) != GROVE_OK) {
        world_die(error);
    }
}

void players_start_worker(struct player *player)
{
    world_note(3, player->process->number);
    begin_life(player, worker_died);
    if (world_does(player->process, open_worker, player)) {
        begin_thread(player, run_worker);
    }
}

void players_start_client(struct player *player, void *(*start)(void *player))
{
    begin_thread(player, start);
}
