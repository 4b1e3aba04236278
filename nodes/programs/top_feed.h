/* SPDX-License-Identifier: MPL-2.0
 * What `grove top` shows, asked for by a thread of its own, so that no key waits for the mesh. A
 * coordinator that is gone is asked again until one answers; what was known last stays. */
#ifndef GROVE_NODES_PROGRAMS_TOP_FEED_H
#define GROVE_NODES_PROGRAMS_TOP_FEED_H

#include "nodes/programs/observer.h"
#include "nodes/programs/rows.h"

enum top_pane { TOP_ROOTS, TOP_FUNCTIONS, TOP_WORKERS, TOP_PANES };

/* The rows of each pane. */
extern const struct rows *const top_rows[TOP_PANES];

/* Of one task, beside the lists. */
enum top_detail { TOP_DETAIL_NONE, TOP_DETAIL_TREE, TOP_DETAIL_TASK };

struct top_data {
    json_t *stats;           /* NULL: nobody has answered yet */
    json_t *list[TOP_PANES]; /* answers, of all pages that are shown */
    json_t *detail;          /* a tree, or {"task", "explain"}; NULL: none (yet) */
    uint64_t at_ms;          /* monotonic, when they came */
    uint64_t lost_ms;        /* ... since when nobody answers; 0: somebody does */
    struct {
        double submitted, ended, failed; /* a second */
        bool is_known;
    } rates;
    char news[128]; /* what became of a cancel; "" */
};

void top_data_clear(struct top_data *data);

/* Asks for everything once. EXIT_NO_LEADER, EXIT_REFUSED...: as observer_ask says, on stderr. */
enum exit_code top_data_ask(struct observer *observer, struct top_data *data);

struct feed;

/* Begins to ask, every `delay_ms`.
 *
 *   observer   taken
 *   path       of the credential file, for cancels */
struct feed *feed_open(struct observer *observer, const char *path, uint32_t delay_ms);
void feed_close(struct feed *feed);

/* Readable when there is something new. */
int feed_fd(const struct feed *feed);

/* Moves what is new into `data`, and keeps there what is not. */
void feed_take(struct feed *feed, struct top_data *data);

/* What else is wanted, of the task `id`; comes with the next news, which are hurried. */
void feed_want(struct feed *feed, enum top_detail detail, const char *id);

/* Cancels a task and all below it, when its turn comes. */
void feed_cancel(struct feed *feed, const char *id);

#endif
