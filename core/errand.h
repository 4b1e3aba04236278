/* SPDX-License-Identifier: MPL-2.0
 * What a command asks of the node that runs it, and what it is told: a stream of parts, each with
 * its size before it. Decoding is strict, as everywhere (core/wire.h). */
#ifndef GROVE_CORE_ERRAND_H
#define GROVE_CORE_ERRAND_H

#include "core/buffer.h"
#include "core/bytes.h"
#include "core/limits.h"
#include "core/status.h"

/* grove.v1.Verb */
enum errand_verb {
    ERRAND_NONE = 0,
    ERRAND_SUBMIT = 1,
    ERRAND_RESULT = 2,
    ERRAND_GATHER = 3,
    ERRAND_RACE = 4,
    ERRAND_MAP = 5,
    ERRAND_CANCEL = 6,
    ERRAND_PROGRESS = 7,
    ERRAND_CHECKPOINT = 8,
    ERRAND_LOG = 9,
    ERRAND_FAIL = 10,
};

struct errand {
    enum errand_verb verb;
    bool has_task;
    struct id task;
    struct bytes key;
    bool has_priority;
    int32_t priority;
    uint64_t deadline_ms;
    uint32_t limit, max_failures, winners;
    bool first_settled;
    uint32_t percent;
    struct bytes text;
    struct bytes bytes;
    bool is_permanent;
};

/* From the command: one of the three. */
struct errand_ask {
    struct bytes errand;
    bool has_errand;
    struct bytes input; /* a TaskItem */
    bool has_input;
    bool end;
};

/* From the node: one of the two. */
struct errand_answer {
    struct bytes outcome;
    bool has_outcome;
    struct bytes conclusion;
    bool has_conclusion;
};

struct errand_outcome {
    struct id task;
    bool has_task;
    uint32_t status; /* enum grove_status */
    uint32_t code;   /* enum grove_code */
    struct bytes reason, function, text, bytes;
    uint32_t attempt;
    bool retryable;
    uint64_t run_ms;
    struct bytes content_type;
};

struct errand_conclusion {
    struct bytes outcome;
    bool has_outcome;
    struct id join;
    bool has_join;
    uint64_t succeeded, failed, cancelled;
    uint64_t first_failed; /* from 1 */
    struct bytes winners;  /* 4 bytes each, little-endian */
    uint64_t never_started, stopped, already_done;
};

/* Takes the first part off the front of a stream.
 *
 *   errors    GROVE_BUSY: it is not there whole; GROVE_TOO_LARGE: its size is over the limit, which
 *             is seen as soon as that has come. `rest` and `part` are untouched */
enum grove_status errand_cut(struct bytes *rest, struct bytes *part) GROVE_CHECKED;

/* errors    GROVE_MALFORMED, GROVE_TOO_LARGE; the out-parameter is untouched */
enum grove_status errand_ask_decode(struct bytes part, struct errand_ask *ask) GROVE_CHECKED;
enum grove_status errand_decode(struct bytes bytes, struct errand *errand) GROVE_CHECKED;
enum grove_status errand_answer_decode(struct bytes part, struct errand_answer *answer)
    GROVE_CHECKED;
enum grove_status errand_outcome_decode(struct bytes bytes, struct errand_outcome *outcome)
    GROVE_CHECKED;
enum grove_status errand_conclusion_decode(struct bytes bytes, struct errand_conclusion *conclusion)
    GROVE_CHECKED;

/* Each appends a whole part, with its size. */
void errand_put(struct buffer *out, const struct errand *errand);
void errand_put_input(struct buffer *out, struct bytes item);
void errand_put_end(struct buffer *out);
void errand_put_outcome(struct buffer *out, const struct errand_outcome *outcome);
void errand_put_conclusion(struct buffer *out, const struct errand_conclusion *conclusion);

/* Appends an outcome as it stands in a conclusion. */
void errand_outcome_encode(struct buffer *out, const struct errand_outcome *outcome);

#endif
