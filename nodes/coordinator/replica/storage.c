/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/storage.h"

#include "nodes/coordinator/replica/configuration.h"
#include "nodes/coordinator/replica/voter.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A group on its way to disk, for libraft. */
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

static int load_snapshot(const struct snapshot *snapshot, struct raft_snapshot **loaded)
{
    struct raft_snapshot *made = allocate(sizeof(*made));

    *made = (struct raft_snapshot){
        .index = snapshot->head.end.index,
        .term = snapshot->head.term,
        .configuration_index = snapshot->head.configuration_index,
        .n_bufs = 1,
    };
    if (!configuration_decode(snapshot->head.configuration, &made->configuration)) {
        raft_free(made);
        return RAFT_CORRUPT;
    }
    made->bufs = allocate(sizeof(*made->bufs));
    made->bufs[0] = voter_token(made->index);
    *loaded = made;
    return 0;
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
    if (recovery->has_snapshot) {
        after = recovery->snapshot.head.end.index;
        int error = load_snapshot(&recovery->snapshot, snapshot);
        if (error != 0) {
            snprintf(io->errmsg, sizeof(io->errmsg), "the snapshot's configuration is malformed");
            return error;
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
    *term = recovery->promise.term;
    *voted_for = recovery->promise.vote;
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
    journal_vote(storage_of(io)->journal, term, 0);
    return 0;
}

static int io_set_vote(struct raft_io *io, raft_id server)
{
    const struct raft *raft = io->data;

    journal_vote(storage_of(io)->journal, raft->current_term, server);
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

static int io_append(struct raft_io *io, struct raft_io_append *request,
                     const struct raft_entry entries[], unsigned n, raft_io_append_cb done)
{
    struct storage *storage = storage_of(io);
    struct append *append = calloc(1, sizeof(*append) + n * sizeof(append->records[0]));

    if (append == NULL) {
        return RAFT_NOMEM;
    }
    append->write = (struct journal_write){
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
    journal_append(storage->journal, &append->write);
    return 0;
}

/* The child was forked by storage_fork; this only notes whom to tell. Trailing entries stay in the
 * segments, which are removed whole and late. */
static int io_snapshot_put(struct raft_io *io, unsigned trailing,
                           struct raft_io_snapshot_put *request,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    struct storage *storage = storage_of(io);

    (void)trailing;
    assert(storage->child != 0 && storage->child_index == snapshot->index);
    storage->put = request;
    storage->put_done = done;
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

static uint64_t snapshot_file_size(const struct storage *storage, uint64_t index)
{
    char name[SNAPSHOT_NAME_SIZE];
    struct stat status;

    snapshot_name(index, name);
    return fstatat(journal_directory(storage->journal), name, &status, 0) == 0
               ? (uint64_t)status.st_size
               : 0;
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
               .snapshot_put = io_snapshot_put,
               .time = io_time,
               .random = io_random},
        .journal = journal,
        .recovery = recovery,
        .now_ns = now_ns,
    };
    if (recovery->has_snapshot) {
        storage->snapshot_index = recovery->snapshot.head.end.index;
        storage->snapshot_size = recovery->snapshot.image.size;
    }
}

void storage_started(struct storage *storage)
{
    storage->ledger = storage->recovery->ledger;
    storage->recovery = NULL;
}

enum grove_status storage_fork(struct storage *storage, const struct raft_snapshot *pending,
                               snapshot_fill fill, void *context)
{
    struct buffer configuration = {0};
    struct snapshot_head head = {
        .ledger = storage->ledger,
        .term = pending->term,
        .configuration_index = pending->configuration_index,
        .end = journal_end(storage->journal),
    };

    assert(storage->child == 0);
    /* With one voter and one group in flight, what was applied last is what was synced last. */
    assert(head.end.index == pending->index);
    configuration_encode(&pending->configuration, &configuration);
    head.configuration = buffer_bytes(&configuration);
    enum grove_status status =
        snapshot_fork(journal_directory(storage->journal), &head, fill, context, &storage->child);
    buffer_clear(&configuration);
    storage->child_index = pending->index;
    storage->child_appended = storage->appended;
    return status;
}

static void end_child(struct storage *storage, int result)
{
    storage->child = 0;
    storage->put_done(storage->put, result);
}

enum storage_child storage_reap(struct storage *storage, int *error)
{
    int status;

    if (storage->child == 0) {
        return CHILD_NONE;
    }
    if (waitpid(storage->child, &status, WNOHANG) == 0) {
        return CHILD_RUNS;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        *error = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
        end_child(storage, RAFT_IOERR);
        return CHILD_FAILED;
    }
    /* The snapshot before this one stays, and the log from there on, in case this one rots. */
    journal_forget(storage->journal, storage->snapshot_index);
    storage->snapshot_index = storage->child_index;
    storage->snapshot_appended = storage->child_appended;
    storage->snapshot_size = snapshot_file_size(storage, storage->child_index);
    end_child(storage, 0);
    return CHILD_WROTE;
}

void storage_cancel(struct storage *storage)
{
    if (storage->child != 0) {
        kill(storage->child, SIGKILL);
        waitpid(storage->child, NULL, 0);
        end_child(storage, RAFT_CANCELED);
    }
}
