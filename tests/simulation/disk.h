/* SPDX-License-Identifier: MPL-2.0
 * The disk of a simulated replica: a raft_io whose writes take time, one after the other, and of
 * which a crash leaves some. Term and vote are written before the call returns. */
#ifndef GROVE_TESTS_SIMULATION_DISK_H
#define GROVE_TESTS_SIMULATION_DISK_H

#include "core/buffer.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/schedule.h"

#include <raft.h>
#include <sys/queue.h>

struct disk_entry {
    raft_term term;
    unsigned short type;
    struct buffer payload;
};

struct disk_snapshot {
    raft_index index; /* 0 for none */
    raft_term term;
    struct raft_configuration configuration;
    raft_index configuration_index;
    struct buffer state;
};

struct disk_write;
STAILQ_HEAD(disk_writes, disk_write);

struct disk {
    struct raft_io io;
    struct schedule *schedule;
    struct dice *dice;

    /* On the platter. */
    raft_term term;
    raft_id vote;
    struct disk_snapshot snapshot;
    raft_index before; /* the index before entries[0] */
    struct disk_entry *entries;
    size_t count;
    size_t room;

    /* How it behaves. */
    uint64_t write_least_us, write_most_us;
    uint64_t snapshot_most_us;
    bool full;   /* the next append fails */
    bool failed; /* one did */

    /* In memory. */
    uint64_t life; /* grows with each crash: what was under way then never ends */
    struct disk_writes writes;
    struct raft_io_snapshot_put *put; /* of an own snapshot being written; NULL for none */
    raft_io_snapshot_put_cb put_done;
    struct disk_snapshot next;     /* the snapshot being written */
    struct disk_snapshot incoming; /* what the network brought for the next installation */

    /* How an event reaches the replica: not while it is paused. False: at a later time, by
     * itself. */
    bool (*runs)(void *owner, schedule_call call, void *context, uint64_t argument);
    void *owner;
};

/* An empty one, of no ledger. `io` is set up for a voter. */
void disk_init(struct disk *disk, struct schedule *schedule, struct dice *dice);

/* Forgets all. */
void disk_clear(struct disk *disk);

/* Makes `io` new for the next start. */
void disk_mount(struct disk *disk);

/* What has not been written is lost, but for some that had just been. For before the voter is
 * closed, which ends what libraft waits for. */
void disk_crash(struct disk *disk);

/* Keeps the state for the snapshot that libraft is about to put. */
void disk_stage(struct disk *disk, const struct raft_snapshot *pending, struct bytes state);

/* The term of an entry on the platter, 0 when it has none. What a snapshot stands for has the
 * snapshot's own. */
raft_term disk_term_of(const struct disk *disk, raft_index index);

void disk_snapshot_clear(struct disk_snapshot *snapshot);
void disk_snapshot_copy(const struct disk_snapshot *from, struct disk_snapshot *to);

#endif
