/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/storage.h"

#include "nodes/coordinator/replica/storage_snapshot.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

/* Records on their way to disk, for libraft. */
struct append {
    struct journal_write write;
    struct raft_io_append *request;
    raft_io_append_cb done;
    struct record records[];
};

static struct storage *storage_of(struct raft_io *io)
{
    return io->impl;
}

static void *allocate(size_t size)
{
    void *memory = raft_malloc(size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void load_entry(const struct record *record, struct raft_entry *entry)
{
    *entry = (struct raft_entry){
        .term = record->term,
        .type = (unsigned short)record->type,
        .buf = {.base = allocate(record->payload.size), .len = record->payload.size},
    };
    memcpy(entry->buf.base, record->payload.data, record->payload.size);
}

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start_index,
                   struct raft_entry *entries[], size_t *n_entries)
{
    struct storage *storage = storage_of(io);
    const struct recovery *recovery = storage->recovery;
    uint64_t after = 0; /* libraft gets the entries after this one */
    size_t first = 0;

    *snapshot = NULL;
    if (storage->newest.index > 0) {
        after = storage->newest.index;
        *snapshot = storage_make_snapshot(&storage->newest);
        if (*snapshot == NULL) {
            snprintf(io->errmsg, sizeof(io->errmsg), "the snapshot's configuration is malformed");
            return RAFT_CORRUPT;
        }
    }
    while (first < recovery->record_count && recovery->records[first].index <= after) {
        first++;
    }
    *n_entries = recovery->record_count - first;
    *entries = *n_entries > 0 ? allocate(*n_entries * sizeof(**entries)) : NULL;
    for (size_t i = 0; i < *n_entries; i++) {
        const struct record *record = &recovery->records[first + i];
        load_entry(record, &(*entries)[i]);
        storage->appended += RECORD_HEADER_SIZE + record->payload.size;
    }
    *start_index = after + 1;
    *term = *voted_for = 0;
    if (!recovery->empty) {
        *term = storage->term = recovery->promise.term;
        *voted_for = recovery->promise.vote;
        storage->ledger = recovery->ledger;
    }
    return 0;
}

static int io_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick,
                    raft_io_recv_cb receive)
{
    (void)io;
    (void)msecs; /* the voter's owner ticks, and hands over messages */
    (void)tick;
    (void)receive;
    return 0;
}

/* Entry 1: the configuration, and behind it, where libraft does not look, the ledger's id. */
static int io_bootstrap(struct raft_io *io, const struct raft_configuration *configuration)
{
    struct storage *storage = storage_of(io);
    struct raft_buffer encoded;
    struct id ledger;
    struct buffer payload = {0};
    struct fault fault;

    if (!storage->recovery->empty) {
        return RAFT_CANTBOOTSTRAP;
    }
    int error = raft_configuration_encode(configuration, &encoded);
    if (error != 0) {
        return error;
    }
    randombytes_buf(&ledger, sizeof(ledger));
    buffer_append(&payload, encoded.base, encoded.len);
    buffer_append(&payload, &ledger, sizeof(ledger));
    raft_free(encoded.base);
    struct record first = {.term = 1, .type = RAFT_CHANGE, .payload = buffer_bytes(&payload)};
    enum grove_status status =
        journal_begin(storage->journal, &ledger, &first, storage->recovery, &fault);
    buffer_clear(&payload);
    if (status != GROVE_OK) {
        snprintf(io->errmsg, sizeof(io->errmsg), "%s", fault.text);
        return status == GROVE_FULL ? RAFT_NOSPACE : RAFT_IOERR;
    }
    return 0;
}

static int io_set_term(struct raft_io *io, raft_term term)
{
    struct storage *storage = storage_of(io);

    storage->term = term;
    journal_vote(storage->journal, term, 0);
    return 0;
}

/* In an election libraft votes before it knows of the term that it has just set. */
static int io_set_vote(struct raft_io *io, raft_id server)
{
    const struct storage *storage = storage_of(io);

    journal_vote(storage->journal, storage->term, server);
    return 0;
}

static void finish_append(struct journal_write *write)
{
    struct append *append = (struct append *)write; /* its first member */
    struct raft_io_append *request = append->request;
    raft_io_append_cb done = append->done;

    free(append);
    done(request, 0);
}

static void free_step(struct journal_write *step)
{
    free(step);
}

static void queue(struct storage *storage, struct journal_write step)
{
    struct journal_write *queued = malloc(sizeof(*queued));

    if (queued == NULL) {
        abort();
    }
    *queued = step;
    queued->done = free_step;
    journal_append(storage->journal, queued);
}

/* A replica that joins learns the ledger's id from its first entry, as io_bootstrap made it. */
static void begin_ledger(struct storage *storage, const struct raft_entry *first)
{
    const struct raft_buffer *payload = &first->buf;

    if (first->type != RAFT_CHANGE || payload->len <= sizeof(storage->ledger)) {
        abort(); /* no ledger begins so */
    }
    memcpy(&storage->ledger,
           (const uint8_t *)payload->base + payload->len - sizeof(storage->ledger),
           sizeof(storage->ledger));
    queue(storage, (struct journal_write){.step = JOURNAL_BEGIN, .ledger = storage->ledger});
}

static int io_truncate(struct raft_io *io, raft_index index)
{
    queue(storage_of(io), (struct journal_write){.step = JOURNAL_TRUNCATE, .index = index});
    return 0;
}

static int io_append(struct raft_io *io, struct raft_io_append *request,
                     const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
    struct storage *storage = storage_of(io);
    struct append *append = calloc(1, sizeof(*append) + n * sizeof(append->records[0]));

    if (append == NULL) {
        abort();
    }
    append->write = (struct journal_write){
        .step = JOURNAL_APPEND,
        .records = append->records,
        .count = n,
        .done = finish_append,
    };
    append->request = request;
    append->done = done;
    for (unsigned i = 0; i < n; i++) {
        append->records[i] = (struct record){
            .term = entries[i].term,
            .type = entries[i].type,
            .payload = bytes_of(entries[i].buf.base, entries[i].buf.len),
        };
        storage->appended += RECORD_HEADER_SIZE + entries[i].buf.len;
    }
    if (id_is_zero(&storage->ledger)) {
        begin_ledger(storage, &entries[0]);
    }
    journal_append(storage->journal, &append->write);
    return 0;
}

static raft_time io_time(struct raft_io *io)
{
    return storage_of(io)->now_ns() / 1000000;
}

static int io_random(struct raft_io *io, int min, int max)
{
    (void)io;
    return min + (int)randombytes_uniform((uint32_t)(max - min) + 1);
}

static void io_close(struct raft_io *io, raft_io_close_cb done)
{
    done(io);
}

void storage_init(struct storage *storage, struct journal *journal, struct recovery *recovery,
                  uint64_t (*now_ns)(void))
{
    *storage = (struct storage){
        .io = {.version = 2,
               .impl = storage,
               .init = io_init,
               .close = io_close,
               .load = io_load,
               .start = io_start,
               .bootstrap = io_bootstrap,
               .set_term = io_set_term,
               .set_vote = io_set_vote,
               .append = io_append,
               .truncate = io_truncate,
               .snapshot_put = storage_snapshot_put,
               .snapshot_get = storage_snapshot_get,
               .time = io_time,
               .random = io_random},
        .journal = journal,
        .recovery = recovery,
        .now_ns = now_ns,
    };
    storage_recover_snapshot(storage);
}

void storage_started(struct storage *storage)
{
    storage->recovery = NULL;
}
