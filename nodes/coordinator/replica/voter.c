/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/voter.h"

#include "nodes/coordinator/replica/configuration.h"
#include "nodes/coordinator/replica/heap.h"
#include "nodes/coordinator/replica/record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define ELECTION_HEARTBEATS 5u
#define INSTALL_TIMEOUT_MS 5000u /* of a small snapshot */
#define INSTALL_BYTES_A_MS 10000u

static void *allocate(size_t size)
{
    void *memory = raft_malloc(size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

struct raft_buffer voter_token(uint64_t index)
{
    struct voter_token *token = allocate(sizeof(*token));

    token->index = index;
    return (struct raft_buffer){.base = token, .len = sizeof(*token)};
}

/* ---- the state machine */

/* An entry is the group's size, the group, and zeroes up to a multiple of 8 bytes. */
static size_t padded(size_t size)
{
    return (sizeof(uint64_t) + size + RECORD_ALIGNMENT - 1) / RECORD_ALIGNMENT * RECORD_ALIGNMENT;
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    struct voter *voter = fsm->data;
    const uint8_t *entry = buffer->base;
    uint64_t size;

    assert(buffer->len >= sizeof(size));
    memcpy(&size, entry, sizeof(size));
    assert(size <= buffer->len && padded((size_t)size) == buffer->len);
    voter->groups++;
    *result = NULL;
    /* libraft counts an entry as applied when this returns. */
    voter->host.apply(voter->host.context, raft_last_applied(&voter->raft) + 1,
                      entry + sizeof(size), (size_t)size);
    return 0;
}

/* Entries that stay in memory behind a snapshot, so that a follower that is only a little behind
 * need not get the whole state: as many as half of those it stands for. */
static unsigned trailing(const struct raft *raft)
{
    raft_index entries = raft->snapshot.pending.index - raft->log.snapshot.last_index;

    return raft->configuration.n > 1 && entries > 2 ? (unsigned)(entries / 2) : 1;
}

/* Called by libraft between two entries: the state is whole, and this is the one moment of pause.
 */
static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *buffers[], unsigned *count)
{
    struct voter *voter = fsm->data;
    const struct raft_snapshot *pending = &voter->raft.snapshot.pending;

    if (!guard_may_snapshot(&voter->guard) ||
        voter->host.snapshot(voter->host.context, pending) != GROVE_OK) {
        return RAFT_BUSY;
    }
    raft_set_snapshot_trailing(&voter->raft, trailing(&voter->raft));
    *buffers = allocate(sizeof(**buffers));
    **buffers = voter_token(pending->index);
    *count = 1;
    return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    struct voter *voter = fsm->data;
    const struct voter_token *token = buffer->base;

    if (voter->host.restore(voter->host.context, token->index) != GROVE_OK) {
        return RAFT_CORRUPT; /* libraft frees the token */
    }
    raft_free(buffer->base);
    return 0;
}

void voter_expect_install(struct voter *voter, uint64_t size)
{
    raft_set_install_snapshot_timeout(&voter->raft,
                                      INSTALL_TIMEOUT_MS + (unsigned)(size / INSTALL_BYTES_A_MS));
}

void voter_init(struct voter *voter, struct raft_io *io, const struct voter_options *options)
{
    heap_install();
    *voter = (struct voter){.host = options->host};
    voter->fsm = (struct raft_fsm){
        .version = 1,
        .data = voter,
        .apply = fsm_apply,
        .snapshot = fsm_snapshot,
        .restore = fsm_restore,
    };
    if (raft_init(&voter->raft, io, &voter->fsm, options->id, options->address) != 0) {
        abort(); /* out of memory */
    }
    guard_install(&voter->guard, &voter->raft, options->transport, options->host.fatal,
                  options->host.context);
    raft_set_heartbeat_timeout(&voter->raft, options->heartbeat_ms);
    voter->election_ms = ELECTION_HEARTBEATS * options->heartbeat_ms;
    raft_set_election_timeout(&voter->raft, voter->election_ms);
    voter_expect_install(voter, 0);
    raft_set_snapshot_threshold(&voter->raft, VOTER_NEVER);
    raft_set_snapshot_trailing(&voter->raft, 1);
}

int voter_bootstrap(struct voter *voter)
{
    struct raft_configuration configuration;

    raft_configuration_init(&configuration);
    int error =
        raft_configuration_add(&configuration, voter->raft.id, voter->raft.address, RAFT_VOTER);
    if (error == 0) {
        error = raft_bootstrap(&voter->raft, &configuration);
    }
    raft_configuration_close(&configuration);
    return error;
}

int voter_start(struct voter *voter)
{
    int error = raft_start(&voter->raft);

    if (error == 0) {
        guard_lead(&voter->guard);
    }
    return error;
}

/* One that waits already waits as though it had begun to only now that it knows how long. */
static void set_election_timeout(struct raft *raft, unsigned timeout_ms)
{
    const unsigned wait_ms =
        (unsigned)raft->io->random(raft->io, (int)timeout_ms, 2 * (int)timeout_ms);

    raft_set_election_timeout(raft, timeout_ms);
    if (raft->state == RAFT_FOLLOWER) {
        raft->follower_state.randomized_election_timeout = wait_ms;
    } else if (raft->state == RAFT_CANDIDATE) {
        raft->candidate_state.randomized_election_timeout = wait_ms;
    }
}

void voter_tick(struct voter *voter)
{
    struct raft *raft = &voter->raft;

    guard_tick(&voter->guard);
    const unsigned timeout_ms =
        voter->election_ms * patience_look(&voter->patience, raft->current_term,
                                           voter_leader(voter) != 0, raft->io->time(raft->io));

    if (timeout_ms != raft->election_timeout) {
        set_election_timeout(raft, timeout_ms);
    }
}

void voter_turn(struct voter *voter)
{
    guard_settle(&voter->guard);
}

void voter_receive(struct voter *voter, struct raft_message *message)
{
    guard_receive(&voter->guard, message);
}

bool voter_leads(const struct voter *voter)
{
    return guard_leads(&voter->guard) && voter->raft.transfer == NULL;
}

bool voter_is_busy(const struct voter *voter)
{
    return voter->busy || !voter_leads(voter);
}

/* ---- groups */

static void settle(struct voter *voter, int status)
{
    voter->busy = false;
    voter->host.settled(voter->host.context, status == 0);
}

static void finish_apply(struct raft_apply *request, int status, void *result)
{
    (void)result;
    settle(request->data, status);
}

static void finish_barrier(struct raft_barrier *request, int status)
{
    settle(request->data, status);
}

static struct raft_buffer make_entry(const uint8_t *data, size_t size)
{
    const uint64_t prefix = size;
    size_t length = padded(size);
    uint8_t *entry = allocate(length);

    memcpy(entry, &prefix, sizeof(prefix));
    memcpy(entry + sizeof(prefix), data, size);
    memset(entry + sizeof(prefix) + size, 0, length - sizeof(prefix) - size);
    return (struct raft_buffer){.base = entry, .len = length};
}

static enum grove_status begin_group(struct voter *voter)
{
    if (!voter_leads(voter)) {
        return GROVE_NO_LEADER;
    }
    if (voter->busy) {
        return GROVE_BUSY;
    }
    voter->busy = true;
    return GROVE_OK;
}

enum grove_status voter_propose(struct voter *voter, const uint8_t *data, size_t size)
{
    assert(size > 0);
    if (size > REPLICA_GROUP_LIMIT) {
        return GROVE_TOO_LARGE;
    }
    enum grove_status status = begin_group(voter);
    if (status != GROVE_OK) {
        return status;
    }
    struct raft_buffer entry = make_entry(data, size);
    voter->apply.data = voter;
    if (raft_apply(&voter->raft, &voter->apply, &entry, 1, finish_apply) != 0) {
        voter->busy = false;
        raft_free(entry.base);
        return GROVE_NO_LEADER;
    }
    return GROVE_OK;
}

enum grove_status voter_barrier(struct voter *voter)
{
    enum grove_status status = begin_group(voter);

    if (status != GROVE_OK) {
        return status;
    }
    voter->barrier.data = voter;
    if (raft_barrier(&voter->raft, &voter->barrier, finish_barrier) != 0) {
        voter->busy = false;
        return GROVE_NO_LEADER;
    }
    return GROVE_OK;
}

/* ---- who takes part */

static void finish_change(struct raft_change *request, int status)
{
    struct voter *voter = request->data;

    voter->change = status == 0 ? REPLICA_CHANGE_DONE : REPLICA_CHANGE_FAILED;
}

/* The second rule of use: a change of membership begins only under a committed barrier (Ongaro,
 * raft-dev, 2015). Two leaders may else have two uncommitted changes with disjoint quorums. */
static enum grove_status begin_change(struct voter *voter)
{
    if (!voter_leads(voter)) {
        return GROVE_NO_LEADER;
    }
    if (voter->change == REPLICA_CHANGE_RUNNING ||
        voter->raft.configuration_uncommitted_index != 0) {
        return GROVE_BUSY;
    }
    voter->changing.data = voter;
    return GROVE_OK;
}

static enum grove_status began_change(struct voter *voter, int error)
{
    switch (error) {
    case 0:
        voter->change = REPLICA_CHANGE_RUNNING;
        return GROVE_OK;
    case RAFT_NOTFOUND:
    case RAFT_BADID:
        return GROVE_NOT_FOUND;
    case RAFT_DUPLICATEID:
    case RAFT_DUPLICATEADDRESS:
        return GROVE_CONFLICT;
    case RAFT_CANTCHANGE:
        return GROVE_BUSY;
    case RAFT_NOTLEADER:
        return GROVE_NO_LEADER;
    default:
        return GROVE_INVALID;
    }
}

enum grove_status voter_add(struct voter *voter, raft_id id, const char *address)
{
    enum grove_status status = begin_change(voter);

    if (status != GROVE_OK) {
        return status;
    }
    if (id == 0 || strlen(address) >= CONFIGURATION_ADDRESS_SIZE) {
        return GROVE_INVALID;
    }
    return began_change(voter,
                        raft_add(&voter->raft, &voter->changing, id, address, finish_change));
}

static int role_of(enum replica_role role)
{
    switch (role) {
    case REPLICA_SPARE:
        return RAFT_SPARE;
    case REPLICA_STANDBY:
        return RAFT_STANDBY;
    case REPLICA_VOTER:
        return RAFT_VOTER;
    }
    abort();
}

/* The third rule of use: a leader hands over before it leaves. One that has lost its vote by an
 * entry that nobody else has would not stand for election any more, though nobody else can win one
 * (Ongaro 2014, section 4.2.2, lets it stand; the library does not). */
static bool leaves_itself(const struct voter *voter, raft_id id)
{
    return id == voter->raft.id;
}

enum grove_status voter_assign(struct voter *voter, raft_id id, enum replica_role role)
{
    enum grove_status status = begin_change(voter);

    if (status != GROVE_OK) {
        return status;
    }
    if (leaves_itself(voter, id)) {
        return GROVE_INVALID;
    }
    return began_change(
        voter, raft_assign(&voter->raft, &voter->changing, id, role_of(role), finish_change));
}

enum grove_status voter_remove(struct voter *voter, raft_id id)
{
    enum grove_status status = begin_change(voter);

    if (status != GROVE_OK) {
        return status;
    }
    if (leaves_itself(voter, id)) {
        return GROVE_INVALID;
    }
    return began_change(voter, raft_remove(&voter->raft, &voter->changing, id, finish_change));
}

enum grove_status voter_transfer(struct voter *voter, raft_id id)
{
    if (!voter_leads(voter)) {
        return GROVE_NO_LEADER;
    }
    switch (raft_transfer(&voter->raft, &voter->transfer, id, NULL)) {
    case 0:
        return GROVE_OK;
    case RAFT_NOTFOUND:
    case RAFT_BADID:
        return GROVE_NOT_FOUND;
    default:
        return GROVE_NO_LEADER;
    }
}

raft_id voter_leader(const struct voter *voter)
{
    switch (voter->raft.state) {
    case RAFT_LEADER:
        return voter->raft.id;
    case RAFT_FOLLOWER:
        return voter->raft.follower_state.current_leader.id;
    default:
        return 0;
    }
}

static enum replica_role role_from(int role)
{
    switch (role) {
    case RAFT_VOTER:
        return REPLICA_VOTER;
    case RAFT_STANDBY:
        return REPLICA_STANDBY;
    default:
        return REPLICA_SPARE;
    }
}

size_t voter_members(const struct voter *voter, struct replica_member *members, size_t most)
{
    const struct raft *raft = &voter->raft;

    for (unsigned i = 0; i < raft->configuration.n && i < most; i++) {
        const struct raft_server *server = &raft->configuration.servers[i];
        members[i] = (struct replica_member){.id = server->id, .role = role_from(server->role)};
        snprintf(members[i].address, sizeof(members[i].address), "%s", server->address);
        if (raft->state == RAFT_LEADER) {
            members[i].match = raft->leader_state.progress[i].match_index;
        }
    }
    return raft->configuration.n;
}

void voter_close(struct voter *voter)
{
    if (voter->raft.io != NULL) {
        raft_close(&voter->raft, NULL);
        guard_clear(&voter->guard);
    }
}
