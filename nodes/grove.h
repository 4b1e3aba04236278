/* SPDX-License-Identifier: MPL-2.0
 * grove: submit tasks to a worker mesh, and run them.
 *
 * A program that submits opens a client. A program that runs tasks opens a worker, names its
 * handlers and calls grove_worker_run. Inside a handler the same calls make children of the task
 * that it runs, and waiting for one gives the slot back: lineage needs no argument.
 *
 * Option structs begin with their size and are initialised by their _INIT macro, so that a program
 * goes on working with a later library. In all of them 0 and NULL stand for the default. Texts are
 * UTF-8. Whatever a call takes is copied before it returns. */
#ifndef GROVE_H
#define GROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GROVE_ERROR_SIZE 1024      /* bytes of the text that opening writes on failure */
#define GROVE_ID_TEXT_SIZE 33      /* 32 hexadecimal digits and a NUL */
#define GROVE_FOREVER UINT64_MAX   /* a timeout that never comes */
#define GROVE_PAYLOAD_SIZE 1048576 /* bytes; the most a payload, result or checkpoint may have */

struct grove_client;
struct grove_worker;
struct grove_attempt;

struct grove_id {
    unsigned char byte[16];
};

/* Borrowed bytes; an empty slice may have a NULL data. */
struct grove_bytes {
    const void *data;
    size_t size;
};

void grove_id_format(const struct grove_id *id, char text[GROVE_ID_TEXT_SIZE]);

/* False when `text` is not 32 hexadecimal digits; `id` is then untouched. */
bool grove_id_parse(const char *text, struct grove_id *id);

/* The library's own version, "0.1.0". */
const char *grove_version(void);

/* ---- what is submitted, and what comes of it */

struct grove_task {
    size_t size;
    const char *function;       /* [a-z0-9._-]{1,63} */
    struct grove_bytes payload; /* at most GROVE_PAYLOAD_SIZE */
    const char *content_type;   /* for the handler; may be NULL */
    const char *key;            /* the same key by the same signer (of a child: in the same
                                 * parent) is the same task; NULL: a new one */
    bool has_priority;          /* false: its parent's, or 0 */
    int priority;               /* -100 to 100, greater first */
    uint64_t delay_ms;          /* not before this long from now */
    uint64_t deadline_ms;       /* Unix time; it and its children have ended by then */
    uint64_t timeout_ms;        /* of one attempt, while it runs */
    uint32_t max_attempts;      /* 0 is 1 */
    bool at_most_once;          /* an attempt that may have started is never followed by another */
    bool fresh;                 /* no child of an earlier attempt answers */
    uint64_t expires_ms;        /* how long submitting may take, from now; 0: 30 s */
    struct grove_id retry_of;   /* of a root: the root that this runs again; zero: none */
};
/* clang-format off */
#define GROVE_TASK_INIT {.size = sizeof(struct grove_task)}
/* clang-format on */

/* How a task ended: below 16 the word of the worker that ran it, from 16 a verdict of the mesh. */
enum grove_code {
    GROVE_CODE_SUCCEEDED = 0,
    GROVE_CODE_FAILED = 1,
    GROVE_CODE_PERMANENT = 2, /* failed in a way that no retry mends */
    GROVE_CODE_TIMEOUT = 3,   /* an attempt ran over its timeout_ms */
    GROVE_CODE_CANCELLED = 16,
    GROVE_CODE_POISON = 17, /* killed its worker too often */
    GROVE_CODE_DEADLINE = 18,
    GROVE_CODE_REFUSED = 19, /* no worker would take it */
    GROVE_CODE_LOST = 20,    /* at_most_once, and its worker died */
    GROVE_CODE_ABANDONED = 21,
    GROVE_CODE_JOINED = 22,      /* a join from outside did what it was asked to */
    GROVE_CODE_JOIN_FAILED = 23, /* ... or not: it stopped at failures, or nobody won */
    GROVE_CODE_NONE = 255        /* it has not ended, or was never accepted: see the status */
};

/* "succeeded", "failed" ...: as it stands in JSON; never NULL. */
const char *grove_code_name(enum grove_code code);

/* A success, verified to be signed by a worker that may run this function. */
struct grove_result {
    struct grove_id task;
    struct grove_bytes bytes; /* a NUL follows them, so that a text can be printed */
    const char *content_type; /* "" when there is none */
    uint32_t attempt;         /* from 1 */
    uint64_t run_ms;
    void *memory; /* the library's */
};

/* Everything but a success. */
struct grove_failure {
    struct grove_id task;     /* zero when it never had an id */
    const char *function;     /* "" when that is not known */
    enum grove_code code;     /* how the task ended, or GROVE_CODE_NONE */
    enum grove_status status; /* what the call returned for it */
    const char *reason;       /* one word: the code's, the refusal's or the status's name */
    const char *text;         /* for people; never NULL */
    struct grove_bytes bytes; /* what the handler added to its failure */
    uint32_t attempt;         /* of a failure by a worker, else 0 */
    bool retryable;           /* the same call may succeed later */
    void *memory;             /* the library's */
};

/* Release what a call wrote; empty and zeroed ones are fine. */
void grove_result_clear(struct grove_result *result);
void grove_failure_clear(struct grove_failure *failure);

/* ---- clients */

struct grove_client_options {
    size_t size;
    const char *credential_path; /* NULL: $GROVE_CREDENTIAL, else that of `grove dev` */
    uint32_t connect_timeout_ms; /* 0: 5 s */
    uint32_t spin_us; /* how long the I/O thread polls before it sleeps; buys latency with CPU */
};
/* clang-format off */
#define GROVE_CLIENT_OPTIONS_INIT {.size = sizeof(struct grove_client_options)}
/* clang-format on */

/* Connects to the mesh. A client may be used by any number of threads at a time.
 *
 *   options   NULL: all defaults
 *   error     out, may be NULL: GROVE_ERROR_SIZE bytes; a sentence that says what to do
 *   errors    GROVE_NO_LEADER: nobody answers, or our key is not admitted there; GROVE_NOT_FOUND,
 *             GROVE_PERMISSION, GROVE_MALFORMED...: the credential file; GROVE_REFUSED */
enum grove_status grove_client_open(const struct grove_client_options *options,
                                    struct grove_client **client, char *error) GROVE_CHECKED;

/* Calls in other threads return GROVE_CLOSED; NULL is fine. Not from a handler. */
void grove_client_close(struct grove_client *client);

/* The calls below take a client, or, in a handler, NULL: there they always make and await children
 * of the task it runs, whatever client is given. They may be made by the thread that the handler
 * was called on, and by those that have adopted its attempt. `result` and `failure` may be NULL;
 * what is given is always written: one of them is filled and the other left empty.
 *
 *   errors    GROVE_TIMEOUT: no answer in time (of a submit: it may or may not have been accepted;
 *             do it again with the same key); GROVE_BUSY: refused for want of room; GROVE_REFUSED,
 *             GROVE_DENIED, GROVE_EXPIRED, GROVE_CONFLICT (another task has this key);
 * GROVE_INVALID, GROVE_TOO_LARGE: an option; GROVE_CANCELLED: the handler's own attempt was told to
 *             stop; GROVE_CLOSED. failure->text has the sentence. */

/* Submits a task, which is durable when this returns.
 *
 *   id        out, may be NULL */
enum grove_status grove_submit(struct grove_client *client, const struct grove_task *task,
                               struct grove_id *id, struct grove_failure *failure) GROVE_CHECKED;

/* Submits many, in few round trips.
 *
 *   ids       out: `count`, in input order; zero where refused
 *   failures  out, may be NULL: `count`, in input order; empty where accepted
 *   returns   GROVE_OK when all were accepted, else the status of the first that was not */
enum grove_status grove_submit_many(struct grove_client *client, const struct grove_task *tasks,
                                    size_t count, struct grove_id *ids,
                                    struct grove_failure *failures) GROVE_CHECKED;

/* Submits a task and awaits its end.
 *
 *   errors    GROVE_FAILED: it ended, and not well: failure->code says how; GROVE_BAD_SIGNATURE,
 *             GROVE_UNKNOWN_KEY, GROVE_DENIED: what came as its result is not to be trusted */
enum grove_status grove_wait(struct grove_client *client, const struct grove_task *task,
                             struct grove_result *result, struct grove_failure *failure)
    GROVE_CHECKED;

/* Submits many and awaits them all.
 *
 *   results, failures  out, may be NULL: `count` each, in input order
 *   returns            GROVE_OK when all succeeded, else the status of the first that did not */
enum grove_status grove_wait_many(struct grove_client *client, const struct grove_task *tasks,
                                  size_t count, struct grove_result *results,
                                  struct grove_failure *failures) GROVE_CHECKED;

/* Awaits the end of a task that was submitted before, by anybody; in a handler, one of its
 * children.
 *
 *   timeout_ms  kept to a tenth of a second; in a handler only GROVE_FOREVER: it would have no slot
 *               to come back to
 *   errors      those of grove_wait; GROVE_TIMEOUT, GROVE_NOT_FOUND, GROVE_FORGOTTEN */
enum grove_status grove_result(struct grove_client *client, const struct grove_id *id,
                               uint64_t timeout_ms, struct grove_result *result,
                               struct grove_failure *failure) GROVE_CHECKED;

/* Awaits the ends of many tasks that were submitted before; a handler at most 10,000.
 *
 *   results, failures  out, may be NULL: `count` each, in the order of ids
 *   returns            GROVE_OK when all succeeded, else the status of the first that did not */
enum grove_status grove_result_many(struct grove_client *client, const struct grove_id *ids,
                                    size_t count, uint64_t timeout_ms, struct grove_result *results,
                                    struct grove_failure *failures) GROVE_CHECKED;

/* ---- joins: many tasks as one
 *
 * The mesh drives a join itself: it starts an input when there is a place for it, ends the others
 * when enough of them have ended, and goes on when the handler that called dies; run again, that
 * gets what is done already, and nothing is run twice. In a handler the inputs are children of its
 * task; it gives its slot back and is woken once. From outside they are children of a root named
 * grove.join, which has a tree and can be cancelled like any other. */

/* How far a join is. */
struct grove_join_progress {
    uint64_t total; /* inputs; 0: more may come */
    uint64_t succeeded, failed;
    uint64_t running;
    struct grove_id id; /* of the join; from outside a root's, as `grove explain` takes it */
};

struct grove_join_options {
    size_t size;
    const char *key;       /* the same key, by the same signer or in the same parent, is the same
                            * join: called for again with the same inputs, it is gone on with */
    uint32_t limit;        /* of a map: inputs that run, or wait for children, at a time; 0: 16 */
    bool stop_on_failure;  /* gather, map: the first failure ends the rest */
    uint32_t max_failures; /* ... or that many; 0: all run, however many fail */
    uint32_t winners;      /* race: so many; 0 is 1, at most 256 */
    bool first_settled;    /* race: whoever ends first wins, not whoever succeeds first */
    bool has_priority;     /* of all inputs that have none of their own */
    int priority;          /* -100 to 100, greater first */
    uint64_t deadline_ms;  /* Unix time; all has ended by then; 0: none */
    /* Called by the thread that called for the join, now and then, while it has a slot; anything
     * but GROVE_OK stops the join, and is what the call returns. May be NULL. */
    enum grove_status (*progress)(void *context, const struct grove_join_progress *progress);
    void *context; /* for progress */
};
/* clang-format off */
#define GROVE_JOIN_OPTIONS_INIT {.size = sizeof(struct grove_join_options)}
/* clang-format on */

#define GROVE_NO_INPUT SIZE_MAX

/* What came of a join. Arrays are NULL where the inputs were a stream. */
struct grove_joined {
    size_t size;
    struct grove_id id;    /* of the join; from outside a root's, as `grove tree` shows it */
    size_t count;          /* inputs */
    size_t succeeded;      /* of them */
    size_t failed;         /* ... by themselves */
    size_t cancelled;      /* ... because the join had ended, or was cancelled */
    size_t first_failed;   /* the first that failed by itself, or GROVE_NO_INPUT */
    size_t winner_count;   /* of a race */
    const size_t *winners; /* their places among the inputs, in the order in which they won */
    struct grove_result *results;   /* count, in input order; empty where there is none */
    struct grove_failure *failures; /* count, likewise; empty where it succeeded */
    struct grove_failure failure;   /* why the call did not return GROVE_OK, in a sentence */
    void *memory;                   /* the library's */
};
/* clang-format off */
#define GROVE_JOINED_INIT {.size = sizeof(struct grove_joined)}
/* clang-format on */

/* Releases what a join wrote; empty and zeroed ones are fine. */
void grove_joined_clear(struct grove_joined *joined);

/* Gather runs tasks of any functions and returns when all have ended; or, as its options say, when
 * some have failed, with the rest cancelled. Race returns with the first success; the others are
 * cancelled, and nothing below them starts any more. Map runs tasks of one function, never more
 * than `limit` at a time.
 *
 *   tasks     all are looked at first: if one breaks a rule, none is run
 *   options   NULL: all defaults
 *   joined    out, may be NULL
 *   errors    those of grove_wait. GROVE_FAILED: an input did not succeed, or of a race too few
 * did: joined->failure tells of the first, or of them all; GROVE_CONFLICT: the join of this key has
 * other inputs; GROVE_INVALID: options or tasks */
enum grove_status grove_gather(struct grove_client *client, const struct grove_task *tasks,
                               size_t count, const struct grove_join_options *options,
                               struct grove_joined *joined) GROVE_CHECKED;
enum grove_status grove_race(struct grove_client *client, const struct grove_task *tasks,
                             size_t count, const struct grove_join_options *options,
                             struct grove_joined *joined) GROVE_CHECKED;
enum grove_status grove_map(struct grove_client *client, const struct grove_task *tasks,
                            size_t count, const struct grove_join_options *options,
                            struct grove_joined *joined) GROVE_CHECKED;

/* Gathers children that this handler has submitted before. */
enum grove_status grove_gather_submitted(const struct grove_id *ids, size_t count,
                                         const struct grove_join_options *options,
                                         struct grove_joined *joined) GROVE_CHECKED;

/* Inputs that come one by one, and outcomes that go one by one: a join of any number takes no more
 * memory than 65,536 of them. Both are called by the thread that called for the join, and in a
 * handler with its slot. */
struct grove_stream {
    size_t size;
    /* Gives the input at this position; positions rise by one from 0. What `task` points to is used
     * until the next call.
     *
     *   returns   GROVE_OK; GROVE_CLOSED: there are no more; GROVE_BUSY: none now, so what there is
     *             goes out, and it is asked again at once; anything else stops the join, and is
     *             what the call returns */
    enum grove_status (*next)(void *context, uint64_t position, struct grove_task *task);
    /* Takes the outcome of the input at this position, in order: one of the two is filled, and
     * cleared afterwards; to keep it, copy the struct and zero it. May be NULL.
     *
     *   returns   GROVE_OK; anything else stops the join, and is what the call returns */
    enum grove_status (*take)(void *context, uint64_t position, struct grove_result *result,
                              struct grove_failure *failure);
    void *context;
    bool can_restart; /* `next` can be asked from 0 again: a handler that runs again after a crash,
                       * with other inputs than before, needs it, or gets GROVE_CONFLICT */
};
/* clang-format off */
#define GROVE_STREAM_INIT {.size = sizeof(struct grove_stream)}
/* clang-format on */

/* As grove_gather and grove_map. The first 256 inputs of a handler, or of a join with a key, name
 * the join and go out together: until then `next` is asked on, and must not wait for outcomes.
 *
 *   stopped   by `next`, `take` or progress: from outside the join is cancelled at once, in a
 *             handler when its task ends or fails */
enum grove_status grove_gather_stream(struct grove_client *client,
                                      const struct grove_stream *stream,
                                      const struct grove_join_options *options,
                                      struct grove_joined *joined) GROVE_CHECKED;
enum grove_status grove_map_stream(struct grove_client *client, const struct grove_stream *stream,
                                   const struct grove_join_options *options,
                                   struct grove_joined *joined) GROVE_CHECKED;

/* What became of a cancelled task and all below it. */
struct grove_cancelled {
    uint64_t never_started;
    uint64_t stopped; /* told to stop */
    uint64_t already_done;
};

/* Ends a task and all below it, for good: nothing of it starts any more, and whatever is still
 * reported does not count. Cancelled again, it says the same.
 *
 *   id        from outside: of one's own root, or a task in its tree; in a handler: of a task below
 *             its own
 *   counts    out, may be NULL
 *   failure   out, may be NULL
 *   errors    GROVE_NOT_FOUND: no such task, or not one's own; GROVE_FORGOTTEN; GROVE_TIMEOUT: no
 *             answer in 60 s: it may or may not have been cancelled */
enum grove_status grove_cancel(struct grove_client *client, const struct grove_id *id,
                               struct grove_cancelled *counts, struct grove_failure *failure)
    GROVE_CHECKED;

/* ---- workers */

struct grove_worker_options {
    size_t size;
    const char *credential_path; /* NULL: $GROVE_CREDENTIAL, else that of `grove dev` */
    const char *instance;        /* NULL: host name and a counter locked on this host */
    uint32_t slots;              /* attempts that run at a time; 0: one a processor */
    uint32_t window;             /* attempts fetched ahead; 0: 256 */
    uint32_t max_waiting;        /* handlers that wait for children; 0: 1,024 */
    uint32_t stack_size;         /* bytes of a handler's stack; 0: 256 KiB */
    uint32_t connect_timeout_ms; /* 0: keep trying, and warn after 5 s */
    uint32_t spin_us; /* how long idle threads poll before they sleep; buys latency with CPU */
    void (*enlisted)(void *context); /* called once, when the mesh has taken this worker; may be
                                      * NULL; must not block */
    void *context;                   /* for enlisted */
};
/* clang-format off */
#define GROVE_WORKER_OPTIONS_INIT {.size = sizeof(struct grove_worker_options)}
/* clang-format on */

/* Runs one attempt, blocking as it likes, on a thread of its own.
 *
 *   returns   GROVE_OK: the task succeeded, with what grove_attempt_return was given, or nothing.
 *             Anything else: it failed, with what grove_attempt_fail was given, or, when a call of
 *             this handler failed before, for that reason */
typedef enum grove_status grove_handler(struct grove_attempt *attempt, void *context);

/* Loads the credential; nothing is sent before grove_worker_run.
 *
 *   options   NULL: all defaults
 *   error     out, may be NULL: GROVE_ERROR_SIZE bytes */
enum grove_status grove_worker_open(const struct grove_worker_options *options,
                                    struct grove_worker **worker, char *error) GROVE_CHECKED;

/* Names the handler, or the shell command, that runs a function; before grove_worker_run. A command
 * gets the payload on stdin; its stdout is the result, its exit status the verdict.
 *
 *   errors    GROVE_INVALID: not a function's name; GROVE_CONFLICT: named before; GROVE_TOO_LARGE:
 *             256 functions are named; GROVE_IO: no directory for commands in $TMPDIR */
enum grove_status grove_worker_handle(struct grove_worker *worker, const char *function,
                                      grove_handler *handler, void *context) GROVE_CHECKED;
enum grove_status grove_worker_exec(struct grove_worker *worker, const char *function,
                                    const char *command) GROVE_CHECKED;

enum grove_command_mode {
    GROVE_COMMAND_ONCE, /* run for each attempt */
    GROVE_COMMAND_STAYS /* kept for the next one: attempts and answers are lines of JSON */
};

struct grove_command_options {
    size_t size;
    enum grove_command_mode mode;
    uint32_t grace_ms; /* what is told to stop gets SIGTERM, and this much later SIGKILL; 0: 2 s */
};
/* clang-format off */
#define GROVE_COMMAND_OPTIONS_INIT {.size = sizeof(struct grove_command_options)}
/* clang-format on */

/* grove_worker_exec with options; NULL: all defaults. */
enum grove_status grove_worker_command(struct grove_worker *worker, const char *function,
                                       const char *command,
                                       const struct grove_command_options *options) GROVE_CHECKED;

/* Enlists and works until grove_worker_stop, or until an operator drains it: then finishes what has
 * started, hands the rest back and takes leave. A silent mesh never stops it.
 *
 *   error     out, may be NULL: GROVE_ERROR_SIZE bytes
 *   errors    GROVE_NO_LEADER: after connect_timeout_ms; GROVE_IN_USE: this instance is alive
 *             elsewhere; GROVE_DENIED, GROVE_REFUSED: not as a worker, or not these functions */
enum grove_status grove_worker_run(struct grove_worker *worker, char *error) GROVE_CHECKED;

/* From any thread, and from signal handlers. */
void grove_worker_stop(struct grove_worker *worker);

/* After grove_worker_run has returned; NULL is fine. */
void grove_worker_close(struct grove_worker *worker);

/* ---- inside a handler */

struct grove_id grove_attempt_id(const struct grove_attempt *attempt); /* of the task */
struct grove_id grove_attempt_root(const struct grove_attempt *attempt);
struct grove_id grove_attempt_parent(const struct grove_attempt *attempt); /* zero for a root */
uint32_t grove_attempt_number(const struct grove_attempt *attempt);        /* from 1 */
uint32_t grove_attempt_depth(const struct grove_attempt *attempt);         /* a root has 0 */
const char *grove_attempt_function(const struct grove_attempt *attempt);
const char *grove_attempt_content_type(const struct grove_attempt *attempt); /* may be "" */

/* What it was given; a NUL follows it. Borrowed until the handler returns. */
struct grove_bytes grove_attempt_payload(const struct grove_attempt *attempt);

/* What an earlier attempt left with grove_checkpoint, or nothing. Borrowed likewise. */
struct grove_bytes grove_attempt_checkpoint_load(const struct grove_attempt *attempt);

/* Sets the result; the last call counts. To be returned: `return grove_attempt_return(...)`.
 *
 *   returns   GROVE_OK; GROVE_TOO_LARGE, and the attempt fails for good */
enum grove_status grove_attempt_return(struct grove_attempt *attempt, const void *data,
                                       size_t size);

/* Sets the failure; retried if attempts are left, but the second kind never. To be returned.
 *
 *   text      for people, one screen at most
 *   bytes     for the one who awaits it; may be empty
 *   returns   GROVE_FAILED */
enum grove_status grove_attempt_fail(struct grove_attempt *attempt, const char *text,
                                     struct grove_bytes bytes);
enum grove_status grove_attempt_fail_permanently(struct grove_attempt *attempt, const char *text,
                                                 struct grove_bytes bytes);

/* Makes the calling thread one of this attempt's: its calls make and await children of the task,
 * and are told when to stop, as the handler's own. An attempt waits, and gives its slot back, while
 * all of its threads wait; it ends when the handler has returned and the last of them has released
 * it, or has ended. While the attempt has no slot this waits, too.
 *
 *   attempt   whose handler has not returned yet
 *   errors    GROVE_INVALID: this thread has an attempt already; GROVE_CLOSED: the handler has
 *             returned */
enum grove_status grove_context_adopt(struct grove_attempt *attempt) GROVE_CHECKED;

/* Ends that; the end of the thread does, too. A handler that is about to wait for its threads, by
 * pthread_join say, releases its own so long, lest it holds the slot that they wait for. Nothing
 * for a thread that has no attempt. */
void grove_context_release(void);

/* Whether this attempt was told to stop: return soon, nothing of it counts any more. False outside
 * a handler. */
bool grove_cancelled(void);

/* Says how far this attempt is; cheap, as only the latest of each 100 ms travels. Nothing outside a
 * handler.
 *
 *   percent   0 to 100; more is 100
 *   text      a line; longer than 200 bytes is cut; may be NULL */
void grove_progress(unsigned percent, const char *text);

/* Keeps bytes for the next attempt of this task; the last one counts, durable when this returns.
 *
 *   errors    GROVE_TOO_LARGE; GROVE_CANCELLED; GROVE_INVALID: outside a handler */
enum grove_status grove_checkpoint(const void *data, size_t size) GROVE_CHECKED;

#ifdef __cplusplus
}
#endif

#endif
