/* SPDX-License-Identifier: MPL-2.0
 * Two simulated minutes for each of many seeds: three or five voters, others that come and go, all
 * faults at random, and then calm, in which everything must come together again. */
#include "tests/simulation/course.h"

#define FORESTS 3u /* every so many a seed has the real forest, fed by a swarm */

static struct outcome run(uint64_t seed)
{
    static struct cluster cluster;

    cluster_init(&cluster, seed, seed % 2 == 0 ? 3 : 5, seed % 4 < 2 ? 2 : 0);
    if (seed % FORESTS == 0) {
        cluster_release_swarm(&cluster);
    }
    return course_run(&cluster);
}

int main(int argc, char **argv)
{
    static const struct campaign campaign = {.everyday = 300, .twice = 25, .run = run};

    return campaign_main(&campaign, argc, argv);
}
