/* SPDX-License-Identifier: MPL-2.0
 * The state of a forest, for the files of core that move, write and check it; nobody else includes
 * this.
 *
 * What is marked *derived* follows from the rest and is in no snapshot. Order comes from lists and
 * sequence numbers only, never from a table or an address. */
#ifndef GROVE_CORE_FOREST_STATE_H
#define GROVE_CORE_FOREST_STATE_H

#ifndef __unused
#define __unused __attribute__((unused)) /* for RB_GENERATE_STATIC */
#endif
#include <sys/queue.h>
#include <sys/tree.h>

#include "core/durations.h"
#include "core/forest.h"
#include "core/table.h"
#include "core/trust.h"

struct task;
struct tree;
struct work;
struct lane;
struct queue;
struct pool;
struct session;
struct join;
struct member;

/* Bytes that are kept: a text, a checkpoint, a result. NULL stands for none. */
struct blob {
    uint32_t size;
    uint8_t data[];
};

/* The seal of a batch, shared by what was copied out of it. Each of those is one item that the tree
 * keeps; whatever goes is pruned off. */
struct record {
    uint32_t uses;     /* derived: tasks and results that point here */
    uint32_t number;   /* scratch of a snapshot: which of those in it */
    uint16_t capacity; /* derived: hashes there is memory for, at most twice as many as there are */
    struct seal seal;
    struct pruned tree;
};

/* What an operator has set for a function, and what its attempts have used of it. */
struct function_limit {
    uint32_t running; /* attempts at a time; 0: any number */
    uint32_t rate;    /* attempts begun in 1,000 s; 0: any number */
    bool paused;
    uint64_t level; /* left of its rate, in millionths of an attempt, at ... */
    uint64_t level_ms;
};

/* A function's name, interned while a task or a session refers to it, or it has a limit. */
struct function {
    struct table_link by_name;
    RB_ENTRY(function) named;              /* forest->functions, in byte order */
    char name[LIMIT_FUNCTION_LENGTH + 1];  /* zeros to the end: a key of fixed size */
    uint64_t uses;                         /* derived: tasks and pools that point here; its limit */
    uint64_t sessions;                     /* derived: that offer it */
    uint64_t state[TASK_STATE_COUNT];      /* derived: its tasks in each state */
    uint64_t succeeded, failed, cancelled; /* ever, while interned */
    uint64_t begun;                        /* forest->served when a root of it began last */
    struct durations *runs;      /* of results, while interned; NULL: none. In no snapshot */
    LIST_HEAD(, offer) offers;   /* derived: pools that offer it */
    TAILQ_HEAD(, queue) blocked; /* derived: queues that wait for room in a session */
    struct function_limit limit;
    /* what follows from the limit (core/limit.h); derived */
    uint64_t active;  /* attempts that count as running */
    uint64_t ahead;   /* ... of those: assigned ahead, so that they have not begun */
    uint64_t allowed; /* at most so many: more than its limit, if that came later */
    bool is_held;     /* nothing begins */
    RB_HEAD(barred_tree, work) barred; /* who could go on, but for the limit; oldest first */
    uint64_t barred_count;
    bool is_loose; /* in forest->loose: something may go on, at the end of the command */
    RB_ENTRY(function) loose;
    bool is_rated; /* in forest->rated: until free_ms its rate lets nothing begin */
    RB_ENTRY(function) rated;
    uint64_t free_ms;
    struct {
        uint64_t active, ahead, barred;
    } counted; /* scratch of forest_check */
};

/* What makes two submissions the same call of one parent, whatever the generation (DESIGN, Ids).
 * With a key of the caller's, `call` is made from the key; else it holds {join kind and occurrence,
 * join position}. */
struct request {
    struct task *parent; /* NULL: a root */
    struct function *function;
    struct digest payload;
    uint64_t call[2];
};

enum task_flag {
    TASK_AT_MOST_ONCE = 1,
    TASK_INDEXED = 2,   /* in forest->by_request: the latest of its equal requests */
    TASK_KEYED = 4,     /* named by its caller */
    TASK_JOIN = 8,      /* a grove.join root: no worker runs it */
    TASK_WINDOWED = 16, /* input of a map, whose window it needs a place in */
    TASK_MARKED = 32,   /* cancelled, with all below that is open still */
    TASK_COUNTED = 64,  /* ... and counted before the sweep has come by */
    TASK_BUDGET = 128,  /* its item says what it may start */
};

/* How a task begins, when it has no delay. */
enum planted {
    PLANT_FREE,     /* READY */
    PLANT_WINDOWED, /* an input of a map: HELD */
    PLANT_JOIN      /* a grove.join root: WAITING, as if in its first attempt */
};

/* A task. Its signed item follows it in the same allocation. */
struct task {
    struct table_link by_id;
    struct id id;
    struct table_link by_request; /* children only */
    struct request request;
    struct tree *tree;
    struct record *record;
    struct work *work;         /* NULL until it is first assigned, or ends before */
    struct lane *lane;         /* derived: where it is READY, else NULL */
    TAILQ_ENTRY(task) sibling; /* in its parent's children, or in forest->roots; oldest first */
    TAILQ_HEAD(task_list, task) children;
    struct member *members; /* joins that it is an input of, in the order of their sequences */
    union {
        RB_ENTRY(task) ready;       /* derived: in lane->tasks, or HELD in the held of its join */
        TAILQ_ENTRY(task) retained; /* a root: in forest->retained */
    };
    uint64_t sequence; /* order of acceptance, from 1; unique */
    uint64_t submitted_ms;
    uint64_t deadline_ms; /* its own or an ancestor's, whichever is first; 0: none */
    uint64_t due_ms;      /* DELAYED: until then */
    uint32_t timer;       /* derived: position in forest->timers, from 1; 0: none */
    uint32_t child_count; /* derived */
    uint32_t attempts;    /* begun so far; the number of the last */
    uint32_t generation;  /* own failures */
    uint32_t awaited;     /* equals the wait of its parent's work: its parent waits for it */
    uint32_t item_size;
    uint16_t max_attempts;
    uint16_t depth; /* a root: 0 */
    int8_t priority;
    uint8_t state; /* enum task_state */
    uint8_t flags; /* enum task_flag */
    uint8_t seal_index;
    uint8_t item[];
};

/* What a root has beside its task: the same allocation, in front of it. */
struct tree {
    struct task *root;
    uint64_t served; /* forest->served when it last got an attempt assigned; 0: never, it has not
                        begun */
    uint64_t size;   /* derived: bytes that forgetting it gives back */
    uint64_t
        settled_ms; /* when its last task ended and its last attempt was given back; 0: not yet */
    uint64_t expires_ms;  /* until then its id must be known */
    uint32_t tasks, open; /* derived */
    uint32_t held;        /* derived: attempts that sessions hold, those told to stop as well */
    bool forgetting;      /* being freed: it answers no more */
    uint8_t turns_left;   /* attempts that it may still have assigned as a small tree; 0: large */
    uint16_t sweeps;      /* derived: under way in this tree */
};

/* Where a session holds an attempt; ahead, in the order in which they start. An attempt told to
 * stop stays where it is until it is given back. */
enum place {
    PLACE_NONE,      /* no session holds one */
    PLACE_CHILDREN,  /* assigned ahead, a child */
    PLACE_ROOTS,     /* assigned ahead, a root */
    PLACE_LARGE,     /* assigned ahead, a child of a large tree */
    PLACE_SLOT,      /* has a slot: it has started, as far as anybody knows */
    PLACE_WAITING,   /* its task is WAITING, and nothing awaited has ended */
    PLACE_RESUMABLE, /* ... something has, as its worker was told: first in line for a slot */
    PLACE_BARRED,    /* ... something has, but its function is at its limit */
    PLACE_COUNT
};

/* A charge that is taken back if the same process shows up with the attempt. */
struct loss {
    struct id boot;
    uint32_t attempt;
};

/* What is left of what a task may start below itself (core/budget.h). */
struct budget {
    struct budget *up; /* derived: the next one that counts the same tasks */
    uint64_t tasks_left, bytes_left;
};

/* What a task has gathered since it was first assigned: the attempt in force, its past, its end. */
struct work {
    struct task *task;
    /* the attempt in force: number task->attempts */
    struct session *session;
    TAILQ_ENTRY(work) held; /* in session->places[place] */
    RB_ENTRY(work) barred;  /* in its function's */
    uint8_t place;          /* enum place */
    bool stopping;          /* the task ended meanwhile */
    bool resumed;           /* has waited and got a slot again */
    bool seen;              /* scratch of one command: the worker lists it */
    uint32_t wait;          /* number of its last wait; 0: none yet */
    uint64_t started_ms;    /* when the last attempt was assigned */
    struct budget *budget; /* of what is below: its own if it is a TASK_BUDGET, else its parent's */
    /* the past */
    uint32_t losses;
    struct loss loss[LIMIT_LOSSES - 1];
    uint32_t refusals;
    uint64_t refused_by[LIMIT_REFUSALS - 1]; /* sessions that will not run it */
    uint32_t percent;
    struct blob *progress;
    struct blob *checkpoint;
    struct blob *failure;              /* text of the last own failure, or of its refusals */
    TAILQ_HEAD(join_list, join) joins; /* of its own; the open ones first, oldest last */
    uint32_t open_joins;               /* derived */
    struct sweep *sweep;               /* of what is below it, since it was cancelled; else NULL */
    uint32_t failed, cancelled;        /* derived, of a root: tasks of its tree that ended so */
    /* the end */
    uint64_t ended_ms;
    RB_ENTRY(work) by_end; /* derived, of one that failed: in forest->failures */
    uint32_t code;         /* enum outcome_code */
    struct blob *verdict;  /* text; NULL for a result */
    struct record *record; /* of the result; NULL for a verdict */
    struct blob *result;   /* its item as signed */
    uint8_t result_index;
};

TAILQ_HEAD(work_list, work);
RB_HEAD(task_tree, task);

/* ---- joins (core/join.h) */

/* One input of a join. */
struct member {
    struct task *task;
    struct join *join;
    struct member *next; /* of the same task */
    uint32_t position;
};

/* Inputs stay where they are, so they come in blocks. */
#define JOIN_BLOCK 32u

/* The end of what is open below a task that was cancelled, or in the inputs of a join that is over:
 * at most LIMIT_MOVES tasks a command. */
struct sweep {
    TAILQ_ENTRY(sweep) next; /* forest->sweeps */
    struct task *head;       /* who was cancelled; NULL: of a join */
    struct join *join;       /* NULL: of a task */
    uint32_t position;       /* of a join: the next input to look at */
    struct task *top;        /* the subtree that it is in; NULL: between two */
    struct task *at;         /* the next task there */
    bool is_under_way;
    struct cancelled counts; /* of a task: what became of it and of all below */
};
TAILQ_HEAD(sweep_list, sweep);

struct join {
    struct table_link by_id;
    struct id id;
    TAILQ_ENTRY(join) of_parent; /* parent->work->joins */
    TAILQ_ENTRY(join) eager;     /* forest->eager */
    TAILQ_ENTRY(join) outside;   /* forest->outside: open, and its parent a TASK_JOIN */
    uint64_t sequence;           /* order of opening, among tasks as well */
    struct task *parent;
    struct function *function; /* of a map, else NULL */
    uint32_t limit, stop;
    uint8_t kind;  /* enum join_kind */
    uint8_t state; /* enum join_state */
    bool first_settled;
    bool closed;
    bool is_eager;         /* scratch of one command: its window may have a place */
    struct member **block; /* of JOIN_BLOCK each, by position */
    uint32_t count;
    uint32_t succeeded, failed; /* derived: inputs that have ended, well or not */
    uint32_t unstarted;         /* derived: open inputs of which no attempt was assigned yet */
    uint32_t held;              /* derived: attempts that sessions hold of its inputs */
    uint32_t window;            /* derived, of a map: places taken, at most limit */
    struct task_tree waiting;   /* derived, of a map: HELD inputs, oldest first */
    uint32_t awaited;           /* equals the wait of its parent's work: its parent waits for it */
    uint32_t until, room;       /* ... as struct awaited_join says */
    uint32_t winner_count;
    uint32_t *winners; /* positions, in the order of the ledger; LIMIT_WINNERS at most */
    struct sweep sweep;
    uint64_t told; /* scratch: forest->applied when it last had news */
};

/* ---- what runs next (core/ready.h); all of it derived */

/* Ready tasks of one tree and priority in one queue; or, as `fresh` of a queue, roots whose trees
 * have not begun. */
struct lane {
    struct table_link by_key;
    struct lane_key {
        struct queue *queue;
        struct tree *tree; /* NULL: fresh */
        int64_t priority;
    } key;
    RB_ENTRY(lane) turn;    /* in key.queue->lanes */
    uint64_t served;        /* tree->served when it was put there, or less */
    bool is_large;          /* ... and whether the tree was large */
    struct task_tree tasks; /* by priority, then oldest first */
};
RB_HEAD(lane_tree, lane);

/* How a tree stands among others. */
enum standing {
    STANDING_SMALL, /* has begun, and is finished before the others go on */
    STANDING_LARGE, /* takes turns with the other large ones, and with those that have not begun */
    STANDING_FRESH, /* has not begun */
};

/* What stands higher is taken first: priority, standing, the tree served longest ago, the deeper,
 * the oldest. When it is a large tree's turn, a fresh one may have waited longer: ready_next. */
struct rank {
    int32_t priority;
    enum standing standing;
    uint64_t served;
    uint32_t depth;
    uint64_t sequence;
};

/* Ready tasks that exactly the same sessions may take. */
struct queue {
    struct table_link by_key;
    struct queue_key {
        struct function *function;
        uint64_t refused_by[LIMIT_REFUSALS - 1]; /* ascending; 0: none */
        uint32_t depth;
        uint32_t needs; /* set of enum queue_need */
    } key;
    struct lane fresh;      /* NEED_TURN: all its tasks */
    struct lane_tree lanes; /* else: those of each tree */
    uint64_t count;         /* tasks */
    struct rank rank;       /* of its first task when it was put into `runnable`, or a higher one */
    bool is_blocked;        /* in function->blocked, else in forest->runnable */
    union {
        RB_ENTRY(queue) runnable;
        TAILQ_ENTRY(queue) blocked;
    };
};
RB_HEAD(queue_tree, queue);

enum queue_need {
    NEED_SLOT = 1, /* at most once, or an input of a map: ahead only among others that are */
    NEED_CALM = 2, /* it has a loss: not beside another such that runs */
    NEED_TURN = 4, /* it begins a tree */
};

/* ---- who works (core/roster.h) */

RB_HEAD(session_tree, session);

/* Where a session stands in a line of its pool. */
struct stand {
    RB_ENTRY(stand) in_line;
    struct session *session;
    bool is_taken;
};
RB_HEAD(session_line, stand);

enum line {
    LINE_ROOM,  /* has room */
    LINE_NEEDY, /* has room ahead also for what needs a slot */
    LINE_COUNT
};

/* Sessions that offer exactly the same functions. Derived. */
struct pool {
    struct session_line lines[LINE_COUNT]; /* whom to ask first in front */
    uint64_t sessions;
    size_t offer_count;
    struct offer {
        struct function *function;
        struct pool *pool;
        LIST_ENTRY(offer) of_function;
    } offers[]; /* by name */
};

/* What room a session has left, when it has any. */
enum session_room {
    ROOM_SLOT,  /* a free slot */
    ROOM_AHEAD, /* only ahead */
    ROOM_SMALL, /* ... and not for children of large trees */
};

struct session {
    uint64_t index;
    RB_ENTRY(session) by_index;   /* forest->sessions; not when leaving */
    TAILQ_ENTRY(session) leaving; /* forest->leaving */
    struct table_link by_boot, by_instance;
    struct id boot;                       /* key of by_boot: boot and identity */
    struct key identity;                  /* key of by_instance: identity and instance */
    char instance[LIMIT_NAME_LENGTH + 1]; /* zeros to the end */
    uint32_t slots, window, max_waiting;
    uint64_t enlisted_ms;
    size_t function_count;
    struct function **functions;          /* by name: offered, and not returned as *cannot run* */
    const char **names;                   /* derived: theirs, for views */
    struct pool *pool;                    /* derived; NULL when leaving, or without functions */
    struct work_list places[PLACE_COUNT]; /* attempts, oldest first */
    uint32_t held[PLACE_COUNT];           /* derived: how many are in each place */
    uint32_t stopping;                    /* derived: told to stop */
    uint32_t lost;                        /* derived: of tasks that have a loss, and do not wait */
    uint32_t needy;                       /* derived: ahead, of tasks that need a slot */
    /* where it stands in the lines of its pool; derived */
    struct stand stands[LINE_COUNT];
    uint32_t excess; /* depth that a task must have to be taken; 0: any */
    uint8_t room;    /* enum session_room */
    uint64_t load;
    bool is_hungry; /* got room in this command: in forest->hungry */
    TAILQ_ENTRY(session) hungry;
    /* leaving */
    bool is_leaving;
    uint8_t reason; /* enum retire_reason */
};
TAILQ_HEAD(session_list, session);

/* ---- the rest */

/* An entry of a heap that is ordered by at_ms, then sequence. */
struct timer {
    uint64_t at_ms;
    uint64_t sequence;
    void *owner; /* struct task or struct memory */
};

struct timers {
    struct timer *heap;
    uint32_t count, capacity;
};

/* An id that was known and must be recognized until it expires. With its timer at most 56 bytes. */
struct memory {
    struct table_link by_id;
    struct id id;
};

RB_HEAD(function_tree, function);

struct forest {
    struct forest_options options; /* zeros replaced by the limits; not in the snapshot */
    uint64_t now_ms;               /* greatest stamp applied */
    uint64_t applied;              /* commands */
    uint64_t sequence;             /* of the last task or join accepted */
    uint64_t served;               /* attempts assigned */

    struct table by_id;       /* tasks; derived */
    struct table by_request;  /* children; derived */
    struct table by_join;     /* joins; derived */
    struct join_list eager;   /* scratch of one command */
    struct join_list outside; /* derived; oldest first */
    struct sweep_list sweeps; /* under way; the first is gone on with */
    struct task_list roots;   /* oldest first, those being forgotten as well */
    struct task_list
        retained;         /* settled roots, longest settled first, those being forgotten as well */
    struct timers timers; /* a task's delay, backoff or deadline; derived */
    RB_HEAD(failure_tree, work) failures; /* tasks that failed; derived */

    struct table memories; /* derived */
    struct timers fading;  /* all memories; the sequence is that of the forgotten root */

    struct table by_name;           /* functions; derived */
    struct function_tree functions; /* derived, but for what they counted */
    struct function *recent; /* derived: the last one used, which the next item mostly wants too */
    RB_HEAD(loose_tree, function) loose; /* derived: left over by the last command */
    RB_HEAD(rated_tree, function) rated; /* derived: held by their rate */
    uint64_t limited;                    /* derived: functions that have a limit */

    struct table queues; /* derived */
    struct table lanes;  /* derived */
    struct queue_tree
        runnable; /* not known to be blocked; first the one to be served first; derived */

    struct session_tree sessions;      /* by index */
    struct session_list leaving;       /* retired, and not yet rid of all their attempts */
    struct session_list hungry;        /* scratch of one command */
    struct table by_boot, by_instance; /* derived */

    struct trust trust;
    struct forest_counters counters; /* state, open_roots, roots, sessions, sizes: derived */

    uint32_t moves;          /* tasks that this command may still move */
    uint64_t token;          /* of this command */
    struct effects *effects; /* of this command; NULL between commands */
    char fault[160];         /* what forest_check found */
};

#endif
