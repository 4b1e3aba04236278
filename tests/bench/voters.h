/* SPDX-License-Identifier: MPL-2.0
 * Three coordinators beside one, in one run: all of them share this machine's cores and disk. */
#ifndef GROVE_TESTS_BENCH_VOTERS_H
#define GROVE_TESTS_BENCH_VOTERS_H

/* Measures W1 to W6 with each, in turn, and prints a row for each workload: the medians and the
 * ratio of speeds, which shall be half at least. Returns 0, or 1 when one of them missed that. */
int voters_compare(const char *grove);

#endif
