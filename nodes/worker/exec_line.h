/* SPDX-License-Identifier: MPL-2.0
 * What a command says in one line of JSON: on fd 3 while it works, and, when it stays for more than
 * one attempt, on stdout at the end of each. The manual has them all. */
#ifndef GROVE_NODES_WORKER_EXEC_LINE_H
#define GROVE_NODES_WORKER_EXEC_LINE_H

#include "core/buffer.h"
#include "nodes/host/log.h"

/* Any 1 MiB fits as base64. */
#define EXEC_LINE_SIZE (2 * (size_t)1024 * 1024)

enum exec_line_kind {
    EXEC_LINE_RUBBISH, /* no JSON object, or none of the following */
    EXEC_LINE_PROGRESS,
    EXEC_LINE_LOG,
    EXEC_LINE_CHECKPOINT,
    EXEC_LINE_RESULT,
    EXEC_LINE_ERROR,
};

struct exec_line {
    enum exec_line_kind kind;
    unsigned percent;     /* progress: 0 to 100 */
    enum log_level level; /* log */
    bool is_permanent;    /* error: no attempt will do better */
    struct buffer text;   /* progress, log, error: UTF-8, ended by a NUL that size does not count */
    struct buffer bytes;  /* checkpoint, result, error */
    struct buffer id;     /* what it answers; "" when it does not say; ended like text */
};

/* Reads a line, hostile and at most EXEC_LINE_SIZE long, into a zeroed struct; rubbish is a kind.
 */
void exec_line_read(struct bytes line, struct exec_line *read);
void exec_line_clear(struct exec_line *read);

#endif
