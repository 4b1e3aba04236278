/* SPDX-License-Identifier: MPL-2.0
 * What grove doctor finds, in the order in which it looks. */
#ifndef GROVE_NODES_PROGRAMS_DOCTOR_H
#define GROVE_NODES_PROGRAMS_DOCTOR_H

#include <jansson.h>

#include "nodes/host/credential.h"
#include "nodes/programs/program.h"

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_BAD };

struct findings {
    json_t *list; /* of {check, verdict, text, help} */
    enum verdict worst;
};

/* Notes what a check has found.
 *
 *   help     what to do about it; NULL: nothing */
void find(struct findings *findings, const char *check, enum verdict verdict, const char *help,
          const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Whether each coordinator of the credential can be reached and lets it in; whether the leader
 * welcomes it, and what its clock says. */
void doctor_mesh(const struct credential *credential, const char *path, struct findings *findings);

/* Disk, permissions and room of a coordinator's data directory. */
void doctor_directory(const char *path, struct findings *findings);

/* What this process may use. */
void doctor_limits(uint32_t roles, struct findings *findings);

#endif
