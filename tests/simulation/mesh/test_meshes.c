/* SPDX-License-Identifier: MPL-2.0
 * Whole nodes in virtual time: three or five coordinators, two workers and two clients, each as it
 * is but for its sockets, threads, clock and disk. Coordinators and workers crash, pause and run
 * out of memory, links are cut one way or both, clocks jump, members come and go, and disks are
 * slow or full, fail, lie, rot and are lost; then calm, in which every call of a client must end.
 * What the ledger then has, what clients were told and what workers ran is a history for the second
 * model. */
#include "nodes/host/log.h"
#include "tests/simulation/campaign.h"
#include "tests/simulation/mesh/annals.h"
#include "tests/simulation/mesh/churn.h"
#include "tests/simulation/mesh/trouble.h"

#include <stdio.h>
#include <string.h>

#define STORM_US (UINT64_C(40) * 1000000)
#define CALM_US (UINT64_C(120) * 1000000) /* in which every call ends */
#define QUIET_US (UINT64_C(30) * 1000000) /* ... and then all that nobody waits for */
#define EXPIRES_MS UINT64_C(3600000)      /* an hour, and 40 minutes are the most */
#define CALLS 25u

static unsigned clients_done;

static void tell_exec(const struct grove_attempt *attempt, const struct player *player,
                      const char *what)
{
    const struct grove_id id = grove_attempt_id(attempt);
    char text[GROVE_ID_TEXT_SIZE];

    grove_id_format(&id, text);
    players_tell(player->players, "exec %s %s task=%s attempt=%u", player->process->name, what,
                 text, grove_attempt_number(attempt));
}

static enum grove_status work(struct grove_attempt *attempt, void *context)
{
    const struct player *player = context;
    enum grove_status status;

    tell_exec(attempt, player, "start");
    players_sleep(dice_between(&world.dice, 100, 300000));
    status = dice_chance(&world.dice, 100)
                 ? grove_attempt_fail(attempt, "by chance", (struct grove_bytes){NULL, 0})
                 : grove_attempt_return(attempt, "done", 4);
    tell_exec(attempt, player, "end");
    return status;
}

static void make_tasks(struct grove_task *tasks, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        tasks[i] = (struct grove_task)GROVE_TASK_INIT;
        tasks[i].function = "work";
        tasks[i].max_attempts = 2;
        tasks[i].payload = (struct grove_bytes){&"123456"[i], 1};
    }
}

/* One that waits: for a map of children, whatever becomes of them. */
static enum grove_status flow(struct grove_attempt *attempt, void *context)
{
    const struct player *player = context;
    struct grove_task tasks[4];
    struct grove_joined joined = GROVE_JOINED_INIT;
    struct grove_join_options options = GROVE_JOIN_OPTIONS_INIT;

    tell_exec(attempt, player, "start");
    make_tasks(tasks, 4);
    options.limit = 2;
    (void)!grove_map(NULL, tasks, 4, &options, &joined);
    grove_joined_clear(&joined);
    tell_exec(attempt, player, "end");
    return grove_attempt_return(attempt, "done", 4);
}

/* ---- clients */

/* One in seven is asked for a second time: as long as it has not expired, it is the same task. It
 * does not, however clocks jump: of two tasks of one id nobody could tell whose attempt a worker
 * ran. */
static void call(struct player *player, struct grove_client *client, unsigned i)
{
    const bool again = dice_chance(&world.dice, 150);
    const unsigned number = again ? (unsigned)dice_below(&world.dice, i + 1) | 1 : i;
    struct grove_task task = GROVE_TASK_INIT;
    struct grove_id id;
    char key[32], text[GROVE_ID_TEXT_SIZE];

    snprintf(key, sizeof(key), "%s.%u", player->process->name, number);
    task.function = number % 3 == 2 ? "flow" : "work";
    task.key = key;
    task.expires_ms = number % 2 == 1 ? EXPIRES_MS : 0;
    task.max_attempts = 3;
    task.at_most_once = dice_chance(&world.dice, 100);
    task.payload = (struct grove_bytes){key, strlen(key)};
    if (grove_submit(client, &task, &id, NULL) != GROVE_OK) {
        return; /* unknown: it may be there or not */
    }
    grove_id_format(&id, text);
    players_tell(player->players, "ok %s submit id=%s", player->process->name, text);
    if (dice_chance(&world.dice, 200)) {
        (void)!grove_cancel(client, &id, NULL, NULL);
    } else if (dice_chance(&world.dice, 500) &&
               grove_result(client, &id, 60000, NULL, NULL) == GROVE_OK) {
        players_tell(player->players, "ok %s read id=%s state=ended", player->process->name, text);
    }
}

/* A join from outside, whose inputs nobody submits one by one. */
static void race(struct grove_client *client)
{
    struct grove_task tasks[3];
    struct grove_joined joined = GROVE_JOINED_INIT;

    make_tasks(tasks, 3);
    (void)!grove_race(client, tasks, 3, NULL, &joined);
    grove_joined_clear(&joined);
}

static void *use(void *context)
{
    struct player *player = context;
    struct grove_client_options options = GROVE_CLIENT_OPTIONS_INIT;
    struct grove_client *client = NULL;
    char error[GROVE_ERROR_SIZE] = "";

    options.credential_path = player->path;
    options.connect_timeout_ms = 60000;
    if (grove_client_open(&options, &client, error) != GROVE_OK) {
        players_fail(player->players, "%s: %s", player->process->name, error);
    }
    for (unsigned i = 0; i < CALLS; i++) {
        if (dice_chance(&world.dice, 150)) {
            race(client);
        } else {
            call(player, client, i);
        }
        players_sleep(dice_between(&world.dice, 1000, 2000000));
    }
    clients_done++;
    return NULL;
}

/* ---- a run */

static void calm(struct players *players, struct trouble *trouble)
{
    uint64_t until_us = world.schedule.now_us + CALM_US;
    bool is_over = false;

    trouble_end(trouble);
    churn_calm();
    while (world.schedule.now_us < until_us) {
        trouble_run(trouble);
        if (!is_over && clients_done == PLAYERS_CLIENTS && churn_is_over()) {
            is_over = true;
            until_us = world.schedule.now_us + QUIET_US;
        }
    }
    until_us += CALM_US;
    while (!players_are_even(players) && world.schedule.now_us < until_us) {
        trouble_run(trouble);
    }
    if (!players_are_even(players)) {
        players_fail(players, "not all that vote have come to apply the same");
    }
    if (clients_done != PLAYERS_CLIENTS) {
        players_fail(players, "%u clients still wait", PLAYERS_CLIENTS - clients_done);
    }
    if (!churn_is_over()) {
        players_fail(players, "what was lost is not replaced");
    }
}

static struct outcome run(uint64_t seed)
{
    static struct players players;
    struct trouble trouble;

    clients_done = 0;
    players_begin(&players, seed);
    players.work = work;
    players.flow = flow;
    for (unsigned i = 0; i < players.coordinator_count; i++) {
        (void)players_start_coordinator(&players.coordinators[i]);
    }
    for (unsigned i = 0; i < PLAYERS_WORKERS; i++) {
        players_start_worker(&players.workers[i]);
    }
    for (unsigned i = 0; i < PLAYERS_CLIENTS; i++) {
        players_start_client(&players.clients[i], use);
    }
    churn_begin(&players);
    trouble_begin(&trouble, &players);
    while (world.schedule.now_us < STORM_US) {
        trouble_run(&trouble);
    }
    calm(&players, &trouble);
    players_judge(&players);
    const struct outcome outcome = {.trace = world.trace, .groups = annals_end_index()};
    players_end(&players);
    return outcome;
}

int main(int argc, char **argv)
{
    static const struct campaign campaign = {.everyday = 16, .twice = 5, .run = run};

    log_set_level(LOG_ERROR);
    return campaign_main(&campaign, argc, argv);
}

/* What a process has when it crashes, nobody frees. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
