/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/stage.h"

#include "nodes/coordinator/replica/guard_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct cluster *stage_set(unsigned voters, unsigned others)
{
    struct cluster *cluster = malloc(sizeof(*cluster));

    assert_non_null(cluster);
    cluster_init(cluster, 1, voters, others);
    for (unsigned i = 0; i < cluster->count; i++) {
        cluster->nodes[i].holds_still = true;
    }
    return cluster;
}

void stage_clear(struct cluster *cluster)
{
    cluster_clear(cluster);
    free(cluster);
}

static bool is_leader(const struct node *node, raft_index index)
{
    (void)index;
    return node->voter->raft.state == RAFT_LEADER;
}

static bool is_no_leader(const struct node *node, raft_index index)
{
    return !is_leader(node, index);
}

static bool leads(const struct node *node, raft_index index)
{
    (void)index;
    return voter_leads(node->voter);
}

void stage_await(struct cluster *cluster, bool (*holds)(const struct node *node, raft_index index),
                 const struct node *node, raft_index index)
{
    const uint64_t until_us = cluster->schedule.now_us + STAGE_PATIENCE_US;

    while (!holds(node, index)) {
        assert_true(cluster_step(cluster, until_us));
    }
}

struct node *stage_elect(struct cluster *cluster, raft_id id)
{
    struct node *node = cluster_node(cluster, id);

    stage_await(cluster, is_no_leader, node, 0); /* of a former term */
    node_stand(node);
    stage_await(cluster, is_leader, node, 0);
    node->holds_still = true;
    return node;
}

struct node *stage_lead(struct cluster *cluster, raft_id id)
{
    struct node *node = stage_elect(cluster, id);

    stage_await(cluster, leads, node, 0);
    return node;
}

bool stage_has_on_disk(const struct node *node, raft_index index)
{
    return index <= node->disk.before + node->disk.count;
}

bool stage_is_idle(const struct node *node, raft_index index)
{
    (void)index;
    return !voter_is_busy(node->voter);
}

static void receive(void *context, struct raft_message *message)
{
    voter_receive(context, message);
}

void stage_tell(struct cluster *cluster, raft_id from, const struct raft_message *message)
{
    struct node *node = cluster_node(cluster, message->server_id);
    struct parcel *parcel = parcel_pack(from, cluster_node(cluster, from)->address, message);

    parcel_deliver(parcel, receive, node->voter);
}

raft_index stage_propose(struct cluster *cluster, struct node *node)
{
    assert_true(cluster_propose(cluster, node));
    return guard_last_index(&node->voter->raft);
}
