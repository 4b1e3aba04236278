/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/mesh/trouble.h"

#include "tests/simulation/memory.h"
#include "tests/simulation/mesh/churn.h"

#include <string.h>

/* A fault that a seed has with some chance, and then up to `most` permille a moment. */
static unsigned draw(unsigned chance, unsigned most)
{
    return dice_chance(&world.dice, chance) ? (unsigned)dice_between(&world.dice, 1, most) : 0;
}

/* Peers of whom nothing is heard for 6 s give up; a kernel may before. */
static void draw_network(void)
{
    static const uint64_t patience_us[] = {0, 300000, 6000000};

    world.most_us = dice_chance(&world.dice, 500) ? 500 : 20000;
    world.patience_us = patience_us[dice_below(&world.dice, 3)];
    world.reset = draw(300, 5);
}

void trouble_begin(struct trouble *trouble, struct players *players)
{
    *trouble = (struct trouble){
        .players = players,
        .crash = draw(800, 10),
        .kill = draw(700, 6),
        .cut = draw(700, 10),
        .flap = draw(300, 5),
        .pause = draw(600, 6),
        .jump = draw(400, 6),
        .starve = draw(400, 20),
        .full = draw(300, 4),
        .slow = draw(300, 5),
        .fail_sync = draw(300, 5),
        .lose = draw(700, 10),
    };
    draw_network();
}

static struct player *any_coordinator(const struct trouble *trouble)
{
    struct players *players = trouble->players;

    return &players->coordinators[dice_below(&world.dice, players->coordinator_count)];
}

static struct process *any_process(void)
{
    return &world.processes[dice_below(&world.dice, world.count)];
}

/* ---- crashes */

/* Mostly short; after a long one the others have no log any more for what it missed. */
static uint64_t draw_absence(void)
{
    return dice_between(&world.dice, 10000, dice_chance(&world.dice, 250) ? 25000000 : 3000000);
}

static void crash_some(struct trouble *trouble)
{
    struct player *player = any_coordinator(trouble);

    if (player->coordinator != NULL && dice_chance(&world.dice, trouble->crash)) {
        players_crash_coordinator(player, !player->volume.lies && dice_chance(&world.dice, 500));
        player->restart_us = world.schedule.now_us + draw_absence();
    }
    player = &trouble->players->workers[dice_below(&world.dice, PLAYERS_WORKERS)];
    if (player->worker != NULL && dice_chance(&world.dice, trouble->kill)) {
        players_crash_worker(player);
        player->restart_us = world.schedule.now_us + dice_between(&world.dice, 10000, 9000000);
    }
}

static void restart_some(struct players *players)
{
    for (unsigned i = 0; i < players->coordinator_count; i++) {
        struct player *player = &players->coordinators[i];
        if (player->coordinator == NULL && world.schedule.now_us >= player->restart_us &&
            !players_start_coordinator(player)) {
            churn_lose(player);
        }
    }
    for (unsigned i = 0; i < PLAYERS_WORKERS; i++) {
        struct player *player = &players->workers[i];
        if (player->worker == NULL && world.schedule.now_us >= player->restart_us) {
            players_start_worker(player);
        }
    }
}

/* ---- the network */

static void cut_off(unsigned one, bool out, bool in)
{
    for (unsigned i = 0; i < world.count; i++) {
        world.cut[one][i] = world.cut[one][i] || out;
        world.cut[i][one] = world.cut[i][one] || in;
    }
}

/* Between those of a mask and the others. */
static void split(uint64_t mask)
{
    for (unsigned i = 0; i < world.count; i++) {
        for (unsigned k = 0; k < world.count; k++) {
            world.cut[i][k] = world.cut[i][k] || (mask >> i & 1) != (mask >> k & 1);
        }
    }
}

static void cut_some(void)
{
    const unsigned one = (unsigned)dice_below(&world.dice, world.count);

    switch (dice_below(&world.dice, 4)) {
    case 0:
        cut_off(one, true, true);
        break;
    case 1:
        cut_off(one, true, false);
        break;
    case 2:
        cut_off(one, false, true);
        break;
    default:
        split(dice_throw(&world.dice));
        break;
    }
}

static void mend_cuts(void)
{
    memset(world.cut, 0, sizeof(world.cut));
}

static void change_cuts(struct trouble *trouble)
{
    bool begins = dice_chance(&world.dice, trouble->cut);

    if (dice_chance(&world.dice, trouble->flap)) {
        trouble->flapping = begins = true;
    }
    if (begins) {
        cut_some();
        trouble->mend_us =
            world.schedule.now_us +
            dice_between(&world.dice, 20000, dice_chance(&world.dice, 200) ? 15000000 : 3000000);
    } else if (world.schedule.now_us >= trouble->mend_us) {
        mend_cuts();
        trouble->flapping = false;
    } else if (trouble->flapping && dice_chance(&world.dice, 300)) {
        mend_cuts();
        if (dice_chance(&world.dice, 500)) {
            cut_some();
        }
    }
}

/* ---- processes */

/* Forwards or back. Certificates are good for an hour. */
static void turn_clock(struct process *process)
{
    static const uint64_t most_ms[] = {2000, 60000, 1200000};
    const uint64_t most = most_ms[dice_below(&world.dice, 3)];

    process->skew_ms = (int64_t)dice_below(&world.dice, 2 * most) - (int64_t)most;
}

/* A client is there from the first call to the last. */
static void starve(const struct trouble *trouble)
{
    const uint64_t number =
        dice_below(&world.dice, trouble->players->coordinator_count + PLAYERS_WORKERS);
    const uint64_t most = dice_chance(&world.dice, 500) ? 20 : 2000;

    world_starve(number < PLAYERS_WORKERS
                     ? trouble->players->workers[number].process
                     : trouble->players->coordinators[number - PLAYERS_WORKERS].process,
                 dice_below(&world.dice, most));
}

static void trouble_processes(const struct trouble *trouble)
{
    if (dice_chance(&world.dice, trouble->pause)) {
        any_process()->paused_until_us =
            world.schedule.now_us +
            dice_between(&world.dice, 10000, dice_chance(&world.dice, 100) ? 15000000 : 3000000);
    }
    if (dice_chance(&world.dice, trouble->jump)) {
        turn_clock(any_process());
    }
    if (dice_chance(&world.dice, trouble->starve)) {
        starve(trouble);
    }
}

/* ---- disks */

static void heal_disk(struct trouble *trouble, struct player *player)
{
    trouble->disk_us[player->number] = 0;
    player->habits.full = false;
    players_draw_habits(&player->habits);
}

static void trouble_disks(struct trouble *trouble)
{
    struct player *player = any_coordinator(trouble);
    const bool is_full = dice_chance(&world.dice, trouble->full);
    const bool is_slow = dice_chance(&world.dice, trouble->slow);

    if (is_full || is_slow) {
        trouble->disk_us[player->number] =
            world.schedule.now_us + dice_between(&world.dice, 100000, 10000000);
        player->habits.full = player->habits.full || is_full;
    }
    if (is_slow) {
        player->habits.write_least_us = 200000;
        player->habits.write_most_us = 600000;
    }
    if (dice_chance(&world.dice, trouble->fail_sync)) {
        player = any_coordinator(trouble);
        player->volume.fails_sync = !player->volume.lies; /* or it has lost what it had said */
    }
    for (unsigned i = 0; i < trouble->players->coordinator_count; i++) {
        if (trouble->disk_us[i] != 0 && world.schedule.now_us >= trouble->disk_us[i]) {
            heal_disk(trouble, &trouble->players->coordinators[i]);
        }
    }
}

/* ---- all of it */

void trouble_run(struct trouble *trouble)
{
    world_run(TROUBLE_MOMENT_US);
    players_watch(trouble->players);
    crash_some(trouble);
    restart_some(trouble->players);
    change_cuts(trouble);
    trouble_processes(trouble);
    trouble_disks(trouble);
    churn_trouble(trouble->players, trouble->lose);
}

void trouble_end(struct trouble *trouble)
{
    struct players *players = trouble->players;

    mend_cuts();
    memory_reset();
    world.reset = 0;
    for (unsigned i = 0; i < world.count; i++) {
        world.processes[i].paused_until_us = 0;
    }
    for (unsigned i = 0; i < players->coordinator_count; i++) {
        heal_disk(trouble, &players->coordinators[i]);
        players->coordinators[i].volume.fails_sync = false;
    }
    *trouble = (struct trouble){.players = players};
}
