/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/mesh/churn.h"

#include "nodes/coordinator/parts.h"
#include "nodes/coordinator/replica/replica_parts.h"
#include "nodes/programs/operator.h"

#include <stdio.h>
#include <stdlib.h>

#define LEAST_VOTERS 3u /* of which one may be lost */

static struct {
    struct players *players;
    bool is_busy;        /* the operator awaits an answer */
    FILE *read, *unread; /* what it is told goes to the second */
    bool is_calm, is_over;
} churn;

static unsigned count_voters(const struct coordinator *leader, unsigned among)
{
    unsigned count = 0;

    for (unsigned i = 0; i < among; i++) {
        count += players_votes(leader, &churn.players->coordinators[i]);
    }
    return count;
}

static struct player *find_lost(void)
{
    for (unsigned i = 0; i < churn.players->coordinator_count; i++) {
        if (churn.players->coordinators[i].is_lost) {
            return &churn.players->coordinators[i];
        }
    }
    return NULL;
}

/* Its disk lies, or has lost something and nobody has seen yet what. */
static struct player *find_sick(void)
{
    for (unsigned i = 0; i < churn.players->coordinator_count; i++) {
        const struct volume *volume = &churn.players->coordinators[i].volume;
        if (volume->lies || volume->damaged) {
            return &churn.players->coordinators[i];
        }
    }
    return NULL;
}

static struct player *any_coordinator(void)
{
    return &churn.players->coordinators[dice_below(&world.dice, churn.players->coordinator_count)];
}

/* Do all that vote know of the same members, and nobody of a change? */
static bool membership_rests(const struct coordinator *leader)
{
    const struct raft *leading = &leader->replica->voter.raft;

    for (unsigned i = 0; i < churn.players->coordinator_count; i++) {
        const struct player *player = &churn.players->coordinators[i];
        if (!players_votes(leader, player)) {
            continue;
        }
        if (player->coordinator == NULL) {
            return false;
        }
        const struct raft *raft = &player->coordinator->replica->voter.raft;
        if (raft->configuration_uncommitted_index != 0 ||
            raft->configuration_index != leading->configuration_index) {
            return false;
        }
    }
    return leader->changes.step == CHANGE_IDLE && !churn.is_busy;
}

/* ---- the operator */

static enum exit_code ask(struct player *operator, enum change_kind kind, const char *name)
{
    static const char *const kinds[] = {
        [CHANGE_ADD] = "add", [CHANGE_REMOVE] = "remove", [CHANGE_TRANSFER] = "transfer"};
    const struct change change = {.kind = kind, .name = bytes_of_text(name)};

    churn.is_busy = true;
    stderr = churn.unread;
    const enum exit_code code = operator_change(&operator->credential, operator->path, &change);
    stderr = churn.read;
    churn.is_busy = false;
    players_tell(churn.players, "fault %s.%s.%u on", kinds[kind], name, code);
    return code;
}

static void take_away(struct player *operator, struct player * player)
{
    if (ask(operator, CHANGE_REMOVE, player->process->name) == EXIT_DONE) {
        player->is_discarded = !player->is_lost && dice_chance(&world.dice, 500);
        player->is_lost = false;
    }
}

/* There are others enough, one that all know among them. */
static bool may_go(const struct coordinator *leader, const struct player *player)
{
    const bool is_founder = player->number < churn.players->founder_count;

    return count_voters(leader, churn.players->coordinator_count) >= LEAST_VOTERS &&
           count_voters(leader, churn.players->founder_count) > is_founder;
}

/* The one that is lost is removed under the id of its old disk first; then it may be added. */
static void change(struct player *operator)
{
    const struct coordinator *leader = players_leader(churn.players);
    struct player *player = any_coordinator();
    struct player *lost = find_lost();

    if (leader == NULL || find_sick() != NULL) {
        return;
    }
    if (lost != NULL && !players_takes_part(leader, lost) && membership_rests(leader)) {
        lost->is_lost = false; /* it was removed, and nobody heard so */
    } else if (lost != NULL) {
        take_away(operator, lost);
    } else if (!players_votes(leader, player)) {
        (void)ask(operator, CHANGE_ADD, player->process->name);
    } else if (!churn.is_calm && may_go(leader, player) && dice_chance(&world.dice, 500)) {
        take_away(operator, player);
    } else if (!churn.is_calm) {
        (void)ask(operator, CHANGE_TRANSFER, player->process->name);
    }
}

static bool is_mended(void)
{
    const struct coordinator *leader = players_leader(churn.players);

    return leader != NULL && find_lost() == NULL && find_sick() == NULL &&
           count_voters(leader, churn.players->coordinator_count) >= LEAST_VOTERS;
}

static void *operate(void *context)
{
    const uint64_t most_us = dice_between(&world.dice, 500000, 8000000);

    while (!churn.is_calm || !is_mended()) {
        players_sleep(dice_between(&world.dice, 100000, most_us));
        change(context);
    }
    churn.is_over = true;
    return NULL;
}

void churn_begin(struct players *players)
{
    churn.players = players;
    churn.is_busy = churn.is_calm = false;
    churn.is_over = !players->churns;
    if (churn.unread == NULL) {
        churn.read = stderr;
        churn.unread = fopen("/dev/null", "w");
    }
    if (churn.unread == NULL) {
        abort();
    }
    if (players->churns) {
        players_start_client(&players->operator, operate);
    }
}

void churn_calm(void)
{
    churn.is_calm = true;
}

bool churn_is_over(void)
{
    return churn.is_over;
}

/* ---- disks */

/* May one be without what it had, and nothing be lost? */
static bool may_lose(const struct coordinator *leader, const struct player *player)
{
    return players_votes(leader, player) && membership_rests(leader) && may_go(leader, player);
}

static void crash(struct player *player, bool loses_power)
{
    if (player->coordinator != NULL) {
        players_crash_coordinator(player, loses_power);
    }
    player->restart_us = world.schedule.now_us + dice_between(&world.dice, 10000, 3000000);
}

static void begin_anew(struct player *player)
{
    crash(player, true);
    volume_wipe(&player->volume);
    player->volume.member = 0;
    player->is_discarded = false;
}

void churn_lose(struct player *player)
{
    players_tell(churn.players, "fault %s.lost on", player->process->name);
    player->is_lost = true;
    begin_anew(player);
}

static void ail(struct player *player)
{
    const char *name = player->process->name;

    switch (dice_below(&world.dice, 3)) {
    case 0:
        churn_lose(player);
        break;
    case 1:
        players_tell(churn.players, "fault %s.rots on", name);
        crash(player, dice_chance(&world.dice, 500));
        (void)volume_flip(&player->volume);
        break;
    default:
        players_tell(churn.players, "fault %s.lies on", name);
        player->volume.lies = true;
        player->volume.fails_sync = false;
        break;
    }
}

/* A disk writes what it holds in time, unless its power goes first. */
static void end_lie(const struct coordinator *leader, struct player *player)
{
    if (churn.is_calm || leader == NULL || !may_lose(leader, player)) {
        volume_settle(&player->volume);
    } else {
        crash(player, true);
    }
    player->volume.lies = false;
}

void churn_trouble(struct players *players, unsigned chance)
{
    const struct coordinator *leader = players_leader(players);
    struct player *player = any_coordinator();
    struct player *sick = find_sick();

    if (sick != NULL && sick->volume.lies && dice_chance(&world.dice, 20)) {
        end_lie(leader, sick);
    }
    if (!players->churns || leader == NULL || churn.is_busy || sick != NULL ||
        find_lost() != NULL) {
        return;
    }
    if (player->is_discarded && !players_votes(leader, player)) {
        begin_anew(player);
    } else if (dice_chance(&world.dice, chance) && may_lose(leader, player)) {
        ail(player);
    }
}
