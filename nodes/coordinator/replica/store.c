/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/store.h"

#include "nodes/coordinator/replica/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct store_segment {
    uint64_t number;
    uint64_t size;   /* bytes */
    uint64_t before; /* index of the last record before its first */
    STAILQ_ENTRY(store_segment) link;
};

void store_init(struct store *store, int directory, size_t segment_size, uint64_t (*now_ns)(void))
{
    assert(segment_size >= SEGMENT_SIZE_LEAST);
    *store = (struct store){
        .directory = directory,
        .segment_size = segment_size,
        .now_ns = now_ns,
        .fd = -1,
        .spare = -1,
    };
    STAILQ_INIT(&store->segments);
}

static void close_file(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

static void add_segment(struct store *store, uint64_t number, uint64_t size, uint64_t before)
{
    struct store_segment *segment = malloc(sizeof(*segment));

    if (segment == NULL) {
        abort();
    }
    *segment = (struct store_segment){.number = number, .size = size, .before = before};
    STAILQ_INSERT_TAIL(&store->segments, segment, link);
    store->newest = segment;
    store->counters.size += size;
    store->counters.held++;
}

static void drop_segment(struct store *store)
{
    struct store_segment *oldest = STAILQ_FIRST(&store->segments);

    store->counters.size -= oldest->size;
    store->counters.held--;
    STAILQ_REMOVE_HEAD(&store->segments, link);
    free(oldest);
}

void store_clear(struct store *store)
{
    close_file(&store->fd);
    close_file(&store->spare);
    while (!STAILQ_EMPTY(&store->segments)) {
        drop_segment(store);
    }
    store->newest = NULL;
}

/* Translates an error at the newest segment; 0 is GROVE_OK. */
static enum grove_status newest_status(const struct store *store, const char *action, int error,
                                       struct fault *fault)
{
    char name[SEGMENT_NAME_SIZE];

    if (error == 0) {
        return GROVE_OK;
    }
    segment_name(store->newest->number, name);
    return fault_errno(fault, name, action, error);
}

static enum grove_status sync_newest(struct store *store, struct fault *fault)
{
    uint64_t begin_ns = store->now_ns();
    int error = fdatasync(store->fd) < 0 ? errno : 0;

    store->counters.syncs++;
    store->counters.sync_ns += store->now_ns() - begin_ns;
    return newest_status(store, "cannot sync", error, fault);
}

/* Promises all that was synced; not itself synced. */
static enum grove_status write_promise(struct store *store, struct fault *fault)
{
    store->promise.sequence++;
    store->promise.end = store->end;
    store->owed = false;
    return segment_promise(store->fd, &store->promise, fault);
}

enum grove_status store_promise(struct store *store, struct fault *fault)
{
    enum grove_status status = write_promise(store, fault);

    store->counters.promises++;
    return status == GROVE_OK ? sync_newest(store, fault) : status;
}

enum grove_status store_sync(struct store *store, struct fault *fault)
{
    store->owed = true;
    return sync_newest(store, fault);
}

static uint64_t next_number(const struct store *store)
{
    return store->newest == NULL ? 1 : store->newest->number + 1;
}

bool store_make_spare(struct store *store)
{
    struct fault ignored;

    return store->spare >= 0 ||
           segment_make(store->directory, next_number(store), store->segment_size, &store->spare,
                        &ignored) == GROVE_OK;
}

void store_look(struct store *store)
{
    struct statvfs disk;

    if (fstatvfs(store->directory, &disk) == 0) {
        store->counters.room =
            disk.f_bavail * disk.f_frsize + (store->spare >= 0 ? store->segment_size : 0);
    }
}

/* Makes sure that the segment made ahead has room for a record of `size` bytes. */
static enum grove_status fit_spare(struct store *store, size_t size, struct fault *fault)
{
    size_t needed = SEGMENT_RECORDS_OFFSET + size;

    if (needed <= store->segment_size) {
        needed = store->segment_size;
    } else {
        close_file(&store->spare); /* segment_make takes its name over */
    }
    return store->spare >= 0
               ? GROVE_OK
               : segment_make(store->directory, next_number(store), needed, &store->spare, fault);
}

/* Begins the next segment for a record of `size` bytes. All that was written before is synced, and
 * so may be promised. */
static enum grove_status begin_segment(struct store *store, size_t size, struct fault *fault)
{
    enum grove_status status = fit_spare(store, size, fault);
    struct stat file;

    if (status != GROVE_OK) {
        return status;
    }
    if (fstat(store->spare, &file) < 0) {
        return fault_errno(fault, "segment made ahead", "cannot stat", errno);
    }
    struct segment_header header = {
        .number = next_number(store),
        .size = (uint64_t)file.st_size,
        .ledger = store->ledger,
        .start = store->end,
    };
    store->promise.end = store->end;
    store->owed = false;
    status = segment_begin(store->spare, &header, &store->promise, fault);
    if (status != GROVE_OK) {
        return status;
    }
    if (store->fd >= 0) { /* only the next start reads the full one */
        posix_fadvise(store->fd, 0, 0, POSIX_FADV_DONTNEED);
    }
    close_file(&store->fd);
    store->fd = store->spare;
    store->spare = -1;
    store->offset = SEGMENT_RECORDS_OFFSET;
    store->counters.segments++;
    add_segment(store, header.number, header.size, store->end.index);
    store_look(store);
    return GROVE_OK;
}

enum grove_status store_write(struct store *store, struct record *record, struct fault *fault)
{
    size_t size = RECORD_HEADER_SIZE + record->payload.size;
    enum grove_status status = GROVE_OK;
    struct record_header header;

    if (store->owed) {
        status = write_promise(store, fault);
    }
    if (status == GROVE_OK && store->offset + size > store->newest->size) {
        status = sync_newest(store, fault);
        if (status == GROVE_OK) {
            status = begin_segment(store, size, fault);
        }
    }
    if (status != GROVE_OK) {
        return status;
    }
    record_seal(record, &store->end, &header);
    int error = file_write_two(store->fd, bytes_of(&header, sizeof(header)), record->payload,
                               store->offset);
    store->offset += size;
    store->counters.written += size;
    return newest_status(store, "cannot write", error, fault);
}

/* Removes segments that hold no record: made ahead, or left by an interrupted first start. */
static enum grove_status remove_segments_after(const struct store *store, uint64_t number,
                                               struct fault *fault)
{
    char name[SEGMENT_NAME_SIZE];
    uint64_t *numbers = NULL;
    size_t count = 0;
    int error = file_list(store->directory, SEGMENT_PREFIX, &numbers, &count);

    for (size_t i = 0; i < count && error == 0; i++) {
        segment_name(numbers[i], name);
        if (numbers[i] > number && unlinkat(store->directory, name, 0) < 0) {
            error = errno;
        }
    }
    free(numbers);
    return error == 0 ? GROVE_OK : fault_errno(fault, "segments", "cannot remove", error);
}

enum grove_status store_begin(struct store *store, const struct id *ledger, struct record *first,
                              struct fault *fault)
{
    size_t size = RECORD_HEADER_SIZE + first->payload.size;
    enum grove_status status;

    store->ledger = *ledger;
    store->end = chain_of_ledger(ledger);
    store->promise = (struct promise){.term = first->term};
    status = remove_segments_after(store, 0, fault);
    if (status == GROVE_OK) {
        status = begin_segment(store, size, fault);
    }
    if (status == GROVE_OK) {
        status = store_write(store, first, fault);
    }
    if (status == GROVE_OK) {
        status = store_sync(store, fault);
    }
    return status == GROVE_OK ? store_promise(store, fault) : status;
}

/* Zeroes the newest segment from the end of the log up to `until`, so that nothing can ever grow
 * out of what lies there. */
static enum grove_status cut_tail(struct store *store, size_t until, struct fault *fault)
{
    static const uint8_t zeroes[1 << 16];
    int error = 0;

    for (size_t at = store->offset; at < until && error == 0; at += sizeof(zeroes)) {
        size_t step = until - at < sizeof(zeroes) ? until - at : sizeof(zeroes);
        error = file_write(store->fd, zeroes, step, at);
    }
    return newest_status(store, "cannot cut the tail", error, fault);
}

void store_forget(struct store *store, uint64_t index)
{
    struct store_segment *next;
    char name[SNAPSHOT_NAME_SIZE];
    uint64_t *snapshots = NULL;
    size_t count = 0;

    while ((next = STAILQ_NEXT(STAILQ_FIRST(&store->segments), link)) != NULL &&
           next->before <= index) {
        segment_name(STAILQ_FIRST(&store->segments)->number, name);
        unlinkat(store->directory, name, 0);
        drop_segment(store);
    }
    if (file_list(store->directory, SNAPSHOT_PREFIX, &snapshots, &count) == 0) {
        for (size_t i = 0; i < count && snapshots[i] < index; i++) {
            snapshot_name(snapshots[i], name);
            unlinkat(store->directory, name, 0);
        }
        free(snapshots);
    }
    fsync(store->directory);
}

/* Removes segments from before the log began anew, which a crash left. */
static void remove_segments_before(const struct store *store)
{
    char name[SEGMENT_NAME_SIZE];
    uint64_t *numbers = NULL;
    size_t count = 0;

    if (file_list(store->directory, SEGMENT_PREFIX, &numbers, &count) == 0) {
        for (size_t i = 0; i < count && numbers[i] < STAILQ_FIRST(&store->segments)->number; i++) {
            segment_name(numbers[i], name);
            unlinkat(store->directory, name, 0);
        }
        free(numbers);
    }
}

enum grove_status store_begin_at(struct store *store, const struct id *ledger,
                                 const struct chain *start, struct fault *fault)
{
    enum grove_status status = GROVE_OK;

    store->ledger = *ledger;
    store->end = *start;
    status = begin_segment(store, 0, fault);
    if (status == GROVE_OK) {
        store_forget(store, start->index);
    }
    return status;
}

/* Where a record ends, in its segment and in the chain. */
struct place {
    const struct store_segment *segment;
    size_t offset;
    struct chain chain;
};

/* Follows the headers of a segment's records up to `index`. Their hashes are believed: what is
 * built on a rotten one is refused at the next start. */
static bool walk(struct bytes image, uint64_t index, struct place *place)
{
    struct segment_header segment;
    struct record_header record;

    if (image.size < SEGMENT_RECORDS_OFFSET) {
        return false;
    }
    memcpy(&segment, image.data, sizeof(segment));
    place->chain = segment.start;
    place->offset = SEGMENT_RECORDS_OFFSET;
    while (place->chain.index < index) {
        if (image.size - place->offset < sizeof(record)) {
            return false;
        }
        memcpy(&record, image.data + place->offset, sizeof(record));
        if (record.index != place->chain.index + 1 ||
            record.payload_size > image.size - place->offset - sizeof(record)) {
            return false;
        }
        place->chain = (struct chain){.index = record.index, .hash = record.hash};
        place->offset += sizeof(record) + record.payload_size;
    }
    return place->chain.index == index;
}

static enum grove_status locate(const struct store *store, uint64_t index, struct place *place,
                                struct fault *fault)
{
    const struct store_segment *segment;
    char name[SEGMENT_NAME_SIZE];
    struct bytes image;

    *place = (struct place){.segment = NULL};
    STAILQ_FOREACH(segment, &store->segments, link) {
        if (segment->before <= index) {
            place->segment = segment;
        }
    }
    if (place->segment == NULL) {
        fault_set(fault, "the log does not reach back to index %" PRIu64, index);
        return GROVE_CORRUPT;
    }
    segment_name(place->segment->number, name);
    int error = file_map(store->directory, name, &image);
    if (error != 0) {
        return fault_errno(fault, name, "cannot read", error);
    }
    bool found = walk(image, index, place);
    file_unmap(image);
    if (!found) {
        fault_set(fault, "%s: offset %zu: the records are damaged", name, place->offset);
        return GROVE_CORRUPT;
    }
    return GROVE_OK;
}

enum grove_status store_chain(const struct store *store, uint64_t index, struct chain *chain,
                              struct fault *fault)
{
    struct place place;

    if (index == store->end.index) {
        *chain = store->end;
        return GROVE_OK;
    }
    enum grove_status status = locate(store, index, &place, fault);
    if (status == GROVE_OK) {
        *chain = place.chain;
    }
    return status;
}

/* Within the newest segment the tail is zeroed, after the promise was lowered. What lies further
 * back ends where a new segment begins. */
enum grove_status store_truncate(struct store *store, uint64_t index, struct fault *fault)
{
    struct place place;
    size_t until = store->offset;
    enum grove_status status = locate(store, index - 1, &place, fault);

    if (status == GROVE_OK) {
        status = sync_newest(store, fault);
    }
    if (status != GROVE_OK) {
        return status;
    }
    store->end = place.chain;
    if (place.segment != store->newest) {
        return begin_segment(store, 0, fault);
    }
    store->offset = place.offset;
    status = store_promise(store, fault);
    if (status == GROVE_OK) {
        status = cut_tail(store, until, fault);
    }
    return status == GROVE_OK ? sync_newest(store, fault) : status;
}

enum grove_status store_resume(struct store *store, const struct recovery *recovery,
                               struct fault *fault)
{
    char name[SEGMENT_NAME_SIZE];
    enum grove_status status;

    if (recovery->empty) {
        return remove_segments_after(store, 0, fault); /* until store_begin_at */
    }
    for (size_t i = 0; i < recovery->segment_count; i++) {
        const struct recovered_segment *segment = &recovery->segments[i];
        add_segment(store, segment->number, segment->size, segment->before);
    }
    store->ledger = recovery->ledger;
    store->promise = recovery->promise;
    store->end = recovery->end;
    store->offset = recovery->end_offset;
    if (recovery->outrun) {
        status = remove_segments_after(store, store->newest->number, fault);
        return status == GROVE_OK ? store_begin_at(store, &recovery->ledger, &recovery->end, fault)
                                  : status;
    }
    remove_segments_before(store);

    segment_name(store->newest->number, name);
    store->fd = openat(store->directory, name, O_RDWR | O_CLOEXEC);
    if (store->fd < 0) {
        return fault_errno(fault, name, "cannot open", errno);
    }
    status = remove_segments_after(store, store->newest->number, fault);
    if (status == GROVE_OK && recovery->torn) {
        status = cut_tail(store, (size_t)store->newest->size, fault);
    }
    /* What a killed process wrote may be in memory only: sync it before anybody builds on it. */
    if (status == GROVE_OK) {
        status = store_sync(store, fault);
    }
    return status == GROVE_OK ? store_promise(store, fault) : status;
}
