/* SPDX-License-Identifier: MPL-2.0
 * The course of a run: all faults at random, and then calm, in which everything must come together
 * again. */
#ifndef GROVE_TESTS_SIMULATION_COURSE_H
#define GROVE_TESTS_SIMULATION_COURSE_H

#include "tests/simulation/campaign.h"
#include "tests/simulation/weather.h"

/* Takes a new cluster, and clears it. */
struct outcome course_run(struct cluster *cluster);

#endif
