/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/node_volume.h"

#include "nodes/coordinator/replica/file.h"
#include "nodes/coordinator/replica/guard_rules.h"
#include "nodes/coordinator/replica/heap.h"
#include "nodes/coordinator/replica/replica_parts.h"
#include "tests/simulation/chronicle.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/memory.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#define SEGMENT_SIZE ((size_t)SEGMENT_RECORDS_OFFSET + (size_t)(16u << 10))
#define ENTRY_SIZE 160u /* bytes of a record, about: thresholds are drawn in entries */

enum { TRACE_REFUSED = 110, TRACE_NOTE };

static struct oracle *oracle_of(const struct node *node)
{
    return &node->cluster->oracle;
}

/* ---- what the replica needs */

static struct cluster *running; /* a process runs one at a time */

static uint64_t now_ns(void)
{
    return running->schedule.now_us * 1000;
}

static const char *random_name(void)
{
    return "dice";
}

static uint32_t random_word(void)
{
    return (uint32_t)dice_throw(&running->dice);
}

static void random_bytes(void *const bytes, const size_t size)
{
    uint8_t *next = bytes;

    for (size_t i = 0; i < size; i++) {
        next[i] = (uint8_t)dice_throw(&running->dice);
    }
}

/* The replica draws its election timeouts from libsodium. */
static struct randombytes_implementation throws_dice = {
    .implementation_name = random_name, .random = random_word, .buf = random_bytes};

static void note(void *context, const char *text)
{
    struct node *node = context;

    (void)text;
    oracle_trace(oracle_of(node), TRACE_NOTE, node->id);
}

/* What a disk did may end a replica; nothing else may. */
static void fatal(void *context, enum grove_status status, const char *text)
{
    struct node *node = context;

    (void)status;
    if (!node->volume->failed && !node->volume->damaged && !node->starves) {
        oracle_fail(oracle_of(node), "replica %llu gave up: %s", node->id, text);
    }
    memory_leave();
    node->cluster->dying = node;
    longjmp(node->cluster->escape, 1);
}

static void settled(void *context, bool known)
{
    const struct replica *replica = context;

    node_settled(replica->options.context, known);
}

static bool put(void *context, const void *data, size_t size)
{
    snapshot_put(context, data, size);
    return true;
}

static int write_state(void *context, struct snapshot_writer *writer)
{
    const struct node *node = context;

    snapshot_put(writer, &node->history, sizeof(node->history));
    if (node->machine.forest != NULL) {
        forest_snapshot(node->machine.forest, put, writer);
    }
    return 0;
}

static enum grove_status read_state(void *context, const uint8_t *data, size_t size)
{
    struct node *node = context;

    if (size < sizeof(node->read)) {
        return GROVE_CORRUPT;
    }
    memcpy(&node->read, data, sizeof(node->read));
    if (node->machine.forest == NULL) {
        return GROVE_OK;
    }
    return machine_face(&node->machine)
        .read(&node->machine, data + sizeof(node->read), size - sizeof(node->read));
}

static void adopt(void *context)
{
    struct node *node = context;

    node->history = node->read;
    chronicle_start(node);
    if (node->machine.forest != NULL) {
        machine_face(&node->machine).adopt(&node->machine);
    }
}

static void ring(void *context)
{
    struct node *node = context;

    memory_enter(node);
    replica_turn(node->replica);
    memory_leave();
}

static struct node *starving;

/* In place of abort(). */
static void starve_to_death(void)
{
    memory_leave();
    starving->cluster->dying = starving;
    longjmp(starving->cluster->escape, 1);
}

void node_starve(struct node *node, uint64_t allocations)
{
    starving = node;
    node->starves = true;
    memory_fail_after(node, allocations, starve_to_death);
}

void node_mount(struct node *node)
{
    node->volume = malloc(sizeof(*node->volume));
    if (node->volume == NULL || sodium_init() < 0) { /* which draws once */
        abort();
    }
    volume_init(node->volume, &node->disk);
    node->volume->runs = node_runs;
    node->volume->ring = ring;
    node->volume->owner = node;
    running = node->cluster;
    memory_reset();
    randombytes_set_implementation(&throws_dice);
}

void node_volume_clear(struct node *node)
{
    if (node->volume != NULL) {
        volume_clear(node->volume);
        free(node->volume);
        node->volume = NULL;
    }
}

/* ---- its disk */

bool node_volume_has(const struct node *node, raft_index index, raft_term term)
{
    const uint64_t had = volume_term_of(node->volume, index);

    return had == term || had == UINT64_MAX;
}

void node_volume_set_threshold(struct node *node)
{
    node->replica->options.snapshot_threshold = node->snapshot_threshold == VOTER_NEVER
                                                    ? SIZE_MAX
                                                    : (size_t)node->snapshot_threshold * ENTRY_SIZE;
}

void node_volume_found(struct node *node, const struct raft_configuration *configuration)
{
    static const struct id ledger = {{1}};
    const struct journal_options options = {
        .directory = volume_path(node->volume), .segment_size = SEGMENT_SIZE, .now_ns = now_ns};
    struct raft_buffer encoded;
    struct buffer payload = {.size = 0};
    struct recovery recovery;
    struct journal *journal;
    struct fault fault;

    heap_install();
    if (raft_configuration_encode(configuration, &encoded) != 0) {
        abort();
    }
    buffer_append(&payload, encoded.base, encoded.len);
    buffer_append(&payload, &ledger, sizeof(ledger));
    raft_free(encoded.base);
    struct record first = {.term = 1, .type = RAFT_CHANGE, .payload = buffer_bytes(&payload)};
    if (journal_open(&options, true, &journal, &recovery, &fault) != GROVE_OK ||
        journal_begin(journal, &ledger, &first, &recovery, &fault) != GROVE_OK) {
        oracle_fail(oracle_of(node), "no ledger begins: %s", fault.text);
    }
    recovery_clear(&recovery);
    journal_close(journal);
    buffer_clear(&payload);
    volume_kill(node->volume);
}

/* ---- its start */

/* Does a majority of voters have, beside this one, all that was acknowledged, and the last that
 * this one said it has? A leader that heard so may acknowledge that at any moment. */
static bool others_have(const struct node *node, uint64_t last, uint64_t last_term)
{
    struct cluster *cluster = node->cluster;
    const struct node *leader = cluster_leader(cluster);
    unsigned voters = 0;
    unsigned have = 0;

    if (leader == NULL) {
        return false;
    }
    const struct raft_configuration *configuration = &leader->voter->raft.configuration;
    for (unsigned i = 0; i < configuration->n; i++) {
        if (configuration->servers[i].role == RAFT_VOTER) {
            const struct node *other = cluster_node(cluster, configuration->servers[i].id);
            voters++;
            have += other != node && node_is_up(other) &&
                    other->history.count >= cluster->oracle.count &&
                    (last_term == UINT64_MAX || node_volume_has(other, last, last_term));
        }
    }
    return have > voters / 2;
}

/* What the disk said before must be there, unless it lied, or lost a bit of its last group.
 *
 *   last_term   of the last entry before */
static void expect_no_less(struct node *node, const struct volume_said *before, uint64_t last_term,
                           bool damaged)
{
    const struct volume_said *now = &node->volume->said;
    const bool forgot_vote =
        now->term < before->term ||
        (now->term == before->term && before->vote != 0 && now->vote != before->vote);
    const bool forgot_log = now->end < before->end;

    if (!forgot_vote && !forgot_log) {
        return;
    }
    if (!damaged) {
        oracle_fail(
            oracle_of(node),
            "replica %llu starts with index %" PRIu64 ", term %" PRIu64 " and a vote for %" PRIu64
            "; its disk had %" PRIu64 ", %" PRIu64 " and %" PRIu64,
            node->id, now->end, now->term, now->vote, before->end, before->term, before->vote);
    }
    node->cluster->forgot =
        node->cluster->forgot || forgot_vote || !others_have(node, before->end, last_term);
}

/* Names the file, and the offset unless that is all that is missing, for whoever has to look. */
static void expect_reason(const struct node *node, const struct fault *fault)
{
    const bool has_file =
        strstr(fault->text, "segment") != NULL || strstr(fault->text, "snapshot") != NULL;

    if (!has_file || (node->volume->flipped && strstr(fault->text, ": offset ") == NULL)) {
        oracle_fail(oracle_of(node), "replica %llu does not say where: %s", node->id, fault->text);
    }
}

static struct replica_options options_of(struct node *node)
{
    return (struct replica_options){
        .directory = volume_path(node->volume),
        .start = REPLICA_JOIN,
        .id = node->id,
        .address = node->address,
        .transport = &node->transport,
        .segment_size = SEGMENT_SIZE,
        .heartbeat_ms = NODE_HEARTBEAT_MS,
        .now_ns = now_ns,
        .context = node,
        .note = note,
        .fatal = fatal,
    };
}

/* Tells how, also when the disk ends the replica in the middle of its start. */
static enum grove_status open_replica(struct node *node, struct fault *fault)
{
    const struct replica_machine machine = {.context = node,
                                            .apply = node_apply,
                                            .snapshot_write = write_state,
                                            .read = read_state,
                                            .adopt = adopt};
    const struct replica_options options = options_of(node);

    if (setjmp(node->cluster->escape) != 0) {
        node->volume->journal = NULL;
        return GROVE_IO;
    }
    memory_enter(node);
    enum grove_status status = replica_open(&options, &machine, &node->replica, fault);
    memory_leave();
    return status;
}

bool node_volume_open(struct node *node)
{
    struct volume_said before = volume_said_copy(&node->volume->said);
    const uint64_t last_term = volume_term_of(node->volume, before.end);
    const bool damaged = node->volume->damaged;
    struct fault fault = {.text = ""};

    enum grove_status status = open_replica(node, &fault);
    if (status != GROVE_OK) {
        free(node->volume->said.terms);
        node->volume->said = before; /* a start that failed takes nothing back */
        node->replica = NULL;
        node->refused = damaged && !node->volume->failed && !node->starves;
        if (!damaged && !node->volume->failed && !node->starves) {
            oracle_fail(oracle_of(node), "replica %llu does not start: %s: %s", node->id,
                        fault.text, grove_status_text(status));
        }
        if (node->refused) {
            expect_reason(node, &fault);
        }
        oracle_trace(oracle_of(node), TRACE_REFUSED, node->id);
        volume_kill(node->volume);
        node->starves = memory_threatens(node);
        return false;
    }
    node->voter = &node->replica->voter;
    node->voter->host.settled = settled;
    node->volume->damaged = node->volume->flipped = false;
    node_volume_set_threshold(node);
    expect_no_less(node, &before, last_term, damaged);
    free(before.terms);
    return true;
}

/* ---- its end */

/* The process is gone; this lets libraft release what it waits for. */
static void close_crashed(struct raft_io *io, raft_io_close_cb done)
{
    const struct storage *storage = io->impl;

    journal_give_up(storage->journal);
    done(io);
}

void node_volume_close(struct node *node, enum node_end how)
{
    struct volume *volume = node->volume;

    journal_crash(volume->journal);
    if (how == NODE_DIES) {
        volume->journal = NULL;
        node->machine = (struct machine){.forest = NULL};
    } else {
        node->voter->guard.inner.close = close_crashed;
        replica_close(node->replica);
        machine_clear(&node->machine);
    }
    node->replica = NULL;
    node->voter = NULL;
    node->starves = memory_threatens(node);
    if (how == NODE_LOSES_POWER) {
        volume_cut_power(volume);
    } else {
        volume_kill(volume);
    }
}

/* ---- snapshots */

bool node_volume_send(struct node *node, struct parcel *parcel)
{
    const uint64_t index = parcel->message.install_snapshot.last_index;
    char name[SNAPSHOT_NAME_SIZE];
    struct disk_snapshot sent = {.index = index};

    snapshot_name(index, name);
    const struct volume_file *file = volume_find(node->volume, name);
    if (file == NULL) {
        parcel_free(parcel);
        return false;
    }
    raft_configuration_init(&sent.configuration);
    buffer_append(&sent.state, file->cache, file->size);
    bool is_sent = network_send(&node->cluster->network, parcel, &sent);
    disk_snapshot_clear(&sent);
    return is_sent;
}

/* The transport compares the digest. */
bool node_volume_take(struct node *node, const struct letter *letter)
{
    const struct bytes image = buffer_bytes(&letter->snapshot.state);
    struct snapshot snapshot;
    struct fault fault;
    int fd;

    if (snapshot_read("snapshot", image, &snapshot, &fault) != GROVE_OK ||
        replica_incoming_file(node->replica, letter->snapshot.index, &fd) != GROVE_OK) {
        return false;
    }
    bool written = file_write(fd, image.data, image.size, 0) == 0;
    close(fd);
    return written;
}
