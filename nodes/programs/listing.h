/* SPDX-License-Identifier: MPL-2.0
 * Rows under titles, each column as wide as its widest cell. */
#ifndef GROVE_NODES_PROGRAMS_LISTING_H
#define GROVE_NODES_PROGRAMS_LISTING_H

#include "core/buffer.h"
#include "nodes/programs/look.h"

struct column {
    const char *title;
    bool is_number; /* to the right */
};

struct listing {
    struct look look;
    const struct column *columns; /* borrowed */
    size_t column_count;
    struct buffer cells; /* of struct cell */
};

void listing_init(struct listing *listing, const struct look *look, const struct column *columns,
                  size_t column_count);
void listing_clear(struct listing *listing);

/* Adds the next cell of the row; a row is full when it has one for each column. The text is from
 * outside, and is printed as print_text does. */
void listing_add(struct listing *listing, enum tone tone, const char *text);
void listing_add_number(struct listing *listing, int64_t number);

/* The titles, and the rows that are full; nothing when there is none. The last column is not
 * filled up. */
void listing_print(const struct listing *listing, FILE *out);

/* Text as print_text writes it; the caller frees it. */
char *text_escaped(const char *text);

/* The columns that escaped text takes: a character's later bytes take none. */
size_t text_columns(const char *text);

#endif
