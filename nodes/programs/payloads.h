/* SPDX-License-Identifier: MPL-2.0
 * The inputs of `grove map`: words, or the lines of a file or of stdin, as they come. */
#ifndef GROVE_NODES_PROGRAMS_PAYLOADS_H
#define GROVE_NODES_PROGRAMS_PAYLOADS_H

#include "core/buffer.h"
#include "nodes/grove.h"
#include "nodes/programs/program.h"

struct payloads {
    /* Words ... */
    char **word;
    size_t word_count;
    /* ... or lines. */
    int file; /* -1: words */
    struct buffer input;
    size_t at, seen; /* of input: the next line begins; no newline before */
    bool is_over;    /* nothing more to be read */
    bool was_empty;  /* nothing had come when it was asked last */
    uint64_t lines;
    char complaint[256]; /* why it has stopped */
};

/* By what stands behind ::: or ::::, else stdin. Says what is wrong and returns false. */
bool payloads_open(struct payloads *payloads, const struct arguments *arguments);
void payloads_close(struct payloads *payloads);

/* The next one, borrowed until the one after it.
 *
 *   returns   as grove_stream's next */
enum grove_status payloads_next(struct payloads *payloads, struct grove_bytes *payload);

/* How many there are, or 0 when that is not known. */
size_t payloads_count(const struct payloads *payloads);

#endif
