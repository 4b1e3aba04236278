/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/campaign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MOST 16u

/* What the processes share. */
struct progress {
    _Atomic uint64_t next;
    uint64_t running[JOBS_MOST];
    _Atomic uint64_t groups;
    _Atomic uint64_t forgot;
};

static void run_seed(const struct campaign *campaign, struct progress *progress, uint64_t seed)
{
    const struct outcome outcome = campaign->run(seed);

    if (seed % campaign->twice == 0 && campaign->run(seed).trace != outcome.trace) {
        fprintf(stderr, "seed %" PRIu64 ": leaves another trace the second time\n", seed);
        exit(1);
    }
    progress->groups += outcome.groups;
    progress->forgot += outcome.forgot;
}

static void work(const struct campaign *campaign, struct progress *progress, unsigned job,
                 uint64_t until)
{
    uint64_t seed;

    while ((seed = progress->next++) < until) {
        progress->running[job] = seed;
        run_seed(campaign, progress, seed);
    }
    exit(0);
}

/* False when a process failed: its seed has been printed by then, or is by this. */
static bool run_all(const struct campaign *campaign, uint64_t from, uint64_t count, unsigned jobs,
                    struct progress *progress)
{
    bool good = true;
    pid_t pids[JOBS_MOST];
    int status;

    progress->next = from;
    for (unsigned i = 0; i < jobs; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            work(campaign, progress, i, from + count);
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

int campaign_main(const struct campaign *campaign, int argc, char **argv)
{
    uint64_t from = 1;
    uint64_t count = campaign->everyday;
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
    if (!run_all(campaign, from, count, jobs, progress)) {
        return 1;
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " groups applied: no violation\n", count,
           from, progress->groups);
    if (progress->forgot > 0) {
        printf("%" PRIu64 " of them ended where a disk had lost without a sign what it had said "
               "it had\n",
               progress->forgot);
    }
    return 0;
}
