/* SPDX-License-Identifier: MPL-2.0
 * The thread that calls for a join: asks for inputs, gives them in portions, hands on how they
 * ended, and in between waits, in a handler without a slot. */
#ifndef GROVE_NODES_CLIENT_JOINER_H
#define GROVE_NODES_CLIENT_JOINER_H

#include "nodes/client/client.h"
#include "nodes/client/joining.h"
#include "nodes/client/task.h"

struct joiner {
    /* What is asked for. */
    struct grove_client *client;
    struct grove_attempt *attempt; /* whose handler calls, or NULL */
    enum join_kind kind;
    struct grove_join_options options;
    struct grove_stream stream;
    const struct grove_id *submitted; /* in the place of stream.next: children submitted before */
    uint64_t total;                   /* inputs, or 0 when that is not known */
    bool is_patient;                  /* none of the user's code runs before it is over */

    /* How far it is. */
    struct joining *joining; /* NULL: not begun */
    struct join_terms terms;
    struct lineage lineage;
    bool is_counted; /* terms.occurrence is */
    struct portion_maker maker;
    struct grove_task task; /* given by the stream, and in no portion yet */
    bool has_task;
    bool is_exhausted; /* the stream is */
    bool is_busy;      /* ... for now */
    uint64_t position; /* of the next input */
    uint64_t delivered;
    char function[LIMIT_FUNCTION_LENGTH + 1]; /* of a map */

    /* What came of it. */
    struct id id;
    size_t count, succeeded, failed, cancelled, first_failed;
    uint32_t winner[LIMIT_WINNERS];
    uint32_t winner_count;
    struct grove_failure first; /* of first_failed */
    enum grove_status status;
    struct grove_failure failure;
};

/* Runs it, to its end or until it cannot go on; `joiner` has what is asked for and is otherwise
 * zeroed. Then joiner->status says how it went as a whole, and `failure` why. */
void joiner_run(struct joiner *joiner);

/* Stops it, for a reason that is not the mesh's (joiner_inputs.c, as what follows). */
void joiner_stop(struct joiner *joiner, enum grove_status status, const char *text);

/* Makes a portion of at most so many inputs; NULL: there is none, now or any more, or it has
 * stopped. The first of a join is left in joiner->maker, to be placed and sealed.
 *
 *   must_fill   it is complete even if the stream is slow */
struct portion *joiner_make_portion(struct joiner *joiner, uint32_t most, bool must_fill);
struct portion *joiner_seal(struct joiner *joiner);

/* Ledger time, as far as it is known here. */
uint64_t joiner_ledger_ms(const struct joiner *joiner);

/* Says how it went, once it has ended (joiner_end.c). */
void joiner_conclude(struct joiner *joiner);

void joiner_clear(struct joiner *joiner);

#endif
