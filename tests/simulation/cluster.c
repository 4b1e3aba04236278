/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/cluster.h"

#include "core/ledger.h"
#include "nodes/coordinator/replica/guard_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct node *cluster_node(struct cluster *cluster, raft_id id)
{
    return &cluster->nodes[id - 1];
}

static void on_arrival(void *context, struct letter *letter)
{
    struct node *node = cluster_node(context, letter->parcel->to);

    if (node_is_up(node)) {
        if (!node_runs(node, network_arrive, letter, 0)) {
            return; /* it arrives again */
        }
        node_receive(node, letter);
    } else {
        node_miss(node, letter);
    }
    network_free(letter);
}

/* All start with the same first entry, as though the first had added the others. */
static void found_ledger(struct cluster *cluster, unsigned voters)
{
    for (unsigned i = 0; i < voters; i++) {
        struct raft_configuration configuration;
        raft_configuration_init(&configuration);
        for (unsigned k = 0; k < voters; k++) {
            const struct node *node = &cluster->nodes[k];
            if (raft_configuration_add(&configuration, node->id, node->address, RAFT_VOTER) != 0) {
                abort();
            }
        }
        node_found(&cluster->nodes[i], &configuration);
        raft_configuration_close(&configuration);
    }
}

static void init(struct cluster *cluster, uint64_t seed, unsigned voters, unsigned others,
                 void (*mount)(struct node *node))
{
    *cluster = (struct cluster){.count = voters + others, .group_most = 64};
    cluster->dice.state = dice_mix(seed + 1);
    network_init(&cluster->network, &cluster->schedule, &cluster->dice);
    cluster->network.arrive = on_arrival;
    cluster->network.context = cluster;
    oracle_init(&cluster->oracle, &cluster->schedule, seed);
    for (unsigned i = 0; i < cluster->count; i++) {
        node_init(&cluster->nodes[i], cluster, i + 1);
        mount(&cluster->nodes[i]);
    }
    found_ledger(cluster, voters);
    for (unsigned i = 0; i < cluster->count; i++) {
        node_start(&cluster->nodes[i]);
    }
}

void cluster_add(struct cluster *cluster)
{
    if (cluster->count < NETWORK_NODES) {
        struct node *node = &cluster->nodes[cluster->count++];
        node_init(node, cluster, cluster->count);
        node_mount(node);
        node_start(node);
    }
}

static void mount_nothing(struct node *node)
{
    (void)node;
}

void cluster_init(struct cluster *cluster, uint64_t seed, unsigned voters, unsigned others)
{
    init(cluster, seed, voters, others, mount_nothing);
}

void cluster_init_volumes(struct cluster *cluster, uint64_t seed, unsigned voters, unsigned others)
{
    init(cluster, seed, voters, others, node_mount);
}

void cluster_clear(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->count; i++) {
        node_clear(&cluster->nodes[i]);
    }
    if (cluster->swarm != NULL) {
        swarm_destroy(cluster->swarm);
        witness_destroy(cluster->witness);
    }
    network_clear(&cluster->network);
    schedule_clear(&cluster->schedule);
    oracle_clear(&cluster->oracle);
}

bool cluster_step(struct cluster *cluster, uint64_t until_us)
{
    if (setjmp(cluster->escape) != 0) {
        node_die(cluster->dying);
        if (cluster->restarts) {
            node_start(cluster->dying);
        }
        return true;
    }
    return schedule_step(&cluster->schedule, until_us);
}

void cluster_run(struct cluster *cluster, uint64_t for_us)
{
    const uint64_t until_us = cluster->schedule.now_us + for_us;

    while (cluster_step(cluster, until_us)) {
    }
}

struct node *cluster_leader(struct cluster *cluster)
{
    struct node *leader = NULL;

    for (unsigned i = 0; i < cluster->count; i++) {
        struct node *node = &cluster->nodes[i];
        if (node_is_up(node) && voter_leads(node->voter) &&
            (leader == NULL || node->voter->raft.current_term > leader->voter->raft.current_term)) {
            leader = node;
        }
    }
    return leader;
}

void cluster_release_swarm(struct cluster *cluster)
{
    cluster->swarm = swarm_create(cluster->oracle.seed);
    cluster->witness = witness_create();
    for (unsigned i = 0; i < cluster->count; i++) {
        node_crash(&cluster->nodes[i]);
        node_start(&cluster->nodes[i]);
    }
}

/* The time of a group, where the wall clocks are wrong: as a coordinator stamps it. */
static uint64_t stamp_of(const struct cluster *cluster, struct node *node, uint64_t ms)
{
    const uint64_t wall_ms = ms + (uint64_t)node->skew_ms;
    const uint64_t monotonic_ms = cluster->schedule.now_us / 1000;
    const raft_term term = node->voter->raft.current_term;

    if (!cluster->clocks_jump) {
        return ms;
    }
    if (node->stamp_term != term) {
        node->stamp_term = term;
        stamp_begin(&node->stamp, forest_now_ms(node->machine.forest), wall_ms, monotonic_ms);
    }
    return stamp_now(&node->stamp, wall_ms, monotonic_ms);
}

static bool propose_of_swarm(struct cluster *cluster, struct node *node)
{
    struct buffer group = {.size = 0};
    struct command command;

    if (voter_is_busy(node->voter)) {
        return false;
    }
    command = *swarm_next(cluster->swarm, node->machine.forest);
    command.at_ms = stamp_of(cluster, node, command.at_ms);
    ledger_group_begin(&group, command.at_ms);
    ledger_group_append(&group, &command);
    enum grove_status status = voter_propose(node->voter, group.data, group.size);
    buffer_clear(&group);
    return status == GROVE_OK;
}

static bool propose_bytes(struct cluster *cluster, struct node *node)
{
    size_t size = dice_between(&cluster->dice, sizeof(cluster->proposed), cluster->group_most);
    uint8_t *data = calloc(1, size);

    if (data == NULL) {
        abort();
    }
    memcpy(data, &cluster->proposed, sizeof(cluster->proposed));
    enum grove_status status = voter_propose(node->voter, data, size);
    free(data);
    return status == GROVE_OK;
}

bool cluster_propose(struct cluster *cluster, struct node *node)
{
    bool proposed =
        cluster->swarm != NULL ? propose_of_swarm(cluster, node) : propose_bytes(cluster, node);

    cluster->proposed += proposed;
    return proposed;
}

bool cluster_has_converged(struct cluster *cluster)
{
    const struct node *leader = cluster_leader(cluster);

    if (leader == NULL) {
        return false;
    }
    const struct raft_configuration *configuration = &leader->voter->raft.configuration;
    for (unsigned i = 0; i < configuration->n; i++) {
        const struct node *node = cluster_node(cluster, configuration->servers[i].id);
        if (configuration->servers[i].role == RAFT_VOTER &&
            (!node_is_up(node) || node->history.count != cluster->oracle.count)) {
            return false;
        }
    }
    return true;
}

void cluster_compare_forests(struct cluster *cluster)
{
    const char *fault = witness_end(cluster->witness);
    const struct node *leader = cluster_leader(cluster);
    const struct raft_configuration *configuration = &leader->voter->raft.configuration;
    struct buffer expected = {.size = 0};
    struct buffer bytes = {.size = 0};

    if (fault != NULL) {
        oracle_fail(&cluster->oracle, "the history: %s", fault);
    }
    node_write_forest(leader, &expected);
    for (unsigned i = 0; i < configuration->n; i++) {
        if (configuration->servers[i].role == RAFT_VOTER) {
            const struct node *node = cluster_node(cluster, configuration->servers[i].id);
            buffer_reset(&bytes);
            node_write_forest(node, &bytes);
            if (!bytes_equal(buffer_bytes(&expected), buffer_bytes(&bytes))) {
                oracle_fail(&cluster->oracle, "replicas %llu and %llu have different forests",
                            leader->id, node->id);
            }
        }
    }
    buffer_clear(&expected);
    buffer_clear(&bytes);
}

/* For whoever looks into a failure. */
static void describe(const struct node *node)
{
    const struct raft *raft = &node->voter->raft;

    fprintf(stderr,
            "replica %llu: state %u, term %llu, vote %llu, commit %llu, applied %llu, stored %llu, "
            "log %llu to %llu (term %llu), snapshot %llu, %" PRIu64 " groups, %u appending, "
            "members %llu/%llu:",
            raft->id, raft->state, raft->current_term, raft->voted_for, raft->commit_index,
            raft->last_applied, raft->last_stored, raft->log.offset + 1, guard_last_index(raft),
            guard_term_of(raft, guard_last_index(raft)), raft->log.snapshot.last_index,
            node->history.count, node->voter->guard.appending, raft->configuration_index,
            raft->configuration_uncommitted_index);
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        static const char roles[] = {'s', 'v', '-'};
        fprintf(stderr, " %llu%c", raft->configuration.servers[i].id,
                roles[raft->configuration.servers[i].role]);
    }
    fputc('\n', stderr);
}

void cluster_fail(const struct cluster *cluster, const char *text)
{
    for (unsigned i = 0; i < cluster->count; i++) {
        if (node_is_up(&cluster->nodes[i])) {
            describe(&cluster->nodes[i]);
        }
    }
    oracle_fail(&cluster->oracle, "%s, %" PRIu64 " groups applied", text, cluster->oracle.count);
}

void cluster_converge(struct cluster *cluster, uint64_t within_us)
{
    const uint64_t until_us = cluster->schedule.now_us + within_us;

    while (!cluster_has_converged(cluster)) {
        if (!cluster_step(cluster, until_us)) {
            cluster_fail(cluster, cluster_leader(cluster) == NULL
                                      ? "no convergence: no leader"
                                      : "no convergence: some are behind");
        }
    }
}
