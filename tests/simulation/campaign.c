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

struct order {
    uint64_t from, count;
    unsigned jobs;
    bool goes_on; /* after a failure */
};

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

static pid_t start(const struct campaign *campaign, struct progress *progress, unsigned job,
                   uint64_t until)
{
    const pid_t pid = fork();

    if (pid == 0) {
        work(campaign, progress, job, until);
    }
    if (pid < 0) {
        abort();
    }
    return pid;
}

/* The job whose process has ended; `good`: it ended well. */
static unsigned await(const pid_t *pids, unsigned jobs, bool *good)
{
    int status = 0;
    const pid_t pid = wait(&status);
    unsigned job = 0;

    while (job < jobs && pids[job] != pid) {
        job++;
    }
    if (job == jobs) {
        abort();
    }
    *good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return job;
}

/* False when a process failed: its seed has been printed by then, or is by this. */
static bool run_all(const struct campaign *campaign, const struct order *order,
                    struct progress *progress)
{
    const uint64_t until = order->from + order->count;
    bool good = true;
    pid_t pids[JOBS_MOST];

    progress->next = order->from;
    for (unsigned i = 0; i < order->jobs; i++) {
        pids[i] = start(campaign, progress, i, until);
    }
    for (unsigned running = order->jobs; running > 0; running--) {
        bool is_well = false;
        const unsigned job = await(pids, order->jobs, &is_well);
        if (is_well) {
            continue;
        }
        fprintf(stderr, "failed in seed %" PRIu64 "\n", progress->running[job]);
        good = false;
        if (order->goes_on) {
            pids[job] = start(campaign, progress, job, until);
            running++;
        } else {
            progress->next = until;
        }
    }
    return good;
}

static bool read_order(struct order *order, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 2 < argc) {
            order->from = strtoull(argv[++i], NULL, 10);
            order->count = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc) {
            order->jobs = (unsigned)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--all") == 0) {
            order->goes_on = true;
        } else {
            fprintf(stderr, "usage: %s [--seeds FROM COUNT] [--jobs N] [--all]\n", argv[0]);
            return false;
        }
    }
    return order->jobs > 0 && order->jobs <= JOBS_MOST;
}

int campaign_main(const struct campaign *campaign, int argc, char **argv)
{
    struct order order = {.from = 1, .count = campaign->everyday, .jobs = 2};
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (progress == MAP_FAILED || !read_order(&order, argc, argv)) {
        return 2;
    }
    if (!run_all(campaign, &order, progress)) {
        return 1;
    }
    printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64 " groups applied: no violation\n",
           order.count, order.from, progress->groups);
    if (progress->forgot > 0) {
        printf("%" PRIu64 " of them ended where a disk had lost without a sign what it had said "
               "it had\n",
               progress->forgot);
    }
    return 0;
}
