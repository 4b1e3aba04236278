/* SPDX-License-Identifier: MPL-2.0
 * What comes as the outcome of a task: taken apart, and judged by who sealed it and by what was
 * asked. */
#ifndef GROVE_NODES_CLIENT_JUDGE_H
#define GROVE_NODES_CLIENT_JUDGE_H

#include "core/trust.h"
#include "nodes/client/result.h"

/* A result or a verdict; everything borrows from its Sealed. */
struct outcome {
    bool is_result;
    struct result_item result;
    struct verdict_item verdict;
    struct id task, root, parent;
    bool has_parent;
    struct bytes function;
    struct digest payload_digest;
};

/* What is known of a task whose outcome is awaited. */
struct asked {
    struct id task;
    bool is_placed; /* root and parent are known: it is a child of `parent`, or itself the root */
    bool is_root;
    struct id root, parent;
    bool is_known; /* ... and function and payload */
    struct bytes function;
    struct digest payload_digest;
};

/* Takes the i-th item of a Sealed apart.
 *
 *   errors    GROVE_MALFORMED, GROVE_TOO_LARGE: no outcome */
enum grove_status judge_open(const struct sealed *sealed, unsigned i, struct outcome *outcome)
    GROVE_CHECKED;

/* Who sealed it, and may they? An identity out of its dates still counts for what it signed in
 * them; a revoked one does not.
 *
 *   errors    GROVE_UNKNOWN_KEY; GROVE_DENIED: no coordinator, or no worker with the right to run
 *             the function */
enum grove_status judge_signer(const struct trust *trust, const struct key *signer,
                               const struct outcome *outcome) GROVE_CHECKED;

/* Whether the outcome speaks of what was asked, as far as that is known. */
bool judge_agrees(const struct asked *asked, const struct outcome *outcome);

bool judge_is_success(const struct outcome *outcome);

/* The failing of an outcome that is no success. */
struct failing judge_failing(const struct outcome *outcome);

#endif
