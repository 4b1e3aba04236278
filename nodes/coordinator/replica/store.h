/* SPDX-License-Identifier: MPL-2.0
 * The segments in use, as one log that is written at its end. Not for two threads at a time.
 *
 * The caller decides when to sync. No failed write or sync may be tried again: the kernel may have
 * dropped the pages, and a second sync would then succeed over a hole. */
#ifndef GROVE_COORDINATOR_REPLICA_STORE_H
#define GROVE_COORDINATOR_REPLICA_STORE_H

#include "nodes/coordinator/replica/recovery.h"

#include <sys/queue.h>

/* Counted since the start, except the first three. */
struct store_counters {
    uint64_t size;     /* bytes of the segments, as they lie on disk */
    uint64_t held;     /* segments that hold the log */
    uint64_t room;     /* bytes that are free for more of it, as seen last; the spare's are */
    uint64_t written;  /* bytes of records */
    uint64_t syncs;    /* with or without a group */
    uint64_t sync_ns;  /* spent in them */
    uint64_t promises; /* of the syncs, those for a promise alone */
    uint64_t segments; /* begun */
};

STAILQ_HEAD(store_segments, store_segment);

struct store {
    int directory;
    size_t segment_size;      /* bytes */
    uint64_t (*now_ns)(void); /* monotonic nanoseconds */
    struct id ledger;
    struct store_segments segments;
    struct store_segment *newest; /* of them: being written; NULL for none */
    int fd;                       /* of the newest; -1 for none */
    int spare;                    /* of the segment made ahead; -1 for none */
    size_t offset;                /* of the next record */
    struct chain end;             /* as written */
    struct promise promise;
    bool owed; /* records were synced that are not promised yet */
    struct store_counters counters;
};

/* An empty one; `directory` is the caller's, and open as long as the store. */
void store_init(struct store *store, int directory, size_t segment_size, uint64_t (*now_ns)(void));

void store_clear(struct store *store);

/* Begins a ledger in a directory without one: its first record, synced and promised.
 *
 *   errors    GROVE_FULL, GROVE_IO with a fault */
enum grove_status store_begin(struct store *store, const struct id *ledger, struct record *first,
                              struct fault *fault) GROVE_CHECKED;

/* Goes on where `recovery` ends: cuts off a torn tail, syncs and promises what is left.
 *
 *   errors    GROVE_FULL, GROVE_IO with a fault */
enum grove_status store_resume(struct store *store, const struct recovery *recovery,
                               struct fault *fault) GROVE_CHECKED;

/* Writes a record, not synced, and before it whatever is owed. Syncs what was written before when a
 * new segment must be begun. Sets the record's index and hash.
 *
 *   errors    GROVE_FULL, GROVE_IO with a fault: end the process */
enum grove_status store_write(struct store *store, struct record *record, struct fault *fault)
    GROVE_CHECKED;

/* Begins the log anew after `start`, in a segment of its own: for a replica that joins, with the
 * start of its ledger, and for one whose log a snapshot of the leader replaces. What was written
 * before is forgotten, and so is every snapshot before that index.
 *
 *   errors    GROVE_FULL, GROVE_IO with a fault: end the process */
enum grove_status store_begin_at(struct store *store, const struct id *ledger,
                                 const struct chain *start, struct fault *fault) GROVE_CHECKED;

/* Takes back the records from `index` on, and what was promised of them, on disk when it returns.
 *
 *   errors    GROVE_CORRUPT, GROVE_FULL, GROVE_IO with a fault: end the process */
enum grove_status store_truncate(struct store *store, uint64_t index, struct fault *fault)
    GROVE_CHECKED;

/* The end of the log as it was when record `index` was the last.
 *
 *   errors    GROVE_CORRUPT, GROVE_IO with a fault: it is not there any more, or damaged */
enum grove_status store_chain(const struct store *store, uint64_t index, struct chain *chain,
                              struct fault *fault) GROVE_CHECKED;

/* Puts all that was written on disk; its promise is then owed. */
enum grove_status store_sync(struct store *store, struct fault *fault) GROVE_CHECKED;

/* Writes and syncs a promise for all that was synced. */
enum grove_status store_promise(struct store *store, struct fault *fault) GROVE_CHECKED;

/* Makes the next segment, if there is none. A full disk is not yet a fault: only when that segment
 * must be begun. False when it could not be made. */
bool store_make_spare(struct store *store);

/* Looks how much room there is. */
void store_look(struct store *store);

/* Removes segments whose records all lie at or before `index`, and snapshots before it. Failing to
 * is harmless: the next start reads them, and the next snapshot removes them. */
void store_forget(struct store *store, uint64_t index);

#endif
