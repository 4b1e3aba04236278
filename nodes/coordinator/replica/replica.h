/* SPDX-License-Identifier: MPL-2.0
 * The ledger: groups of commands in one order, on disk before they are applied. The rest of grove
 * sees only this; consensus, files and threads are behind it.
 *
 *   replica_propose ──▶ (journal thread: write, sync) ──▶ replica_turn ──▶ machine.apply
 *
 * One group is in flight at a time; what queues meanwhile is the caller's next group. All
 * functions, and all calls of the machine but snapshot_write, are on the loop thread, and none
 * blocks on the disk except replica_open and replica_close. */
#ifndef GROVE_COORDINATOR_REPLICA_REPLICA_H
#define GROVE_COORDINATOR_REPLICA_REPLICA_H

#include "core/bytes.h"
#include "nodes/coordinator/replica/fault.h"

struct replica; /* opaque */

/* Where snapshot_write puts its bytes: snapshot_put(writer, data, size), in snapshot.h. */
struct snapshot_writer;

/* What the replica drives. Its apply must give the same state for the same groups, anywhere. */
struct replica_machine {
    void *context;

    /* One committed group, in order, once each since the state that was restored. May not call
     * replica_propose; `data` is borrowed. */
    void (*apply)(void *context, uint64_t index, const uint8_t *data, size_t size);

    /* Writes the whole state, as of the last apply. Runs in a forked child, which has only the
     * calling thread: no allocation, no lock, no socket. Returns 0 or an errno, which fails the
     * snapshot. */
    int (*snapshot_write)(void *context, struct snapshot_writer *writer);

    /* Replaces the state by one that snapshot_write wrote; its digest was checked. Called in
     * replica_open only, before any apply.
     *
     *   errors    any: replica_open fails with it */
    enum grove_status (*restore)(void *context, const uint8_t *data, size_t size);
};

enum replica_start {
    REPLICA_EXISTING, /* an empty directory is refused */
    REPLICA_BOOTSTRAP /* an empty directory, or none, becomes a new ledger; an existing one goes on
                       */
};

struct replica_options {
    const char *directory; /* borrowed for replica_open */
    enum replica_start start;
    size_t segment_size;       /* bytes; 0 for 64 MiB */
    size_t snapshot_threshold; /* bytes of log since the last snapshot; 0 for 64 MiB */
    unsigned heartbeat_ms;     /* between calls of replica_tick; 0 for 30 */
    uint64_t (*now_ns)(void);  /* monotonic; called on any thread */
    void *context;             /* of the next two */

    /* Reports what an operator should know and what does not end anything: a snapshot that failed,
     * a damaged one passed over. NULL: a line on stderr. */
    void (*note)(void *context, const char *text);

    /* Reports a failed write, a failed sync or a full disk. Called on any thread; must not return
     * and not run exit handlers that wait for the loop. What was acknowledged is on disk, and a
     * restart (after making room) goes on from there. NULL: a line on stderr, then _exit(74). */
    void (*fatal)(void *context, enum grove_status status, const char *text);
};

struct replica_status {
    struct id ledger;
    uint64_t index;            /* of the last group applied, or barrier */
    uint64_t term;             /* stays 1 with one voter: good for nothing but showing */
    uint64_t groups;           /* applied since the start, those of the log included */
    uint64_t journal_size;     /* bytes of the segments on disk */
    uint64_t journal_written;  /* bytes of records since the start */
    uint64_t journal_segments; /* begun since the start */
    uint64_t syncs;
    uint64_t sync_ns;       /* spent in them */
    uint64_t idle_promises; /* of the syncs, those of an idle log */
    uint64_t log_size;      /* bytes of log since the newest snapshot */
    uint64_t snapshot_index;
    uint64_t snapshot_size; /* bytes of the newest snapshot's file */
    uint64_t snapshots;     /* written since the start */
    uint64_t snapshot_failures;
    bool snapshotting;
};

/* Locks the directory, loads and verifies what it holds, restores the newest snapshot, applies the
 * log after it, and elects itself. It leads, and takes proposals, a turn or two later.
 *
 *   machine   copied; may be called before this returns. Effects of those calls are of the past
 *   fault     on failure, a sentence naming file and offset: print it
 *   errors    GROVE_CORRUPT, GROVE_VERSION, GROVE_EMPTY: exit 78. GROVE_BUSY: another process has
 * the directory. GROVE_IO, GROVE_FULL, GROVE_PERMISSION, and what restore says */
enum grove_status replica_open(const struct replica_options *options,
                               const struct replica_machine *machine, struct replica **replica,
                               struct fault *fault) GROVE_CHECKED;

/* Readable when replica_turn has something to do. */
int replica_fd(const struct replica *replica);

/* Applies what has reached the disk. Afterwards the caller may propose its next group. */
void replica_turn(struct replica *replica);

/* Lets time pass: elections, and the ends of snapshots. Every heartbeat_ms. */
void replica_tick(struct replica *replica);

/* True when proposals are taken: this replica leads, and has committed in its term. */
bool replica_is_leader(const struct replica *replica);

/* True while a group is in flight, and before leadership. */
bool replica_is_busy(const struct replica *replica);

/* Appends a group; it comes back through machine.apply, or never, when the process ends first.
 *
 *   data      copied; 1 byte to REPLICA_GROUP_LIMIT
 *   errors    GROVE_NO_LEADER; GROVE_BUSY while a group is in flight; GROVE_TOO_LARGE */
#define REPLICA_GROUP_LIMIT ((size_t)5 << 20) /* bytes; a command is at most a frame */
enum grove_status replica_propose(struct replica *replica, const uint8_t *data, size_t size)
    GROVE_CHECKED;

/* Says that a group will probably be proposed within some 100 us (a batch is being verified, say).
 * The journal thread wakes now and not then: 40 us less for a group that comes alone. Costs next to
 * nothing while the journal is busy. */
void replica_expect(struct replica *replica);

/* Begins a snapshot; replica_status tells when it is done. The replica begins them by itself when
 * the log since the last exceeds both the threshold and that snapshot's size.
 *
 *   errors    GROVE_NO_LEADER; GROVE_BUSY while one is being written or asked for */
enum grove_status replica_snapshot(struct replica *replica) GROVE_CHECKED;

struct replica_status replica_status(struct replica *replica);

/* Puts on disk, and applies, what is in flight; gives up a snapshot being written. Accepts NULL. */
void replica_close(struct replica *replica);

#endif
