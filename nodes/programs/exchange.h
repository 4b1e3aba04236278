/* SPDX-License-Identifier: MPL-2.0
 * One errand on its way: its inputs are given as long as there are some, its outcomes are taken as
 * they come, both at a time. */
#ifndef GROVE_NODES_PROGRAMS_EXCHANGE_H
#define GROVE_NODES_PROGRAMS_EXCHANGE_H

#include "nodes/programs/node.h"

struct exchange {
    /* Gives the next input; NULL: the errand has none.
     *
     *   returns   GROVE_OK; GROVE_CLOSED: there are no more; GROVE_BUSY: none now, ask again;
     *             anything else ends the exchange */
    enum grove_status (*give)(void *context, struct grove_task *task);
    /* Takes an outcome, which borrows; anything but GROVE_OK ends the exchange. */
    enum grove_status (*take)(void *context, const struct errand_outcome *outcome);
    void *context;
    uint64_t timeout_ms; /* of all; GROVE_FOREVER */
};

/* Does it.
 *
 *   conclusion   out: borrows from the node until the next exchange
 *   errors       those of give and take; GROVE_TIMEOUT; GROVE_CLOSED: the attempt has ended;
 *                GROVE_MALFORMED: the node makes no sense. The connection is then closed: the
 * errand ends */
enum grove_status exchange(struct node *node, const struct errand *errand,
                           const struct exchange *how, struct errand_conclusion *conclusion)
    GROVE_CHECKED;

/* Writes an outcome as grove.h has it; returns its status. What is not NULL is always written. */
enum grove_status exchange_write(const struct errand_outcome *outcome, struct grove_result *result,
                                 struct grove_failure *failure);

/* What a conclusion says went wrong; GROVE_OK: nothing. */
enum grove_status exchange_failure(const struct errand_conclusion *conclusion,
                                   struct grove_failure *failure);

#endif
