/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/disk.h"

#include "nodes/coordinator/replica/configuration.h"
#include "nodes/coordinator/replica/voter.h"

#include <assert.h>
#include <stdlib.h>

enum write_kind { WRITE_APPEND, WRITE_TRUNCATE, WRITE_INSTALL };

/* Of WRITE_APPEND: entries, request, done. Of WRITE_TRUNCATE: index. Of WRITE_INSTALL: the rest. */
struct disk_write {
    enum write_kind kind;
    bool fails;
    raft_index index;
    struct disk_entry *entries;
    size_t count;
    struct raft_io_append *request;
    raft_io_append_cb done;
    struct disk_snapshot snapshot;
    struct raft_io_snapshot_put *put;
    raft_io_snapshot_put_cb put_done;
    STAILQ_ENTRY(disk_write) link;
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void *raft_allocate(size_t size)
{
    void *memory = raft_malloc(size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

static struct disk *disk_of(struct raft_io *io)
{
    return io->impl;
}

/* ---- the platter */

void disk_snapshot_clear(struct disk_snapshot *snapshot)
{
    raft_configuration_close(&snapshot->configuration);
    buffer_clear(&snapshot->state);
    *snapshot = (struct disk_snapshot){.index = 0};
    raft_configuration_init(&snapshot->configuration);
}

void disk_snapshot_copy(const struct disk_snapshot *from, struct disk_snapshot *to)
{
    *to = *from;
    configuration_copy(&from->configuration, &to->configuration);
    to->state = (struct buffer){.size = 0};
    buffer_append(&to->state, from->state.data, from->state.size);
}

static void move_snapshot(struct disk_snapshot *from, struct disk_snapshot *to)
{
    disk_snapshot_clear(to);
    *to = *from;
    *from = (struct disk_snapshot){.index = 0};
    raft_configuration_init(&from->configuration);
}

static void clear_entries(struct disk_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&entries[i].payload);
    }
}

static void keep_entries(struct disk *disk, size_t count)
{
    clear_entries(disk->entries + count, disk->count - count);
    disk->count = count;
}

/* Takes the payload. */
static void write_entry(struct disk *disk, struct disk_entry *entry)
{
    if (disk->count == disk->room) {
        disk->room = disk->room == 0 ? 64 : 2 * disk->room;
        disk->entries = realloc(disk->entries, disk->room * sizeof(*disk->entries));
        if (disk->entries == NULL) {
            abort();
        }
    }
    disk->entries[disk->count++] = *entry;
    entry->payload = (struct buffer){.size = 0};
}

/* Forgets what the snapshot stands for, but for some that trail. */
static void compact(struct disk *disk, size_t trailing)
{
    size_t held =
        disk->snapshot.index > disk->before ? (size_t)(disk->snapshot.index - disk->before) : 0;
    size_t gone = held > trailing ? held - trailing : 0;

    clear_entries(disk->entries, gone);
    if (gone > 0) {
        memmove(disk->entries, disk->entries + gone, (disk->count - gone) * sizeof(*disk->entries));
    }
    disk->count -= gone;
    disk->before += gone;
}

static void install(struct disk *disk, struct disk_snapshot *snapshot)
{
    keep_entries(disk, 0);
    disk->before = snapshot->index;
    move_snapshot(snapshot, &disk->snapshot);
}

raft_term disk_term_of(const struct disk *disk, raft_index index)
{
    if (index > disk->before && index <= disk->before + disk->count) {
        return disk->entries[index - disk->before - 1].term;
    }
    return index <= disk->snapshot.index ? disk->snapshot.term : 0;
}

/* Puts on the platter as many entries of the write as `most`. */
static void perform(struct disk *disk, struct disk_write *write, size_t most)
{
    switch (write->kind) {
    case WRITE_APPEND:
        for (size_t i = 0; i < write->count && i < most; i++) {
            write_entry(disk, &write->entries[i]);
        }
        return;
    case WRITE_TRUNCATE:
        assert(write->index > disk->before);
        keep_entries(disk, (size_t)(write->index - disk->before - 1));
        return;
    case WRITE_INSTALL:
        install(disk, &write->snapshot);
        return;
    }
}

/* ---- writes under way */

static void free_write(struct disk_write *write)
{
    clear_entries(write->entries, write->count);
    free(write->entries);
    disk_snapshot_clear(&write->snapshot);
    free(write);
}

/* Tells libraft, and forgets the write. It stays in line while it is told: a replica that dies of
 * what it hears has it there. */
static void finish(struct disk *disk, struct disk_write *write, int status)
{
    if (write->kind == WRITE_APPEND) {
        write->done(write->request, status);
    } else if (write->kind == WRITE_INSTALL) {
        write->put_done(write->put, status);
    }
    STAILQ_REMOVE(&disk->writes, write, disk_write, link);
    free_write(write);
}

static void end_first(void *context, uint64_t life);

static void begin_first(struct disk *disk)
{
    uint64_t delay_us = dice_between(disk->dice, disk->write_least_us, disk->write_most_us);

    schedule_after(disk->schedule, delay_us, end_first, disk, disk->life);
}

static void end_first(void *context, uint64_t life)
{
    struct disk *disk = context;
    struct disk_write *write;
    int status = 0;

    if (life != disk->life || !disk->runs(disk->owner, end_first, disk, life)) {
        return;
    }
    write = STAILQ_FIRST(&disk->writes);
    if (write->fails) {
        disk->failed = true;
        status = RAFT_NOSPACE;
    } else {
        perform(disk, write, write->count);
    }
    finish(disk, write, status);
    if (life == disk->life && !STAILQ_EMPTY(&disk->writes)) {
        begin_first(disk);
    }
}

static void begin(struct disk *disk, struct disk_write write)
{
    struct disk_write *begun = allocate(1, sizeof(*begun));
    bool idle = STAILQ_EMPTY(&disk->writes);

    *begun = write;
    STAILQ_INSERT_TAIL(&disk->writes, begun, link);
    if (idle) {
        begin_first(disk);
    }
}

void disk_crash(struct disk *disk)
{
    struct disk_write *write;

    disk->life++;
    STAILQ_FOREACH(write, &disk->writes, link) {
        bool whole = !write->fails && dice_chance(disk->dice, 500);
        perform(disk, write,
                whole || write->fails ? write->count * !write->fails
                                      : dice_below(disk->dice, write->count + 1));
        if (!whole) {
            break;
        }
    }
}

/* ---- raft_io */

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

/* By now the replica's state is gone; this lets libraft release what it has. */
static void io_close(struct raft_io *io, raft_io_close_cb done)
{
    struct disk *disk = disk_of(io);
    struct disk_write *write;

    while ((write = STAILQ_FIRST(&disk->writes)) != NULL) {
        finish(disk, write, write->kind == WRITE_INSTALL ? RAFT_CANCELED : 0);
    }
    if (disk->put != NULL) {
        struct raft_io_snapshot_put *put = disk->put;
        disk->put = NULL;
        disk->put_done(put, RAFT_CANCELED);
    }
    done(io);
}

static struct raft_snapshot *load_snapshot(const struct disk_snapshot *snapshot)
{
    struct raft_snapshot *loaded = raft_allocate(sizeof(*loaded));

    *loaded = (struct raft_snapshot){
        .index = snapshot->index,
        .term = snapshot->term,
        .configuration_index = snapshot->configuration_index,
        .bufs = raft_allocate(sizeof(*loaded->bufs)),
        .n_bufs = 1,
    };
    configuration_copy(&snapshot->configuration, &loaded->configuration);
    loaded->bufs[0] = voter_token(snapshot->index);
    return loaded;
}

static void load_entry(const struct disk_entry *from, struct raft_entry *to)
{
    *to = (struct raft_entry){
        .term = from->term,
        .type = from->type,
        .buf = {.base = raft_allocate(from->payload.size), .len = from->payload.size},
    };
    memcpy(to->buf.base, from->payload.data, from->payload.size);
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start_index,
                   struct raft_entry *entries[], size_t *n_entries)
{
    const struct disk *disk = disk_of(io);
    size_t first =
        disk->snapshot.index > disk->before ? (size_t)(disk->snapshot.index - disk->before) : 0;

    *term = disk->term;
    *voted_for = disk->vote;
    *snapshot = disk->snapshot.index > 0 ? load_snapshot(&disk->snapshot) : NULL;
    *start_index = disk->snapshot.index + 1;
    *n_entries = disk->count - first;
    *entries = *n_entries > 0 ? raft_allocate(*n_entries * sizeof(**entries)) : NULL;
    for (size_t i = 0; i < *n_entries; i++) {
        load_entry(&disk->entries[first + i], &(*entries)[i]);
    }
    return 0;
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                    raft_io_recv_cb receive)
{
    (void)io;
    (void)msecs;
    (void)tick;
    (void)receive;
    return 0;
}

static int io_bootstrap(struct raft_io *io, const struct raft_configuration *configuration)
{
    struct disk *disk = disk_of(io);
    struct raft_buffer encoded;
    struct disk_entry first = {.term = 1, .type = RAFT_CHANGE};

    if (raft_configuration_encode(configuration, &encoded) != 0) {
        abort();
    }
    buffer_append(&first.payload, encoded.base, encoded.len);
    raft_free(encoded.base);
    disk->term = 1;
    write_entry(disk, &first);
    return 0;
}

static int io_set_term(struct raft_io *io, raft_term term)
{
    struct disk *disk = disk_of(io);

    disk->term = term;
    disk->vote = 0;
    return 0;
}

static int io_set_vote(struct raft_io *io, raft_id server)
{
    disk_of(io)->vote = server;
    return 0;
}

static int io_append(struct raft_io *io, struct raft_io_append *request,
                     const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
    struct disk *disk = disk_of(io);
    struct disk_entry *copies = allocate(n, sizeof(*copies));

    for (unsigned i = 0; i < n; i++) {
        copies[i].term = entries[i].term;
        copies[i].type = entries[i].type;
        buffer_append(&copies[i].payload, entries[i].buf.base, entries[i].buf.len);
    }
    begin(disk, (struct disk_write){.kind = WRITE_APPEND,
                                    .fails = disk->full,
                                    .entries = copies,
                                    .count = n,
                                    .request = request,
                                    .done = done});
    return 0;
}

static int io_truncate(struct raft_io *io, raft_index index)
{
    begin(disk_of(io), (struct disk_write){.kind = WRITE_TRUNCATE, .index = index});
    return 0;
}

static void end_put(void *context, uint64_t life)
{
    struct disk *disk = context;
    struct raft_io_snapshot_put *put = disk->put;

    if (life != disk->life || !disk->runs(disk->owner, end_put, disk, life)) {
        return;
    }
    disk->put = NULL;
    move_snapshot(&disk->next, &disk->snapshot);
    compact(disk, 16);
    disk->put_done(put, 0);
}

static int io_snapshot_put(struct raft_io *io, unsigned trailing,
                           struct raft_io_snapshot_put *request,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    struct disk *disk = disk_of(io);

    if (trailing > 0) {
        assert(disk->put == NULL && disk->next.index == snapshot->index);
        disk->put = request;
        disk->put_done = done;
        schedule_after(disk->schedule, dice_between(disk->dice, 100, disk->snapshot_most_us),
                       end_put, disk, disk->life);
        return 0;
    }
    assert(disk->incoming.index == snapshot->index);
    struct disk_write write = {.kind = WRITE_INSTALL, .put = request, .put_done = done};
    raft_configuration_init(&write.snapshot.configuration);
    move_snapshot(&disk->incoming, &write.snapshot);
    begin(disk, write);
    return 0;
}

static int io_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                           raft_io_snapshot_get_cb done)
{
    done(request, load_snapshot(&disk_of(io)->snapshot), 0);
    return 0;
}

static raft_time io_time(struct raft_io *io)
{
    return disk_of(io)->schedule->now_us / 1000;
}

static int io_random(struct raft_io *io, int min, int max)
{
    return (int)dice_between(disk_of(io)->dice, (uint64_t)min, (uint64_t)max);
}

void disk_stage(struct disk *disk, const struct raft_snapshot *pending, struct bytes state)
{
    disk_snapshot_clear(&disk->next);
    disk->next.index = pending->index;
    disk->next.term = pending->term;
    disk->next.configuration_index = pending->configuration_index;
    configuration_copy(&pending->configuration, &disk->next.configuration);
    buffer_append(&disk->next.state, state.data, state.size);
}

void disk_mount(struct disk *disk)
{
    disk->io = (struct raft_io){
        .version = 2,
        .impl = disk,
        .init = io_init,
        .close = io_close,
        .load = io_load,
        .start = io_start,
        .bootstrap = io_bootstrap,
        .set_term = io_set_term,
        .set_vote = io_set_vote,
        .append = io_append,
        .truncate = io_truncate,
        .snapshot_put = io_snapshot_put,
        .snapshot_get = io_snapshot_get,
        .time = io_time,
        .random = io_random,
    };
}

void disk_init(struct disk *disk, struct schedule *schedule, struct dice *dice)
{
    *disk = (struct disk){
        .schedule = schedule,
        .dice = dice,
        .write_least_us = 100,
        .write_most_us = 1000,
        .snapshot_most_us = 20000,
    };
    STAILQ_INIT(&disk->writes);
    raft_configuration_init(&disk->snapshot.configuration);
    raft_configuration_init(&disk->next.configuration);
    raft_configuration_init(&disk->incoming.configuration);
}

void disk_clear(struct disk *disk)
{
    keep_entries(disk, 0);
    free(disk->entries);
    disk_snapshot_clear(&disk->snapshot);
    disk_snapshot_clear(&disk->next);
    disk_snapshot_clear(&disk->incoming);
}
