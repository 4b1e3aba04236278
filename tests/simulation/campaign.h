/* SPDX-License-Identifier: MPL-2.0
 * Many seeds, in several processes: the program around a simulated run.
 *
 *   without arguments    the size for every day
 *   --seeds FROM COUNT   these; a failure prints its seed
 *   --jobs N             processes, 2 by default
 *   --all                goes on after a failure */
#ifndef GROVE_TESTS_SIMULATION_CAMPAIGN_H
#define GROVE_TESTS_SIMULATION_CAMPAIGN_H

#include <stdbool.h>
#include <stdint.h>

struct outcome {
    uint64_t trace;
    uint64_t groups;
    bool forgot; /* it ended early: cluster.forgot */
};

struct campaign {
    uint64_t everyday; /* seeds */
    uint64_t twice;    /* every so many a seed runs twice, and leaves the same trace */
    struct outcome (*run)(uint64_t seed);
};

int campaign_main(const struct campaign *campaign, int argc, char **argv);

#endif
