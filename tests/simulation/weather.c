/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/weather.h"

#include "tests/simulation/volume.h"

/* A fault that a seed has with some chance, and then up to `most` permille a moment. */
static unsigned draw(struct dice *dice, unsigned chance, unsigned most)
{
    return dice_chance(dice, chance) ? (unsigned)dice_between(dice, 1, most) : 0;
}

static void draw_network(struct network *network, struct dice *dice)
{
    static const uint64_t most_us[] = {1000, 5000, 30000, 120000};

    network->least_us = dice_between(dice, 50, 500);
    network->most_us = network->least_us + most_us[dice_below(dice, 4)];
    network->drop = draw(dice, 600, 200);
    network->duplicate = draw(dice, 500, 200);
    network->reorders = dice_chance(dice, 500);
}

static void draw_disk(struct disk *disk, struct dice *dice)
{
    static const uint64_t most_us[] = {500, 5000, 60000, 600000};

    disk->write_least_us = dice_between(dice, 50, 200);
    disk->write_most_us = disk->write_least_us + most_us[dice_below(dice, 4)];
    disk->snapshot_most_us = dice_between(dice, 200, 500000);
}

void weather_draw(struct weather *weather, struct cluster *cluster)
{
    struct dice *dice = &cluster->dice;
    const bool compacts = dice_chance(dice, 700);

    *weather = (struct weather){
        .cluster = cluster,
        .crash = draw(dice, 600, 10),
        .crash_leader = draw(dice, 500, 10),
        .crash_all = draw(dice, 200, 2),
        .pause = draw(dice, 500, 10),
        .cut = draw(dice, 700, 20),
        .flap = draw(dice, 300, 5),
        .slow = draw(dice, 300, 5),
        .full = draw(dice, 200, 2),
        .change = draw(dice, 600, 60),
        .transfer = draw(dice, 500, 30),
        .barrier = draw(dice, 300, 30),
        .propose = (unsigned)dice_between(dice, 50, 1000),
    };
    if (cluster->nodes[0].volume != NULL) {
        weather_draw_disks(weather);
    }
    draw_network(&cluster->network, dice);
    for (unsigned i = 0; i < cluster->count; i++) {
        struct node *node = &cluster->nodes[i];
        draw_disk(&node->disk, dice);
        if (compacts) {
            node->snapshot_threshold = (unsigned)dice_between(dice, 2, 200);
        }
    }
}

static struct node *any_node(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;

    return &cluster->nodes[dice_below(&cluster->dice, cluster->count)];
}

/* ---- crashes */

static void crash(struct weather *weather, struct node *node)
{
    struct cluster *cluster = weather->cluster;

    if (node != NULL && node_is_up(node)) {
        if (node->volume != NULL && dice_chance(&cluster->dice, weather->kill)) {
            node_kill(node);
        } else {
            node_crash(node);
        }
        weather->restart_us[node->id - 1] =
            cluster->schedule.now_us + dice_between(&cluster->dice, 10000, 3000000);
    }
}

static void crash_some(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;
    struct dice *dice = &cluster->dice;

    if (dice_chance(dice, weather->crash)) {
        crash(weather, any_node(weather));
    }
    if (dice_chance(dice, weather->crash_leader)) {
        crash(weather, cluster_leader(cluster));
    }
    if (dice_chance(dice, weather->crash_all)) {
        for (unsigned i = 0; i < cluster->count; i++) {
            crash(weather, &cluster->nodes[i]);
        }
    }
}

static void restart_some(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;

    for (unsigned i = 0; i < cluster->count; i++) {
        struct node *node = &cluster->nodes[i];
        if (!node_is_up(node) && !node->refused &&
            cluster->schedule.now_us >= weather->restart_us[i]) {
            node_start(node);
        }
    }
}

/* ---- the network */

static void cut_some(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;
    struct dice *dice = &cluster->dice;
    struct node *leader = cluster_leader(cluster);
    struct node *node = leader != NULL && dice_chance(dice, 500) ? leader : any_node(weather);

    switch (dice_below(dice, 4)) {
    case 0:
        network_cut(&cluster->network, (unsigned)node->id, true, true);
        break;
    case 1:
        network_cut(&cluster->network, (unsigned)node->id, true, false);
        break;
    case 2:
        network_cut(&cluster->network, (unsigned)node->id, false, true);
        break;
    default:
        network_split(&cluster->network, (unsigned)dice_throw(dice));
        break;
    }
}

static void change_cuts(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;
    struct dice *dice = &cluster->dice;
    const uint64_t now_us = cluster->schedule.now_us;
    bool begins = dice_chance(dice, weather->cut);

    if (dice_chance(dice, weather->flap)) {
        weather->flapping = begins = true;
    }
    if (begins) {
        cut_some(weather);
        weather->mend_us = now_us + dice_between(dice, 20000, 2000000);
    } else if (now_us >= weather->mend_us) {
        network_mend_cuts(&cluster->network);
        weather->flapping = false;
    } else if (weather->flapping && dice_chance(dice, 300)) {
        network_mend_cuts(&cluster->network);
        if (dice_chance(dice, 500)) {
            cut_some(weather);
        }
    }
}

/* ---- the nodes */

static void trouble_disks(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;
    struct dice *dice = &cluster->dice;
    const uint64_t now_us = cluster->schedule.now_us;

    if (dice_chance(dice, weather->slow)) {
        struct node *node = any_node(weather);
        weather->slow_until_us[node->id - 1] = now_us + dice_between(dice, 100000, 3000000);
        node->disk.write_least_us = 200000;
        node->disk.write_most_us = 600000;
    }
    if (dice_chance(dice, weather->full)) {
        any_node(weather)->disk.full = true;
    }
    for (unsigned i = 0; i < cluster->count; i++) {
        if (weather->slow_until_us[i] != 0 && now_us >= weather->slow_until_us[i]) {
            weather->slow_until_us[i] = 0;
            draw_disk(&cluster->nodes[i].disk, dice);
        }
    }
}

static void pause_some(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;
    struct dice *dice = &cluster->dice;

    if (dice_chance(dice, weather->pause)) {
        struct node *leader = cluster_leader(cluster);
        struct node *node = leader != NULL && dice_chance(dice, 500) ? leader : any_node(weather);
        node_pause(node, dice_between(dice, 50000, 2000000));
    }
}

/* ---- what an operator does, and the coordinator */

static unsigned voter_count(const struct raft_configuration *configuration)
{
    unsigned count = 0;

    for (unsigned i = 0; i < configuration->n; i++) {
        count += configuration->servers[i].role == RAFT_VOTER;
    }
    return count;
}

static void change_members(struct weather *weather, struct node *leader)
{
    struct dice *dice = &weather->cluster->dice;
    const struct node *node = any_node(weather);
    struct voter *voter = leader->voter;
    static const enum replica_role roles[] = {REPLICA_VOTER, REPLICA_VOTER, REPLICA_VOTER,
                                              REPLICA_STANDBY, REPLICA_SPARE};
    enum grove_status status;

    if (node->gone) {
        return;
    }
    status = voter_add(voter, node->id, node->address);

    if (status == GROVE_OK || status == GROVE_BUSY) {
        return;
    }
    if (dice_chance(dice, 700)) {
        enum replica_role role = roles[dice_below(dice, 5)];
        if (role != REPLICA_VOTER && voter_count(&voter->raft.configuration) <= 1) {
            return;
        }
        status = voter_assign(voter, node->id, role);
    } else if (voter_count(&voter->raft.configuration) > 2) {
        status = voter_remove(voter, node->id);
    }
    oracle_trace(&weather->cluster->oracle, 200, status);
}

static void drive(struct weather *weather, struct node *node)
{
    struct cluster *cluster = weather->cluster;
    struct dice *dice = &cluster->dice;

    if (weather->patient != NULL) {
        weather_replace(weather, node);
    } else if (dice_chance(dice, weather->change)) {
        change_members(weather, node);
    }
    if (dice_chance(dice, weather->transfer)) {
        enum grove_status status =
            voter_transfer(node->voter, dice_chance(dice, 500) ? 0 : any_node(weather)->id);
        oracle_trace(&cluster->oracle, 201, status);
    }
    if (dice_chance(dice, weather->barrier)) {
        enum grove_status status = voter_barrier(node->voter);
        oracle_trace(&cluster->oracle, 202, status);
    }
    if (dice_chance(dice, weather->propose)) {
        cluster_propose(cluster, node);
    }
}

static void drive_leaders(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;

    for (unsigned i = 0; i < cluster->count; i++) {
        struct node *node = &cluster->nodes[i];
        if (node_is_up(node) && node->paused_until_us <= cluster->schedule.now_us &&
            voter_leads(node->voter)) {
            drive(weather, node);
        }
    }
}

void weather_run(struct weather *weather, uint64_t for_us)
{
    const uint64_t until_us = weather->cluster->schedule.now_us + for_us;

    while (weather->cluster->schedule.now_us < until_us && !weather->cluster->forgot) {
        cluster_run(weather->cluster, WEATHER_MOMENT_US);
        crash_some(weather);
        restart_some(weather);
        change_cuts(weather);
        trouble_disks(weather);
        if (weather->cluster->nodes[0].volume != NULL) {
            weather_trouble_disks(weather);
        }
        pause_some(weather);
        drive_leaders(weather);
    }
}

void weather_calm(struct weather *weather)
{
    struct cluster *cluster = weather->cluster;

    cluster->restarts = true;
    weather_calm_disks(weather);
    network_heal(&cluster->network);
    for (unsigned i = 0; i < cluster->count; i++) {
        struct node *node = &cluster->nodes[i];
        node->paused_until_us = 0;
        node->disk.full = false;
        node->disk.write_least_us = 50;
        node->disk.write_most_us = 500;
        node->disk.snapshot_most_us = 1000;
        if (!node_is_up(node) && !node->refused) {
            node_start(node);
        }
    }
    weather_mend_disks(weather);
}
