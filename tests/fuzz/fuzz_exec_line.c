/* SPDX-License-Identifier: MPL-2.0
 * What commands write on fd 3, or as their answer: nothing is read past the end, however the stream
 * is cut the lines are the same, and what a line says is within its bounds. */
#include "nodes/worker/exec_line.h"
#include "nodes/worker/lines.h"

#include <assert.h>

#include "core/text.h"

#define MOST 1024u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct bytes line, struct buffer *all)
{
    struct exec_line read = {.kind = EXEC_LINE_RUBBISH};

    assert(line.size <= MOST);
    exec_line_read(line, &read);
    assert(read.percent <= 100);
    assert(text_is_valid(buffer_bytes(&read.text)) && text_is_valid(buffer_bytes(&read.id)));
    assert(read.bytes.size <= MOST);
    exec_line_clear(&read);
    buffer_append(all, line.data, line.size);
    buffer_append(all, "\n", 1);
}

/* All lines of the stream, given in pieces of a size. */
static void cut(struct bytes stream, size_t piece, struct buffer *all, uint64_t *skipped)
{
    struct lines lines = {.most = MOST};
    struct bytes line;

    for (size_t at = 0; at < stream.size; at += piece) {
        const size_t left = stream.size - at;

        lines_add(&lines, bytes_of(stream.data + at, left < piece ? left : piece));
        while (lines_next(&lines, &line)) {
            check(line, all);
        }
        assert(lines.pending.size - lines.taken <= MOST + piece);
    }
    *skipped = lines.skipped;
    lines_clear(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes stream = bytes_of(data, size);
    struct buffer whole = {0};
    struct buffer pieces = {0};
    uint64_t skipped[2] = {0, 0};

    cut(stream, size > 0 ? size : 1, &whole, &skipped[0]);
    cut(stream, 1 + size % 7, &pieces, &skipped[1]);
    assert(bytes_equal(buffer_bytes(&whole), buffer_bytes(&pieces)) && skipped[0] == skipped[1]);
    buffer_clear(&whole);
    buffer_clear(&pieces);
    return 0;
}
