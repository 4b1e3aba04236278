/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/recovery.h"

#include "nodes/coordinator/replica/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A recovery under way. */
struct reading {
    struct recovery *recovery;
    int directory;
    size_t record_room;
    size_t known;             /* records of the segments before the one being read */
    struct segment_scan last; /* of the newest segment in use */
    struct fault *fault;
};

static void keep_record(void *context, const struct record *record)
{
    struct reading *reading = context;
    struct recovery *recovery = reading->recovery;

    if (recovery->record_count == reading->record_room) {
        reading->record_room = reading->record_room == 0 ? 1024 : 2 * reading->record_room;
        recovery->records =
            realloc(recovery->records, reading->record_room * sizeof(*recovery->records));
        if (recovery->records == NULL) {
            abort();
        }
    }
    recovery->records[recovery->record_count++] = *record;
}

/* The hash of the log at `index`; NULL when what is left of it, so many records, does not show it.
 */
static const struct digest *hash_at(const struct recovery *recovery,
                                    const struct segment_header *oldest, size_t record_count,
                                    uint64_t index)
{
    if (index == oldest->start.index) {
        return &oldest->start.hash;
    }
    if (index < oldest->start.index || index - oldest->start.index > record_count) {
        return NULL;
    }
    return &recovery->records[index - oldest->start.index - 1].hash;
}

static void oldest_header(const struct recovery *recovery, struct segment_header *header)
{
    memcpy(header, recovery->segments[0].image.data, sizeof(*header));
}

/* Leaves out the records from number `kept` up to those of the segment read last. */
static void drop_records(struct reading *reading, size_t kept)
{
    struct recovery *recovery = reading->recovery;
    size_t added = recovery->record_count - reading->known;

    if (added > 0) {
        memmove(recovery->records + kept, recovery->records + reading->known,
                added * sizeof(*recovery->records));
    }
    recovery->record_count = kept + added;
}

static void drop_segments(struct reading *reading)
{
    struct recovery *recovery = reading->recovery;

    for (size_t i = 0; i < recovery->segment_count; i++) {
        file_unmap(recovery->segments[i].image);
    }
    recovery->segment_count = 0;
    drop_records(reading, 0);
}

/* Does the segment begin within the log so far? Then what follows there was taken back. */
static bool take_back(struct reading *reading, const struct chain *start)
{
    struct segment_header oldest;

    oldest_header(reading->recovery, &oldest);
    const struct digest *hash = hash_at(reading->recovery, &oldest, reading->known, start->index);
    if (hash == NULL || !digest_equal(hash, &start->hash)) {
        return false;
    }
    drop_records(reading, (size_t)(start->index - oldest.start.index));
    return true;
}

/* Does it begin at a snapshot? Then that replaced the log; choose_snapshot sees whether it is this
 * one. */
static bool begins_anew(const struct reading *reading, const struct chain *start)
{
    char name[SNAPSHOT_NAME_SIZE];

    snapshot_name(start->index, name);
    return faccessat(reading->directory, name, F_OK, 0) == 0;
}

/* Is `scan` what must come after the segments read so far? */
static enum grove_status follows(struct reading *reading, const char *name, uint64_t number,
                                 const struct segment_scan *scan)
{
    const struct recovery *recovery = reading->recovery;
    const struct segment_header *header = &scan->header;

    if (header->number != number) {
        fault_set(reading->fault, "%s: offset 0: holds segment %" PRIu64, name, header->number);
        return GROVE_CORRUPT;
    }
    if (recovery->segment_count == 0) {
        struct chain start = chain_of_ledger(&header->ledger);
        if (header->start.index == 0 && !chain_equal(&header->start, &start)) {
            fault_set(reading->fault, "%s: offset 0: not the start of its ledger", name);
            return GROVE_CORRUPT;
        }
        return GROVE_OK;
    }
    if (!id_equal(&header->ledger, &reading->last.header.ledger)) {
        fault_set(reading->fault, "%s: offset 0: belongs to another ledger", name);
        return GROVE_CORRUPT;
    }
    if (chain_equal(&header->start, &reading->last.end) || take_back(reading, &header->start)) {
        return GROVE_OK;
    }
    if (!begins_anew(reading, &header->start)) {
        char before[SEGMENT_NAME_SIZE];
        segment_name(number - 1, before);
        fault_set(reading->fault, "%s: offset %zu: %s", before, reading->last.end_offset,
                  record_state_text(reading->last.stop));
        return GROVE_CORRUPT;
    }
    drop_segments(reading);
    return GROVE_OK;
}

static enum grove_status read_segment(struct reading *reading, uint64_t number, bool newest)
{
    struct recovery *recovery = reading->recovery;
    char name[SEGMENT_NAME_SIZE];
    struct segment_scan scan;
    struct bytes image;

    segment_name(number, name);
    int error = file_map_anew(reading->directory, name, &image);
    if (error != 0) {
        return fault_errno(reading->fault, name, "cannot read", error);
    }
    reading->known = recovery->record_count;
    enum grove_status status =
        segment_read(name, image, keep_record, reading, &scan, reading->fault);
    if (status == GROVE_OK && !scan.begun && !newest) {
        fault_set(reading->fault, "%s: offset 0: the header is missing", name);
        status = GROVE_CORRUPT;
    }
    if (status == GROVE_OK && scan.begun) {
        status = follows(reading, name, number, &scan);
    }
    if (status != GROVE_OK || !scan.begun) {
        file_unmap(image);
        return status;
    }
    reading->last = scan;
    recovery->segments[recovery->segment_count++] = (struct recovered_segment){
        .number = number,
        .size = scan.header.size,
        .before = scan.header.start.index,
        .image = image,
    };
    return GROVE_OK;
}

static enum grove_status read_segments(struct reading *reading)
{
    struct recovery *recovery = reading->recovery;
    enum grove_status status = GROVE_OK;
    uint64_t *numbers = NULL;
    size_t count = 0;
    int error = file_list(reading->directory, SEGMENT_PREFIX, &numbers, &count);

    if (error != 0) {
        return fault_errno(reading->fault, "data directory", "cannot read", error);
    }
    recovery->segments = calloc(count + 1, sizeof(*recovery->segments));
    if (recovery->segments == NULL) {
        abort();
    }
    for (size_t i = 0; i < count && status == GROVE_OK; i++) {
        if (i > 0 && numbers[i] != numbers[i - 1] + 1) {
            char missing[SEGMENT_NAME_SIZE];
            segment_name(numbers[i - 1] + 1, missing);
            fault_set(reading->fault, "%s: offset 0: the file is missing", missing);
            status = GROVE_CORRUPT;
            break;
        }
        status = read_segment(reading, numbers[i], i + 1 == count);
    }
    free(numbers);
    return status;
}

/* Holds the log to its promise. */
static enum grove_status check_promise(struct reading *reading)
{
    const struct recovery *recovery = reading->recovery;
    const struct recovered_segment *newest = &recovery->segments[recovery->segment_count - 1];
    struct segment_header oldest;
    char name[SEGMENT_NAME_SIZE];

    segment_name(newest->number, name);
    if (!reading->last.promised) {
        fault_set(reading->fault, "%s: offset %u: no promise slot can be read", name,
                  SEGMENT_SLOT_OFFSET);
        return GROVE_CORRUPT;
    }
    oldest_header(recovery, &oldest);
    const struct chain *promised = &reading->last.promise.end;
    const struct digest *hash = hash_at(recovery, &oldest, recovery->record_count, promised->index);
    if (hash == NULL) {
        fault_set(reading->fault,
                  "%s: offset %zu: the log ends at %" PRIu64 ", %" PRIu64 " was acknowledged: %s",
                  name, reading->last.end_offset, recovery->end.index, promised->index,
                  record_state_text(reading->last.stop));
        return GROVE_CORRUPT;
    }
    if (!digest_equal(hash, &promised->hash)) {
        fault_set(reading->fault, "%s: offset %u: the log is not the promised one", name,
                  SEGMENT_SLOT_OFFSET);
        return GROVE_CORRUPT;
    }
    return GROVE_OK;
}

/* A snapshot from after the end of the log is the leader's, who sent it because the log was far
 * behind; the crash came before the log began anew. What is promised, the snapshot holds. */
static void finish_installing(struct recovery *recovery)
{
    recovery->outrun = true;
    recovery->record_count = 0;
    recovery->end = recovery->snapshot.head.end;
}

/* Does the log bear this snapshot out? A snapshot that contradicts it is never passed over. */
static enum grove_status check_snapshot(const struct reading *reading,
                                        const struct snapshot_head *head)
{
    const struct recovery *recovery = reading->recovery;
    struct segment_header oldest;
    char name[SNAPSHOT_NAME_SIZE];

    snapshot_name(head->end.index, name);
    oldest_header(recovery, &oldest);
    if (!id_equal(&head->ledger, &recovery->ledger)) {
        fault_set(reading->fault, "%s: offset 0: belongs to another ledger", name);
        return GROVE_CORRUPT;
    }
    const struct digest *hash = hash_at(recovery, &oldest, recovery->record_count, head->end.index);
    if (head->end.index > recovery->end.index) {
        return GROVE_OK;
    }
    if (hash == NULL) {
        fault_set(reading->fault,
                  "%s: offset 0: index %" PRIu64 " is outside the log, %" PRIu64 " to %" PRIu64,
                  name, head->end.index, oldest.start.index, recovery->end.index);
        return GROVE_CORRUPT;
    }
    if (!digest_equal(hash, &head->end.hash)) {
        fault_set(reading->fault, "%s: offset 0: not a state of this log", name);
        return GROVE_CORRUPT;
    }
    return GROVE_OK;
}

/* A damaged snapshot keeps its bytes, for whoever looks into it, but never its name. */
static void set_aside(int directory, uint64_t index)
{
    char name[SNAPSHOT_NAME_SIZE];
    char aside[SNAPSHOT_NAME_SIZE + sizeof(".damaged")];

    snapshot_name(index, name);
    snprintf(aside, sizeof(aside), "%s.damaged", name);
    if (renameat(directory, name, directory, aside) == 0) {
        fsync(directory);
    }
}

/* Takes the newest snapshot that can be read, provided that the log goes on from it. */
static enum grove_status choose_snapshot(struct reading *reading, const uint64_t *indexes,
                                         size_t count)
{
    struct recovery *recovery = reading->recovery;
    struct segment_header oldest;
    size_t damaged = 0;

    oldest_header(recovery, &oldest);
    while (damaged < count && indexes[count - 1 - damaged] >= oldest.start.index) {
        enum grove_status status = snapshot_open(reading->directory, indexes[count - 1 - damaged],
                                                 &recovery->snapshot, reading->fault);
        if (status == GROVE_OK) {
            recovery->has_snapshot = true;
            status = check_snapshot(reading, &recovery->snapshot.head);
            if (status != GROVE_OK) {
                return status;
            }
            if (recovery->snapshot.head.end.index > recovery->end.index) {
                finish_installing(recovery);
            }
            break;
        }
        if (status != GROVE_CORRUPT) {
            return status;
        }
        damaged++;
        if (recovery->fallback.text[0] == '\0') {
            recovery->fallback = *reading->fault;
        }
    }
    if (!recovery->has_snapshot && oldest.start.index > 0) {
        if (damaged == 0) {
            fault_set(reading->fault,
                      "no snapshot reaches the log, which begins after index %" PRIu64,
                      oldest.start.index);
        } else {
            *reading->fault = recovery->fallback;
        }
        return GROVE_CORRUPT;
    }
    for (size_t i = 0; i < damaged; i++) {
        set_aside(reading->directory, indexes[count - 1 - i]);
    }
    return GROVE_OK;
}

static enum grove_status read_snapshots(struct reading *reading)
{
    struct recovery *recovery = reading->recovery;
    uint64_t *indexes = NULL;
    size_t count = 0;
    enum grove_status status = GROVE_OK;
    int error = file_list(reading->directory, SNAPSHOT_PREFIX, &indexes, &count);

    if (error != 0) {
        return fault_errno(reading->fault, "data directory", "cannot read", error);
    }
    if (recovery->segment_count > 0) {
        status = choose_snapshot(reading, indexes, count);
    } else if (count > 0) {
        fault_set(reading->fault, "the data directory has snapshots but no segment");
        status = GROVE_CORRUPT;
    }
    free(indexes);
    return status;
}

enum grove_status recovery_read(int directory, struct recovery *recovery, struct fault *fault)
{
    struct reading reading = {.recovery = recovery, .directory = directory, .fault = fault};
    enum grove_status status;

    *recovery = (struct recovery){.empty = false};
    status = read_segments(&reading);
    if (status == GROVE_OK && recovery->segment_count > 0) {
        recovery->ledger = reading.last.header.ledger;
        recovery->promise = reading.last.promise;
        recovery->end = reading.last.end;
        recovery->end_offset = reading.last.end_offset;
        recovery->torn = reading.last.stop != RECORD_ABSENT;
        status = check_promise(&reading);
    }
    if (status == GROVE_OK) {
        status = read_snapshots(&reading);
    }
    if (status == GROVE_OK && file_remove_unfinished(directory) != 0) {
        status = fault_errno(fault, "data directory", "cannot remove unfinished files", errno);
    }
    if (status != GROVE_OK) {
        recovery_clear(recovery);
        return status;
    }
    /* A ledger's first record is promised before anybody hears of it, so a log without one is the
     * work of a crash in the middle of the very first start. */
    recovery->empty = recovery->end.index == 0;
    return GROVE_OK;
}

void recovery_clear(struct recovery *recovery)
{
    snapshot_close(&recovery->snapshot);
    for (size_t i = 0; i < recovery->segment_count; i++) {
        file_unmap(recovery->segments[i].image);
    }
    free(recovery->segments);
    free(recovery->records);
    *recovery = (struct recovery){.empty = false};
}
