/* SPDX-License-Identifier: MPL-2.0
 * Tasks as they were signed, fetched and verified: what a retry submits again. */
#ifndef GROVE_NODES_PROGRAMS_FETCH_H
#define GROVE_NODES_PROGRAMS_FETCH_H

#include "core/item.h"
#include "core/refusal.h"
#include "nodes/host/credential.h"
#include "nodes/programs/program.h"

/* What is known of one of them. */
struct fetched_task {
    size_t i;              /* which of those that were asked for */
    enum refusal refusal;  /* REFUSED_NOT: it was fetched, and the rest is there */
    struct task_item item; /* borrowed for the call */
    bool has_ended;
    enum outcome_code code;
};

/* Fetches tasks over one session, several at a time, and hands them over as they come. A seal that
 * does not verify, or an item that has another id than was asked for, ends it all: the coordinator
 * lies.
 *
 *   path      of the credential file, for complaints
 *   returns   EXIT_DONE when all were answered; the reason of anything else is on stderr */
enum exit_code fetch_tasks(const struct credential *credential, const char *path,
                           const struct id *ids, size_t count,
                           void (*take)(void *context, const struct fetched_task *task),
                           void *context) GROVE_CHECKED;

#endif
