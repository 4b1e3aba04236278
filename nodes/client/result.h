/* SPDX-License-Identifier: MPL-2.0
 * What a call hands to its caller: results and failures, each in one allocation of its own. */
#ifndef GROVE_NODES_CLIENT_RESULT_H
#define GROVE_NODES_CLIENT_RESULT_H

#include "core/item.h"
#include "core/refusal.h"
#include "nodes/grove.h"

/* A failure before it is copied; everything is borrowed. Zeroed is a good start. */
struct failing {
    struct id task;
    struct bytes function;
    enum grove_code code;
    enum grove_status status;
    const char *reason; /* static */
    struct bytes text;
    struct bytes bytes;
    uint32_t attempt;
    bool retryable;
};

/* Copy into what the caller gave; NULL is fine. */
void result_write(struct grove_result *result, const struct result_item *item);
void failure_write(struct grove_failure *failure, const struct failing *failing);

/* The failing of a task that ended otherwise than well. */
struct failing failing_of_result(const struct result_item *item);
struct failing failing_of_verdict(const struct verdict_item *item);

/* The failing of a task that was refused, or of a call for which we have no answer.
 *
 *   text      empty: the refusal's or the status's own */
struct failing failing_of_refusal(enum refusal refusal, struct bytes text);
struct failing failing_of_status(enum grove_status status, const char *text);

/* A failing of what was written as a failure before; borrows from it. */
struct failing failing_of_failure(const struct grove_failure *failure);

#endif
