/* SPDX-License-Identifier: MPL-2.0
 * Whose outcomes are awaited, and the judging of those that come: nothing that fails verification
 * is ever returned. */
#ifndef GROVE_NODES_CLIENT_OUTCOMES_H
#define GROVE_NODES_CLIENT_OUTCOMES_H

#include "nodes/client/call.h"
#include "nodes/client/session.h"

TAILQ_HEAD(request_list, request);

struct outcomes {
    struct session *session;    /* its trust says who may sign what */
    struct seal_cache *seals;   /* of results and verdicts */
    uint8_t hash_key[16];       /* of tables that are filled from outside */
    struct table by_id;         /* struct request; further ones of one id hang on its first */
    struct request_list list;   /* the firsts */
    struct call_queue finished; /* calls that ended; the owner wakes their threads */
    uint64_t refused;           /* outcomes that failed verification */
};

void outcomes_init(struct outcomes *outcomes, struct session *session);
void outcomes_clear(struct outcomes *outcomes);

/* Awaits request->id for it; forgets it again. Forgetting one that is not awaited does nothing. */
void outcomes_await(struct outcomes *outcomes, struct request *request);
void outcomes_forget(struct outcomes *outcomes, struct request *request);

/* Takes what a Notify brings: verifies each outcome, ends who awaits it. */
void outcomes_take(struct outcomes *outcomes, const struct notify *notify);

/* Ends whoever awaits `id`, with a failure. */
void outcomes_fail(struct outcomes *outcomes, const struct id *id, struct failing *failing);

#endif
