/* SPDX-License-Identifier: MPL-2.0
 * Snapshots, as libraft takes, gives and gets them. */
#include "nodes/coordinator/replica/storage_snapshot.h"

#include "nodes/coordinator/replica/configuration.h"
#include "nodes/coordinator/replica/voter.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct raft_snapshot *storage_make_snapshot(const struct storage_snapshot *snapshot)
{
    struct raft_snapshot *made = raft_malloc(sizeof(*made));
    struct raft_buffer *token = raft_malloc(sizeof(*token));

    if (made == NULL || token == NULL) {
        abort();
    }
    *made = (struct raft_snapshot){
        .index = snapshot->index,
        .term = snapshot->term,
        .configuration_index = snapshot->configuration_index,
        .bufs = token,
        .n_bufs = 1,
    };
    if (!configuration_decode(buffer_bytes(&snapshot->configuration), &made->configuration)) {
        raft_free(token);
        raft_free(made);
        return NULL;
    }
    *token = voter_token(snapshot->index);
    return made;
}

void storage_recover_snapshot(struct storage *storage)
{
    const struct recovery *recovery = storage->recovery;
    const struct snapshot_head *head = &recovery->snapshot.head;

    if (recovery->has_snapshot) {
        storage->newest = (struct storage_snapshot){
            .index = head->end.index,
            .term = head->term,
            .configuration_index = head->configuration_index,
            .size = recovery->snapshot.image.size,
        };
        buffer_append(&storage->newest.configuration, head->configuration.data,
                      head->configuration.size);
    }
}

static uint64_t file_size(const struct storage *storage, uint64_t index)
{
    char name[SNAPSHOT_NAME_SIZE];
    struct stat status;

    snapshot_name(index, name);
    return fstatat(journal_directory(storage->journal), name, &status, 0) == 0
               ? (uint64_t)status.st_size
               : 0;
}

/* The next snapshot is the newest now. */
static void advance(struct storage *storage)
{
    buffer_clear(&storage->newest.configuration);
    storage->newest = storage->next;
    storage->newest.size = file_size(storage, storage->newest.index);
    storage->next.configuration = (struct buffer){.size = 0};
}

static void set_next(struct storage *storage, const struct raft_snapshot *snapshot)
{
    buffer_clear(&storage->next.configuration);
    storage->next = (struct storage_snapshot){
        .index = snapshot->index,
        .term = snapshot->term,
        .configuration_index = snapshot->configuration_index,
        .appended = storage->appended,
    };
    configuration_encode(&snapshot->configuration, &storage->next.configuration);
}

static void end_put(struct storage *storage, int status)
{
    storage->put_done(storage->put, status);
}

/* An installation on its way to disk. */
struct install {
    struct journal_write write; /* its first member */
    struct storage *storage;
};

static void finish_install(struct journal_write *write)
{
    struct install *install = (struct install *)write;
    struct storage *storage = install->storage;

    storage->ledger = write->ledger;
    advance(storage);
    free(install);
    end_put(storage, 0);
}

static void install(struct storage *storage, uint64_t index)
{
    struct install *install = malloc(sizeof(*install));

    if (install == NULL) {
        abort();
    }
    install->write = (struct journal_write){.step = JOURNAL_INSTALL,
                                            .index = index,
                                            .read = storage->read,
                                            .context = storage->context,
                                            .done = finish_install};
    install->storage = storage;
    journal_append(storage->journal, &install->write);
}

/* The leader's snapshot has been received and replaces the log; an own one is being written by the
 * child of storage_fork, and this only notes whom to tell. Trailing entries stay in the segments,
 * which are removed whole and late. */
int storage_snapshot_put(struct raft_io *io, unsigned trailing,
                         struct raft_io_snapshot_put *request, const struct raft_snapshot *snapshot,
                         raft_io_snapshot_put_cb done)
{
    struct storage *storage = io->impl;

    storage->put = request;
    storage->put_done = done;
    if (trailing == 0) {
        assert(storage->child == 0);
        set_next(storage, snapshot);
        install(storage, snapshot->index);
    } else {
        assert(storage->child != 0 && storage->next.index == snapshot->index);
    }
    return 0;
}

int storage_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *request,
                         raft_io_snapshot_get_cb done)
{
    const struct storage *storage = io->impl;
    struct raft_snapshot *snapshot =
        storage->newest.index > 0 ? storage_make_snapshot(&storage->newest) : NULL;

    done(request, snapshot, snapshot == NULL ? RAFT_NOTFOUND : 0);
    return 0;
}

enum grove_status storage_fork(struct storage *storage, const struct raft_snapshot *pending,
                               snapshot_fill fill, void *context)
{
    struct snapshot_head head = {
        .ledger = storage->ledger,
        .term = pending->term,
        .configuration_index = pending->configuration_index,
    };
    struct fault fault;

    assert(storage->child == 0);
    enum grove_status status = journal_chain(storage->journal, pending->index, &head.end, &fault);
    if (status != GROVE_OK) {
        return status;
    }
    set_next(storage, pending);
    head.configuration = buffer_bytes(&storage->next.configuration);
    return snapshot_fork(journal_directory(storage->journal), &head, fill, context,
                         &storage->child);
}

static void end_child(struct storage *storage, int result)
{
    storage->child = 0;
    end_put(storage, result);
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
    journal_forget(storage->journal, storage->newest.index);
    advance(storage);
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

void storage_clear(struct storage *storage)
{
    buffer_clear(&storage->newest.configuration);
    buffer_clear(&storage->next.configuration);
}
