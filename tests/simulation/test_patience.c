/* SPDX-License-Identifier: MPL-2.0
 * Where every message takes longer than voters wait for word of a leader, one leads all the same,
 * and stays: they learn to wait. When messages are quick again, so are elections. */
#include "tests/simulation/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND_US UINT64_C(1000000)

static void travel(struct cluster *cluster, uint64_t least_us, uint64_t most_us)
{
    cluster->network.least_us = least_us;
    cluster->network.most_us = most_us;
}

/* In how many of so many seconds somebody led, and took a group. */
static unsigned led(struct cluster *cluster, unsigned seconds)
{
    unsigned count = 0;

    for (unsigned i = 0; i < seconds; i++) {
        struct node *leader = cluster_leader(cluster);

        count += leader != NULL && cluster_propose(cluster, leader);
        cluster_run(cluster, SECOND_US);
    }
    return count;
}

/* How long it takes when that one is cut off. */
static uint64_t elect_another(struct cluster *cluster, const struct node *leader)
{
    const uint64_t began_us = cluster->schedule.now_us;
    const struct node *now;

    network_split(&cluster->network, 1u << leader->id);
    do {
        assert_true(cluster_step(cluster, began_us + 60 * SECOND_US));
        now = cluster_leader(cluster);
    } while (now == NULL || now == leader);
    return cluster->schedule.now_us - began_us;
}

static void one_leads_however_slow_messages_are(void **state)
{
    struct cluster *cluster = calloc(1, sizeof(*cluster));

    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        cluster_init(cluster, seed, seed % 2 == 0 ? 3 : 5, 0);
        travel(cluster, 250000, 400000);
        cluster_run(cluster, 10 * SECOND_US);
        assert_in_range(led(cluster, 300), 240, 300);

        travel(cluster, 200, 2000);
        assert_in_range(led(cluster, 60), 55, 60);
        assert_in_range(elect_another(cluster, cluster_leader(cluster)), 0, SECOND_US);
        cluster_clear(cluster);
    }
    free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_leads_however_slow_messages_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
