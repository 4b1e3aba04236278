/* SPDX-License-Identifier: MPL-2.0
 * How long things took: counts by length, in buckets whose ends are at most a quarter apart. */
#ifndef GROVE_CORE_DURATIONS_H
#define GROVE_CORE_DURATIONS_H

#include <stddef.h>
#include <stdint.h>

/* 0 to 7 ms exactly, then four buckets to each doubling; from 2^32 ms, 49 days, on: the last. */
#define DURATIONS_BUCKETS 124u

/* Zeroed is empty. */
struct durations {
    uint64_t count[DURATIONS_BUCKETS];
    uint64_t total;  /* of all buckets */
    uint64_t sum_ms; /* exact */
};

void durations_add(struct durations *durations, uint64_t ms);

/* The longest that a bucket counts, ms; UINT64_MAX of the last. */
uint64_t durations_limit_ms(unsigned bucket);

/* So long were at most `per_mille` of them, rounded up to the end of a bucket; 0 of none. */
uint64_t durations_quantile_ms(const struct durations *durations, unsigned per_mille);

/* How many were at most as long as the bucket that holds `ms`: exact where a bucket ends there. */
uint64_t durations_up_to(const struct durations *durations, uint64_t ms);

#endif
