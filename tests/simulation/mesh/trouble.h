/* SPDX-License-Identifier: MPL-2.0
 * What goes wrong in a run of whole nodes, and how often: each seed draws its own mix, so that some
 * runs have much of one fault and none of another. Who keeps the ledger changes in churn.h, and
 * there a disk lies, rots or is lost. */
#ifndef GROVE_TESTS_SIMULATION_MESH_TROUBLE_H
#define GROVE_TESTS_SIMULATION_MESH_TROUBLE_H

#include "tests/simulation/mesh/players.h"

#define TROUBLE_MOMENT_US 20000u

/* Chances are permille a moment. */
struct trouble {
    struct players *players;
    unsigned crash, kill;           /* of coordinators, of workers */
    unsigned cut, flap;             /* of the network */
    unsigned pause, jump, starve;   /* of any process */
    unsigned full, slow, fail_sync; /* of disks */
    unsigned lose;                  /* ... of which nothing is left */
    uint64_t mend_us;               /* when the cuts end */
    bool flapping;
    uint64_t disk_us[PLAYERS_COORDINATORS]; /* when it is well again; 0: it is */
};

/* Draws the mix of a seed. */
void trouble_begin(struct trouble *trouble, struct players *players);

/* Lets a moment pass, in which some of it happens. Who is down comes again in time. */
void trouble_run(struct trouble *trouble);

/* Ends all of it. */
void trouble_end(struct trouble *trouble);

#endif
