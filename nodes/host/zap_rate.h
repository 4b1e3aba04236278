/* SPDX-License-Identifier: MPL-2.0
 * How often strangers may knock before they are no longer worth a line in the log: token buckets,
 * one for each source address and one for all. */
#ifndef GROVE_NODES_HOST_ZAP_RATE_H
#define GROVE_NODES_HOST_ZAP_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define ZAP_RATE_SOURCE 20u /* a second from one address, ... */
#define ZAP_RATE_BURST 5u   /* ... so many at once */
#define ZAP_RATE_ALL 200u   /* a second in all, and at once */
#define ZAP_RATE_SOURCES 256u

struct zap_bucket {
    char address[46]; /* INET6_ADDRSTRLEN */
    uint64_t thousandths;
    uint64_t at_ms;
};

/* Zeroed is valid: all buckets are full. */
struct zap_rate {
    struct zap_bucket all;
    struct zap_bucket source[ZAP_RATE_SOURCES];
};

/* Takes a token for one knock; false: over the rate. Two addresses that share a place push each
 * other out, which gives away a burst, never more than the rate of all.
 *
 *   now_ms   monotonic, from 1 */
bool zap_rate_take(struct zap_rate *rate, const char *address, uint64_t now_ms);

#endif
