/* SPDX-License-Identifier: MPL-2.0
 * What a data directory proves: the newest snapshot that can be trusted and the records after it.
 *
 * A log that is shorter than its promise, or whose records before it do not match their hashes, is
 * refused. What follows the promised record and does not match is a write that a crash cut off, and
 * is left out: at most the last group, which nothing could tell from one that was never
 * acknowledged. */
#ifndef GROVE_COORDINATOR_REPLICA_RECOVERY_H
#define GROVE_COORDINATOR_REPLICA_RECOVERY_H

#include "nodes/coordinator/replica/segment.h"
#include "nodes/coordinator/replica/snapshot.h"

/* A segment that is in use, oldest first. */
struct recovered_segment {
    uint64_t number;
    uint64_t size;   /* bytes */
    uint64_t before; /* index of the last record before its first */
    struct bytes image;
};

struct recovery {
    bool empty; /* no ledger was ever begun here; nothing below is set */
    struct id ledger;
    struct promise promise;
    struct chain end;  /* of the log */
    size_t end_offset; /* in the newest segment */
    bool torn;         /* something that is no record lies at end_offset */
    struct recovered_segment *segments;
    size_t segment_count;
    struct record *records; /* all that the segments hold, borrowing from them */
    size_t record_count;
    bool has_snapshot;
    struct snapshot snapshot;
    bool outrun;           /* the snapshot is a leader's, from after the end of the log, and the
                            * crash came before the log began anew: `end` is the snapshot's */
    struct fault fallback; /* why the newest snapshot was not taken; empty when it was */
};

/* Reads the whole directory, which nobody else may use meanwhile. Removes what a crash left half
 * made.
 *
 *   recovery  released by recovery_clear; zeroed on failure
 *   errors    GROVE_CORRUPT, GROVE_VERSION, GROVE_IO, GROVE_PERMISSION with a fault that names file
 * and offset: refuse to start, nothing was changed */
enum grove_status recovery_read(int directory, struct recovery *recovery, struct fault *fault)
    GROVE_CHECKED;

/* Accepts a zeroed one. */
void recovery_clear(struct recovery *recovery);

#endif
