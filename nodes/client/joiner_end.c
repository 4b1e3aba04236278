/* SPDX-License-Identifier: MPL-2.0
 * How a join went as a whole, and a sentence for it. */
#include <stdio.h>

#include "nodes/client/joiner.h"

#define VERDICT_MS 30000u /* for the verdict of a root that is over */

static void take_failure(struct joiner *joiner, struct failing *failing)
{
    joiner->status = failing->status;
    grove_failure_clear(&joiner->failure);
    failure_write(&joiner->failure, failing);
}

/* The mesh would not go on with it, or has another one of this name. */
static void conclude_refused(struct joiner *joiner, struct failing failing, bool differs)
{
    if (differs) {
        failing = failing_of_refusal(REFUSED_DIFFERS, bytes_of(NULL, 0));
        failing.status = GROVE_CONFLICT;
        failing.text = bytes_of_text("this join was begun with other inputs; a stream that "
                                     "can_restart, or another key, begins a new one");
    }
    take_failure(joiner, &failing);
}

static void name_function(const struct grove_failure *failure, char *text, size_t size)
{
    snprintf(text, size, "%s%.63s%s", failure->function[0] ? " (" : "", failure->function,
             failure->function[0] ? ")" : "");
}

/* Inputs that failed by themselves: the first of them speaks for all. */
static void conclude_failed(struct joiner *joiner)
{
    struct failing failing = failing_of_failure(&joiner->first);
    struct buffer text = {0};
    char head[160], function[80];

    name_function(&joiner->first, function, sizeof(function));
    snprintf(head, sizeof(head), "%zu of %zu failed, input %zu%s first: ", joiner->failed,
             joiner->count, joiner->first_failed, function);
    buffer_append(&text, head, strlen(head));
    buffer_append(&text, failing.text.data, failing.text.size);
    failing.text = buffer_bytes(&text);
    take_failure(joiner, &failing);
    buffer_clear(&text);
}

/* Cancelled as a whole: by somebody, or by its deadline. A root's verdict says why. */
static void conclude_cancelled(struct joiner *joiner)
{
    struct failing failing = failing_of_status(GROVE_FAILED, "the join was cancelled");
    struct grove_failure verdict = {.reason = NULL};
    struct grove_id root;

    failing.code = GROVE_CODE_CANCELLED;
    failing.reason = grove_code_name(GROVE_CODE_CANCELLED);
    memcpy(&root, &joiner->id, sizeof(root));
    if (!joiner->attempt &&
        grove_result(joiner->client, &root, VERDICT_MS, NULL, &verdict) == GROVE_FAILED) {
        failing = failing_of_failure(&verdict);
    }
    take_failure(joiner, &failing);
    grove_failure_clear(&verdict);
}

static void conclude_over(struct joiner *joiner, enum join_state state)
{
    switch (state) {
    case JOIN_OPEN:
    case JOIN_WON:
        break;
    case JOIN_CANCELLED:
        conclude_cancelled(joiner);
        break;
    case JOIN_COMPLETE:
    case JOIN_FAILED:
        if (joiner->first_failed != GROVE_NO_INPUT) {
            conclude_failed(joiner);
        } else if (joiner->cancelled > 0) {
            conclude_cancelled(joiner);
        }
        break;
    }
}

/* What the thread stopped itself ends at once, unless another one has its key. Inside it ends with
 * its parent. */
static void cancel_root(const struct joiner *joiner)
{
    const bool is_anothers = joiner->status == GROVE_CONFLICT && !joiner->joining->is_rooted;
    struct grove_id root;

    if (!joiner->attempt && joiner->status != GROVE_CLOSED && !is_anothers) {
        memcpy(&root, &joiner->id, sizeof(root));
        (void)!grove_cancel(joiner->client, &root, NULL, NULL);
    }
}

void joiner_conclude(struct joiner *joiner)
{
    struct joining *joining = joiner->joining;
    const bool was_stopped = joiner->status != GROVE_OK;
    enum join_state state;
    bool differs, has_failed;

    if (!joining) {
        return;
    }
    differs = joining_differs(joining, joiner->position);
    pthread_mutex_lock(&joining->lock);
    state = joining->state;
    has_failed = joining->has_failed;
    joiner->id = joining->id;
    joiner->winner_count = joining->winner_count;
    memcpy(joiner->winner, joining->winner, sizeof(joiner->winner));
    if (!was_stopped && (has_failed || differs)) {
        conclude_refused(joiner, failing_of_failure(&joining->failure), differs);
    }
    pthread_mutex_unlock(&joining->lock);
    if (was_stopped || (has_failed && !differs)) {
        cancel_root(joiner);
    } else if (!differs) {
        conclude_over(joiner, state);
    }
}
