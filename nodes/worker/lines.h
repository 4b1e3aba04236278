/* SPDX-License-Identifier: MPL-2.0
 * Lines out of a stream of bytes that somebody else writes: one that is too long is passed over. */
#ifndef GROVE_NODES_WORKER_LINES_H
#define GROVE_NODES_WORKER_LINES_H

#include <stdint.h>

#include "core/buffer.h"

/* Set `most`; the rest zeroed is empty. */
struct lines {
    size_t most; /* bytes of a line without its end */
    struct buffer pending;
    size_t taken;     /* of pending: lines that were given out */
    size_t scanned;   /* of pending: no end of a line before that, but of those taken */
    bool is_skipping; /* in a line that is too long */
    uint64_t skipped; /* lines that were too long */
};

/* Takes what was read. */
void lines_add(struct lines *lines, struct bytes bytes);

/* The next whole line, without its end; borrowed until the next lines_add. False: none yet. */
bool lines_next(struct lines *lines, struct bytes *line);

/* Whether a line has begun that has not ended. */
bool lines_are_amid(const struct lines *lines);

/* Releases its memory; leaves it empty and valid. */
void lines_clear(struct lines *lines);

#endif
