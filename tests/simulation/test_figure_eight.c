/* SPDX-License-Identifier: MPL-2.0
 * Figure 8 of Raft (Ongaro 2014, figure 3.7), in the two schedules that make libraft 0.15.0 commit
 * an entry by counting and lose it. Random seeds hardly ever find the second. */
#include "tests/simulation/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void isolate(struct cluster *cluster, unsigned node)
{
    network_cut(&cluster->network, node, true, true);
}

static bool voted_for_three(const struct node *node, raft_index index)
{
    (void)index;
    return node->disk.vote == 3;
}

static bool stored_its_barrier(const struct node *node, raft_index index)
{
    (void)index;
    return node->voter->raft.last_stored == node->voter->guard.barrier.index;
}

/* Replica 3 is elected by `voters` and stores what it writes first, which nobody gets. */
static void let_three_write_alone(struct cluster *cluster, raft_id one, raft_id other)
{
    struct node *three = cluster_node(cluster, 3);

    node_stand(three);
    stage_await(cluster, voted_for_three, cluster_node(cluster, one), 0);
    stage_await(cluster, voted_for_three, cluster_node(cluster, other), 0);
    network_cut(&cluster->network, 3, true, false);
    stage_elect(cluster, 3);
    stage_await(cluster, stored_its_barrier, three, 0);
}

static void expect_peace(struct cluster *cluster, uint64_t groups)
{
    network_mend_cuts(&cluster->network);
    for (unsigned i = 0; i < cluster->count; i++) {
        node_stand(&cluster->nodes[i]);
    }
    cluster_converge(cluster, STAGE_PATIENCE_US);
    cluster_run(cluster, STAGE_PATIENCE_US);
    assert_true(cluster_has_converged(cluster));
    assert_int_equal(cluster->oracle.count, groups);
}

/* 1 has A, 3 has another entry in its place; 1 leads again and gives A to 2. */
static void three_servers(void **state)
{
    struct cluster *cluster = stage_set(3, 0);
    struct node *one = stage_lead(cluster, 1);
    struct node *two = cluster_node(cluster, 2);

    (void)state;
    cluster_run(cluster, 1000000);
    isolate(cluster, 1);
    const raft_index a = stage_propose(cluster, one);
    stage_await(cluster, stage_has_on_disk, one, a);

    let_three_write_alone(cluster, 2, 2);

    network_mend_cuts(&cluster->network);
    isolate(cluster, 3);
    stage_elect(cluster, 1);
    stage_await(cluster, stage_has_on_disk, two, a);
    isolate(cluster, 1);
    cluster_run(cluster, 1000000);

    network_mend_cuts(&cluster->network);
    isolate(cluster, 1);
    node_stand(cluster_node(cluster, 3));
    node_stand(two);
    cluster_run(cluster, 3000000);
    expect_peace(cluster, cluster->oracle.count);
    stage_clear(cluster);
}

/* 1 and 2 have A. 1 leads again with a slow disk; 2 acknowledges A, and hears no more; 4 gets A and
 * the barrier. A is on a majority, and the barrier on one: 3, which has another entry in the place
 * of A, may still win. */
static void five_servers(void **state)
{
    struct cluster *cluster = stage_set(5, 0);
    struct node *one = stage_lead(cluster, 1);
    struct node *three = cluster_node(cluster, 3);
    struct network *network = &cluster->network;

    (void)state;
    cluster_run(cluster, 1000000);
    network_split(network, 1u << 1 | 1u << 2);
    network->cut[2][1] = true;
    const raft_index a = stage_propose(cluster, one);
    stage_await(cluster, stage_has_on_disk, cluster_node(cluster, 2), a);
    stage_await(cluster, stage_has_on_disk, one, a);
    isolate(cluster, 1);

    let_three_write_alone(cluster, 4, 5);

    network_mend_cuts(network);
    isolate(cluster, 3);
    isolate(cluster, 5);
    one->disk.write_least_us = one->disk.write_most_us = 3000000;
    stage_elect(cluster, 1);
    network->cut[1][2] = true;
    cluster_run(cluster, 100000);
    assert_true(stage_has_on_disk(cluster_node(cluster, 4), a + 1));
    assert_false(stage_has_on_disk(one, a + 1));
    isolate(cluster, 1);

    network_mend_cuts(network);
    isolate(cluster, 1);
    isolate(cluster, 4);
    stage_lead(cluster, 3);
    stage_propose(cluster, three);
    stage_await(cluster, stage_is_idle, three, 0);

    one->disk.write_least_us = one->disk.write_most_us = 100;
    expect_peace(cluster, 1);
    assert_int_equal(one->lost, 1);
    stage_clear(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_servers),
        cmocka_unit_test(five_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
