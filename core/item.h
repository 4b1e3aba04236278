/* SPDX-License-Identifier: MPL-2.0
 * What is signed: items of tasks, results and verdicts, and the batches that hold them. */
#ifndef GROVE_CORE_ITEM_H
#define GROVE_CORE_ITEM_H

#include "core/frame.h"
#include "core/seal.h"

/* grove.v1.Code: below 16 a worker's word, from 16 a verdict. */
enum outcome_code {
    CODE_SUCCEEDED = 0,
    CODE_FAILED = 1,
    CODE_PERMANENT = 2,
    CODE_TIMEOUT = 3,
    CODE_CANCELLED = 16,
    CODE_POISON = 17,
    CODE_DEADLINE = 18,
    CODE_REFUSED = 19,
    CODE_LOST = 20,
    CODE_ABANDONED = 21,
    CODE_JOINED = 22,      /* a grove.join root did what it was asked to */
    CODE_JOIN_FAILED = 23, /* ... or not */
};

enum join_kind { JOIN_NONE = 0, JOIN_GATHER = 1, JOIN_RACE = 2, JOIN_MAP = 3 };

#define JOIN_FUNCTION "grove.join" /* of a root that no worker runs: a join from outside */
#define JOIN_REVISION 256u         /* what a revision is multiplied by in `join_kind` */

struct lineage {
    bool present; /* false: a root */
    struct id parent;
    struct id root;
    uint32_t attempt;
    uint32_t generation;
    uint32_t occurrence;
    uint32_t join_kind; /* enum join_kind, and JOIN_REVISION times the revision */
    uint32_t join_position;
};

struct task_item {
    uint8_t nonce[16];
    struct bytes function;
    struct bytes payload;
    struct bytes content_type;
    struct bytes key;
    bool has_priority;
    int32_t priority;
    uint64_t delay_ms;
    uint64_t deadline_ms; /* Unix; 0: none */
    uint64_t timeout_ms;
    uint32_t max_attempts; /* 0 is 1 */
    bool at_most_once;
    bool fresh;
    uint64_t expires_ms;
    uint32_t max_tasks; /* budget of what it starts; 0: none of its own */
    uint64_t max_bytes;
    bool has_retry_of;
    struct id retry_of; /* a root: the root that it runs again */
    struct lineage lineage;
};

struct result_item {
    uint8_t nonce[16];
    struct id task;
    struct id root;
    bool has_parent;
    struct id parent;
    struct bytes function;
    struct digest payload_digest;
    enum outcome_code code; /* below 16 */
    uint32_t attempt;
    uint64_t session;
    struct bytes bytes;
    struct bytes text;
    uint64_t run_ms;
    struct bytes content_type;
};

struct verdict_item {
    struct id task;
    struct id root;
    bool has_parent;
    struct id parent;
    struct bytes function;
    struct digest payload_digest;
    enum outcome_code code; /* from 16 */
    struct bytes text;
    uint64_t at_ms;
};

/* Function names are any text here; whether they are good names is for wire_function_is_valid.
 *
 *   errors    GROVE_MALFORMED, GROVE_TOO_LARGE; the out-parameter is untouched */
enum grove_status wire_task_decode(struct bytes bytes, struct task_item *item) GROVE_CHECKED;
enum grove_status wire_result_decode(struct bytes bytes, struct result_item *item) GROVE_CHECKED;
enum grove_status wire_verdict_decode(struct bytes bytes, struct verdict_item *item) GROVE_CHECKED;
void wire_task_encode(struct buffer *out, const struct task_item *item);
void wire_result_encode(struct buffer *out, const struct result_item *item);
void wire_verdict_encode(struct buffer *out, const struct verdict_item *item);

/* A Sealed message: its form (counts, indices, sizes), not its signature, which seal_open checks.
 * The items are not looked into. */
enum grove_status wire_sealed_decode(struct bytes bytes, struct sealed *sealed) GROVE_CHECKED;
void wire_sealed_encode(struct buffer *out, const struct sealed *sealed);
size_t wire_sealed_size(const struct sealed *sealed);
void wire_put_sealed(struct wire_writer *writer, uint32_t field, const struct sealed *sealed);

/* True for [a-z0-9._-]{1,63}. */
bool wire_function_is_valid(struct bytes function);

const char *outcome_code_name(enum outcome_code code); /* "join-failed" */

#endif
