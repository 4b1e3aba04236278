/* SPDX-License-Identifier: MPL-2.0
 * The workloads of DESIGN section 12 that are joins. */
#ifndef GROVE_TESTS_BENCH_JOINS_H
#define GROVE_TESTS_BENCH_JOINS_H

#include "nodes/grove.h"

/* Names the handlers that the workloads need: gather (payload: N echoes), nap (payload: us). */
enum grove_status joins_handle(struct grove_worker *worker);

/* Median milliseconds of a task whose handler gathers `children` echoes. */
double joins_gather(struct grove_client *client, unsigned children, unsigned rounds);

/* Seconds of a map of `items` naps, `limit` at a time; its median over `rounds`. */
double joins_map(struct grove_client *client, unsigned items, unsigned limit, unsigned item_us,
                 unsigned rounds);

/* Streams a map of `items` echoes; seconds. Exits when an outcome is missing or out of order. */
double joins_stream(struct grove_client *client, uint64_t items, unsigned limit);

#endif
