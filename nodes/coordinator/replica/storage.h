/* SPDX-License-Identifier: MPL-2.0
 * The journal as libraft wants to see it: a raft_io, and the snapshots that children write or the
 * leader sends. */
#ifndef GROVE_COORDINATOR_REPLICA_STORAGE_H
#define GROVE_COORDINATOR_REPLICA_STORAGE_H

#include "core/buffer.h"
#include "nodes/coordinator/replica/journal.h"

#include <raft.h>

/* The newest snapshot on disk, as another replica would get it. */
struct storage_snapshot {
    uint64_t index; /* 0 for none */
    uint64_t term;
    uint64_t configuration_index;
    struct buffer configuration; /* encoded */
    uint64_t size;               /* bytes of the file */
    uint64_t appended;           /* storage.appended at its index */
};

struct storage {
    struct raft_io io;
    struct journal *journal;
    struct recovery *recovery; /* until raft_start returns; then NULL */
    struct id ledger;          /* zero while there is none */
    uint64_t term;
    uint64_t (*now_ns)(void);

    /* Reads the state of a snapshot that is installed; as replica_machine.read. */
    enum grove_status (*read)(void *context, struct bytes state);
    void *context;

    uint64_t
        appended; /* bytes of all records appended since the newest snapshot before the start */

    struct storage_snapshot newest;

    /* The snapshot that a child writes, or that is being installed. */
    struct storage_snapshot next;
    pid_t child; /* 0 for none */
    struct raft_io_snapshot_put *put;
    raft_io_snapshot_put_cb put_done;
};

/* How a child ended. */
enum storage_child { CHILD_NONE, CHILD_RUNS, CHILD_WROTE, CHILD_FAILED };

/* Sets up `io` over a journal that was opened, not started. `recovery` must live until raft_start
 * has returned. */
void storage_init(struct storage *storage, struct journal *journal, struct recovery *recovery,
                  uint64_t (*now_ns)(void));

/* Begins to write the snapshot that libraft is about to take.
 *
 *   pending   index, term and configuration, set by libraft
 *   errors    GROVE_BUSY: no child can be made; GROVE_CORRUPT, GROVE_IO: the log there cannot be
 *             read; try again later */
enum grove_status storage_fork(struct storage *storage, const struct raft_snapshot *pending,
                               snapshot_fill fill, void *context) GROVE_CHECKED;

/* Tells it that raft_start has returned. */
void storage_started(struct storage *storage);

/* Asks after the child; when it has ended, tells libraft.
 *
 *   error     of a failed child: an errno, or 0 when it was killed */
enum storage_child storage_reap(struct storage *storage, int *error);

/* Kills the child, if there is one, and tells libraft that its snapshot was cancelled. */
void storage_cancel(struct storage *storage);

/* After raft_close. */
void storage_clear(struct storage *storage);

#endif
