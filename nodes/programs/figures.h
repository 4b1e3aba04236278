/* SPDX-License-Identifier: MPL-2.0
 * Figures for people: how long, and what is usual among many. */
#ifndef GROVE_NODES_PROGRAMS_FIGURES_H
#define GROVE_NODES_PROGRAMS_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#define DURATION_TEXT_SIZE 32

/* "850 ms", "1.24 s", "3 min 20 s", "2 h 05 min", "3 d 4 h"; returns `text`. */
const char *duration_text(uint64_t ms, char text[DURATION_TEXT_SIZE]);

/* Sorts `values`; then percentile may be asked of them. */
void percentiles_prepare(uint64_t *values, size_t count);

/* The least value that so many percent of the sorted `values` do not exceed; 0 of none.
 *
 *   source    the nearest-rank method */
uint64_t percentile(const uint64_t *values, size_t count, unsigned percent);

#endif
