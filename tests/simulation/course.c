/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/course.h"

#define STORM_US (UINT64_C(100) * 1000000)
#define CALM_US (UINT64_C(20) * 1000000)

static bool may_propose(struct cluster *cluster)
{
    const struct node *leader = cluster_leader(cluster);

    return leader != NULL && !voter_is_busy(leader->voter);
}

/* A last group shows that the ledger still takes some. One may go with a leader that had been
 * elected in the storm. */
static void expect_life(struct cluster *cluster)
{
    const uint64_t until_us = cluster->schedule.now_us + CALM_US;
    uint64_t acknowledged;

    cluster_converge(cluster, CALM_US);
    acknowledged = cluster->oracle.acknowledged;
    while (cluster->oracle.acknowledged == acknowledged) {
        if (may_propose(cluster)) {
            cluster_propose(cluster, cluster_leader(cluster));
        }
        if (!cluster_step(cluster, until_us)) {
            cluster_fail(cluster, "no group is acknowledged any more");
        }
    }
    cluster_converge(cluster, CALM_US);
}

struct outcome course_run(struct cluster *cluster)
{
    struct weather weather;

    weather_draw(&weather, cluster);
    weather_run(&weather, STORM_US);
    if (!cluster->forgot) {
        weather_calm(&weather);
    }
    if (!cluster->forgot) {
        expect_life(cluster);
        if (cluster->swarm != NULL) {
            cluster_compare_forests(cluster);
        }
    }
    const struct outcome outcome = {
        .trace = cluster->oracle.trace, .groups = cluster->oracle.count, .forgot = cluster->forgot};
    cluster_clear(cluster);
    return outcome;
}
