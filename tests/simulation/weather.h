/* SPDX-License-Identifier: MPL-2.0
 * What goes wrong in a run, and how often: each seed draws its own mix, so that some runs have much
 * of one fault and none of another. */
#ifndef GROVE_TESTS_SIMULATION_WEATHER_H
#define GROVE_TESTS_SIMULATION_WEATHER_H

#include "tests/simulation/cluster.h"

/* Chances are permille a moment (WEATHER_MOMENT_US). */
struct weather {
    struct cluster *cluster;
    unsigned crash, crash_leader, crash_all;
    unsigned pause, cut, flap, slow, full;
    unsigned change, transfer, barrier;
    unsigned propose; /* of every node that leads */
    unsigned kill;    /* permille of the crashes that leave power on; only a volume knows */
    unsigned rot, lie, fail_sync; /* of a volume */
    unsigned starve, jump;        /* of memory, of a wall clock; where there is a volume */
    uint64_t mend_us;             /* when the cuts end */
    bool flapping;
    uint64_t restart_us[NETWORK_NODES];
    uint64_t slow_until_us[NETWORK_NODES];

    /* The one whose disk lies or has lost something: of more than one nothing is promised. */
    struct node *patient; /* NULL for none */
    uint64_t patient_until_us;
};

#define WEATHER_MOMENT_US 10000u

/* Draws the mix of a seed. `cluster` is new. */
void weather_draw(struct weather *weather, struct cluster *cluster);

/* Lets it blow for a time. */
void weather_run(struct weather *weather, uint64_t for_us);

/* What ails disks, and what an operator does about a replica that is refused: it is removed, and
 * gets a new disk (weather_disks.c). */
void weather_draw_disks(struct weather *weather);
void weather_trouble_disks(struct weather *weather);
void weather_replace(struct weather *weather, struct node *leader);
void weather_calm_disks(struct weather *weather); /* none fails any more */
void weather_mend_disks(struct weather *weather); /* until all are replaced that are refused */

/* Ends all faults: everything runs, nothing is cut or slow. */
void weather_calm(struct weather *weather);

#endif
