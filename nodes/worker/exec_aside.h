/* SPDX-License-Identifier: MPL-2.0
 * What the command of an attempt says beside its result, on fd 3: how far it is, lines for the log,
 * a checkpoint, why it will fail. However much that is, it costs the worker little: so many bytes a
 * second are read, so many lines logged, one checkpoint a second kept. The thread that awaits the
 * command. */
#ifndef GROVE_NODES_WORKER_EXEC_ASIDE_H
#define GROVE_NODES_WORKER_EXEC_ASIDE_H

#include "nodes/worker/attempt.h"
#include "nodes/worker/exec_line.h"
#include "nodes/worker/lines.h"

#define ASIDE_RATE (1024 * (size_t)1024) /* bytes a second that are read; then it must wait */
#define ASIDE_BURST (2 * EXEC_LINE_SIZE) /* ... or this many at once */
#define ASIDE_LOGS 100u                  /* lines of log at once; beyond that, dropped ... */
#define ASIDE_LOG_EVERY_MS 100u          /* ... but one each so often */
#define ASIDE_CHECKPOINT_EVERY_MS 1000u  /* of those between, the last is kept */

struct aside {
    struct grove_attempt *attempt;
    struct lines lines;
    size_t budget; /* bytes that may be read now */
    uint64_t budget_ms;
    uint64_t logs; /* lines that may be logged now */
    uint64_t logs_ms;
    uint64_t dropped; /* lines of log */
    uint64_t rubbish; /* lines */
    struct buffer checkpoint;
    bool has_checkpoint; /* one that nobody has yet */
    struct call *keeping;
    uint64_t keep_ms; /* when the next may be kept */
};

void aside_begin(struct aside *aside, struct grove_attempt *attempt, uint64_t now_ms);

/* Whether more is to be read now. */
bool aside_listens(const struct aside *aside);

/* Tells the attempt what an error line foretells. */
void aside_foretell(struct grove_attempt *attempt, const struct exec_line *line);

void aside_take(struct aside *aside, struct bytes bytes, uint64_t now_ms);

/* Does what is due, and says when to come again: UINT64_MAX, when there is nothing to do. */
uint64_t aside_tick(struct aside *aside, uint64_t now_ms);

/* The command has ended: its last checkpoint is kept, if another attempt may want it. */
enum aside_end { ASIDE_SUCCEEDED, ASIDE_FAILED };
void aside_end(struct aside *aside, enum aside_end end);

#endif
