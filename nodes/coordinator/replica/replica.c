/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/replica_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_SEGMENT_SIZE ((size_t)64 << 20)
#define DEFAULT_SNAPSHOT_THRESHOLD ((size_t)64 << 20)
#define DEFAULT_HEARTBEAT_MS 30u
#define SNAPSHOT_RETRY_NS UINT64_C(1000000000)
#define MAKE_ROOM_NS UINT64_C(1000000000)
#define EXIT_IO 74 /* EX_IOERR */

static void default_note(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "grove: %s\n", text);
}

static void default_fatal(void *context, enum grove_status status, const char *text)
{
    (void)context;
    fprintf(stderr, "grove: %s: %s\n", text, grove_status_text(status));
    _exit(EXIT_IO);
}

static void note(struct replica *replica, const char *text)
{
    replica->options.note(replica->options.context, text);
}

/* ---- what the voter needs */

static void die(void *context, const char *text)
{
    struct replica *replica = context;

    replica->options.fatal(replica->options.context, GROVE_IO, text);
    abort();
}

static void apply(void *context, uint64_t index, const uint8_t *data, size_t size)
{
    struct replica *replica = context;

    replica->machine.apply(replica->machine.context, index, data, size);
}

static void settled(void *context, bool known)
{
    struct replica *replica = context;

    if (!known && replica->machine.lost != NULL) {
        replica->machine.lost(replica->machine.context);
    }
}

static enum grove_status begin_snapshot(void *context, const struct raft_snapshot *pending)
{
    struct replica *replica = context;

    raft_set_snapshot_threshold(&replica->voter.raft, VOTER_NEVER);
    replica->snapshot_wanted = false;
    if (storage_fork(&replica->storage, pending, replica->machine.snapshot_write,
                     replica->machine.context) != GROVE_OK) {
        replica->snapshot_failures++;
        replica->snapshot_retry_ns = replica->options.now_ns() + SNAPSHOT_RETRY_NS;
        note(replica, "snapshot: no process can be forked; trying again");
        return GROVE_BUSY;
    }
    return GROVE_OK;
}

static enum grove_status read_state(void *context, struct bytes state)
{
    struct replica *replica = context;

    return replica->machine.read(replica->machine.context, state.data, state.size);
}

/* While opening, from what the recovery has mapped; later, what the leader sent was read when it
 * was installed. */
static enum grove_status restore(void *context, uint64_t index)
{
    struct replica *replica = context;

    (void)index;
    if (replica->recovery.has_snapshot) {
        replica->restored = read_state(replica, replica->recovery.snapshot.state);
        if (replica->restored != GROVE_OK) {
            return replica->restored;
        }
    }
    replica->machine.adopt(replica->machine.context);
    voter_expect_install(&replica->voter, replica->storage.newest.size);
    return GROVE_OK;
}

/* ---- opening */

static enum grove_status open_journal(struct replica *replica, struct fault *fault)
{
    const struct replica_options *options = &replica->options;
    const struct journal_options journal = {
        .directory = options->directory,
        .segment_size = options->segment_size,
        .now_ns = options->now_ns,
        .fatal = options->fatal,
        .context = options->context,
    };
    bool make = options->start != REPLICA_EXISTING;
    enum grove_status status =
        journal_open(&journal, make, &replica->journal, &replica->recovery, fault);

    if (status == GROVE_OK && replica->recovery.empty && !make) {
        fault_set(fault, "%s: holds no ledger, and a new one was not asked for",
                  options->directory);
        return GROVE_EMPTY;
    }
    if (status == GROVE_OK && replica->recovery.fallback.text[0] != '\0') {
        note(replica, replica->recovery.fallback.text);
        note(replica, "snapshot: set aside; an older one and the log since then replace it");
    }
    return status;
}

static void init_voter(struct replica *replica)
{
    const struct voter_options options = {
        .id = replica->options.id,
        .address = replica->options.address,
        .transport = replica->options.transport,
        .heartbeat_ms = replica->options.heartbeat_ms,
        .host = {.context = replica,
                 .apply = apply,
                 .settled = settled,
                 .snapshot = begin_snapshot,
                 .restore = restore,
                 .fatal = die},
    };

    storage_init(&replica->storage, replica->journal, &replica->recovery, replica->options.now_ns);
    replica->storage.read = read_state;
    replica->storage.context = replica;
    voter_init(&replica->voter, &replica->storage.io, &options);
}

static enum grove_status start(struct replica *replica, struct fault *fault)
{
    init_voter(replica);
    bool begins = replica->recovery.empty && replica->options.start == REPLICA_BOOTSTRAP;
    int error = begins ? voter_bootstrap(&replica->voter) : 0;
    if (error != 0) {
        fault_set(fault, "%s", raft_errmsg(&replica->voter.raft));
        if (replica->storage.io.errmsg[0] != '\0') {
            fault_set(fault, "%s", replica->storage.io.errmsg);
        }
        return error == RAFT_NOSPACE ? GROVE_FULL : GROVE_IO;
    }
    enum grove_status status = journal_start(replica->journal, &replica->recovery, fault);
    if (status != GROVE_OK) {
        return status;
    }
    error = voter_start(&replica->voter);
    if (replica->restored != GROVE_OK) {
        char name[SNAPSHOT_NAME_SIZE];
        snapshot_name(replica->recovery.snapshot.head.end.index, name);
        fault_set(fault, "%s: cannot be restored: %s", name, grove_status_text(replica->restored));
        return replica->restored;
    }
    if (error != 0) {
        fault_set(fault, "cannot start: %s", raft_errmsg(&replica->voter.raft));
        return GROVE_CORRUPT;
    }
    voter_expect_install(&replica->voter, replica->storage.newest.size);
    storage_started(&replica->storage);
    recovery_clear(&replica->recovery);
    return GROVE_OK;
}

static void set_defaults(struct replica_options *options)
{
    if (options->segment_size == 0) {
        options->segment_size = DEFAULT_SEGMENT_SIZE;
    }
    if (options->snapshot_threshold == 0) {
        options->snapshot_threshold = DEFAULT_SNAPSHOT_THRESHOLD;
    }
    if (options->id == 0) {
        options->id = 1;
    }
    if (options->address == NULL) {
        options->address = "1";
    }
    if (options->heartbeat_ms == 0) {
        options->heartbeat_ms = DEFAULT_HEARTBEAT_MS;
    }
    if (options->note == NULL) {
        options->note = default_note;
    }
    if (options->fatal == NULL) {
        options->fatal = default_fatal;
    }
}

enum grove_status replica_open(const struct replica_options *options,
                               const struct replica_machine *machine, struct replica **replica,
                               struct fault *fault)
{
    struct replica *made = calloc(1, sizeof(*made));

    if (made == NULL || sodium_init() < 0) {
        abort();
    }
    made->machine = *machine;
    made->options = *options;
    set_defaults(&made->options);
    enum grove_status status = open_journal(made, fault);
    if (status == GROVE_OK) {
        status = start(made, fault);
    }
    if (status != GROVE_OK) {
        replica_close(made);
        return status;
    }
    made->options.directory = NULL;
    made->options.address = NULL;
    *replica = made;
    return GROVE_OK;
}

int replica_fd(const struct replica *replica)
{
    return journal_fd(replica->journal);
}

static enum replica_room judge_room(const struct replica *replica,
                                    const struct store_counters *counters)
{
    return room_of(counters->room, replica->options.segment_size,
                   replica->storage.child == 0 ? replica->storage.newest.size : 0);
}

/* Whether a snapshot would make room: the second lets go of all segments but the newest, which the
 * journal does in its own time. */
static bool needs_room(const struct replica *replica)
{
    const struct store_counters counters = journal_counters(replica->journal);

    return counters.held > 1 && judge_room(replica, &counters) != REPLICA_ROOM_ENOUGH &&
           replica->options.now_ns() >= replica->make_room_ns;
}

static uint64_t log_size(const struct replica *replica)
{
    return replica->storage.appended - replica->storage.newest.appended;
}

/* libraft counts entries, and asks after each group that it has applied. */
static void set_threshold(struct replica *replica)
{
    bool large = log_size(replica) > replica->options.snapshot_threshold &&
                 log_size(replica) > replica->storage.newest.size;
    bool wanted =
        (large || needs_room(replica)) && replica->options.now_ns() >= replica->snapshot_retry_ns;
    bool due = replica->storage.child == 0 && (replica->snapshot_wanted || wanted);

    raft_set_snapshot_threshold(&replica->voter.raft, due ? 1 : VOTER_NEVER);
}

void replica_turn(struct replica *replica)
{
    set_threshold(replica);
    voter_turn(&replica->voter);
    journal_turn(replica->journal);
}

static void reap(struct replica *replica)
{
    char text[96];
    char cause[64];
    int error = 0;

    switch (storage_reap(&replica->storage, &error)) {
    case CHILD_NONE:
    case CHILD_RUNS:
        return;
    case CHILD_WROTE:
        replica->snapshots++;
        replica->make_room_ns = replica->options.now_ns() + MAKE_ROOM_NS;
        voter_expect_install(&replica->voter, replica->storage.newest.size);
        /* The log that it replaces lay between tasks that live on: its pages go back one by one. */
        malloc_trim(0);
        return;
    case CHILD_FAILED:
        replica->snapshot_failures++;
        replica->snapshot_retry_ns = replica->options.now_ns() + SNAPSHOT_RETRY_NS;
        snprintf(text, sizeof(text), "snapshot: failed: %s; trying again",
                 error == 0 ? "killed" : strerror_r(error, cause, sizeof(cause)));
        note(replica, text);
        return;
    }
}

/* When nothing is proposed: libraft takes a snapshot only after applying something. */
static void make_room(struct replica *replica)
{
    if (needs_room(replica) && replica->storage.child == 0 && !replica->snapshot_wanted &&
        replica->options.now_ns() >= replica->snapshot_retry_ns &&
        !voter_is_busy(&replica->voter)) {
        replica->snapshot_wanted = voter_barrier(&replica->voter) == GROVE_OK;
    }
}

void replica_tick(struct replica *replica)
{
    reap(replica);
    make_room(replica);
    voter_tick(&replica->voter);
}

void replica_receive(struct replica *replica, struct raft_message *message)
{
    set_threshold(replica);
    voter_receive(&replica->voter, message);
}

void replica_transferred(struct replica *replica, uint64_t peer, bool arrived)
{
    guard_transferred(&replica->voter.guard, peer, arrived);
}

static enum grove_status open_file(struct replica *replica, const char *name, int flags, int *fd)
{
    struct fault ignored; /* the caller tries again */
    int opened = openat(journal_directory(replica->journal), name, flags | O_CLOEXEC, 0600);

    if (opened < 0) {
        return errno == ENOENT ? GROVE_NOT_FOUND
                               : fault_errno(&ignored, name, "cannot open", errno);
    }
    *fd = opened;
    return GROVE_OK;
}

enum grove_status replica_snapshot_file(struct replica *replica, uint64_t index, int *fd)
{
    char name[SNAPSHOT_NAME_SIZE];

    snapshot_name(index, name);
    return open_file(replica, name, O_RDONLY, fd);
}

enum grove_status replica_incoming_file(struct replica *replica, uint64_t index, int *fd)
{
    char name[SNAPSHOT_NAME_SIZE];

    /* The leader may announce again what has just arrived: libraft takes the rejection of a
     * heartbeat for that of the snapshot, when the log ends there. */
    if (replica->voter.guard.installing) {
        return GROVE_BUSY;
    }
    snapshot_incoming_name(index, name);
    return open_file(replica, name, O_RDWR | O_CREAT | O_TRUNC, fd);
}

bool replica_is_leader(const struct replica *replica)
{
    return voter_leads(&replica->voter);
}

bool replica_is_busy(const struct replica *replica)
{
    return voter_is_busy(&replica->voter);
}

enum grove_status replica_propose(struct replica *replica, const uint8_t *data, size_t size)
{
    return voter_propose(&replica->voter, data, size);
}

enum grove_status replica_barrier(struct replica *replica)
{
    return voter_barrier(&replica->voter);
}

enum grove_status replica_add(struct replica *replica, uint64_t id, const char *address)
{
    return voter_add(&replica->voter, id, address);
}

enum grove_status replica_assign(struct replica *replica, uint64_t id, enum replica_role role)
{
    return voter_assign(&replica->voter, id, role);
}

enum grove_status replica_remove(struct replica *replica, uint64_t id)
{
    return voter_remove(&replica->voter, id);
}

enum grove_status replica_transfer(struct replica *replica, uint64_t id)
{
    return voter_transfer(&replica->voter, id);
}

size_t replica_members(const struct replica *replica, struct replica_member *members, size_t most)
{
    return voter_members(&replica->voter, members, most);
}

void replica_expect(struct replica *replica)
{
    journal_expect(replica->journal);
}

enum grove_status replica_snapshot(struct replica *replica)
{
    if (!replica_is_leader(replica)) {
        return GROVE_NO_LEADER;
    }
    if (replica->snapshot_wanted || replica->storage.child != 0) {
        return GROVE_BUSY;
    }
    replica->snapshot_wanted = true;
    if (replica->voter.busy) {
        return GROVE_OK; /* taken after the group in flight */
    }
    /* libraft takes a snapshot only after applying something: let that be a barrier. */
    enum grove_status status = voter_barrier(&replica->voter);
    if (status != GROVE_OK) {
        replica->snapshot_wanted = false;
    }
    return status;
}

struct replica_status replica_status(struct replica *replica)
{
    struct store_counters counters = journal_counters(replica->journal);

    return (struct replica_status){
        .ledger = replica->storage.ledger,
        .id = replica->voter.raft.id,
        .leader = voter_leader(&replica->voter),
        .change = replica->voter.change,
        .index = raft_last_applied(&replica->voter.raft),
        .term = replica->voter.raft.current_term,
        .groups = replica->voter.groups,
        .journal_size = counters.size,
        .journal_written = counters.written,
        .journal_segments = counters.segments,
        .syncs = counters.syncs,
        .sync_ns = counters.sync_ns,
        .idle_promises = counters.promises,
        .log_size = log_size(replica),
        .snapshot_index = replica->storage.newest.index,
        .snapshot_size = replica->storage.newest.size,
        .snapshots = replica->snapshots,
        .snapshot_failures = replica->snapshot_failures,
        .snapshotting = replica->storage.child != 0,
        .room = judge_room(replica, &counters),
        .free = counters.room,
    };
}

void replica_close(struct replica *replica)
{
    if (replica == NULL) {
        return;
    }
    if (replica->journal != NULL) {
        journal_drain(replica->journal);
    }
    storage_cancel(&replica->storage);
    voter_close(&replica->voter);
    storage_clear(&replica->storage);
    recovery_clear(&replica->recovery);
    journal_close(replica->journal);
    free(replica);
}
