/* SPDX-License-Identifier: MPL-2.0
 * Why the ledger cannot be opened or written: a sentence that names file and offset, for the line
 * with which the process exits. */
#ifndef GROVE_COORDINATOR_REPLICA_FAULT_H
#define GROVE_COORDINATOR_REPLICA_FAULT_H

#include "core/status.h"

struct fault {
    char text[256]; /* NUL-terminated; empty when nothing is wrong */
};

/* Sets the text, cut to its room. */
void fault_set(struct fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the text to "<name>: <action>: <text of error>".
 *
 *   returns   GROVE_FULL for no space, quota and file size limit, GROVE_PERMISSION, else GROVE_IO
 */
enum grove_status fault_errno(struct fault *fault, const char *name, const char *action, int error);

#endif
