/* SPDX-License-Identifier: MPL-2.0
 * A forest with named workers and tasks, so that a test reads as a transcript. Tasks are signed by
 * client "client", children by their worker; after each command forest_check must find nothing. */
#ifndef GROVE_TESTS_SUPPORT_FOREST_FIXTURE_H
#define GROVE_TESTS_SUPPORT_FOREST_FIXTURE_H

#include "core/forest.h"

#define FIXTURE_TASKS 4096
#define FIXTURE_WORKERS 16
#define FIXTURE_START_MS UINT64_C(1700000000000)

/* A worker's process: the same name and another boot number is a new process of the same instance.
 */
struct fixture_worker {
    char name[16];
    uint8_t boot;
    uint64_t session;
};

struct fixture_task {
    char name[32];
    struct id id;
    struct task_item item; /* its slices point to literals and to `payload` */
    char payload[32];
};

struct fixture {
    struct forest *forest;
    struct forest_options options;
    struct signer mesh, client;
    uint64_t now_ms;
    uint64_t token; /* not 0: answers are printed */
    struct effects effects;
    struct buffer transcript; /* effects since the last expect_effects */
    struct fixture_worker workers[FIXTURE_WORKERS];
    size_t worker_count;
    struct fixture_task *tasks;
    size_t task_count;
    struct buffer item, frame;
};

/* How a task is asked for; what is left out is the plain case. */
struct asked {
    const char *function; /* NULL: "step" */
    const char *payload;  /* NULL: the name of the task */
    const char *key;
    const char *signer; /* a worker's name; NULL: the client, or the worker that expands */
    int32_t priority;
    bool has_priority;
    uint64_t delay_ms, deadline_ms; /* both from now */
    int64_t expires_ms;             /* from now; 0: 30 s */
    uint32_t max_attempts, occurrence;
    uint32_t attempt, generation; /* of the parent, when not what the forest says: plus one */
    uint32_t max_tasks;
    uint64_t max_bytes;
    bool at_most_once, fresh;
    const char *root; /* of a child, when not its parent's */
    const char *retry_of;
};

/* How a worker enlists. */
struct enlisting {
    uint32_t slots, window;
    uint32_t max_waiting;     /* 0: 1,024 */
    const char *functions;    /* NULL: "flow segment step" */
    uint8_t boot;             /* 0: as before, or 1 */
    const char *held;         /* "a b": tasks, with the attempt in force or last */
    const char *held_waiting; /* ... that wait */
    bool previous_exited;
};

int fixture_setup(void **state);
int fixture_setup_bounded(void **state, const struct forest_options *bounds);
int fixture_teardown(void **state);

#define enlist(f, worker, ...) fixture_enlist(f, worker, &(struct enlisting){__VA_ARGS__})
#define submit_with(f, tasks, ...) fixture_submit(f, tasks, &(struct asked){__VA_ARGS__})
/* Children, one or several "a b c" with the same options; `parent` need not be held by `worker`. */
#define expand_with(f, worker, parent, tasks, ...)                                                 \
    fixture_expand(f, worker, parent, tasks, FIXTURE_GO_ON, &(struct asked){__VA_ARGS__})

enum fixture_then { FIXTURE_GO_ON, FIXTURE_WAIT };

void fixture_enlist(struct fixture *f, const char *name, const struct enlisting *how);
void fixture_submit(struct fixture *f, const char *tasks, const struct asked *how);
void fixture_expand(struct fixture *f, const char *worker, const char *parent, const char *tasks,
                    enum fixture_then then, const struct asked *how);
void submit(struct fixture *f, const char *tasks);
void expand(struct fixture *f, const char *worker, const char *parent, const char *tasks);
void expand_and_wait(struct fixture *f, const char *worker, const char *parent, const char *tasks);
void wait_for(struct fixture *f, const char *worker, const char *parent, const char *children);
/* Waits of one message; one with no task ends them. */
void wait_for_all(struct fixture *f, const char *worker, const struct waits *waits);
void report(struct fixture *f, const char *worker, const char *task, enum outcome_code code);
/* ... of several tasks "a b c", in one batch. */
void report_all(struct fixture *f, const char *worker, const char *tasks, enum outcome_code code);
void return_attempt(struct fixture *f, const char *worker, const char *task,
                    enum return_reason reason, const char *text);
void checkpoint(struct fixture *f, const char *worker, const char *task, const char *bytes);
void retire(struct fixture *f, const char *worker, enum retire_reason reason);
void admit(struct fixture *f, const struct certificate *certificate);
void revoke(struct fixture *f, const char *name);  /* a worker's name, or "client" */
void expire(struct fixture *f, uint64_t after_ms); /* time passes, then Expire */
void forget(struct fixture *f, uint64_t after_ms);
void restart(struct fixture *f); /* goes on from a snapshot */

/* How a join is given inputs. */
struct joining {
    const char *name; /* of the join; NULL: "j" */
    enum join_kind kind;
    uint32_t limit, stop;
    bool first_settled;
    const char *function; /* of the inputs; NULL: "step" */
    uint32_t offset, revision;
    const char *adopted;   /* "a b": children submitted before, instead of inputs */
    const char *key;       /* of every input */
    const char *payload;   /* of every input; NULL: their names */
    const char *terms_of;  /* function of a map; NULL: that of the inputs */
    uint32_t position;     /* said by the inputs, when not their own: plus one */
    uint32_t max_attempts; /* of the inputs */
    uint64_t delay_ms;
    bool is_open; /* more follow */
    bool wait;    /* for it, or as below */
    uint32_t until, room;
    uint32_t max_tasks; /* of the root */
};

/* Inputs "a b c" for a join of `parent`, whose attempt `worker` holds; NULL: a grove.join root of
 * the client's. */
#define join_with(f, worker, parent, inputs, ...)                                                  \
    fixture_join(f, worker, parent, inputs, &(struct joining){__VA_ARGS__})
void fixture_join(struct fixture *f, const char *worker, const char *parent, const char *inputs,
                  const struct joining *how);

/* A grove.join root by the client, whose join has the same name. */
#define submit_join(f, root, ...) fixture_submit_join(f, root, &(struct joining){__VA_ARGS__})
void fixture_submit_join(struct fixture *f, const char *root, const struct joining *how);

void cancel(struct fixture *f, const char *task); /* by the client */
/* ... by the attempt of a task, or, without one, by whoever has this name. */
void cancel_by(struct fixture *f, const char *who, const char *by, const char *task);
void sweep(struct fixture *f);
struct join_view join_of(const struct fixture *f, const char *join);

/* What a name sets for a function: .change, .running, .rate, .paused. */
#define set_limit(f, who, name, ...)                                                               \
    fixture_limit(f, who, &(struct limit){.function = bytes_of_text(name), __VA_ARGS__})
void fixture_limit(struct fixture *f, const char *who, const struct limit *limit);
struct function_view function_of(const struct fixture *f, const char *function);

/* A result as this worker would sign it for the attempt in force; change it, then report it. */
struct result_item result_of(struct fixture *f, const char *worker, const char *name,
                             enum outcome_code code);
void report_result(struct fixture *f, const char *worker, const struct result_item *result);
/* ... sealed by another: a worker's name, or "client". */
void report_sealed_by(struct fixture *f, const char *worker, const char *signer,
                      const struct result_item *result);

/* The certificate of a name: of a worker, or "client". */
struct certificate certificate_of(const struct fixture *f, const char *name, uint32_t roles,
                                  const char *pattern);

struct id id_of(const struct fixture *f, const char *task);
const char *name_of(const struct fixture *f, const struct id *id); /* "?": none has it */
struct task_view view_of(const struct fixture *f, const char *task);
struct session_view session_of(const struct fixture *f, const char *worker);

/* The state of a task as a word. */
void expect_state(struct fixture *f, const char *task, const char *state);

/* What the commands since the last call have asked of the world, a line each:
 *   assign a w1       assign a#2 w1 (attempt 2)      resume a w1     stop a w1 [stale]
 *   refuse a w1 stale settled a    enlisted w1       retired w1      trusted
 *   answer 0 a ok     answer 0 a ok settled          done ok */
void expect_effects(struct fixture *f, const char *expected);

/* ... of no interest. */
void skip_effects(struct fixture *f);

#endif
