/* SPDX-License-Identifier: MPL-2.0
 * Messages, items and commands to bytes and back. Decoding walks the frame in place: slices borrow from it,
 * lists are walked one element at a time, and nothing is allocated. Every decoder first walks its message
 * strictly: an unknown field, a repeated singular one, a wrong wire type, bad UTF-8 or a size over its limit is
 * GROVE_MALFORMED or GROVE_TOO_LARGE, and the out-parameter is untouched.
 *
 * Encoders append to a buffer and cannot fail; it is a bug to encode what a decoder would refuse. */
#ifndef GROVE_CORE_WIRE_H
#define GROVE_CORE_WIRE_H

#include "core/buffer.h"
#include "core/bytes.h"
#include "core/limits.h"
#include "core/seal.h"
#include "core/status.h"

#define WIRE_VERSION 1u

enum message_type { /* the field numbers of grove.v1.Message */
    MESSAGE_HELLO = 10,
    MESSAGE_WELCOME = 11,
    MESSAGE_REFUSED = 12,
    MESSAGE_HEARTBEAT = 13,
    MESSAGE_GOODBYE = 14,
    MESSAGE_SUBMIT = 20,
    MESSAGE_ACCEPTED = 21,
    MESSAGE_WAIT = 22,
    MESSAGE_NOTIFY = 23,
    MESSAGE_ENLIST = 30,
    MESSAGE_ASSIGN = 31,
    MESSAGE_EXPAND = 32,
    MESSAGE_RESUME = 33,
    MESSAGE_REPORT = 34,
    MESSAGE_RETURN = 35,
    MESSAGE_CHECKPOINT = 36,
    MESSAGE_STOP = 37,
    MESSAGE_PROGRESS = 38,
    MESSAGE_ADMIT = 40,
    MESSAGE_SNAPSHOT = 41,
    MESSAGE_DONE = 42,
};

/* A repeated field of a message that has been walked: wire_next gives one element at a time. */
struct wire_list {
    struct bytes rest;
    uint32_t field;
    uint32_t count; /* elements left */
};

/* Takes the next element; false at the end. */
bool wire_next(struct wire_list *list, struct bytes *element);

/* ---- the frame */

struct message {
    enum message_type type;
    uint64_t correlation;
    struct bytes body; /* of the one body field */
};

/* errors    GROVE_TOO_LARGE, GROVE_MALFORMED, GROVE_VERSION */
enum grove_status wire_message_open(struct bytes frame, struct message *message) GROVE_CHECKED;

/* ---- what is signed */

enum outcome_code { /* grove.v1.Code */
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
};

struct lineage {
    bool present; /* false: a root */
    struct id parent;
    struct id root;
    uint32_t attempt;
    uint32_t generation;
    uint32_t occurrence;
    uint32_t join_kind;
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
    uint32_t attempt;
    uint64_t session;
    enum outcome_code code; /* below 16 */
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

enum grove_status wire_task_decode(struct bytes bytes, struct task_item *item) GROVE_CHECKED;
enum grove_status wire_result_decode(struct bytes bytes, struct result_item *item) GROVE_CHECKED;
enum grove_status wire_verdict_decode(struct bytes bytes, struct verdict_item *item) GROVE_CHECKED;
void wire_task_encode(struct buffer *out, const struct task_item *item);
void wire_result_encode(struct buffer *out, const struct result_item *item);
void wire_verdict_encode(struct buffer *out, const struct verdict_item *item);

/* A Sealed message. Checks its form (counts, indices, sizes), not its signature: seal_open does. */
enum grove_status wire_sealed_decode(struct bytes bytes, struct sealed *sealed) GROVE_CHECKED;
void wire_sealed_encode(struct buffer *out, const struct sealed *sealed);
size_t wire_sealed_size(const struct sealed *sealed);

/* True for [a-z0-9._-]{1,63}. */
bool wire_function_is_valid(struct bytes function);

/* ---- certificates */

enum role { ROLE_COORDINATOR = 1, ROLE_WORKER = 2, ROLE_CLIENT = 4, ROLE_OBSERVER = 8, ROLE_OPERATOR = 16 };

struct pattern {
    char text[LIMIT_FUNCTION_LENGTH + 2]; /* an exact name, or a prefix and '*' */
};

struct certificate {
    struct key mesh;
    struct id serial;
    char name[LIMIT_NAME_LENGTH + 1];
    uint32_t roles;
    struct key sign_key;
    struct key link_key;
    unsigned submit_count;
    unsigned run_count;
    struct pattern submit[LIMIT_PATTERNS];
    struct pattern run[LIMIT_PATTERNS];
    uint64_t not_before_ms;
    uint64_t not_after_ms;
};

/* Signs `certificate` with the mesh's key and appends the signed form. */
void certificate_issue(struct buffer *out, const struct certificate *certificate, const struct signer *mesh);

/* Opens the signed form: size, signature by `mesh`, then the body.
 *
 *   errors    GROVE_TOO_LARGE, GROVE_MALFORMED, GROVE_WRONG_MESH, GROVE_BAD_SIGNATURE */
enum grove_status certificate_open(struct bytes bytes, const struct key *mesh, struct certificate *certificate)
    GROVE_CHECKED;

/* Whether one of `count` patterns matches the function. */
bool pattern_matches(const struct pattern *patterns, unsigned count, struct bytes function);

/* ---- messages: struct, decode (of message.body), encode (a whole frame) */

struct hello {
    struct key mesh;
    struct id boot;
    bool has_ledger;
    struct id ledger;
};

struct welcome {
    struct id ledger;
    uint64_t stamp_ms;
    uint64_t session;
    uint32_t heartbeat_ms;
    uint32_t session_ms;
    struct wire_list certificates; /* decode; encoders take slices */
};

struct refused {
    uint32_t code; /* enum refusal */
    struct bytes text;
    bool retryable;
    uint64_t retry_ms;
};

enum held_state { HELD_UNSTARTED = 0, HELD_RUNNING = 1, HELD_WAITING = 2 };

struct held {
    struct id task;
    uint32_t attempt;
    uint32_t state; /* enum held_state */
};

struct heartbeat {
    struct wire_list held; /* struct held by wire_held_decode */
    uint64_t stamp_ms;
};

struct submit {
    struct bytes batch; /* Sealed */
    bool wait;
};

struct item_refused {
    uint32_t position;
    uint32_t code;
    struct bytes text;
    struct bytes conflict; /* digest, or empty */
};

struct accepted {
    struct bytes ids;     /* 16 bytes a position */
    struct bytes settled; /* one byte a position */
    struct wire_list refused;
    uint64_t stamp_ms;
};

struct notify {
    struct wire_list outcomes;     /* Sealed */
    struct wire_list certificates; /* signed form */
    struct wire_list unknown;      /* item_refused; position of the Wait */
};

struct enlist {
    struct bytes instance;
    struct wire_list functions;
    uint32_t slots;
    uint32_t window;
    uint32_t max_waiting;
    struct wire_list held;
    bool previous_exited;
};

struct assign {
    struct wire_list batches;     /* Sealed */
    struct wire_list assignments; /* struct assignment */
    struct wire_list certificates;
};

struct assignment {
    struct id task;
    uint32_t attempt;
    uint32_t generation;
    uint32_t batch;
    uint32_t item;
    uint64_t deadline_ms;
    struct bytes checkpoint;
    uint32_t depth;
    struct bytes root_batch; /* Sealed, or empty */
};

struct waits {
    struct id task;
    uint32_t attempt;
    struct bytes awaited;   /* 16 bytes each */
    struct bytes positions; /* one byte each, of the batch beside */
};

struct progress_item {
    struct id task;
    uint32_t attempt;
    uint32_t percent; /* 0 to 100 */
    struct bytes text;
};

struct expand {
    struct bytes batch; /* Sealed, or empty */
    struct wire_list waits;
    struct wire_list progress;
};

struct report {
    struct bytes batch; /* Sealed */
    struct wire_list progress;
};

enum return_reason { RETURN_UNSTARTED = 1, RETURN_STOPPED = 2, RETURN_CANNOT_RUN = 3, RETURN_REFUSED = 4 };

struct returned {
    struct id task;
    uint32_t attempt;
    uint32_t reason; /* enum return_reason */
    struct bytes text;
};

struct checkpoint {
    struct id task;
    uint32_t attempt;
    struct bytes bytes;
    struct wire_list progress;
};

struct stopped {
    struct id task;
    uint32_t attempt;
    uint32_t reason; /* enum refusal; 0: the task has ended */
};

enum grove_status wire_hello_decode(struct bytes body, struct hello *hello) GROVE_CHECKED;
enum grove_status wire_welcome_decode(struct bytes body, struct welcome *welcome) GROVE_CHECKED;
enum grove_status wire_refused_decode(struct bytes body, struct refused *refused) GROVE_CHECKED;
enum grove_status wire_heartbeat_decode(struct bytes body, struct heartbeat *heartbeat) GROVE_CHECKED;
enum grove_status wire_held_decode(struct bytes element, struct held *held) GROVE_CHECKED;
enum grove_status wire_submit_decode(struct bytes body, struct submit *submit) GROVE_CHECKED;
enum grove_status wire_accepted_decode(struct bytes body, struct accepted *accepted) GROVE_CHECKED;
enum grove_status wire_item_refused_decode(struct bytes element, struct item_refused *refused) GROVE_CHECKED;
enum grove_status wire_wait_decode(struct bytes body, struct bytes *ids) GROVE_CHECKED;
enum grove_status wire_notify_decode(struct bytes body, struct notify *notify) GROVE_CHECKED;
enum grove_status wire_enlist_decode(struct bytes body, struct enlist *enlist) GROVE_CHECKED;
enum grove_status wire_assign_decode(struct bytes body, struct assign *assign) GROVE_CHECKED;
enum grove_status wire_assignment_decode(struct bytes element, struct assignment *assignment) GROVE_CHECKED;
enum grove_status wire_expand_decode(struct bytes body, struct expand *expand) GROVE_CHECKED;
enum grove_status wire_waits_decode(struct bytes element, struct waits *waits) GROVE_CHECKED;
enum grove_status wire_resume_decode(struct bytes body, struct wire_list *resumed) GROVE_CHECKED; /* held */
enum grove_status wire_report_decode(struct bytes body, struct report *report) GROVE_CHECKED;
enum grove_status wire_return_decode(struct bytes body, struct wire_list *returned) GROVE_CHECKED;
enum grove_status wire_returned_decode(struct bytes element, struct returned *returned) GROVE_CHECKED;
enum grove_status wire_checkpoint_decode(struct bytes body, struct checkpoint *checkpoint) GROVE_CHECKED;
enum grove_status wire_stop_decode(struct bytes body, struct wire_list *stopped) GROVE_CHECKED;
enum grove_status wire_stopped_decode(struct bytes element, struct stopped *stopped) GROVE_CHECKED;
enum grove_status wire_progress_decode(struct bytes body, struct wire_list *progress) GROVE_CHECKED;
enum grove_status wire_progress_item_decode(struct bytes element, struct progress_item *item) GROVE_CHECKED;
enum grove_status wire_admit_decode(struct bytes body, struct wire_list *certificates) GROVE_CHECKED;
enum grove_status wire_done_decode(struct bytes body, uint64_t *index) GROVE_CHECKED;

/* Encoding a frame: open a message, append its fields in any order, close it. The message's length is put in at
 * the close, so that fields can be added as they come. Frames with a fixed shape have one call below. */
struct wire_writer {
    struct buffer *out;
    size_t start; /* of the body's length */
};

void wire_open(struct wire_writer *writer, struct buffer *out, enum message_type type, uint64_t correlation);
void wire_close(struct wire_writer *writer);
void wire_put_bytes(struct wire_writer *writer, uint32_t field, struct bytes bytes); /* even when empty */
void wire_put_uint(struct wire_writer *writer, uint32_t field, uint64_t value);      /* left out when 0 */
void wire_put_sealed(struct wire_writer *writer, uint32_t field, const struct sealed *sealed);
void wire_put_held(struct wire_writer *writer, uint32_t field, const struct held *held);
void wire_put_item_refused(struct wire_writer *writer, uint32_t field, const struct item_refused *refused);
void wire_put_assignment(struct wire_writer *writer, uint32_t field, const struct assignment *assignment);
void wire_put_waits(struct wire_writer *writer, uint32_t field, const struct waits *waits);
void wire_put_progress(struct wire_writer *writer, uint32_t field, const struct progress_item *item);
void wire_put_returned(struct wire_writer *writer, uint32_t field, const struct returned *returned);
void wire_put_stopped(struct wire_writer *writer, uint32_t field, const struct stopped *stopped);

/* Field numbers for wire_put_*, as in grove.proto; a test holds them against the schema. */
enum wire_field {
    SUBMIT_BATCH = 1, SUBMIT_WAIT = 2,
    ACCEPTED_IDS = 1, ACCEPTED_REFUSED = 2, ACCEPTED_STAMP = 3, ACCEPTED_SETTLED = 4,
    WAIT_IDS = 1,
    NOTIFY_OUTCOMES = 1, NOTIFY_CERTIFICATES = 2, NOTIFY_UNKNOWN = 3,
    WELCOME_LEDGER = 1, WELCOME_STAMP = 2, WELCOME_SESSION = 3, WELCOME_CERTIFICATES = 4,
    WELCOME_HEARTBEAT = 5, WELCOME_SESSION_MS = 6,
    HEARTBEAT_HELD = 1, HEARTBEAT_STAMP = 2,
    ENLIST_INSTANCE = 1, ENLIST_FUNCTIONS = 2, ENLIST_SLOTS = 3, ENLIST_WINDOW = 4, ENLIST_MAX_WAITING = 5,
    ENLIST_HELD = 6, ENLIST_PREVIOUS_EXITED = 7,
    ASSIGN_BATCHES = 1, ASSIGN_ASSIGNMENTS = 2, ASSIGN_CERTIFICATES = 3,
    EXPAND_BATCH = 1, EXPAND_WAITS = 2, EXPAND_PROGRESS = 3,
    RESUME_RESUMED = 1,
    REPORT_BATCH = 1, REPORT_PROGRESS = 2,
    RETURN_RETURNED = 1,
    CHECKPOINT_TASK = 1, CHECKPOINT_ATTEMPT = 2, CHECKPOINT_BYTES = 3, CHECKPOINT_PROGRESS = 4,
    STOP_STOPPED = 1,
    PROGRESS_PROGRESS = 1,
    ADMIT_CERTIFICATES = 1,
    DONE_INDEX = 1,
};

void wire_hello_encode(struct buffer *out, uint64_t correlation, const struct hello *hello);
void wire_refused_encode(struct buffer *out, uint64_t correlation, const struct refused *refused);
void wire_empty_encode(struct buffer *out, uint64_t correlation, enum message_type type); /* Goodbye, Snapshot */

#endif
