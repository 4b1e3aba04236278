/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/replica.h"

#include "nodes/coordinator/replica/guard.h"
#include "nodes/coordinator/replica/storage.h"

#include <assert.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_SEGMENT_SIZE ((size_t)64 << 20)
#define DEFAULT_SNAPSHOT_THRESHOLD ((size_t)64 << 20)
#define DEFAULT_HEARTBEAT_MS 30u
#define ELECTION_HEARTBEATS 5u
#define INSTALL_TIMEOUT_MS 30000u
#define SNAPSHOT_RETRY_NS UINT64_C(1000000000)
#define NEVER UINT_MAX /* entries: a threshold that no log reaches */
#define EXIT_IO 74     /* EX_IOERR */

struct replica {
    struct replica_machine machine;
    struct replica_options options;
    struct raft raft;
    struct raft_fsm fsm;
    struct journal *journal;
    struct recovery recovery; /* empty after replica_open */
    struct storage storage;
    struct guard guard;
    enum grove_status restored; /* what machine.restore said */

    bool busy; /* a group or a barrier of ours is in flight */
    struct raft_apply apply;
    struct raft_barrier barrier;
    uint64_t groups;

    bool snapshot_wanted; /* by an operator */
    uint64_t snapshot_retry_ns;
    uint64_t snapshots;
    uint64_t snapshot_failures;
};

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

static void fatal_append(void *context, const char *text)
{
    struct replica *replica = context;

    replica->options.fatal(replica->options.context, GROVE_IO, text);
    abort();
}

/* An entry is the group's size, the group, and zeroes up to a multiple of 8 bytes. */
static size_t padded(size_t size)
{
    return (sizeof(uint64_t) + size + RECORD_ALIGNMENT - 1) / RECORD_ALIGNMENT * RECORD_ALIGNMENT;
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    struct replica *replica = fsm->data;
    const uint8_t *entry = buffer->base;
    uint64_t size;

    assert(buffer->len >= sizeof(size));
    memcpy(&size, entry, sizeof(size));
    assert(size <= buffer->len && padded((size_t)size) == buffer->len);
    replica->groups++;
    *result = NULL;
    /* libraft counts an entry as applied when this returns. */
    replica->machine.apply(replica->machine.context, raft_last_applied(&replica->raft) + 1,
                           entry + sizeof(size), (size_t)size);
    return 0;
}

/* Called by libraft between two entries: the state is whole, and this is the one moment of pause.
 */
static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *buffers[], unsigned *count)
{
    struct replica *replica = fsm->data;
    struct raft_buffer *buffer = raft_malloc(sizeof(*buffer));
    struct storage_token *token = raft_malloc(sizeof(*token));

    raft_set_snapshot_threshold(&replica->raft, NEVER);
    replica->snapshot_wanted = false;
    if (buffer == NULL || token == NULL) {
        abort();
    }
    token->index = replica->raft.snapshot.pending.index;
    if (storage_fork(&replica->storage, &replica->raft.snapshot.pending,
                     replica->machine.snapshot_write, replica->machine.context) != GROVE_OK) {
        raft_free(buffer);
        raft_free(token);
        replica->snapshot_failures++;
        replica->snapshot_retry_ns = replica->options.now_ns() + SNAPSHOT_RETRY_NS;
        note(replica, "snapshot: no process can be forked; trying again");
        return RAFT_BUSY;
    }
    *buffer = (struct raft_buffer){.base = token, .len = sizeof(*token)};
    *buffers = buffer;
    *count = 1;
    return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    struct replica *replica = fsm->data;
    struct bytes state = replica->recovery.snapshot.state;

    replica->restored = replica->machine.restore(replica->machine.context, state.data, state.size);
    if (replica->restored != GROVE_OK) {
        return RAFT_CORRUPT; /* libraft frees the token */
    }
    raft_free(buffer->base);
    return 0;
}

/* One voter, ourselves; the address is of no use before there are peers. */
static int bootstrap(struct replica *replica)
{
    struct raft_configuration configuration;
    int error;

    raft_configuration_init(&configuration);
    error =
        raft_configuration_add(&configuration, replica->raft.id, replica->raft.address, RAFT_VOTER);
    if (error == 0) {
        error = raft_bootstrap(&replica->raft, &configuration);
    }
    raft_configuration_close(&configuration);
    return error;
}

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
    bool make = options->start == REPLICA_BOOTSTRAP;
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

static void init_raft(struct replica *replica)
{
    replica->fsm = (struct raft_fsm){
        .version = 1,
        .data = replica,
        .apply = fsm_apply,
        .snapshot = fsm_snapshot,
        .restore = fsm_restore,
    };
    storage_init(&replica->storage, replica->journal, &replica->recovery, replica->options.now_ns);
    if (raft_init(&replica->raft, &replica->storage.io, &replica->fsm, 1, "1") != 0) {
        abort(); /* out of memory */
    }
    guard_install(&replica->guard, &replica->raft, fatal_append, replica);
    raft_set_heartbeat_timeout(&replica->raft, replica->options.heartbeat_ms);
    raft_set_election_timeout(&replica->raft, ELECTION_HEARTBEATS * replica->options.heartbeat_ms);
    raft_set_install_snapshot_timeout(&replica->raft, INSTALL_TIMEOUT_MS);
    raft_set_snapshot_threshold(&replica->raft, NEVER);
    raft_set_snapshot_trailing(&replica->raft, 1);
}

static enum grove_status start(struct replica *replica, struct fault *fault)
{
    init_raft(replica);
    int error = replica->recovery.empty ? bootstrap(replica) : 0;
    if (error != 0) {
        fault_set(fault, "%s", raft_errmsg(&replica->raft));
        if (replica->storage.io.errmsg[0] != '\0') {
            fault_set(fault, "%s", replica->storage.io.errmsg);
        }
        return error == RAFT_NOSPACE ? GROVE_FULL : GROVE_IO;
    }
    enum grove_status status = journal_start(replica->journal, &replica->recovery, fault);
    if (status != GROVE_OK) {
        return status;
    }
    error = raft_start(&replica->raft);
    if (replica->restored != GROVE_OK) {
        char name[SNAPSHOT_NAME_SIZE];
        snapshot_name(replica->recovery.snapshot.head.end.index, name);
        fault_set(fault, "%s: cannot be restored: %s", name, grove_status_text(replica->restored));
        return replica->restored;
    }
    if (error != 0) {
        fault_set(fault, "cannot start: %s", raft_errmsg(&replica->raft));
        return GROVE_CORRUPT;
    }
    storage_started(&replica->storage);
    recovery_clear(&replica->recovery);
    guard_lead(&replica->guard);
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
    *replica = made;
    return GROVE_OK;
}

int replica_fd(const struct replica *replica)
{
    return journal_fd(replica->journal);
}

static uint64_t log_size(const struct replica *replica)
{
    return replica->storage.appended - replica->storage.snapshot_appended;
}

/* libraft counts entries, and asks after each group that it has applied. */
static void set_threshold(struct replica *replica)
{
    bool large = log_size(replica) > replica->options.snapshot_threshold &&
                 log_size(replica) > replica->storage.snapshot_size &&
                 replica->options.now_ns() >= replica->snapshot_retry_ns;
    bool due = replica->storage.child == 0 && (replica->snapshot_wanted || large);

    raft_set_snapshot_threshold(&replica->raft, due ? 1 : NEVER);
}

void replica_turn(struct replica *replica)
{
    set_threshold(replica);
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

void replica_tick(struct replica *replica)
{
    reap(replica);
    replica->storage.tick(&replica->storage.io);
}

bool replica_is_leader(const struct replica *replica)
{
    return guard_leads(&replica->guard);
}

bool replica_is_busy(const struct replica *replica)
{
    return replica->busy || !replica_is_leader(replica);
}

static void finish_apply(struct raft_apply *request, int status, void *result)
{
    struct replica *replica = request->data;

    (void)status; /* it was applied, or the replica is closing */
    (void)result;
    replica->busy = false;
}

static void finish_barrier(struct raft_barrier *request, int status)
{
    struct replica *replica = request->data;

    (void)status;
    replica->busy = false;
}

static struct raft_buffer make_entry(const uint8_t *data, size_t size)
{
    const uint64_t prefix = size;
    size_t length = padded(size);
    uint8_t *entry = raft_malloc(length);

    if (entry == NULL) {
        abort();
    }
    memcpy(entry, &prefix, sizeof(prefix));
    memcpy(entry + sizeof(prefix), data, size);
    memset(entry + sizeof(prefix) + size, 0, length - sizeof(prefix) - size);
    return (struct raft_buffer){.base = entry, .len = length};
}

enum grove_status replica_propose(struct replica *replica, const uint8_t *data, size_t size)
{
    assert(size > 0);
    if (size > REPLICA_GROUP_LIMIT) {
        return GROVE_TOO_LARGE;
    }
    if (!replica_is_leader(replica)) {
        return GROVE_NO_LEADER;
    }
    if (replica->busy) {
        return GROVE_BUSY;
    }
    struct raft_buffer entry = make_entry(data, size);
    replica->busy = true;
    replica->apply.data = replica;
    if (raft_apply(&replica->raft, &replica->apply, &entry, 1, finish_apply) != 0) {
        replica->busy = false;
        raft_free(entry.base);
        return GROVE_NO_LEADER;
    }
    return GROVE_OK;
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
    if (replica->busy) {
        return GROVE_OK; /* taken after the group in flight */
    }
    /* libraft takes a snapshot only after applying something: let that be a barrier. */
    replica->busy = true;
    replica->barrier.data = replica;
    if (raft_barrier(&replica->raft, &replica->barrier, finish_barrier) != 0) {
        replica->busy = false;
        replica->snapshot_wanted = false;
        return GROVE_NO_LEADER;
    }
    return GROVE_OK;
}

struct replica_status replica_status(struct replica *replica)
{
    struct store_counters counters = journal_counters(replica->journal);

    return (struct replica_status){
        .ledger = replica->storage.ledger,
        .index = raft_last_applied(&replica->raft),
        .term = replica->raft.current_term,
        .groups = replica->groups,
        .journal_size = counters.size,
        .journal_written = counters.written,
        .journal_segments = counters.segments,
        .syncs = counters.syncs,
        .sync_ns = counters.sync_ns,
        .idle_promises = counters.promises,
        .log_size = log_size(replica),
        .snapshot_index = replica->storage.snapshot_index,
        .snapshot_size = replica->storage.snapshot_size,
        .snapshots = replica->snapshots,
        .snapshot_failures = replica->snapshot_failures,
        .snapshotting = replica->storage.child != 0,
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
    if (replica->raft.io != NULL) {
        raft_close(&replica->raft, NULL); /* io_close calls back at once */
    }
    recovery_clear(&replica->recovery);
    journal_close(replica->journal);
    free(replica);
}
