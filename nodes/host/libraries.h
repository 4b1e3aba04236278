/* SPDX-License-Identifier: MPL-2.0
 * The libraries that we were linked to, checked before anything else. */
#ifndef GROVE_NODES_HOST_LIBRARIES_H
#define GROVE_NODES_HOST_LIBRARIES_H

#include "core/status.h"

/* Starts libsodium, and proves that it refuses points outside the group (CVE-2025-69277) and that
 * libzmq speaks CURVE. Call it first, once; a library that is unfit is logged. Takes about 0.1 ms.
 *
 *   errors    GROVE_VERSION: do not go on */
enum grove_status host_check_libraries(void) GROVE_CHECKED;

#endif
