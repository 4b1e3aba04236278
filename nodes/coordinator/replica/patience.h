/* SPDX-License-Identifier: MPL-2.0
 * How long a voter waits for word of a leader before it takes it for dead. On machines or networks
 * so busy that heartbeats come late, voters that always wait equally long elect without end, and
 * none leads long enough to be of use. So where one term follows the other all wait longer, and
 * where a leader stays they grow as quick again as they were. No safety hangs on it.
 *
 * Pure: the time comes from outside. */
#ifndef GROVE_COORDINATOR_REPLICA_PATIENCE_H
#define GROVE_COORDINATOR_REPLICA_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#define PATIENCE_STAYS_MS 800u     /* so long a leader must have led for its end to be no haste */
#define PATIENCE_FORGIVE_MS 10000u /* ... to be forgiven one hasty term beside its first */
#define PATIENCE_FREE 2u           /* hasty terms: split votes are no reason to wait */
#define PATIENCE_DOUBLINGS 3u

/* Zeroes: nothing has been seen yet. */
struct patience {
    uint64_t term;
    bool leads, stayed; /* somebody, in this term */
    uint64_t since_ms;  /* it leads, or was last forgiven something */
    unsigned hasty;     /* terms, not forgiven yet */
};

/* What is the case now; to be told often, and in order of time.
 *
 *   term      the current one
 *   leads     a leader of it is known
 *   now_ms    monotonic
 *
 *   returns   by how much the usual wait is to be multiplied: 1 to 2^PATIENCE_DOUBLINGS */
unsigned patience_look(struct patience *patience, uint64_t term, bool leads, uint64_t now_ms);

#endif
