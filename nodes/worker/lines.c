/* SPDX-License-Identifier: MPL-2.0
 * Lines: never more is kept than one may be long, and what was added last. */
#include "nodes/worker/lines.h"

static void drop_taken(struct lines *lines)
{
    struct buffer *pending = &lines->pending;

    if (lines->taken > 0) {
        pending->size -= lines->taken;
        memmove(pending->data, pending->data + lines->taken, pending->size);
        lines->scanned -= lines->taken;
        lines->taken = 0;
    }
}

void lines_add(struct lines *lines, struct bytes bytes)
{
    drop_taken(lines);
    if (bytes.size > 0) {
        buffer_append(&lines->pending, bytes.data, bytes.size);
    }
}

/* What is there of a line that has not ended: too long already, it need not be kept. */
static void keep_rest(struct lines *lines)
{
    lines->scanned = lines->pending.size;
    if (lines->scanned - lines->taken > lines->most) {
        lines->is_skipping = true;
    }
    if (lines->is_skipping) {
        lines->taken = lines->scanned;
    }
}

bool lines_next(struct lines *lines, struct bytes *line)
{
    const struct buffer *pending = &lines->pending;

    while (lines->scanned < pending->size) {
        const uint8_t *from = pending->data + lines->taken;
        const uint8_t *end =
            memchr(pending->data + lines->scanned, '\n', pending->size - lines->scanned);
        bool is_whole;

        if (!end) {
            keep_rest(lines);
            return false;
        }
        is_whole = !lines->is_skipping && (size_t)(end - from) <= lines->most;
        lines->is_skipping = false;
        lines->scanned = lines->taken = (size_t)(end + 1 - pending->data);
        if (is_whole) {
            *line = bytes_of(from, (size_t)(end - from));
            return true;
        }
        lines->skipped++;
    }
    return false;
}

bool lines_are_amid(const struct lines *lines)
{
    return lines->is_skipping || lines->pending.size > lines->taken;
}

void lines_clear(struct lines *lines)
{
    buffer_clear(&lines->pending);
    *lines = (struct lines){.most = lines->most};
}
