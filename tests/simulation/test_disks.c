/* SPDX-License-Identifier: MPL-2.0
 * As test_seeds.c, with the whole replica and its journal over simulated disks, which lose what was
 * not synced, tear, flip bits, lie, fail, and fill up. One disk at a time lies or rots. What it
 * said it has must be there at the next start, or that is refused with the place; and a replica
 * that is refused is replaced, and nothing is lost.
 *
 * A disk that lies may come back without its last groups and without a trace of them: then nobody
 * can tell. While a majority of the others has them nothing is lost; else nothing is promised, and
 * the run ends there (cluster.forgot). */
#include "tests/simulation/course.h"

#define FORESTS 3u /* every so many a seed has the real forest, fed by a swarm */

/* What a replica has when it dies in the middle of something, nobody frees. */
const char *
__asan_default_options(void); /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
const char *
__asan_default_options(void) /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
{
    return "detect_leaks=0";
}

static struct outcome run(uint64_t seed)
{
    static struct cluster cluster;

    cluster_init_volumes(&cluster, seed, seed % 2 == 0 ? 3 : 5, seed % 4 < 2 ? 2 : 0);
    if (seed % FORESTS == 0) {
        cluster_release_swarm(&cluster);
    }
    return course_run(&cluster);
}

int main(int argc, char **argv)
{
    static const struct campaign campaign = {.everyday = 100, .twice = 10, .run = run};

    return campaign_main(&campaign, argc, argv);
}
