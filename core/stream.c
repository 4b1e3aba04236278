/* SPDX-License-Identifier: MPL-2.0
 * Numbers and bytes, out and in. */
#include "core/stream.h"

#include "core/field.h"

#define VARINT_SIZE 10u

/* ---- writing */

static void hand_over(struct stream_writer *writer, const void *data, size_t size)
{
    if (!writer->failed && size > 0) {
        writer->failed = !writer->sink(writer->context, data, size);
    }
}

bool stream_flush(struct stream_writer *writer)
{
    hand_over(writer, writer->piece, writer->size);
    writer->size = 0;
    return !writer->failed;
}

/* Makes room for `size` more bytes in the piece, which is far larger. */
static uint8_t *extend(struct stream_writer *writer, size_t size)
{
    if (writer->size + size > sizeof(writer->piece)) {
        (void)stream_flush(writer);
    }
    return writer->piece + writer->size;
}

void stream_write_uint(struct stream_writer *writer, uint64_t value)
{
    uint8_t *end = field_write_varint(extend(writer, VARINT_SIZE), value);

    writer->size = (size_t)(end - writer->piece);
}

void stream_write_int(struct stream_writer *writer, int64_t value)
{
    stream_write_uint(writer, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

void stream_write_bool(struct stream_writer *writer, bool value)
{
    stream_write_uint(writer, value);
}

void stream_write_raw(struct stream_writer *writer, const void *data, size_t size)
{
    if (size > sizeof(writer->piece) / 2) {
        (void)stream_flush(writer);
        hand_over(writer, data, size);
        return;
    }
    uint8_t *at = extend(writer, size);
    if (size > 0) {
        memcpy(at, data, size);
        writer->size += size;
    }
}

void stream_write_bytes(struct stream_writer *writer, struct bytes bytes)
{
    stream_write_uint(writer, bytes.size);
    stream_write_raw(writer, bytes.data, bytes.size);
}

/* ---- reading */

void stream_fail(struct stream_reader *reader)
{
    reader->failed = true;
    reader->rest = (struct bytes){0};
}

static uint64_t take_varint(struct stream_reader *reader)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < VARINT_SIZE && i < reader->rest.size; i++) {
        const uint64_t byte = reader->rest.data[i];
        if (i == VARINT_SIZE - 1 && byte > 1) {
            break;
        }
        sum |= (byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            reader->rest = bytes_of(reader->rest.data + i + 1, reader->rest.size - i - 1);
            return sum;
        }
    }
    stream_fail(reader);
    return 0;
}

uint64_t stream_read_uint(struct stream_reader *reader, uint64_t most)
{
    const uint64_t value = take_varint(reader);

    if (value > most) {
        stream_fail(reader);
        return 0;
    }
    return value;
}

int64_t stream_read_int(struct stream_reader *reader, int64_t least, int64_t most)
{
    const uint64_t folded = take_varint(reader);
    const int64_t value = (int64_t)(folded >> 1) ^ -(int64_t)(folded & 1);

    if (value < least || value > most) {
        stream_fail(reader);
        return 0;
    }
    return value;
}

bool stream_read_bool(struct stream_reader *reader)
{
    return stream_read_uint(reader, 1) == 1;
}

static struct bytes take(struct stream_reader *reader, size_t size)
{
    if (size > reader->rest.size) {
        stream_fail(reader);
    }
    if (reader->failed || size == 0) {
        return (struct bytes){0};
    }
    const struct bytes taken = bytes_of(reader->rest.data, size);
    reader->rest = bytes_of(reader->rest.data + size, reader->rest.size - size);
    return taken;
}

void stream_read_raw(struct stream_reader *reader, void *data, size_t size)
{
    const struct bytes taken = take(reader, size);

    if (taken.data) {
        memcpy(data, taken.data, size);
    } else {
        memset(data, 0, size);
    }
}

struct bytes stream_read_bytes(struct stream_reader *reader, size_t most)
{
    return take(reader, (size_t)stream_read_uint(reader, most));
}

size_t stream_read_count(struct stream_reader *reader, uint64_t most, size_t size)
{
    const uint64_t count = stream_read_uint(reader, most);

    if (count > reader->rest.size / size) {
        stream_fail(reader);
        return 0;
    }
    return (size_t)count;
}
