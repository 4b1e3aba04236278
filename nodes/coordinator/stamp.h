/* SPDX-License-Identifier: MPL-2.0
 * Ledger time: what a leader stamps its groups with. Never goes back, and follows the wall clock
 * slowly, so that a step of that clock moves no deadline at once. */
#ifndef GROVE_COORDINATOR_STAMP_H
#define GROVE_COORDINATOR_STAMP_H

#include <stdint.h>

/* Zeroed is no time yet. */
struct stamp {
    uint64_t last_ms;      /* the latest stamp given */
    uint64_t wall_ms;      /* our idea of Unix time ... */
    uint64_t monotonic_ms; /* ... when the monotonic clock said this */
};

/* Begins a term. Where the wall clock is behind the ledger, since it was set back, ledger time goes
 * on from where it was: if it stood still until then, so would every delay, deadline and rate.
 *
 *   previous_ms  the greatest stamp applied so far */
void stamp_begin(struct stamp *stamp, uint64_t previous_ms, uint64_t wall_ms,
                 uint64_t monotonic_ms);

/* The stamp now: the greater of the previous one and the wall clock at the beginning, plus
 * monotonic time since, drawn towards `wall_ms` by at most 1/STAMP_SLEW of the time that passed. */
uint64_t stamp_now(struct stamp *stamp, uint64_t wall_ms, uint64_t monotonic_ms);

#define STAMP_SLEW 200u

#endif
