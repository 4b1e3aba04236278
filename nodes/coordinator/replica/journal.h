/* SPDX-License-Identifier: MPL-2.0
 * The log on disk: appends groups of records, synced, on a thread of its own. Knows nothing of
 * raft.
 *
 *   loop thread                     journal thread
 *   journal_append ──── queue ────▶ hash, write, one fdatasync for all that queued
 *   journal_turn  ◀─── eventfd ──── finished
 *
 * After a sync the promise (promise.h) is owed: it goes to disk with the next group's sync, or
 * alone when 10 ms pass without one. A failed write or sync is never tried again, since the kernel
 * may have dropped the pages: the process ends through `fatal`, and a restart reads what the disk
 * really has. */
#ifndef GROVE_COORDINATOR_REPLICA_JOURNAL_H
#define GROVE_COORDINATOR_REPLICA_JOURNAL_H

#include "nodes/coordinator/replica/steps.h"

struct journal; /* opaque */

struct journal_options {
    const char *directory;    /* borrowed for journal_open */
    size_t segment_size;      /* bytes, at least SEGMENT_SIZE_LEAST */
    uint64_t (*now_ns)(void); /* monotonic nanoseconds; called on both threads */

    /* Reports a fault that ends the process, on either thread, and does not return. */
    void (*fatal)(void *context, enum grove_status status, const char *text);
    void *context;
};

/* Locks the directory and reads it; makes it when it does not exist and `make` says so.
 *
 *   recovery  what was found; released by recovery_clear
 *   errors    GROVE_BUSY: another process has it; GROVE_EMPTY: no such directory; else as
 *             recovery_read. The fault says more */
enum grove_status journal_open(const struct journal_options *options, bool make,
                               struct journal **journal, struct recovery *recovery,
                               struct fault *fault) GROVE_CHECKED;

/* Begins a ledger in a directory that holds none: its first record, synced and promised.
 *
 *   recovery  read anew
 *   errors    GROVE_FULL, GROVE_IO with a fault */
enum grove_status journal_begin(struct journal *journal, const struct id *ledger,
                                struct record *first, struct recovery *recovery,
                                struct fault *fault) GROVE_CHECKED;

/* Goes on where `recovery` ends: cuts off a torn tail, promises what is left, starts the thread.
 * Where it holds no ledger, JOURNAL_BEGIN or JOURNAL_INSTALL comes first.
 *
 *   errors    GROVE_FULL, GROVE_IO with a fault */
enum grove_status journal_start(struct journal *journal, const struct recovery *recovery,
                                struct fault *fault) GROVE_CHECKED;

/* Queues a step. Takes it, and all it points to, until `done`. */
void journal_append(struct journal *journal, struct journal_write *write);

/* Wakes the thread for a group that is about to come, so that waking costs it no time. */
void journal_expect(struct journal *journal);

/* Readable when journal_turn has something to do. */
int journal_fd(const struct journal *journal);

/* Calls `done` of each group on disk, in order. */
void journal_turn(struct journal *journal);

/* Waits until all that is queued is on disk, and calls `done` of each. */
void journal_drain(struct journal *journal);

/* Puts term and vote in both slots, one sync after the other, before it returns. Where there is no
 * log yet there is no slot either, and nothing that could vote. */
void journal_vote(struct journal *journal, uint64_t term, uint64_t vote);

/* The end of the log as of the last `done`. */
struct chain journal_end(const struct journal *journal);

/* Lets the journal remove, in its own time, snapshots before `index` and segments that end there.
 */
void journal_forget(struct journal *journal, uint64_t index);

/* The end of the log as it was at `index`, which was delivered. */
enum grove_status journal_chain(struct journal *journal, uint64_t index, struct chain *chain,
                                struct fault *fault) GROVE_CHECKED;

int journal_directory(const struct journal *journal);

/* As of the last group on disk. */
struct store_counters journal_counters(struct journal *journal);

/* Drains nothing: ends the thread after the groups it has begun; their `done` is not called. What
 * is owed is promised. Accepts NULL. */
void journal_close(struct journal *journal);

#endif
