/* SPDX-License-Identifier: MPL-2.0
 * Under which id a disk takes part in its ledger, kept beside that. It was made when the disk
 * began, and goes with it: one whose disk was lost has forgotten what it voted and acknowledged,
 * and never comes back under the old id. */
#ifndef GROVE_COORDINATOR_MEMBER_ID_H
#define GROVE_COORDINATOR_MEMBER_ID_H

#include <stdint.h>

#include "core/status.h"

/* Reads it.
 *
 *   fresh     written in a directory that holds no ledger, made when it is not there; 0: nothing is
 *             written
 *   id        0: there is none: a ledger from before it was kept, or an empty directory
 *   errors    GROVE_IO, GROVE_PERMISSION, GROVE_FULL; GROVE_CORRUPT: it cannot be read as one */
enum grove_status member_id_take(const char *directory, uint64_t fresh, uint64_t *id) GROVE_CHECKED;

#endif
