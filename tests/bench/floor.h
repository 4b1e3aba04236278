/* SPDX-License-Identifier: MPL-2.0
 * What a run cannot avoid, measured on this machine in the same run: never a constant. */
#ifndef GROVE_TESTS_BENCH_FLOOR_H
#define GROVE_TESTS_BENCH_FLOOR_H

#include <stdint.h>

struct floor_parts {
    double sync_us; /* pwrite of 4 KiB and fdatasync in a preallocated file, median */
    double sign_us; /* Ed25519 over a seal's message */
    double verify_us;
    double hash_us; /* H of a 200-byte item */
    double
        curve_round_trip_us; /* one small frame there and back, DEALER to ROUTER, CURVE, median */
    double curve_byte_ns;    /* sealing or opening one byte in frames of 32 KiB, one side */
    double journal_byte_ns;  /* writing and syncing one byte in groups of 256 KiB */
    double raw_broker_rate; /* tasks/s through a plaintext ROUTER-ROUTER broker, 1,000 in flight, 64
                               B */
};

/* Measures all parts; `directory` is where the journal would be. Takes about five seconds. */
void floor_measure(const char *directory, struct floor_parts *parts);

/* Tasks/s through a broker that forwards single plaintext frames and keeps nothing. */
double raw_broker_rate(unsigned in_flight, unsigned payload_size, unsigned tasks);

/* Seconds that plain sockets take for so many tasks of `item_us` each, `limit` of them at a time.
 */
double raw_window_seconds(unsigned tasks, unsigned limit, unsigned item_us);

#endif
