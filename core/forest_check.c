/* SPDX-License-Identifier: MPL-2.0
 * Every invariant of a forest, as code: one walk that counts again what is counted as it goes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/budget.h"
#include "core/failures.h"
#include "core/id.h"
#include "core/join.h"
#include "core/join_check.h"
#include "core/kept.h"
#include "core/limit.h"
#include "core/memory.h"
#include "core/pool.h"
#include "core/ready.h"
#include "core/roster.h"
#include "core/timers.h"
#include "core/tree.h"

/* What the walk has counted so far. */
struct census {
    struct forest *forest;
    struct forest_counters counters;
    uint64_t tasks, children_indexed, timers, ready, held, uses;
    const struct task *task; /* being looked at */
};

/* Notes the fault, once; returns whether the invariant holds. */
static bool holds(const struct census *census, bool invariant, const char *sentence)
{
    char id[ID_TEXT_SIZE] = "";

    if (!invariant && census->forest->fault[0] == '\0') {
        if (census->task) {
            id_format(&census->task->id, id);
        }
        (void)snprintf(census->forest->fault, sizeof(census->forest->fault), "%s%s%s", id,
                       id[0] ? ": " : "", sentence);
    }
    return invariant;
}

/* ---- tasks */

static bool may_be_taken_from(const struct task *task, enum place place)
{
    switch (place) {
    case PLACE_NONE:
        return (task->flags & TASK_JOIN) ||
               (task->state != TASK_RUNNING && task->state != TASK_WAITING);
    case PLACE_CHILDREN:
    case PLACE_LARGE:
        return task->depth > 0 && task->state == TASK_RUNNING;
    case PLACE_ROOTS:
        return task->depth == 0 && task->state == TASK_RUNNING;
    case PLACE_SLOT:
        return task->state == TASK_RUNNING;
    case PLACE_WAITING:
    case PLACE_RESUMABLE:
    case PLACE_BARRED:
        return task->state == TASK_WAITING;
    case PLACE_COUNT:
        break;
    }
    return false;
}

static void check_work(struct census *census, const struct task *task)
{
    const struct work *work = task->work;
    const enum place place = work ? (enum place)work->place : PLACE_NONE;
    const bool is_open = task_state_is_open(task->state);

    if (!work) {
        holds(census, is_open && task->attempts == 0, "has ended or begun, but has no work");
        holds(census, may_be_taken_from(task, PLACE_NONE), "runs, and no session holds it");
        return;
    }
    const char *budget = task->tree->forgetting ? NULL : budget_check(task);
    holds(census, !budget, budget);
    holds(census, work->task == task, "its work is another's");
    holds(census, (work->session != NULL) == (place != PLACE_NONE),
          "has a session or a place, not both");
    holds(census, work->stopping == (!is_open && work->session),
          "is told to stop if and only if it ended");
    holds(census, !is_open || may_be_taken_from(task, place), "its state and its place disagree");
    holds(census, work->losses <= LIMIT_LOSSES && (!is_open || work->losses < LIMIT_LOSSES),
          "is open, and was lost too often");
    holds(census, is_open || !work->checkpoint, "has ended, and keeps a checkpoint");
    holds(census, !(task->flags & TASK_JOIN) || (!work->session && task->depth == 0),
          "is a join from outside, and is run");
    holds(census, !work->record || (!is_open && work->code < CODE_CANCELLED),
          "has a result it may not have");
    census->held += work->session != NULL;
}

static void check_queueing(struct census *census, const struct task *task)
{
    const struct forest *forest = census->forest;
    const uint64_t wanted_ms = task->tree->forgetting ? UINT64_MAX : timers_wanted_ms(task);

    holds(census, (task->lane != NULL) == (task->state == TASK_READY),
          "is READY or in a lane, not both");
    if (task->lane) {
        const struct queue_key *key = &task->lane->key.queue->key;
        holds(census, key->function == task->request.function && key->depth == task->depth,
              "stands in another's queue");
        holds(census, (task->lane == &task->lane->key.queue->fresh) == (task->tree->served == 0),
              "stands with the fresh roots if and only if its tree has not begun");
        census->ready++;
    }
    holds(census, (task->timer != 0) == (wanted_ms != UINT64_MAX),
          "has a timer it does not want, or none");
    if (task->timer != 0) {
        const struct timer *timer = &forest->timers.heap[task->timer - 1];
        holds(census, timer->owner == task && timer->at_ms == wanted_ms, "its timer is wrong");
        census->timers++;
    }
}

static void check_place_in_tree(struct census *census, const struct task *task)
{
    const struct task *parent = task->request.parent;
    const struct forest *forest = census->forest;

    holds(census, table_find(&forest->by_id, &task->id) == task, "is not found by its id");
    holds(census, task->sequence > 0 && task->sequence <= forest->sequence,
          "has a sequence of the future");
    if (!parent) {
        holds(census, task->depth == 0 && task->tree->root == task, "a root is not its own");
        return;
    }
    holds(census, task->depth == parent->depth + 1 && task->tree == parent->tree,
          "is not below its parent");
    holds(census, task->depth <= LIMIT_DEPTH, "is too deep");
    holds(census, parent->sequence < task->sequence, "is older than its parent");
    holds(census,
          parent->deadline_ms == 0 ||
              (task->deadline_ms && task->deadline_ms <= parent->deadline_ms),
          "may outlive its parent's deadline");
    if (task->flags & TASK_INDEXED) {
        holds(census, table_find(&forest->by_request, &task->request) == task,
              "is not found by its request");
        census->children_indexed++;
    }
    if (parent->state == TASK_WAITING && parent->work->place == PLACE_WAITING &&
        task->awaited != 0 && task->awaited == parent->work->wait) {
        holds(census, task_state_is_open(task->state),
              "has ended, and its parent still waits for it");
    }
}

static void count_task(struct census *census, const struct task *task)
{
    census->tasks++;
    census->counters.state[task->state]++;
    if (task_state_is_open(task->state)) {
        census->counters.body_size += task->item_size;
    }
    census->uses += task->work && task->work->record ? 2 : 1;
}

static void check_task(struct census *census, const struct task *task)
{
    census->task = task;
    check_place_in_tree(census, task);
    check_queueing(census, task);
    check_work(census, task);
    count_task(census, task);
    census->task = NULL;
}

/* ---- trees */

static const struct task *next_below(const struct task *task)
{
    if (!TAILQ_EMPTY(&task->children)) {
        return TAILQ_FIRST(&task->children);
    }
    while (task->request.parent && !TAILQ_NEXT(task, sibling)) {
        task = task->request.parent;
    }
    return task->request.parent ? TAILQ_NEXT(task, sibling) : NULL;
}

static uint64_t count_children(const struct task *task)
{
    const struct task *child = NULL;
    uint64_t count = 0;

    TAILQ_FOREACH(child, &task->children, sibling) {
        count++;
    }
    return count;
}

static void check_tree(struct census *census, const struct tree *tree)
{
    struct tree count = {.size = sizeof(*tree)};
    uint32_t failed = 0, cancelled = 0;
    const bool has_rest = tree_is_at_rest(tree);

    for (const struct task *task = tree->root; task; task = next_below(task)) {
        check_task(census, task);
        holds(census, count_children(task) == task->child_count, "counts its children wrongly");
        count.tasks++;
        count.open += task_state_is_open(task->state);
        failed += task->state == TASK_FAILED;
        cancelled += task->state == TASK_CANCELLED;
        count.held += task->work && task->work->session;
        count.size += tree_size_of(task) + join_check_size(task);
    }
    census->task = tree->root;
    holds(census,
          count.tasks == tree->tasks && count.open == tree->open && count.held == tree->held,
          "counts the tasks of its tree wrongly");
    const struct work *work = tree->root != NULL ? tree->root->work : NULL;
    holds(census,
          tree->forgetting || (work ? work->failed == failed && work->cancelled == cancelled
                                    : failed == 0 && cancelled == 0),
          "counts the ends of its tree wrongly");
    holds(census, tree->forgetting || count.size == tree->size,
          "counts the bytes of its tree wrongly");
    holds(census, has_rest || (tree->settled_ms == 0 && !tree->forgetting),
          "is at rest before its end");
    census->task = NULL;
    census->counters.roots++;
    census->counters.open_roots += tree->open > 0;
    if (has_rest && !tree->forgetting) {
        census->counters.settled_size += tree->size;
    }
}

static void check_trees(struct census *census)
{
    const struct forest *forest = census->forest;
    const struct task *root = NULL;
    uint64_t rested = 0;
    uint64_t retained = 0;
    uint64_t before_ms = 0;

    TAILQ_FOREACH(root, &forest->roots, sibling) {
        check_tree(census, root->tree);
        rested += tree_is_at_rest(root->tree);
    }
    TAILQ_FOREACH(root, &forest->retained, retained) {
        retained++;
        holds(census, root->tree->settled_ms >= before_ms, "settled trees are out of order");
        before_ms = root->tree->settled_ms;
    }
    holds(census, rested == retained, "a settled tree is not retained, or another is");
    holds(census, forest->by_id.count == census->tasks,
          "the table of ids holds more or less than the trees");
    holds(census, forest->by_request.count == census->children_indexed,
          "the table of requests is wrong");
    holds(census, forest->timers.count == census->timers, "a timer belongs to no task");
}

/* ---- sessions */

static void check_place(struct census *census, const struct session *session, enum place place,
                        struct session *count)
{
    const struct work *work = NULL;

    TAILQ_FOREACH(work, &session->places[place], held) {
        census->task = work->task;
        holds(census, work->session == session && work->place == place,
              "is in a place it does not know");
        holds(census, !work->seen, "is still marked as seen");
        count->held[place]++;
        count->stopping += work->stopping;
        count->lost += roster_endangers(work);
        count->needy += pool_is_ahead(place) && ready_needs_slot(work->task);
        census->task = NULL;
    }
    census->held -= count->held[place];
    holds(census, count->held[place] == session->held[place], "a session counts a place wrongly");
}

static void check_slots(struct census *census, const struct session *session)
{
    const bool has_room = session->pool && pool_busy(session) < session->slots + session->window;

    holds(census, session->held[PLACE_SLOT] <= session->slots,
          "a session has more running than slots");
    holds(census, pool_busy(session) <= session->slots + session->window,
          "a session is over its window");
    holds(census,
          (pool_ahead(session) == 0 && session->held[PLACE_RESUMABLE] == 0) ||
              session->held[PLACE_SLOT] == session->slots,
          "a session has a free slot, and something waits for one");
    holds(census, session->needy <= session->slots,
          "a session holds more ahead that needs a slot than it has slots");
    holds(census, session->stands[LINE_ROOM].is_taken == has_room,
          "a session stands in line without room, or has room and does not");
    holds(census, session->stands[LINE_NEEDY].is_taken == (has_room && pool_takes_needy(session)),
          "a session stands in line for what needs a slot, or should");
    holds(census, (session->pool != NULL) == (session->function_count > 0),
          "a session is in no pool");
}

static void check_session(struct census *census, const struct session *session)
{
    struct session count = {0};

    for (int place = PLACE_CHILDREN; place < PLACE_COUNT; place++) {
        check_place(census, session, (enum place)place, &count);
    }
    holds(census, count.stopping == session->stopping,
          "a session counts what it is told to stop wrongly");
    holds(census, count.lost == session->lost, "a session counts the lost wrongly");
    holds(census, count.needy == session->needy, "a session counts what needs a slot wrongly");
    if (!session->is_leaving) {
        check_slots(census, session);
        census->counters.sessions++;
    }
}

static void check_sessions(struct census *census)
{
    const struct forest *forest = census->forest;
    const struct session *session = NULL;

    while ((session = roster_session_after(forest, session ? session->index : 0))) {
        holds(census, roster_by_boot(forest, &session->identity, &session->boot) == session,
              "a session is not found by its boot id");
        check_session(census, session);
    }
    TAILQ_FOREACH(session, &forest->leaving, leaving) {
        holds(census, session->is_leaving && !session->pool,
              "a retired session is still offered work");
        check_session(census, session);
    }
    holds(census, TAILQ_EMPTY(&forest->hungry), "a session is hungry between commands");
    holds(census, census->held == 0, "an attempt is held by a session that is not there");
}

/* ---- the rest */

/* Nothing that could be assigned is left, unless the command had no move left for it. */
static void check_functions(struct census *census)
{
    const struct forest *forest = census->forest;
    const struct function *function = NULL;
    uint64_t state[TASK_STATE_COUNT] = {0};

    while ((function = function_after(forest, function ? function->name : NULL))) {
        const struct queue *queue = NULL;
        TAILQ_FOREACH(queue, &function->blocked, blocked) {
            holds(census, queue->is_blocked && queue->count > 0, "a blocked queue is empty");
            holds(census, !pool_choose(queue), "a blocked queue could go on");
        }
        for (int i = 0; i < TASK_STATE_COUNT; i++) {
            state[i] += function->state[i];
        }
    }
    for (int i = 0; i < TASK_STATE_COUNT; i++) {
        holds(census, state[i] == census->counters.state[i], "a function counts its tasks wrongly");
    }
    holds(census, census->ready == census->counters.state[TASK_READY],
          "a READY task stands nowhere");
}

static void check_counters(struct census *census)
{
    const struct forest *forest = census->forest;
    const struct forest_counters *kept = &forest->counters;
    const struct forest_counters *counted = &census->counters;

    holds(census, memcmp(kept->state, counted->state, sizeof(kept->state)) == 0,
          "states are counted wrongly");
    holds(census, kept->roots == counted->roots && kept->open_roots == counted->open_roots,
          "roots are counted wrongly");
    holds(census, kept->sessions == counted->sessions, "sessions are counted wrongly");
    holds(census, kept->body_size == counted->body_size, "bodies are counted wrongly");
    holds(census, kept->settled_size == counted->settled_size, "settled bytes are counted wrongly");
    holds(census,
          kept->remembered_size == forest->memories.count * MEMORY_SIZE &&
              forest->memories.count == forest->fading.count,
          "remembered ids are counted wrongly");
    holds(census,
          (kept->roots + forest->memories.count) * MEMORY_SIZE <= forest->options.remembered_size,
          "there is no room to remember all roots");
}

static void check_heap(struct census *census, const struct timers *timers)
{
    for (uint32_t i = 1; i < timers->count; i++) {
        const struct timer *above = &timers->heap[(i - 1) / 2];
        holds(census, above->at_ms <= timers->heap[i].at_ms, "a heap of timers is out of order");
    }
}

/* One that points to a record, and for which of its items. */
struct use {
    const struct record *record;
    uint8_t index;
};

static int by_record(const void *a, const void *b)
{
    const struct use *left = a;
    const struct use *right = b;

    if (left->record != right->record) {
        return left->record < right->record ? -1 : 1;
    }
    return left->index < right->index ? -1 : left->index > right->index;
}

static size_t find_uses(const struct census *census, struct use *uses)
{
    const struct task *root = NULL;
    size_t count = 0;

    TAILQ_FOREACH(root, &census->forest->roots, sibling) {
        for (const struct task *task = root; task; task = next_below(task)) {
            uses[count++] = (struct use){task->record, task->seal_index};
            if (task->work && task->work->record) {
                uses[count++] = (struct use){task->work->record, task->work->result_index};
            }
        }
    }
    return count;
}

/* What a record keeps is what its users point to, and none of it twice. */
static void check_record(struct census *census, const struct use *uses, size_t count)
{
    const struct record *record = uses[0].record;
    const struct pruned *tree = &record->tree;
    struct seal_set kept = {0};

    for (size_t i = 0; i < count; i++) {
        seal_set_add(&kept, uses[i].index);
    }
    holds(census, record->uses == count && seal_set_count(&kept) == count,
          "a record counts its uses wrongly");
    holds(census, memcmp(&kept, &tree->kept, sizeof(kept)) == 0,
          "a record keeps another item than its users");
    holds(census,
          tree->count == record->seal.count && seal_set_is_valid(&tree->kept, tree->count) &&
              tree->hash_count == pruned_size(&tree->kept, tree->count),
          "a record has more or fewer hashes than its tree");
    holds(census, record->capacity >= tree->hash_count && record->capacity < 2 * tree->hash_count,
          "a record has the wrong memory");
    census->counters.seal_size += record_size(record);
}

static void check_records(struct census *census)
{
    struct use *uses = kept_allocate((census->uses + 1) * sizeof(*uses));
    const size_t count = find_uses(census, uses);

    qsort(uses, count, sizeof(*uses), by_record);
    for (size_t i = 0, next = 0; i < count; i = next) {
        while (next < count && uses[next].record == uses[i].record) {
            next++;
        }
        check_record(census, uses + i, next - i);
    }
    holds(census, census->forest->counters.seal_size == census->counters.seal_size,
          "seals are counted wrongly");
    free(uses);
}

const char *forest_check(struct forest *forest)
{
    struct census census = {.forest = forest};

    forest->fault[0] = '\0';
    check_trees(&census);
    check_sessions(&census);
    check_functions(&census);
    check_counters(&census);
    check_heap(&census, &forest->timers);
    check_heap(&census, &forest->fading);
    check_records(&census);
    const char *trust = trust_check(&forest->trust);
    holds(&census, !trust, trust);
    const char *joins = join_check(forest);
    holds(&census, !joins, joins);
    const char *failures = failures_check(forest, census.counters.state[TASK_FAILED]);
    holds(&census, !failures, failures);
    const char *limits = limit_check(forest);
    holds(&census, !limits, limits);
    return forest->fault[0] ? forest->fault : NULL;
}
