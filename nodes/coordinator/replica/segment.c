/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/segment.h"

#include "core/id.h"
#include "nodes/coordinator/replica/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define SEGMENT_VERSION 1u

static const uint8_t magic[8] = {'g', 'r', 'v', 's', 'e', 'g', 'm', '1'};

static struct digest digest_of_header(const struct segment_header *header)
{
    return digest_of(bytes_of(header, offsetof(struct segment_header, digest)));
}

static bool header_is_whole(const struct segment_header *header)
{
    struct digest digest = digest_of_header(header);

    return memcmp(header->magic, magic, sizeof(magic)) == 0 &&
           digest_equal(&header->digest, &digest);
}

static size_t slot_offset(uint64_t sequence)
{
    return SEGMENT_SLOT_OFFSET + (size_t)(sequence % PROMISE_SLOTS) * SEGMENT_SLOT_STRIDE;
}

/* The promise made last of those that can be read. */
static void read_promises(struct bytes image, struct segment_scan *scan)
{
    for (unsigned i = 0; i < PROMISE_SLOTS; i++) {
        struct promise_slot slot;
        struct promise promise;

        memcpy(&slot, image.data + slot_offset(i), sizeof(slot));
        if (promise_decode(&slot, &promise) &&
            (!scan->promised || promise.sequence > scan->promise.sequence)) {
            scan->promised = true;
            scan->promise = promise;
        }
    }
}

enum grove_status segment_read(const char *name, struct bytes image, segment_visit visit,
                               void *context, struct segment_scan *scan, struct fault *fault)
{
    struct chain none = {.index = 0};
    struct record record;

    *scan = (struct segment_scan){.begun = false};
    if (image.size < SEGMENT_SIZE_LEAST) {
        fault_set(fault, "%s: offset %zu: the file ends too early", name, image.size);
        return GROVE_CORRUPT;
    }
    memcpy(&scan->header, image.data, sizeof(scan->header));
    if (!header_is_whole(&scan->header)) {
        if (record_read(image, SEGMENT_RECORDS_OFFSET, &none, &record) == RECORD_ABSENT) {
            return GROVE_OK;
        }
        fault_set(fault, "%s: offset 0: the header's digest does not match", name);
        return GROVE_CORRUPT;
    }
    if (scan->header.version != SEGMENT_VERSION) {
        fault_set(fault, "%s: version %" PRIu64 " of the format, not %u", name,
                  scan->header.version, SEGMENT_VERSION);
        return GROVE_VERSION;
    }
    if (image.size < scan->header.size) {
        fault_set(fault, "%s: offset %zu: the file ends too early", name, image.size);
        return GROVE_CORRUPT;
    }

    scan->begun = true;
    read_promises(image, scan);
    image.size = (size_t)scan->header.size;
    scan->end = scan->header.start;
    scan->end_offset = SEGMENT_RECORDS_OFFSET;
    while ((scan->stop = record_read(image, scan->end_offset, &scan->end, &record)) ==
           RECORD_FOUND) {
        scan->end_offset += RECORD_HEADER_SIZE + record.payload.size;
        if (visit != NULL) {
            visit(context, &record);
        }
    }
    return GROVE_OK;
}

void segment_name(uint64_t number, char name[SEGMENT_NAME_SIZE])
{
    snprintf(name, SEGMENT_NAME_SIZE, SEGMENT_PREFIX "%016" PRIx64, number);
}

enum grove_status segment_make(int directory, uint64_t number, size_t size, int *fd,
                               struct fault *fault)
{
    static const char unfinished[] = "segment.new";
    char name[SEGMENT_NAME_SIZE];
    int error = 0;
    int made = openat(directory, unfinished, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    segment_name(number, name);
    if (made < 0) {
        return fault_errno(fault, name, "cannot create", errno);
    }
    error = posix_fallocate(made, 0, (off_t)size);
    if (error != 0) {
        goto failed;
    }
    if (fsync(made) < 0 || renameat(directory, unfinished, directory, name) < 0 ||
        fsync(directory) < 0) {
        error = errno;
        goto failed;
    }
    *fd = made;
    return GROVE_OK;

failed:
    unlinkat(directory, unfinished, 0);
    close(made);
    return fault_errno(fault, name, "cannot make room for it", error);
}

enum grove_status segment_promise(int fd, const struct promise *promise, struct fault *fault)
{
    struct promise_slot slot;

    promise_encode(promise, &slot);
    int error = file_write(fd, &slot, sizeof(slot), slot_offset(promise->sequence));
    return error == 0 ? GROVE_OK : fault_errno(fault, "promise", "cannot write", error);
}

enum grove_status segment_begin(int fd, const struct segment_header *header,
                                struct promise *promise, struct fault *fault)
{
    struct segment_header sealed = *header;
    char name[SEGMENT_NAME_SIZE];

    memcpy(sealed.magic, magic, sizeof(magic));
    sealed.version = SEGMENT_VERSION;
    sealed.digest = digest_of_header(&sealed);
    segment_name(header->number, name);

    for (unsigned i = 0; i < PROMISE_SLOTS; i++) {
        promise->sequence++;
        enum grove_status status = segment_promise(fd, promise, fault);
        if (status != GROVE_OK) {
            return status;
        }
    }
    if (fdatasync(fd) < 0) {
        return fault_errno(fault, name, "cannot sync", errno);
    }
    int error = file_write(fd, &sealed, sizeof(sealed), 0);
    if (error != 0) {
        return fault_errno(fault, name, "cannot write", error);
    }
    return fdatasync(fd) == 0 ? GROVE_OK : fault_errno(fault, name, "cannot sync", errno);
}
