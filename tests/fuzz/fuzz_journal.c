/* SPDX-License-Identifier: MPL-2.0
 * Reads segments and snapshots whose bytes are hostile. The first byte of the input says how:
 * even, the rest changes a valid segment, byte by byte, and no record but its own may then be
 * found; odd, the rest is a segment's and a snapshot's image itself. */
#include "core/id.h"
#include "nodes/coordinator/replica/segment.h"
#include "nodes/coordinator/replica/snapshot.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define RECORDS 40u
#define IMAGE_SIZE SEGMENT_SIZE_LEAST

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A valid segment, and what was found in an altered one. */
struct sample {
    uint8_t image[IMAGE_SIZE];
    struct record records[RECORDS];
};

static const struct id ledger = {"a fuzzed ledger"};

static void make_sample(struct sample *sample)
{
    static uint8_t payloads[RECORDS][64];
    struct chain end = chain_of_ledger(&ledger);
    struct segment_header header = {
        .number = 1, .size = IMAGE_SIZE, .ledger = ledger, .start = end};
    struct promise promise = {.term = 1, .end = end};
    struct fault fault;
    int fd = memfd_create("segment", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, IMAGE_SIZE) < 0 ||
        segment_begin(fd, &header, &promise, &fault) != GROVE_OK ||
        pread(fd, sample->image, IMAGE_SIZE, 0) != IMAGE_SIZE) {
        abort();
    }
    close(fd);
    uint8_t *next = sample->image + SEGMENT_RECORDS_OFFSET;
    for (unsigned i = 0; i < RECORDS; i++) {
        struct record_header head;
        struct record *record = &sample->records[i];
        size_t length = (size_t)RECORD_ALIGNMENT * (1 + i % 5);
        memset(payloads[i], (int)i, sizeof(payloads[i]));
        *record = (struct record){.term = 1, .type = 1, .payload = bytes_of(payloads[i], length)};
        record_seal(record, &end, &head);
        memcpy(next, &head, sizeof(head));
        memcpy(next + sizeof(head), payloads[i], length);
        next += sizeof(head) + length;
    }
}

/* A record that is found is the one that was written. */
static void expect_own(void *context, const struct record *found)
{
    const struct sample *sample = context;

    if (found->index == 0 || found->index > RECORDS) {
        abort();
    }
    const struct record *own = &sample->records[found->index - 1];
    if (found->term != own->term || found->type != own->type ||
        !bytes_equal(found->payload, own->payload) || !digest_equal(&found->hash, &own->hash)) {
        abort();
    }
}

static void read_altered(const struct sample *sample, const uint8_t *data, size_t size)
{
    struct sample altered = *sample;
    struct segment_scan scan;
    struct fault fault;

    for (; size >= 3; data += 3, size -= 3) {
        altered.image[(data[0] | (size_t)data[1] << 8) % IMAGE_SIZE] = data[2];
    }
    enum grove_status status = segment_read("fuzzed", bytes_of(altered.image, IMAGE_SIZE),
                                            expect_own, &altered, &scan, &fault);
    if (status == GROVE_OK && scan.begun && scan.promised && scan.promise.end.index != 0) {
        abort();
    }
}

static void read_raw(struct bytes image)
{
    struct segment_scan scan;
    struct snapshot snapshot;
    struct fault fault;

    if (segment_read("fuzzed", image, NULL, NULL, &scan, &fault) == GROVE_OK && scan.begun) {
        abort(); /* nobody guesses a digest */
    }
    if (snapshot_read("fuzzed", image, &snapshot, &fault) == GROVE_OK) {
        abort();
    }
}

static bool is_within(struct bytes part, struct bytes whole)
{
    return part.size <= whole.size && part.data >= whole.data &&
           part.data + part.size <= whole.data + whole.size;
}

static void read_sealed(struct bytes contents)
{
    const uint64_t size = contents.size;
    struct digest digest = digest_of(contents);
    uint8_t *copy = malloc(contents.size + sizeof(size) + sizeof(digest));
    struct snapshot snapshot;
    struct fault fault;

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, contents.data, contents.size);
    memcpy(copy + contents.size, &size, sizeof(size));
    memcpy(copy + contents.size + sizeof(size), &digest, sizeof(digest));
    struct bytes image = bytes_of(copy, contents.size + sizeof(size) + sizeof(digest));
    if (snapshot_read("fuzzed", image, &snapshot, &fault) == GROVE_OK &&
        (!is_within(snapshot.state, image) || !is_within(snapshot.head.configuration, image))) {
        abort();
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sample sample;
    static bool made;

    if (!made) {
        make_sample(&sample);
        made = true;
    }
    if (size == 0) {
        return 0;
    }
    struct bytes rest = bytes_of(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        read_altered(&sample, rest.data, rest.size);
        break;
    case 1:
        read_raw(rest);
        break;
    default:
        read_sealed(rest);
        break;
    }
    return 0;
}
