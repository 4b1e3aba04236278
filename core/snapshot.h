/* SPDX-License-Identifier: MPL-2.0
 * What the writer and the reader of snapshots agree on; for them alone.
 *
 * A snapshot is a run of numbers and bytes (core/stream.h) without names: the header, then the
 * sections below, in this order.  Nothing that core/forest_state.h calls derived is in it.
 *
 *   clock       stamps and sequences
 *   counters    what was counted for ever
 *   trust       certificates, then revocations, as signed, in the order of admission
 *   functions   in byte order, with what they counted and their limits
 *   tasks       tree by tree, parents before their children, siblings oldest first: the place of a
 *               task and its depth say whose child it is
 *   joins       of each task, in the order of the tasks; with the ids of their inputs
 *   sweeps      under way, the first first
 *   retained    ids of settled roots, longest settled first
 *   sessions    by index, then those that are leaving; with the attempts that they hold
 *   memories    as they lie in their heap */
#ifndef GROVE_CORE_SNAPSHOT_H
#define GROVE_CORE_SNAPSHOT_H

#include "core/forest_state.h"
#include "core/stream.h"

#define SNAPSHOT_MAGIC "grove.snapshot" /* with its NUL */
#define SNAPSHOT_VERSION 5u

/* How a task or a result names the seal of its batch.  A seal with one user follows it, a seal with
 * more follows the first of them, and the others name it by its number. */
enum snapshot_record {
    SNAPSHOT_RECORD_NONE,
    SNAPSHOT_RECORD_SOLE,
    SNAPSHOT_RECORD_SHARED,
    SNAPSHOT_RECORD_NUMBER, /* this one and up: number from 0 */
};

/* A forest that is being restored.  At every moment it can be destroyed. */
struct snapshot_reader {
    struct stream_reader in;
    struct forest *forest;
    struct record **records; /* those with more users, by number */
    size_t record_count;
};

/* Reads the section of tasks: all of them are linked and found by their ids, and none is counted,
 * timed or queued yet.  Fails the stream for what no forest could have written. */
void snapshot_read_tasks(struct snapshot_reader *reader);

/* Joins, and sweeps, whose tasks are there. */
void snapshot_write_joins(struct stream_writer *out, const struct forest *forest);
void snapshot_write_sweeps(struct stream_writer *out, const struct forest *forest);
void snapshot_read_joins(struct snapshot_reader *reader);
void snapshot_read_sweeps(struct snapshot_reader *reader);

/* Counts the windows of maps, and queues what is held, when all is read. */
void snapshot_set_windows(struct forest *forest);

/* The task after this one, in the order in which they are written; NULL at the end. */
struct task *snapshot_next_task(const struct task *task);

#endif
