/* SPDX-License-Identifier: MPL-2.0
 * How far a join is, on stderr: a bar on a terminal, and else a line now and then. And whether the
 * user has had enough: an interrupt asks the join to stop. */
#ifndef GROVE_NODES_PROGRAMS_PROGRESS_H
#define GROVE_NODES_PROGRAMS_PROGRESS_H

#include <stdatomic.h>

#include "nodes/grove.h"
#include "nodes/programs/look.h"
#include "nodes/programs/signals.h"

struct progress {
    struct look look;
    bool is_silent; /* within a command, whose stderr is for what goes wrong */
    bool is_terminal, is_drawn;
    uint64_t started_ms, drawn_ms, due_ms; /* monotonic */
    uint64_t drawn_done;
    uint64_t total; /* inputs, when that is known before the end; else 0 */
    double rate;    /* a second, smoothed */
    struct grove_join_progress last;
    bool is_watching; /* for interrupts */
    struct signals signals;
    atomic_bool is_interrupted;

    uint64_t idle_ms, idle_done; /* since when nothing runs, and what had ended by then */
    uint64_t ask_ms;             /* when the mesh is asked why */
    const char *path;            /* whose credential asks; NULL: it is not asked */
    char *why;                   /* as it was said last */
};

/* Before the first thread of the process.
 *
 *   key   of the join, or NULL: with one an interrupt ends this process and leaves the join,
 * to be gone on with */
void progress_begin(struct progress *progress, const struct arguments *arguments, const char *key);

/* Takes the bar away; ends the watch for interrupts. */
void progress_end(struct progress *progress);

/* For grove_join_options: `context` is a struct progress. GROVE_CANCELLED: interrupted. */
enum grove_status progress_show(void *context, const struct grove_join_progress *now);

/* Makes room for other output. */
void progress_hide(struct progress *progress);

#endif
