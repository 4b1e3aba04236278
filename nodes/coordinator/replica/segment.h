/* SPDX-License-Identifier: MPL-2.0
 * One file of the log: a header, two promise slots, then records, then zeroes.
 *
 *   0       header: which ledger, which number, and the end of the chain in the segment before
 *   4096    promise slot 0
 *   8192    promise slot 1
 *   12288   records, each at the end of the one before
 *
 * A segment is made ahead of its use, full length and all zero, and named when that is synced. It
 * is begun (header and both slots, synced) before its first record is written. So a header that
 * cannot be read is an interrupted beginning only while no record follows it; else it is damage. */
#ifndef GROVE_COORDINATOR_REPLICA_SEGMENT_H
#define GROVE_COORDINATOR_REPLICA_SEGMENT_H

#include "nodes/coordinator/replica/fault.h"
#include "nodes/coordinator/replica/promise.h"

#define SEGMENT_SLOT_OFFSET 4096u
#define SEGMENT_SLOT_STRIDE 4096u
#define SEGMENT_RECORDS_OFFSET 12288u
#define SEGMENT_SIZE_LEAST (SEGMENT_RECORDS_OFFSET + 4096u) /* bytes */
#define SEGMENT_NAME_SIZE 32u
#define SEGMENT_PREFIX "segment-"

/* As it lies in the file. */
struct segment_header {
    uint8_t magic[8];
    uint64_t version;
    uint64_t number; /* from 1, without gaps */
    uint64_t size;   /* bytes of the file */
    struct id ledger;
    struct chain start;   /* the last record of the segment before */
    struct digest digest; /* H of all before */
};

_Static_assert(sizeof(struct segment_header) == 48 + 40 + 32, "a segment header has no holes");

/* What a segment's image holds. */
struct segment_scan {
    bool begun; /* false: made ahead, never used; nothing below is set */
    struct segment_header header;
    bool promised; /* a promise slot could be read */
    struct promise promise;
    struct chain end;
    size_t end_offset;      /* where the next record would lie */
    enum record_state stop; /* what lies there */
};

typedef void (*segment_visit)(void *context, const struct record *record);

/* Reads a segment's image, which is hostile, and shows each record of its chain to `visit`.
 *
 *   visit     may be NULL; records borrow from the image
 *   scan      what was found; says nothing of whether the records reach the promise
 *   errors    GROVE_CORRUPT, GROVE_VERSION with a fault that names the file: refuse to start */
enum grove_status segment_read(const char *name, struct bytes image, segment_visit visit,
                               void *context, struct segment_scan *scan, struct fault *fault)
    GROVE_CHECKED;

void segment_name(uint64_t number, char name[SEGMENT_NAME_SIZE]);

/* Makes a segment of `size` zero bytes on disk, file and name synced; the caller closes `fd`.
 *
 *   errors    GROVE_FULL, GROVE_IO with a fault; nothing is left behind */
enum grove_status segment_make(int directory, uint64_t number, size_t size, int *fd,
                               struct fault *fault) GROVE_CHECKED;

/* Begins a made segment: syncs, twice, the promise, and then the header that makes it count: after
 * a power cut there is no header without a promise. The second slot gets the next sequence number,
 * and `promise` too.
 *
 *   errors    GROVE_FULL, GROVE_IO with a fault */
enum grove_status segment_begin(int fd, const struct segment_header *header,
                                struct promise *promise, struct fault *fault) GROVE_CHECKED;

/* Writes a promise to its slot, not synced. */
enum grove_status segment_promise(int fd, const struct promise *promise, struct fault *fault)
    GROVE_CHECKED;

#endif
