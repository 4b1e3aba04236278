/* SPDX-License-Identifier: MPL-2.0
 * Sees everything that the simulated replicas do, and knows what must never be:
 *
 *   the k-th group that is applied is the same everywhere, and nobody's history differs before it
 *   what was acknowledged lies on the disks of a majority at that moment
 *   a term has one leader
 *   once all faults have ended, all that was ever applied is with every member
 *
 * A violation ends the run with a line that names the seed. */
#ifndef GROVE_TESTS_SIMULATION_ORACLE_H
#define GROVE_TESTS_SIMULATION_ORACLE_H

#include "core/bytes.h"
#include "tests/simulation/schedule.h"

/* What a replica has become: how many groups, and a digest of their chain. */
struct history {
    uint64_t count;
    uint64_t chain;
};

struct oracle {
    const struct schedule *schedule;
    uint64_t seed;
    uint64_t trace;  /* of all that happened: the same for the same seed */
    uint64_t *chain; /* after the k-th group, of whoever was first */
    uint64_t count;
    uint64_t room;
    uint64_t *leader; /* of each term; 0 for none */
    uint64_t term_room;
    uint64_t acknowledged;
};

void oracle_init(struct oracle *oracle, const struct schedule *schedule, uint64_t seed);
void oracle_clear(struct oracle *oracle);

/* Notes something that happened, as part of the trace. */
void oracle_trace(struct oracle *oracle, uint64_t what, uint64_t value);

/* A replica applied one more group. */
void oracle_applied(struct oracle *oracle, uint64_t node, struct history *history,
                    struct bytes group);

/* A replica leads. */
void oracle_leads(struct oracle *oracle, uint64_t node, uint64_t term);

/* Ends the run. */
void oracle_fail(const struct oracle *oracle, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

#endif
