/* SPDX-License-Identifier: MPL-2.0
 * Two simulated minutes for each of many seeds: three or five voters, others that come and go, all
 * faults at random, and then calm, in which everything must come together again.
 *
 *   simulation.seeds                      the size for every day
 *   --seeds FROM COUNT                    these; a failure prints its seed
 *   --jobs N                              processes, 2 by default */
#include "tests/simulation/weather.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVERYDAY_SEEDS 300u
#define STORM_US (UINT64_C(100) * 1000000)
#define CALM_US (UINT64_C(20) * 1000000)
#define JOBS_MOST 16u
#define FORESTS 3u /* every so many a seed has the real forest, fed by a swarm */
#define TWICE 25u  /* every so many a seed runs twice, and leaves the same trace */

/* What the processes share. */
struct progress {
    _Atomic uint64_t next;
    uint64_t running[JOBS_MOST];
    _Atomic uint64_t groups;
};

struct outcome {
    uint64_t trace;
    uint64_t groups;
};

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

static struct outcome run(uint64_t seed)
{
    static struct cluster cluster;
    struct weather weather;

    cluster_init(&cluster, seed, seed % 2 == 0 ? 3 : 5, seed % 4 < 2 ? 2 : 0);
    if (seed % FORESTS == 0) {
        cluster_release_swarm(&cluster);
    }
    weather_draw(&weather, &cluster);
    weather_run(&weather, STORM_US);
    weather_calm(&weather);
    expect_life(&cluster);
    if (cluster.swarm != NULL) {
        cluster_compare_forests(&cluster);
    }
    const struct outcome outcome = {.trace = cluster.oracle.trace, .groups = cluster.oracle.count};
    cluster_clear(&cluster);
    return outcome;
}

static void run_seed(struct progress *progress, uint64_t seed)
{
    const struct outcome outcome = run(seed);

    if (seed % TWICE == 0 && run(seed).trace != outcome.trace) {
        fprintf(stderr, "seed %" PRIu64 ": leaves another trace the second time\n", seed);
        exit(1);
    }
    progress->groups += outcome.groups;
}

static void work(struct progress *progress, unsigned job, uint64_t until)
{
    uint64_t seed;

    while ((seed = progress->next++) < until) {
        progress->running[job] = seed;
        run_seed(progress, seed);
    }
    exit(0);
}

/* False when a process failed: its seed has been printed by then, or is by this. */
static bool run_all(uint64_t from, uint64_t count, unsigned jobs, struct progress *progress)
{
    bool good = true;
    pid_t pids[JOBS_MOST];
    int status;

    progress->next = from;
    for (unsigned i = 0; i < jobs; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            work(progress, i, from + count);
        }
    }
    for (unsigned i = 0; i < jobs; i++) {
        if (pids[i] < 0 || waitpid(pids[i], &status, 0) < 0 || !WIFEXITED(status) ||
            WEXITSTATUS(status) != 0) {
            fprintf(stderr, "failed in seed %" PRIu64 "\n", progress->running[i]);
            progress->next = from + count;
            good = false;
        }
    }
    return good;
}

int main(int argc, char **argv)
{
    uint64_t from = 1;
    uint64_t count = EVERYDAY_SEEDS;
    unsigned jobs = 2;
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 2 < argc) {
            from = strtoull(argv[++i], NULL, 10);
            count = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) {
            jobs = (unsigned)strtoul(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: %s [--seeds FROM COUNT] [--jobs N]\n", argv[0]);
            return 2;
        }
    }
    if (progress == MAP_FAILED || jobs == 0 || jobs > JOBS_MOST) {
        return 2;
    }
    if (!run_all(from, count, jobs, progress)) {
        return 1;
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " groups applied: no violation\n", count,
           from, progress->groups);
    return 0;
}
