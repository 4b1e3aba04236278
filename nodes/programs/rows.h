/* SPDX-License-Identifier: MPL-2.0
 * The rows of lists of roots, functions and workers, as JSON of the stats socket gives them. */
#ifndef GROVE_NODES_PROGRAMS_ROWS_H
#define GROVE_NODES_PROGRAMS_ROWS_H

#include <jansson.h>

#include "nodes/programs/listing.h"

#define ROWS_COLUMNS_MOST 16u

/* One kind of row. */
struct rows {
    const char *name;    /* the list's, in an answer */
    const char *request; /* that is answered by it */
    const char *key;     /* the member that tells one from another */
    struct column columns[ROWS_COLUMNS_MOST];
    /* What a column is sorted by: "member" or "object.member"; NULL: by nothing. */
    const char *member[ROWS_COLUMNS_MOST];
    size_t column_count;
    void (*add)(struct listing *listing, const json_t *element, uint64_t now_ms);
};

extern const struct rows root_rows, function_rows, worker_rows;

/* The value that a row is sorted by in a column, or NULL. */
const json_t *rows_value(const struct rows *rows, size_t column, const json_t *element);

#endif
