/* SPDX-License-Identifier: MPL-2.0
 * The state machine: all root trees, who works on them, who may. Commands in, effects out; no
 * clock, no randomness, no I/O, and the same bytes in every replica. */
#ifndef GROVE_CORE_FOREST_H
#define GROVE_CORE_FOREST_H

#include "core/buffer.h"
#include "core/command.h"
#include "core/effect.h"
#include "core/task.h"

struct durations;
struct forest;

struct forest_options {
    struct key mesh;      /* whose certificates count */
    uint8_t hash_key[16]; /* of the look-up tables; private to this replica, in no snapshot */
    uint64_t live_tasks;  /* bounds; 0: the LIMIT_ of that name */
    uint64_t body_size;
    uint64_t remembered_size;
    uint64_t retention_ms;
    uint64_t retention_size;
    uint64_t turns;
};

struct forest *forest_create(const struct forest_options *options);
void forest_destroy(struct forest *forest);

/* Applies one committed command; appends to `effects`, in order, what the leader must do next.
 * Cannot fail for local reasons; what makes no sense (any more) is refused by an effect.
 *
 *   command   borrowed; at_ms is Unix milliseconds, and the forest keeps the greatest it has seen
 *   source    Ongaro 2014, section 2.1 */
void forest_apply(struct forest *forest, const struct command *command, struct effects *effects);

/* Every Assign, Resume and Stop still owed, from the state alone: for a new leader, and with
 * `session` not 0 for one session whose messages may have been lost. */
void forest_outstanding(const struct forest *forest, uint64_t session, struct effects *effects);

/* NULL when every invariant holds, else a sentence naming the one that does not (static storage of
 * the forest). */
const char *forest_check(struct forest *forest);

/* Whether the last command left work over that a Sweep has to go on with. */
bool forest_has_more(const struct forest *forest);

/* When Expire is next worth proposing, ledger ms; UINT64_MAX: nothing is due. */
uint64_t forest_due_ms(const struct forest *forest);

/* Whether a Forget is worth proposing now: retention is over for some tree, at this ledger time, or
 * a Forget has left a tree half freed. */
bool forest_has_forgettable(const struct forest *forest, uint64_t now_ms);

uint64_t forest_now_ms(const struct forest *forest); /* greatest stamp applied */
uint64_t
forest_applied(const struct forest *forest); /* commands applied: the ledger index of sessions */

/* ---- reading, for egress and stats; borrowed until the next apply */

struct task_view {
    struct id id, root, parent;
    bool is_root;
    enum task_state state;
    uint32_t depth;
    uint32_t attempt; /* the one in force or the last; 0: none yet */
    uint32_t attempts_started, losses, generation;
    uint64_t session; /* that holds it; 0: none */
    bool is_behind;   /* assigned ahead, a child of a large tree: it starts after all others */
    int32_t priority;
    uint64_t submitted_ms, started_ms, ended_ms; /* ledger time; 0: not yet. started: assigned */
    uint64_t deadline_ms, due_ms; /* inherited deadline; when a delay or backoff ends; 0: none */
    struct bytes function;
    struct digest payload_digest;
    struct bytes item;         /* as signed */
    const struct seal *seal;   /* of the batch that held it */
    const struct pruned *tree; /* ... as far as the forest still has its items */
    uint8_t seal_index;        /* its place in that batch */
    /* its outcome, when settled */
    enum outcome_code code;
    bool has_result;     /* false: a verdict; then only code and text */
    struct bytes result; /* the result item as signed */
    const struct seal *result_seal;
    const struct pruned *result_tree;
    uint8_t result_index;
    struct bytes verdict_text;
    struct bytes failure_text; /* of the last own failure, also while it is retried */
    struct bytes checkpoint;
    uint32_t percent; /* last progress that a command carried */
    struct bytes progress_text;
    bool is_begun;        /* its tree has begun to run */
    bool is_resumable;    /* WAITING, but for nothing more than a slot of its worker */
    uint64_t child_count; /* direct children */
    struct id join;       /* the first that it is an input of; zero: none */
    uint32_t join_position;
};

/* False when there is no such task. */
bool forest_task(const struct forest *forest, const struct id *id, struct task_view *view);

/* Whether an id was known once and is forgotten. */
bool forest_remembers(const struct forest *forest, const struct id *id);

/* Visits a tree in depth-first order of submission, from `cursor` (zero: the root) on; NULL-safe
 * paging for stats. Fills at most `most` ids, returns how many, and sets the cursor for the next
 * page (zero at the end). */
size_t forest_tree(const struct forest *forest, const struct id *root, struct id *cursor,
                   struct id *ids, size_t most);

/* Roots, newest first, paged in the same way. */
size_t forest_roots(const struct forest *forest, struct id *cursor, struct id *ids, size_t most);

/* A tree in numbers. */
struct root_view {
    uint64_t tasks, open; /* all that it has; those that have not ended */
    uint64_t failed, cancelled;
    uint64_t held;       /* attempts that sessions hold, those told to stop as well */
    uint64_t settled_ms; /* when the last had ended and all attempts were given back; 0: not yet */
    uint64_t size;       /* bytes that forgetting it gives back */
    struct key signer;
};

/* False when there is no such root. */
bool forest_root(const struct forest *forest, const struct id *root, struct root_view *view);

/* A place among those that have failed. Zero: before the last that did. */
struct failed_at {
    uint64_t ended_ms, sequence;
};

/* Tasks that have failed, the last first: looks at `most` from the cursor on, and sets it for the
 * next page (zero at the end). What it stands for may have been forgotten meanwhile.
 *
 *   returns   how many of them there are to show */
size_t forest_failures(const struct forest *forest, struct failed_at *cursor, struct id *ids,
                       size_t most);

struct join_view {
    struct id id, parent;
    bool is_outside; /* its parent is a grove.join root */
    enum join_kind kind;
    enum join_state state;
    uint32_t limit; /* of a map */
    uint32_t stop;  /* failures that stop it, or winners that end it; 0: none */
    bool closed;
    uint32_t accepted;          /* inputs taken */
    uint32_t room;              /* that it takes now */
    uint32_t succeeded, failed; /* have ended, well or not */
    uint32_t running;           /* attempts held of its inputs */
    const uint32_t *winners;    /* positions, in the order of the ledger */
    size_t winner_count;
};

/* False when there is no such join. */
bool forest_join(const struct forest *forest, const struct id *id, struct join_view *view);

/* Whether the input at a position was taken and has ended. */
bool forest_join_has_ended(const struct forest *forest, const struct id *id, uint32_t position);

/* The tasks of inputs from `offset` on, as long as they have ended without a gap, `most` at most;
 * returns how many. */
size_t forest_join_page(const struct forest *forest, const struct id *id, uint32_t offset,
                        struct id *ids, size_t most);

/* Open joins from outside, one after the other, from the root `after` on (zero: first); false at
 * the end, and when that one is not open any more. */
bool forest_outside_join(const struct forest *forest, const struct id *after, struct id *root,
                         struct key *signer);

/* What became of a task that was cancelled and of all below it; false when it was not cancelled, or
 * that is not over yet. */
bool forest_cancelled(const struct forest *forest, const struct id *id, struct cancelled *counts);

struct session_view {
    uint64_t session;
    struct key identity;
    struct id boot;
    const char *instance;
    uint32_t slots, window, max_waiting;
    uint32_t assigned, waiting, stopping; /* attempts it holds; those WAITING; those told to stop */
    uint64_t enlisted_ms;
    size_t function_count;
    const char *const *functions;
};

/* Sessions in order of index, from `after` on (0: first); false at the end. */
bool forest_session(const struct forest *forest, uint64_t after, struct session_view *view);

struct function_view {
    const char *function;
    uint64_t state[TASK_STATE_COUNT];      /* tasks in each state now */
    uint64_t succeeded, failed, cancelled; /* ever */
    uint64_t sessions;                     /* that offer it */
    struct {
        uint32_t running; /* attempts at a time; 0: any number */
        uint32_t rate;    /* attempts begun in 1,000 s; 0: any number */
        bool paused;
    } limit;
    uint64_t
        active; /* attempts that count as running: all that sessions hold and that do not wait */
    uint64_t barred;              /* parents that could go on, but for the limit */
    const struct durations *runs; /* of attempts that made a result, as their workers measured them,
                                     since this replica started; NULL: of none */
};

/* Functions in byte order, from `after` on (NULL: first); false at the end. */
bool forest_function(const struct forest *forest, const char *after, struct function_view *view);

/* False when nobody offers or asks for a function of this name, and it has no limit. */
bool forest_function_named(const struct forest *forest, struct bytes name,
                           struct function_view *view);

/* Counters, kept as it goes, never by walking. */
struct forest_counters {
    uint64_t state[TASK_STATE_COUNT];                 /* tasks in each state now */
    uint64_t submitted, succeeded, failed, cancelled; /* ever */
    uint64_t attempts, losses, retries;
    uint64_t roots, open_roots, sessions;
    uint64_t open_joins[JOIN_MAP + 1];                 /* by enum join_kind */
    uint64_t body_size, settled_size, remembered_size; /* bytes */
    uint64_t seal_size; /* bytes of seals and of what is left of their trees */
    uint64_t refused[REFUSED_COUNT];
    uint64_t applied;
};
const struct forest_counters *forest_counters(const struct forest *forest);

/* What could run, but for a slot: READY tasks, and those assigned ahead. */
struct backlog_view {
    uint64_t tasks;
    uint64_t oldest_ms; /* when the one was submitted that is here longest of those next in line,
                         * which is the oldest unless priorities differ; 0: there is none */
};
void forest_backlog(const struct forest *forest, struct backlog_view *view);

/* The certificate of an identity, or NULL; its signed form; whether it is good now (dates, not
 * revoked). */
const struct certificate *forest_certificate(const struct forest *forest,
                                             const struct key *identity, struct bytes *signed_form);
bool forest_trusts(const struct forest *forest, const struct key *identity);
/* All certificates in the order they were admitted, from position `i` on; false at the end. */
bool forest_certificate_at(const struct forest *forest, size_t i,
                           const struct certificate **certificate, struct bytes *signed_form);

/* ---- bytes */

/* Takes the state as it is written; no allocation, so that a forked child may call it. */
typedef bool snapshot_sink(void *context, const void *data, size_t size);

/* Writes the whole state, the same bytes for the same state. False when the sink gave up. */
bool forest_snapshot(const struct forest *forest, snapshot_sink *sink, void *context);

/* A forest from such bytes, hostile until proved otherwise.
 *
 *   errors    GROVE_MALFORMED, GROVE_VERSION, GROVE_WRONG_MESH; `forest` is untouched */
enum grove_status forest_restore(const struct forest_options *options, struct bytes snapshot,
                                 struct forest **forest) GROVE_CHECKED;

#endif
