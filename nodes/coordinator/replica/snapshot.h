/* SPDX-License-Identifier: MPL-2.0
 * The whole state at one index, in a file of its own: a head, the configuration of the replicas,
 * the state, then size and digest of all that. A forked child writes it, while its parent goes on.
 */
#ifndef GROVE_COORDINATOR_REPLICA_SNAPSHOT_H
#define GROVE_COORDINATOR_REPLICA_SNAPSHOT_H

#include "nodes/coordinator/replica/fault.h"
#include "nodes/coordinator/replica/record.h"

#include <sys/types.h>

#define SNAPSHOT_NAME_SIZE 32u
#define SNAPSHOT_PREFIX "snapshot-"

/* Which state it is. */
struct snapshot_head {
    struct id ledger;
    uint64_t term; /* of the record at end.index */
    uint64_t configuration_index;
    struct chain end;           /* of the log that the state stands for */
    struct bytes configuration; /* borrowed; opaque here */
};

/* A snapshot read back; both slices of bytes lie in the mapped file. */
struct snapshot {
    struct snapshot_head head;
    struct bytes state;
    struct bytes image;
};

/* Where a child puts the state; opaque. */
struct snapshot_writer;

/* Writes the state by calls of snapshot_put. Runs in a child of a process with threads: it may not
 * allocate, lock, or touch a socket. Returns 0 or an errno. */
typedef int (*snapshot_fill)(void *context, struct snapshot_writer *writer);

/* Appends to the file, through one buffer. A failure is kept, and fails the snapshot at its end. */
void snapshot_put(struct snapshot_writer *writer, const void *data, size_t size);

/* Writes the snapshot and syncs it; its name appears only when the contents are on disk. Returns 0
 * or an errno. */
int snapshot_write_file(int directory, const struct snapshot_head *head, snapshot_fill fill,
                        void *context);

/* Forks a child that writes the snapshot, syncs it, gives it its name, and exits 0; or else exits
 * with an errno. It closes every inherited file but `directory` and stderr, and dies with its
 * parent.
 *
 *   errors    GROVE_BUSY when no child can be made: try again later */
enum grove_status snapshot_fork(int directory, const struct snapshot_head *head, snapshot_fill fill,
                                void *context, pid_t *child) GROVE_CHECKED;

/* Maps and verifies the snapshot of this index; it is hostile until its digest has been checked.
 *
 *   snapshot  released by snapshot_close
 *   errors    GROVE_CORRUPT, GROVE_VERSION, GROVE_IO with a fault that names file and offset */
enum grove_status snapshot_open(int directory, uint64_t index, struct snapshot *snapshot,
                                struct fault *fault) GROVE_CHECKED;

/* Verifies an image and points into it; what snapshot_open does after mapping. */
enum grove_status snapshot_read(const char *name, struct bytes image, struct snapshot *snapshot,
                                struct fault *fault) GROVE_CHECKED;

/* Unmaps it; accepts a zeroed one. */
void snapshot_close(struct snapshot *snapshot);

void snapshot_name(uint64_t index, char name[SNAPSHOT_NAME_SIZE]);

/* The name of one that is being received; a restart removes it. */
void snapshot_incoming_name(uint64_t index, char name[SNAPSHOT_NAME_SIZE]);

/* As snapshot_open, one that was received whole and has no name yet. */
enum grove_status snapshot_open_incoming(int directory, uint64_t index, struct snapshot *snapshot,
                                         struct fault *fault) GROVE_CHECKED;

/* Syncs it and gives it its name.
 *
 *   errors    GROVE_IO, GROVE_FULL with a fault */
enum grove_status snapshot_name_incoming(int directory, uint64_t index, struct fault *fault)
    GROVE_CHECKED;

#endif
