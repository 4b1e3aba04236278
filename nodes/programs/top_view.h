/* SPDX-License-Identifier: MPL-2.0
 * What `grove top` shows, as lines of text: without a terminal, so that --once prints the same. */
#ifndef GROVE_NODES_PROGRAMS_TOP_VIEW_H
#define GROVE_NODES_PROGRAMS_TOP_VIEW_H

#include "nodes/programs/top_feed.h"

#define TOP_WORD_SIZE 64
#define TOP_UNSORTED SIZE_MAX

struct top_line {
    char *text; /* escaped */
    enum tone tone;
    const json_t *element; /* what it shows, borrowed of the data; NULL: a title */
};

/* Zeroed is empty and valid. */
struct top_lines {
    struct top_line *list;
    size_t count;
};

void top_lines_clear(struct top_lines *lines);

/* Lines of what was written by the print functions. */
void top_lines_add_text(struct top_lines *lines, const char *text);

/* The summary: who leads, how full the slots are, what queues, and how fast it goes. */
void top_summary(struct top_lines *lines, const struct top_data *data);

/* How a pane is shown. */
struct top_pane_view {
    size_t sort; /* column, or TOP_UNSORTED: as it came */
    bool is_reverse;
    char filter[TOP_WORD_SIZE]; /* only rows that hold it; "" */
};

/* A title line, and a line for each row. */
void top_table(struct top_lines *lines, const struct top_data *data, enum top_pane pane,
               const struct top_pane_view *view, uint64_t now_ms);

/* Numbers the greatest first, words in their order. */
struct top_row_order {
    const struct rows *rows;
    const struct top_pane_view *view;
};
int top_row_compare(const void *a, const void *b, void *order);

#endif
