/* SPDX-License-Identifier: MPL-2.0
 * The only place that reads a clock. */
#ifndef GROVE_NODES_HOST_CLOCK_H
#define GROVE_NODES_HOST_CLOCK_H

#include <stdint.h>

/* Since some moment in the past; never goes back. */
uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_ns(void);

/* Since 1970, UTC; an operator may set it back. */
uint64_t clock_unix_ms(void);

#endif
