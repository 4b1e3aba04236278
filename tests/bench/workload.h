/* SPDX-License-Identifier: MPL-2.0
 * The workloads of DESIGN section 12, each through libgrove alone. */
#ifndef GROVE_TESTS_BENCH_WORKLOAD_H
#define GROVE_TESTS_BENCH_WORKLOAD_H

#include "nodes/grove.h"

/* Opens the client of the credential or exits with the reason. */
struct grove_client *workload_client(const char *credential, unsigned spin_us);

/* Median microseconds of a task's round trip, one at a time; with the 99th percentile. */
double workload_round_trip(struct grove_client *client, unsigned tasks, double *p99_us);

/* Tasks per second, submitted and awaited, `in_flight` of them at any time. */
double workload_stream(struct grove_client *client, unsigned in_flight, unsigned tasks);

/* Median microseconds of a step of a parent that awaits `steps` children in turn, over `parents`.
 */
double workload_chain(struct grove_client *client, unsigned steps, unsigned parents);

/* Tasks per second acknowledged, of a function that nobody offers. */
double workload_enqueue(struct grove_client *client, unsigned tasks);

/* Tasks per second of `clients` clients with a session each, one task at a time each. */
double workload_crowd(const char *credential, unsigned clients, unsigned tasks_each);

#endif
