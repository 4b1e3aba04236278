/* SPDX-License-Identifier: MPL-2.0
 * When the disk of a coordinator began, kept beside its ledger. It is part of the coordinator's id:
 * one whose disk was lost has forgotten what it voted and acknowledged, and never comes back under
 * the old id. */
#ifndef GROVE_COORDINATOR_BIRTH_H
#define GROVE_COORDINATOR_BIRTH_H

#include <stdint.h>

#include "core/status.h"

/* Reads it.
 *
 *   now       seconds: writes a new one in a directory that holds no ledger, made when it is not
 *             there; 0: writes nothing
 *   birth     0: there is none: a ledger from before it was kept, or an empty directory
 *   errors    GROVE_IO, GROVE_PERMISSION, GROVE_FULL; GROVE_CORRUPT: it cannot be read as one */
enum grove_status birth_take(const char *directory, uint32_t now, uint32_t *birth) GROVE_CHECKED;

#endif
