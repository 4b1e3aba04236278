/* SPDX-License-Identifier: MPL-2.0
 * Clients, workers and an operator that behave at random, well and badly: a seed gives a stream of
 * commands, as a leader would put them into the ledger, that reach every corner of a forest. */
#ifndef GROVE_TESTS_SUPPORT_SWARM_H
#define GROVE_TESTS_SUPPORT_SWARM_H

#include "core/command.h"
#include "core/effect.h"
#include "core/forest.h"

struct swarm;

struct swarm *swarm_create(uint64_t seed);
void swarm_destroy(struct swarm *swarm);

/* Bounds for this seed, often tiny, and a hash key for this replica. */
struct forest_options swarm_options(const struct swarm *swarm, uint8_t replica);

/* A number below `below`, of the swarm's own stream. */
uint32_t swarm_draw(struct swarm *swarm, uint32_t below);

/* The next command; borrowed until the next call.
 *
 *   forest   looked at, so that some of what is done makes sense */
const struct command *swarm_next(struct swarm *swarm, const struct forest *forest);

/* The next command once all faults have stopped: every session is retired but that of one new
 * worker with one slot, which reports what it runs, while time passes. */
const struct command *swarm_calm(struct swarm *swarm, const struct forest *forest);

/* Learns from the effects of the last command: what it now holds, what is to be stopped. */
void swarm_learn(struct swarm *swarm, const struct effects *effects);

/* What workers hold by all that the effects said, NULL at the end: for a shadow of what is owed. */
struct swarm_attempt {
    struct id task;
    uint32_t attempt;
    uint64_t session;
    bool waiting;
    bool resumed;
    bool stopping;
};
const struct swarm_attempt *swarm_attempt(const struct swarm *swarm, size_t i);

/* A line about the last command, for a failure's report; borrowed until the next call. */
const char *swarm_describe(struct swarm *swarm);

#endif
