/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/node.h"

#include "tests/simulation/chronicle.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/memory.h"
#include "tests/simulation/node_volume.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/ledger.h"

enum { TRACE_ACKNOWLEDGED = 100, TRACE_LOST, TRACE_START, TRACE_CRASH };

static struct oracle *oracle_of(const struct node *node)
{
    return &node->cluster->oracle;
}

/* ---- what the voter needs */

/* The second model judges each group once, by whoever applies it first, and lives to show it. */
static void show(const struct node *node, struct bytes entry)
{
    struct ledger_group group;
    struct command command;

    if (ledger_group_open(entry, &group) == GROVE_OK &&
        ledger_group_next(&group, &command) == GROVE_OK) {
        witness_see(node->cluster->witness, node->machine.forest, &command, &node->machine.effects);
    }
}

void node_apply(void *context, uint64_t index, const uint8_t *data, size_t size)
{
    static const uint64_t token =
        1; /* so that there are answers; a group of a swarm is one command */
    struct node *node = context;

    const bool is_first = node->history.count == node->cluster->witnessed;

    memory_hold();
    oracle_applied(oracle_of(node), node->id, &node->history, bytes_of(data, size));
    memory_go_on();
    if (node->machine.forest != NULL) {
        node->machine.tokens = &token;
        node->machine.token_count = 1;
        machine_face(&node->machine).apply(&node->machine, index, data, size);
        memory_hold();
        chronicle_apply(node, index);
        memory_go_on();
        if (is_first) {
            memory_hold();
            node->cluster->witnessed++;
            show(node, bytes_of(data, size));
            chronicle_accept(node->cluster, index, &node->machine.effects);
            swarm_learn(node->cluster->swarm, &node->machine.effects);
            memory_go_on();
        }
        effects_reset(&node->machine.effects);
    }
}

static bool put(void *context, const void *data, size_t size)
{
    buffer_append(context, data, size);
    return true;
}

void node_write_forest(const struct node *node, struct buffer *bytes)
{
    const char *broken = forest_check(node->machine.forest);

    if (broken != NULL) {
        oracle_fail(oracle_of(node), "the forest of replica %llu: %s", node->id, broken);
    }
    forest_snapshot(node->machine.forest, put, bytes);
}

static bool has_on_disk(const struct node *node, raft_index index, raft_term term)
{
    if (node->volume != NULL) {
        return node_volume_has(node, index, term);
    }
    return index <= node->disk.snapshot.index || disk_term_of(&node->disk, index) == term;
}

/* Is the entry that is being applied here on the disks of a majority? */
static void expect_majority(const struct node *node)
{
    struct raft *raft = &node->voter->raft;
    const raft_index index = raft_last_applied(raft) + 1;
    const raft_term term = raft->current_term;
    unsigned voters = 0;
    unsigned have = 0;

    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        if (server->role == RAFT_VOTER) {
            voters++;
            have += has_on_disk(cluster_node(node->cluster, server->id), index, term);
        }
    }
    if (have <= voters / 2) {
        oracle_fail(oracle_of(node),
                    "replica %llu acknowledged index %llu, which %u of %u voters have on disk",
                    node->id, index, have, voters);
    }
    if (index > node->cluster->acknowledged) {
        node->cluster->acknowledged = index;
    }
}

void node_settled(void *context, bool known)
{
    struct node *node = context;

    if (!known) {
        node->lost++;
        oracle_trace(oracle_of(node), TRACE_LOST, node->id);
        return;
    }
    expect_majority(node);
    memory_hold();
    chronicle_acknowledge(node, raft_last_applied(&node->voter->raft) + 1);
    memory_go_on();
    oracle_of(node)->acknowledged++;
    oracle_trace(oracle_of(node), TRACE_ACKNOWLEDGED, node->id);
}

static enum grove_status snapshot(void *context, const struct raft_snapshot *pending)
{
    struct node *node = context;

    if (dice_chance(&node->cluster->dice, 50)) {
        return GROVE_BUSY;
    }
    struct buffer state = {.size = 0};
    buffer_append(&state, &node->history, sizeof(node->history));
    if (node->machine.forest != NULL) {
        node_write_forest(node, &state);
    }
    disk_stage(&node->disk, pending, buffer_bytes(&state));
    buffer_clear(&state);
    return GROVE_OK;
}

static enum grove_status restore(void *context, uint64_t index)
{
    struct node *node = context;
    const struct disk_snapshot *newest = &node->disk.snapshot;

    const struct bytes state = buffer_bytes(&newest->state);

    if (newest->index != index || state.size < sizeof(node->history)) {
        oracle_fail(oracle_of(node), "replica %llu has no snapshot %" PRIu64, node->id, index);
    }
    memcpy(&node->history, state.data, sizeof(node->history));
    chronicle_start(node);
    if (node->machine.forest == NULL) {
        return GROVE_OK;
    }
    const struct replica_machine face = machine_face(&node->machine);
    const enum grove_status status = face.read(face.context, state.data + sizeof(node->history),
                                               state.size - sizeof(node->history));

    if (status == GROVE_OK) {
        face.adopt(face.context);
    }
    return status;
}

/* A full disk ends a replica; nothing else may. */
static void fatal(void *context, const char *text)
{
    struct node *node = context;

    if (!node->disk.failed) {
        oracle_fail(oracle_of(node), "replica %llu gave up: %s", node->id, text);
    }
    node->cluster->dying = node;
    longjmp(node->cluster->escape, 1);
}

static bool send_letter(struct node *node, const struct raft_message *message)
{
    struct parcel *parcel = parcel_pack(node->id, node->address, message);

    if (message->type == RAFT_IO_INSTALL_SNAPSHOT) {
        return node->volume != NULL
                   ? node_volume_send(node, parcel)
                   : network_send(&node->cluster->network, parcel, &node->disk.snapshot);
    }
    network_send(&node->cluster->network, parcel, NULL);
    return true;
}

static bool send_message(void *context, const struct raft_message *message)
{
    memory_hold();
    bool is_sent = send_letter(context, message);
    memory_go_on();
    return is_sent;
}

/* ---- its life */

bool node_is_up(const struct node *node)
{
    return node->voter != NULL;
}

bool node_runs(void *context, schedule_call call, void *argument_context, uint64_t argument)
{
    struct node *node = context;
    struct schedule *schedule = &node->cluster->schedule;

    if (!node_is_up(node)) {
        return false;
    }
    if (node->paused_until_us > schedule->now_us) {
        schedule_after(schedule, node->paused_until_us - schedule->now_us, call, argument_context,
                       argument);
        return false;
    }
    return true;
}

/* After each thing that happened to it. */
static void look(struct node *node)
{
    const struct raft *raft = &node->voter->raft;

    if (raft->state == RAFT_LEADER) {
        oracle_leads(oracle_of(node), node->id, raft->current_term);
        chronicle_lead(node);
    }
}

static void set_threshold(struct node *node)
{
    if (node->volume != NULL) {
        node_volume_set_threshold(node);
        return;
    }
    raft_set_snapshot_threshold(&node->voter->raft, node->snapshot_threshold);
}

/* A follower or candidate waits for ever. */
static void hold_still(struct raft *raft)
{
    if (raft->state == RAFT_FOLLOWER) {
        raft->follower_state.randomized_election_timeout = UINT_MAX;
    } else if (raft->state == RAFT_CANDIDATE) {
        raft->candidate_state.randomized_election_timeout = UINT_MAX;
    }
}

void node_stand(struct node *node)
{
    struct raft *raft = &node->voter->raft;

    node->holds_still = false;
    if (raft->state == RAFT_FOLLOWER) {
        raft->follower_state.randomized_election_timeout = raft->election_timeout;
    } else if (raft->state == RAFT_CANDIDATE) {
        raft->candidate_state.randomized_election_timeout = raft->election_timeout;
    }
}

static void tick(void *context, uint64_t life)
{
    struct node *node = context;

    if (life != node->life || !node_runs(node, tick, node, life)) {
        return;
    }
    schedule_after(&node->cluster->schedule, NODE_HEARTBEAT_US, tick, node, life);
    if (node->holds_still) {
        hold_still(&node->voter->raft);
    }
    set_threshold(node);
    memory_enter(node);
    if (node->volume != NULL) {
        replica_tick(node->replica);
    } else {
        voter_tick(node->voter);
    }
    memory_leave();
    look(node);
}

static void create_voter(struct node *node)
{
    const struct voter_options options = {
        .id = node->id,
        .address = node->address,
        .transport = &node->transport,
        .heartbeat_ms = NODE_HEARTBEAT_MS,
        .host = {.context = node,
                 .apply = node_apply,
                 .settled = node_settled,
                 .snapshot = snapshot,
                 .restore = restore,
                 .fatal = fatal},
    };

    node->voter = malloc(sizeof(*node->voter));
    if (node->voter == NULL) {
        abort();
    }
    disk_mount(&node->disk);
    voter_init(node->voter, &node->disk.io, &options);
}

static void free_voter(struct node *node)
{
    voter_close(node->voter);
    free(node->voter);
    node->voter = NULL;
    machine_clear(&node->machine);
}

void node_bootstrap(struct node *node)
{
    create_voter(node);
    if (voter_bootstrap(node->voter) != 0) {
        abort();
    }
    free_voter(node);
}

void node_found(struct node *node, const struct raft_configuration *configuration)
{
    if (node->volume != NULL) {
        node_volume_found(node, configuration);
    } else {
        disk_mount(&node->disk);
        node->disk.io.bootstrap(&node->disk.io, configuration);
    }
}

static bool open_disk(struct node *node)
{
    create_voter(node);
    if (voter_start(node->voter) != 0) {
        oracle_fail(oracle_of(node), "replica %llu does not start: %s", node->id,
                    raft_errmsg(&node->voter->raft));
    }
    return true;
}

void node_start(struct node *node)
{
    struct cluster *cluster = node->cluster;

    node->life++;
    node->history = (struct history){.count = 0};
    node->paused_until_us = 0;
    node->stamp_term = 0;
    chronicle_start(node);
    node->disk.full = node->disk.failed = false;
    if (cluster->swarm != NULL) {
        const struct forest_options options = swarm_options(cluster->swarm, (uint8_t)node->id);
        machine_init(&node->machine, &options);
    }
    oracle_trace(oracle_of(node), TRACE_START, node->id);
    if (!(node->volume != NULL ? node_volume_open(node) : open_disk(node))) {
        machine_clear(&node->machine);
        return;
    }
    look(node);
    schedule_after(&cluster->schedule, dice_below(&cluster->dice, NODE_HEARTBEAT_US), tick, node,
                   node->life);
}

static void end(struct node *node, enum node_end how)
{
    node->life++;
    oracle_trace(oracle_of(node), TRACE_CRASH, node->id);
    if (node->volume != NULL) {
        node_volume_close(node, how);
    } else {
        disk_crash(&node->disk);
        free_voter(node);
    }
}

void node_crash(struct node *node)
{
    end(node, NODE_LOSES_POWER);
}

void node_kill(struct node *node)
{
    end(node, NODE_IS_KILLED);
}

void node_die(struct node *node)
{
    end(node, NODE_DIES);
}

void node_pause(struct node *node, uint64_t for_us)
{
    node->paused_until_us = node->cluster->schedule.now_us + for_us;
}

/* ---- messages */

static void receive(void *context, struct raft_message *message)
{
    voter_receive(context, message);
}

/* A file is received, or lost with its receiver, before the message that it belongs to is handed
 * over. */
static bool end_transfer(struct node *node, const struct letter *letter, bool arrived)
{
    struct node *sender = cluster_node(node->cluster, letter->parcel->from);

    if (letter->parcel->message.type != RAFT_IO_INSTALL_SNAPSHOT) {
        return arrived;
    }
    if (arrived && node->volume != NULL) {
        arrived = node_volume_take(node, letter);
    } else if (arrived) {
        disk_snapshot_clear(&node->disk.incoming);
        disk_snapshot_copy(&letter->snapshot, &node->disk.incoming);
    }
    if (node_is_up(sender)) {
        guard_transferred(&sender->voter->guard, node->id, arrived);
    }
    return arrived;
}

void node_miss(struct node *node, const struct letter *letter)
{
    end_transfer(node, letter, false);
}

void node_receive(struct node *node, struct letter *letter)
{
    struct parcel *parcel = letter->parcel;

    if (!end_transfer(node, letter, true)) {
        return;
    }
    oracle_trace(oracle_of(node), parcel->message.type + 16u * (unsigned)parcel->from, node->id);
    letter->parcel = NULL;
    set_threshold(node);
    memory_enter(node);
    parcel_deliver(parcel, receive, node->voter);
    memory_leave();
    look(node);
    if (dice_chance(&node->cluster->dice, 500)) {
        voter_turn(node->voter);
    }
}

void node_init(struct node *node, struct cluster *cluster, raft_id id)
{
    *node = (struct node){.cluster = cluster, .id = id, .snapshot_threshold = VOTER_NEVER};
    snprintf(node->address, sizeof(node->address), "node-%llu", id);
    node->transport = (struct replica_transport){.context = node, .send = send_message};
    disk_init(&node->disk, &cluster->schedule, &cluster->dice);
    node->disk.runs = node_runs;
    node->disk.owner = node;
}

void node_clear(struct node *node)
{
    if (node_is_up(node)) {
        node_crash(node);
    }
    node_volume_clear(node);
    disk_clear(&node->disk);
}
