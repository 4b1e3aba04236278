/* SPDX-License-Identifier: MPL-2.0
 * Disks that rot, lie and fail; memory that runs out, and clocks that jump. */
#include "tests/simulation/memory.h"
#include "tests/simulation/volume.h"
#include "tests/simulation/weather.h"

#define MEND_US (UINT64_C(20) * 1000000)

static unsigned draw(struct dice *dice, unsigned chance, unsigned most)
{
    return dice_chance(dice, chance) ? (unsigned)dice_between(dice, 1, most) : 0;
}

void weather_draw_disks(struct weather *weather)
{
    struct dice *dice = &weather->cluster->dice;

    weather->kill = (unsigned)dice_below(dice, 1001);
    weather->rot = draw(dice, 500, 10);
    weather->lie = draw(dice, 400, 10);
    weather->fail_sync = draw(dice, 300, 10);
    weather->starve = draw(dice, 300, 20);
    weather->jump = draw(dice, 300, 10);
    weather->cluster->clocks_jump = weather->jump > 0;
}

/* Is no change of membership under way, anywhere? */
static bool membership_rests(const struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->count; i++) {
        const struct node *node = &cluster->nodes[i];
        if (node->gone) {
            continue;
        }
        if (!node_is_up(node) || node->voter->raft.configuration_uncommitted_index != 0) {
            return false;
        }
    }
    return true;
}

/* One without which the others can go on, and replace it: there are three voters or more. */
static struct node *choose_patient(const struct weather *weather)
{
    struct cluster *cluster = weather->cluster;
    const struct node *leader = cluster_leader(cluster);
    unsigned voters = 0;

    if (leader == NULL || !membership_rests(cluster)) {
        return NULL;
    }
    const struct raft_configuration *configuration = &leader->voter->raft.configuration;
    for (unsigned i = 0; i < configuration->n; i++) {
        voters += configuration->servers[i].role == RAFT_VOTER;
    }
    return voters < 3 ? NULL : &cluster->nodes[dice_below(&cluster->dice, cluster->count)];
}

/* It shows what it has become when it starts again. */
static void crash(struct weather *weather, struct node *node)
{
    struct cluster *cluster = weather->cluster;

    if (node_is_up(node)) {
        if (dice_chance(&cluster->dice, weather->kill)) {
            node_kill(node);
        } else {
            node_crash(node);
        }
        weather->restart_us[node->id - 1] =
            cluster->schedule.now_us + dice_between(&cluster->dice, 10000, 1000000);
    }
}

static void begin(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;
    struct dice *dice = &cluster->dice;
    const bool rots = dice_chance(dice, weather->rot);
    const bool lies = dice_chance(dice, weather->lie);
    struct node *node = rots || lies ? choose_patient(weather) : NULL;

    if (node == NULL) {
        return;
    }
    if (lies) {
        node->volume->lies = true;
    } else if (!volume_flip(node->volume)) {
        return;
    }
    weather->patient = node;
    weather->patient_until_us = cluster->schedule.now_us + dice_between(dice, 1000, 2000000);
}

/* A disk writes what it holds, in time, unless its power goes first. */
static void end(struct weather *weather)
{
    struct node *node = weather->patient;
    struct volume *volume = node->volume;

    if (volume->lies && (!node_is_up(node) || dice_chance(&weather->cluster->dice, 300))) {
        volume_settle(volume);
    } else if (volume->lies) {
        node_crash(node);
        weather->restart_us[node->id - 1] = weather->cluster->schedule.now_us +
                                            dice_between(&weather->cluster->dice, 10000, 1000000);
    } else {
        crash(weather, node);
    }
    volume->lies = false;
}

/* Forwards or back, by up to a day. */
static void turn_clock(struct cluster *cluster)
{
    static const uint64_t most_ms[] = {100, 10000, 86400000};
    struct node *node = &cluster->nodes[dice_below(&cluster->dice, cluster->count)];
    const uint64_t most = most_ms[dice_below(&cluster->dice, 3)];

    node->skew_ms = (int64_t)dice_below(&cluster->dice, 2 * most) - (int64_t)most;
}

void weather_trouble_disks(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;
    struct node *patient = weather->patient;

    if (dice_chance(&cluster->dice, weather->fail_sync)) {
        cluster->nodes[dice_below(&cluster->dice, cluster->count)].volume->fails_sync = true;
    }
    if (dice_chance(&cluster->dice, weather->starve)) {
        node_starve(&cluster->nodes[dice_below(&cluster->dice, cluster->count)],
                    dice_below(&cluster->dice, 60));
    }
    if (dice_chance(&cluster->dice, weather->jump)) {
        turn_clock(cluster);
    }
    if (patient == NULL) {
        begin(weather);
    } else if (patient->volume->lies || (patient->volume->damaged && node_is_up(patient))) {
        if (cluster->schedule.now_us >= weather->patient_until_us) {
            end(weather);
        }
    } else if (!patient->refused && !patient->volume->damaged) {
        weather->patient = NULL;
    }
}

static bool takes_part(const struct raft *raft, raft_id id)
{
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        if (raft->configuration.servers[i].id == id) {
            return true;
        }
    }
    return false;
}

void weather_replace(struct weather *weather, struct node *leader)
{
    const struct raft *raft = &leader->voter->raft;
    struct node *patient = weather->patient;

    if (!patient->refused || raft->configuration_uncommitted_index != 0) {
        return;
    }
    if (takes_part(raft, patient->id)) {
        enum grove_status status = voter_remove(leader->voter, patient->id);
        oracle_trace(&weather->cluster->oracle, 203, status);
    } else {
        patient->gone = true;
        weather->patient = NULL;
        cluster_add(weather->cluster);
    }
}

void weather_calm_disks(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;

    memory_reset();
    for (unsigned i = 0; i < cluster->count; i++) {
        struct volume *volume = cluster->nodes[i].volume;
        if (volume != NULL) {
            volume_settle(volume);
            volume->lies = volume->fails_sync = false;
        }
    }
}

void weather_mend_disks(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;
    const uint64_t until_us = cluster->schedule.now_us + MEND_US;

    while (weather->patient != NULL && weather->patient->refused && !cluster->forgot) {
        struct node *leader = cluster_leader(cluster);
        if (leader != NULL) {
            weather_replace(weather, leader);
        }
        if (!cluster_step(cluster, until_us)) {
            cluster_fail(cluster, "a refused replica cannot be replaced");
        }
    }
}
