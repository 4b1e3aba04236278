/* SPDX-License-Identifier: MPL-2.0
 * The numbers and bytes that a snapshot is made of: written through a sink, read from a slice. */
#ifndef GROVE_CORE_STREAM_H
#define GROVE_CORE_STREAM_H

#include "core/bytes.h"
#include "core/forest.h"

/* Gathers what is written, so that the sink is called with pieces worth a call.  Allocates nothing.
 */
struct stream_writer {
    snapshot_sink *sink;
    void *context;
    bool failed; /* the sink gave up; what is written after that goes nowhere */
    size_t size;
    uint8_t piece[8192];
};

void stream_write_uint(struct stream_writer *writer, uint64_t value); /* a varint */
void stream_write_int(struct stream_writer *writer, int64_t value);   /* zigzag */
void stream_write_bool(struct stream_writer *writer, bool value);
void stream_write_raw(struct stream_writer *writer, const void *data, size_t size);
void stream_write_bytes(struct stream_writer *writer, struct bytes bytes); /* with its size */

/* Hands over what is left; false when the sink gave up at any time. */
bool stream_flush(struct stream_writer *writer);

/* Reads what may be anything.  The first read that fails sets `failed`, and from then on each gives
 * 0, false or empty, so that a reader checks once, before it acts on what it read. */
struct stream_reader {
    struct bytes rest;
    bool failed;
};

uint64_t stream_read_uint(struct stream_reader *reader, uint64_t most); /* fails above `most` */
int64_t stream_read_int(struct stream_reader *reader, int64_t least, int64_t most);
bool stream_read_bool(struct stream_reader *reader);
void stream_read_raw(struct stream_reader *reader, void *data, size_t size); /* zeroes on failure */
struct bytes stream_read_bytes(struct stream_reader *reader, size_t most);   /* borrows */

/* How many elements follow, of at least `size` bytes each: fails when they cannot be there. */
size_t stream_read_count(struct stream_reader *reader, uint64_t most, size_t size);

/* Fails for a reason that the caller found. */
void stream_fail(struct stream_reader *reader);

#endif
