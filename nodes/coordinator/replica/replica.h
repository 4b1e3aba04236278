/* SPDX-License-Identifier: MPL-2.0
 * The ledger: groups of commands in one order, on the disks of a majority before they are applied.
 * The rest of grove sees only this; consensus, files and threads are behind it.
 *
 *   replica_propose ──▶ (journal thread: write, sync) ──▶ replica_turn ──▶ machine.apply
 *                  └──▶ transport ──▶ followers ──▶ replica_receive ──┘
 *
 * One group is in flight at a time; what queues meanwhile is the caller's next group. All
 * functions, and all calls of the machine but snapshot_write and read, are on the loop thread, and
 * none blocks on the disk except replica_open and replica_close, and a change of term or vote. */
#ifndef GROVE_COORDINATOR_REPLICA_REPLICA_H
#define GROVE_COORDINATOR_REPLICA_REPLICA_H

#include "core/bytes.h"
#include "nodes/coordinator/replica/fault.h"
#include "nodes/coordinator/replica/room.h"

struct replica; /* opaque */

/* transport.h; a message of consensus is libraft's. */
struct replica_transport;
struct raft_message;

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

    /* Reads a state that snapshot_write wrote, and keeps it aside for adopt; its digest was
     * checked. Called in replica_open before any apply; and later, when the leader has sent its
     * state to a replica that had fallen far behind, on the journal's thread, while all goes on
     * with the old.
     *
     *   errors    any: replica_open fails with it; later it is fatal */
    enum grove_status (*read)(void *context, const uint8_t *data, size_t size);

    /* Replaces the state by the one read last. */
    void (*adopt)(void *context);

    /* The group or barrier in flight went with the leadership: whether it is in the ledger is not
     * known, and a group may still come through apply, as any other's. NULL when nobody asks. */
    void (*lost)(void *context);
};

enum replica_start {
    REPLICA_EXISTING,  /* an empty directory is refused */
    REPLICA_BOOTSTRAP, /* an empty directory, or none, becomes a new ledger; an existing one goes on
                        */
    REPLICA_JOIN       /* an empty directory, or none, waits for the leader of a ledger to add this
                        * replica; an existing one goes on */
};

struct replica_options {
    const char *directory; /* borrowed for replica_open */
    enum replica_start start;

    /* Who this replica is among its peers; 0 for 1, and NULL for "1", which do for one that will
     * never have any. An id whose disk was lost is removed from the ledger and never
     * comes back: it has forgotten what it voted and acknowledged, and by an older snapshot it
     * would still have a vote. */
    uint64_t id;
    const char *address; /* how the others find and recognize it; copied into the ledger */
    const struct replica_transport *transport; /* borrowed until replica_close; NULL for no peers */

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

/* STANDBY gets the log and has no vote; SPARE gets nothing yet. */
enum replica_role { REPLICA_SPARE, REPLICA_STANDBY, REPLICA_VOTER };

#define REPLICA_ADDRESS_SIZE 256u /* bytes, with the NUL */

struct replica_member {
    uint64_t id;
    enum replica_role role;
    uint64_t match; /* up to where its log is known to be the leader's; 0 unless this one leads */
    char address[REPLICA_ADDRESS_SIZE];
};

/* How the change of membership begun last stands. FAILED: leadership went, or a member that was to
 * vote did not catch up; replica_members of the leader says what holds. */
enum replica_change {
    REPLICA_CHANGE_NONE,
    REPLICA_CHANGE_RUNNING,
    REPLICA_CHANGE_DONE,
    REPLICA_CHANGE_FAILED
};

struct replica_status {
    struct id ledger; /* zero in a replica that has not been added yet */
    uint64_t id;      /* this one's */
    uint64_t leader;  /* whom it takes for the leader; 0 for nobody */
    enum replica_change change;
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
    enum replica_room room;
    uint64_t free; /* bytes that the log may still take */
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

/* Hands over what a peer sent, for libraft: all that `message` points to was made by raft_malloc,
 * is aligned to 8 bytes, and is taken; entries share one batch. The sender is who it says it is. */
void replica_receive(struct replica *replica, struct raft_message *message);

/* Tells how a snapshot went that the transport was asked to send: the whole file is with the peer,
 * or the peer is gone. */
void replica_transferred(struct replica *replica, uint64_t peer, bool arrived);

/* Opens the file of a snapshot to be sent.
 *
 *   errors    GROVE_NOT_FOUND: a newer one replaced it; the transfer has failed */
enum grove_status replica_snapshot_file(struct replica *replica, uint64_t index, int *fd)
    GROVE_CHECKED;

/* Opens an empty file for a snapshot that is being received. When it is whole, the transport hands
 * over the InstallSnapshot that it belongs to, with voter_token(index) as its data.
 *
 *   errors    GROVE_BUSY: one is being installed, and may not be touched; GROVE_IO, GROVE_FULL.
 *             Leave it; the leader tries again */
enum grove_status replica_incoming_file(struct replica *replica, uint64_t index, int *fd)
    GROVE_CHECKED;

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

/* Begins a group without commands. When it is over, and not lost, this replica led at some moment
 * since the call, and has applied all that was acknowledged before it: what it then reads is true.
 * (A group of commands proves the same.)
 *
 *   errors    as replica_propose */
enum grove_status replica_barrier(struct replica *replica) GROVE_CHECKED;

/* Changes who takes part; replica_status tells when it is done. A new member is a SPARE, and is
 * given its role by replica_assign: STANDBY, or VOTER, which waits until it has caught up.
 *
 *   errors    GROVE_NO_LEADER; GROVE_BUSY while another change is under way; GROVE_NOT_FOUND;
 *             GROVE_CONFLICT: id or address are taken; GROVE_INVALID: it has that role, or is
 *             this one, which hands over first */
enum grove_status replica_add(struct replica *replica, uint64_t id, const char *address)
    GROVE_CHECKED;
enum grove_status replica_assign(struct replica *replica, uint64_t id, enum replica_role role)
    GROVE_CHECKED;
enum grove_status replica_remove(struct replica *replica, uint64_t id) GROVE_CHECKED;

/* Hands leadership over: proposals are refused from now on, until another leads or an election
 * timeout has passed.
 *
 *   id        of a voter; 0 for any
 *   errors    GROVE_NO_LEADER; GROVE_NOT_FOUND: no such voter */
enum grove_status replica_transfer(struct replica *replica, uint64_t id) GROVE_CHECKED;

/* Writes up to `most` members, and returns how many there are. */
size_t replica_members(const struct replica *replica, struct replica_member *members, size_t most);

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
