/* SPDX-License-Identifier: MPL-2.0
 * What the messages say: struct, decode (of message.body, or of one element of a list), encode. */
#ifndef GROVE_CORE_MESSAGE_H
#define GROVE_CORE_MESSAGE_H

#include "core/frame.h"
#include "core/join_message.h"
#include "core/location_message.h"

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
    struct wire_list coordinators; /* location */
};

struct refused {
    uint32_t code; /* enum refusal */
    struct bytes text;
    bool retryable;
    uint64_t retry_ms;
    struct wire_list leader; /* location: one or none; decode; wire_refused_encode puts none */
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
    struct bytes appends; /* one byte an Append: enum refusal */
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
    bool is_behind;          /* starts after all others that have not */
};

struct waits {
    struct id task;
    uint32_t attempt;
    struct bytes awaited;   /* 16 bytes each */
    struct bytes positions; /* one byte each, of the batch beside */
    struct wire_list joins; /* struct awaited_join */
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
    struct wire_list appends; /* struct append */
};

struct report {
    struct bytes batch; /* Sealed */
    struct wire_list progress;
};

enum return_reason {
    RETURN_UNSTARTED = 1,
    RETURN_STOPPED = 2,
    RETURN_CANNOT_RUN = 3,
    RETURN_REFUSED = 4
};

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
enum grove_status wire_heartbeat_decode(struct bytes body, struct heartbeat *heartbeat)
    GROVE_CHECKED;
enum grove_status wire_held_decode(struct bytes element, struct held *held) GROVE_CHECKED;
enum grove_status wire_submit_decode(struct bytes body, struct submit *submit) GROVE_CHECKED;
enum grove_status wire_accepted_decode(struct bytes body, struct accepted *accepted) GROVE_CHECKED;
enum grove_status wire_item_refused_decode(struct bytes element, struct item_refused *refused)
    GROVE_CHECKED;
enum grove_status wire_wait_decode(struct bytes body, struct bytes *ids) GROVE_CHECKED;
enum grove_status wire_notify_decode(struct bytes body, struct notify *notify) GROVE_CHECKED;
enum grove_status wire_enlist_decode(struct bytes body, struct enlist *enlist) GROVE_CHECKED;
enum grove_status wire_assign_decode(struct bytes body, struct assign *assign) GROVE_CHECKED;
enum grove_status wire_assignment_decode(struct bytes element, struct assignment *assignment)
    GROVE_CHECKED;
enum grove_status wire_expand_decode(struct bytes body, struct expand *expand) GROVE_CHECKED;
enum grove_status wire_waits_decode(struct bytes element, struct waits *waits) GROVE_CHECKED;
enum grove_status wire_resume_decode(struct bytes body, struct wire_list *resumed)
    GROVE_CHECKED; /* held */
enum grove_status wire_report_decode(struct bytes body, struct report *report) GROVE_CHECKED;
enum grove_status wire_return_decode(struct bytes body, struct wire_list *returned) GROVE_CHECKED;
enum grove_status wire_returned_decode(struct bytes element, struct returned *returned)
    GROVE_CHECKED;
enum grove_status wire_checkpoint_decode(struct bytes body, struct checkpoint *checkpoint)
    GROVE_CHECKED;
enum grove_status wire_stop_decode(struct bytes body, struct wire_list *stopped) GROVE_CHECKED;
enum grove_status wire_stopped_decode(struct bytes element, struct stopped *stopped) GROVE_CHECKED;
enum grove_status wire_progress_decode(struct bytes body, struct wire_list *progress) GROVE_CHECKED;
enum grove_status wire_progress_item_decode(struct bytes element, struct progress_item *item)
    GROVE_CHECKED;
enum grove_status wire_admit_decode(struct bytes body, struct wire_list *certificates)
    GROVE_CHECKED;
enum grove_status wire_done_decode(struct bytes body, uint64_t *index) GROVE_CHECKED;

void wire_put_held(struct wire_writer *writer, uint32_t field, const struct held *held);
void wire_put_item_refused(struct wire_writer *writer, uint32_t field,
                           const struct item_refused *refused);
void wire_put_assignment(struct wire_writer *writer, uint32_t field,
                         const struct assignment *assignment);
void wire_put_waits(struct wire_writer *writer, uint32_t field, const struct waits *waits);

/* Waits whose joins are put beside, by wire_put_awaited_join between these two. */
size_t wire_open_waits(struct wire_writer *writer, const struct waits *waits);
void wire_close_waits(struct wire_writer *writer, size_t opened);

/* What all waits of one Expand may cost: one, and one for each that is awaited. */
#define WAITS_COST (LIMIT_AWAITED + 1)

/* Pays for one of them out of what is left of WAITS_COST; false when that is too little, and then
 * it is refused, for a cost of one. Nothing is read when nothing is left. */
bool waits_pay(const struct waits *waits, size_t *left);
void wire_put_progress(struct wire_writer *writer, uint32_t field,
                       const struct progress_item *item);
void wire_put_returned(struct wire_writer *writer, uint32_t field, const struct returned *returned);
void wire_put_stopped(struct wire_writer *writer, uint32_t field, const struct stopped *stopped);

void wire_hello_encode(struct buffer *out, uint64_t correlation, const struct hello *hello);
void wire_refused_encode(struct buffer *out, uint64_t correlation, const struct refused *refused);

/* ... with the location of the leader. */
void wire_redirect_encode(struct buffer *out, uint64_t correlation, const struct refused *refused,
                          const struct location *leader);

/* Field numbers for wire_put_*, as in grove.proto; a test holds them against the schema. */
enum wire_field {
    SUBMIT_BATCH = 1,
    SUBMIT_WAIT = 2,
    ACCEPTED_IDS = 1,
    ACCEPTED_REFUSED = 2,
    ACCEPTED_STAMP = 3,
    ACCEPTED_SETTLED = 4,
    ACCEPTED_APPENDS = 5,
    WAIT_IDS = 1,
    NOTIFY_OUTCOMES = 1,
    NOTIFY_CERTIFICATES = 2,
    NOTIFY_UNKNOWN = 3,
    WELCOME_LEDGER = 1,
    WELCOME_STAMP = 2,
    WELCOME_SESSION = 3,
    WELCOME_CERTIFICATES = 4,
    WELCOME_HEARTBEAT = 5,
    WELCOME_SESSION_MS = 6,
    WELCOME_COORDINATORS = 7,
    REFUSED_LEADER = 5,
    HEARTBEAT_HELD = 1,
    HEARTBEAT_STAMP = 2,
    ENLIST_INSTANCE = 1,
    ENLIST_FUNCTIONS = 2,
    ENLIST_SLOTS = 3,
    ENLIST_WINDOW = 4,
    ENLIST_MAX_WAITING = 5,
    ENLIST_HELD = 6,
    ENLIST_PREVIOUS_EXITED = 7,
    ASSIGN_BATCHES = 1,
    ASSIGN_ASSIGNMENTS = 2,
    ASSIGN_CERTIFICATES = 3,
    EXPAND_BATCH = 1,
    EXPAND_WAITS = 2,
    EXPAND_PROGRESS = 3,
    EXPAND_APPENDS = 4,
    RESUME_RESUMED = 1,
    REPORT_BATCH = 1,
    REPORT_PROGRESS = 2,
    RETURN_RETURNED = 1,
    CHECKPOINT_TASK = 1,
    CHECKPOINT_ATTEMPT = 2,
    CHECKPOINT_BYTES = 3,
    CHECKPOINT_PROGRESS = 4,
    STOP_STOPPED = 1,
    PROGRESS_PROGRESS = 1,
    ADMIT_CERTIFICATES = 1,
    DONE_INDEX = 1,
};

#endif
