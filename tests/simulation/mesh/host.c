/* SPDX-License-Identifier: MPL-2.0
 * What a node has of its host: clocks, the guard of the door, threads that verify (at once), the id
 * of a disk, files that a snapshot goes through, and a poll for what a disk has finished. */
#include "tests/simulation/mesh/host.h"

#include "nodes/coordinator/member_id.h"
#include "nodes/coordinator/pool.h"
#include "nodes/host/clock.h"
#include "tests/simulation/mesh/threads.h"
#include "tests/simulation/mesh/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_MS UINT64_C(1700000000000)

/* ---- clock.h: looking at it takes a microsecond, so that who spins gets on */

static uint64_t looked_ns;

void host_forget_all(void)
{
    looked_ns = 0;
}

uint64_t clock_monotonic_ns(void)
{
    const uint64_t now_ns = world.schedule.now_us * 1000;

    looked_ns = now_ns > looked_ns ? now_ns : looked_ns + 1000;
    return looked_ns;
}

uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / 1000000;
}

uint64_t clock_unix_ms(void)
{
    const int64_t skew_ms = world.current != NULL ? world.current->skew_ms : 0;

    return EPOCH_MS + world.schedule.now_us / 1000 + (uint64_t)skew_ms;
}

/* ---- zap.h */

struct zap {
    struct zap_entry *entries;
    size_t count;
};

enum grove_status zap_start(struct zap **zap)
{
    *zap = calloc(1, sizeof(**zap));
    if (*zap == NULL) {
        abort();
    }
    return GROVE_OK;
}

void zap_stop(struct zap *zap)
{
    (void)zap; /* the sockets of the past still ask */
}

void zap_publish(struct zap *zap, const struct zap_entry *entries, size_t count)
{
    struct zap_entry *copy = calloc(count + 1, sizeof(*entries));

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, entries, count * sizeof(*entries));
    free(zap->entries);
    zap->entries = copy;
    zap->count = count;
}

void zap_read_counters(const struct zap *zap, struct zap_counters *counters)
{
    (void)zap;
    *counters = (struct zap_counters){.accepted = 0};
}

bool zap_knows(const struct zap *zap, const struct key *link, struct key *identity)
{
    for (size_t i = 0; zap != NULL && i < zap->count; i++) {
        if (key_equal(&zap->entries[i].link, link) && !zap->entries[i].revoked) {
            *identity = zap->entries[i].identity;
            return true;
        }
    }
    return false;
}

/* ---- pool.h */

struct pool {
    struct pool_options options;
    struct job *jobs[LIMIT_UNCOMMITTED];
    size_t first, count;
};

struct pool *pool_create(const struct pool_options *options)
{
    struct pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL) {
        abort();
    }
    pool->options = *options;
    return pool;
}

void pool_destroy(struct pool *pool)
{
    free(pool);
}

void pool_give(struct pool *pool, struct job *job)
{
    pool->options.work(pool->options.context, job);
    pool->jobs[(pool->first + pool->count++) % LIMIT_UNCOMMITTED] = job;
    bus_signal_raise(pool->options.ready);
}

struct job *pool_take(struct pool *pool)
{
    struct job *job;

    if (pool->count == 0) {
        return NULL;
    }
    job = pool->jobs[pool->first];
    pool->first = (pool->first + 1) % LIMIT_UNCOMMITTED;
    pool->count--;
    return job;
}

/* ---- member_id.h */

enum grove_status member_id_take(const char *directory, uint64_t fresh, uint64_t *id)
{
    struct volume *volume = volume_of_path(directory);

    if (volume->member == 0) {
        volume->member = fresh;
    }
    *id = volume->member;
    return GROVE_OK;
}

/* ---- poll.h: of a coordinator that opens its ledger, which waits for nothing but its disk */

int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout_ms)
{
    struct volume *volume = count == 1 ? volume_of_fd(polled[0].fd) : NULL;

    if (volume == NULL) {
        return __real_poll(polled, count, timeout_ms);
    }
    journal_hurry(volume->journal);
    return 1;
}

/* ---- files of a volume, as a snapshot on its way to a peer is read and written */

static struct volume_file *file_of(int fd)
{
    struct volume *volume = volume_of_fd(fd);

    return volume != NULL ? volume->open[fd - volume_directory(volume)] : NULL;
}

ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset)
{
    const struct volume_file *file = file_of(fd);

    if (file == NULL) {
        return __real_pread(fd, data, size, offset);
    }
    if ((size_t)offset + size > file->size) {
        size = (size_t)offset < file->size ? file->size - (size_t)offset : 0;
    }
    memcpy(data, file->cache + offset, size);
    return (ssize_t)size;
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size)
{
    if (file_of(fd) == NULL) {
        return __real_fallocate(fd, mode, offset, size);
    }
    errno = EOPNOTSUPP; /* as on some file systems: it grows as it is written */
    return -1;
}

int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    return file_of(fd) == NULL ? __real_sync_file_range(fd, offset, size, flags) : 0;
}
