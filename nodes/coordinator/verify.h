/* SPDX-License-Identifier: MPL-2.0
 * What is dear about a message, done beside the loop: bodies decoded, seals opened, ids and digests
 * computed, the ledger command encoded. */
#ifndef GROVE_COORDINATOR_VERIFY_H
#define GROVE_COORDINATOR_VERIFY_H

#include "nodes/coordinator/job.h"

struct verifier {
    struct key mesh;
};

/* Fills in what the pool owes a job: its commands, or the refusal of the whole message.
 *
 *   context   a struct verifier, only read
 *   job       its body is hostile */
void verify_job(void *context, struct job *job);

#endif
