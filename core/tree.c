/* SPDX-License-Identifier: MPL-2.0
 * Growth, moves, ends. */
#include "core/tree.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "core/budget.h"
#include "core/emit.h"
#include "core/failures.h"
#include "core/join.h"
#include "core/kept.h"
#include "core/memory.h"
#include "core/ready.h"
#include "core/roster.h"
#include "core/timers.h"

struct task *tree_find(const struct forest *forest, const struct id *id)
{
    struct task *task = table_find(&forest->by_id, id);

    return task && !task->tree->forgetting ? task : NULL;
}

struct tree *tree_of_root(struct task *root)
{
    return (struct tree *)(void *)((char *)root - sizeof(struct tree));
}

bool tree_is_large(const struct tree *tree)
{
    return tree->turns_left == 0;
}

/* One allocation: the tree of a root, the task, its item. */
struct task *tree_allocate(bool is_root, size_t item_size)
{
    const size_t front = is_root ? sizeof(struct tree) : 0;
    char *memory = kept_allocate(front + sizeof(struct task) + item_size);
    struct task *task = (struct task *)(void *)(memory + front);

    TAILQ_INIT(&task->children);
    task->item_size = (uint32_t)item_size;
    if (is_root) {
        task->tree = tree_of_root(task);
        task->tree->root = task;
    }
    return task;
}

/* A caller's key as two numbers. It need not resist anybody: who makes two keys collide gets, for
 * an equal function and payload, the result of a child of its own. */
static void hash_key(struct bytes key, uint64_t call[2])
{
    static const uint8_t fixed[crypto_shorthash_siphashx24_KEYBYTES] = {0};
    uint8_t hash[crypto_shorthash_siphashx24_BYTES];

    crypto_shorthash_siphashx24(hash, key.data, key.size, fixed);
    memcpy(call, hash, sizeof(hash));
}

struct request tree_request(struct task *parent, struct function *function,
                            const struct digest *payload, const struct task_item *item)
{
    struct request request = {.parent = parent, .function = function, .payload = *payload};

    if (parent && item->key.size > 0) {
        hash_key(item->key, request.call);
    } else if (parent) {
        request.call[0] =
            (uint64_t)(item->lineage.join_kind % JOIN_REVISION) << 32 | item->lineage.occurrence;
        request.call[1] = item->lineage.join_position;
    }
    return request;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* What a task takes over from its item and from its parent. */
static void inherit(const struct forest *forest, struct task *task, const struct planting *planting)
{
    const struct task_item *item = planting->item;
    const struct task *parent = planting->parent;
    int32_t priority = item->priority;

    task->deadline_ms = item->deadline_ms;
    if (parent) {
        task->tree = parent->tree;
        task->depth = (uint16_t)(parent->depth + 1);
        task->deadline_ms = sooner(item->deadline_ms, parent->deadline_ms);
        priority = item->has_priority ? item->priority : parent->priority;
    }
    task->priority = (int8_t)priority;
    task->max_attempts = item->max_attempts ? (uint16_t)item->max_attempts : 1;
    task->flags = (uint8_t)((item->at_most_once ? TASK_AT_MOST_ONCE : 0) |
                            (item->key.size > 0 ? TASK_KEYED : 0) |
                            (item->max_tasks > 0 || item->max_bytes > 0 ? TASK_BUDGET : 0));
    task->due_ms = item->delay_ms ? forest->now_ms + item->delay_ms : 0;
}

/* Children are found again by what they were asked for; the latest of equal ones counts. */
static void index_request(struct forest *forest, struct task *task)
{
    struct task *older = table_find(&forest->by_request, &task->request);

    if (older) {
        table_remove(&forest->by_request, older);
        older->flags &= (uint8_t)~TASK_INDEXED;
    }
    table_insert(&forest->by_request, task);
    task->flags |= TASK_INDEXED;
}

static void attach(struct forest *forest, struct task *task)
{
    struct task *parent = task->request.parent;

    if (parent) {
        TAILQ_INSERT_TAIL(&parent->children, task, sibling);
        parent->child_count++;
        index_request(forest, task);
        budget_take(task);
    } else {
        TAILQ_INSERT_TAIL(&forest->roots, task, sibling);
        forest->counters.roots++;
        forest->counters.open_roots++;
        task->tree->size = sizeof(struct tree);
    }
    task->tree->tasks++;
    task->tree->open++;
    if (task->tree->open > forest->options.turns) {
        task->tree->turns_left = 0;
    }
    task->tree->size += tree_size_of(task);
    table_insert(&forest->by_id, task);
}

/* The tree of a join has begun: it has children, and no root that could be assigned. */
static enum task_state first_state(struct forest *forest, struct task *task, enum planted as)
{
    if (as == PLANT_JOIN) {
        task->flags |= TASK_JOIN;
        task->attempts = 1;
        ready_serve(forest, task->tree);
        (void)tree_work(task);
        return TASK_WAITING;
    }
    if (as == PLANT_WINDOWED) {
        task->flags |= TASK_WINDOWED;
    }
    if (task->due_ms > forest->now_ms) {
        return TASK_DELAYED;
    }
    return as == PLANT_WINDOWED ? TASK_HELD : TASK_READY;
}

struct task *tree_plant(struct forest *forest, const struct planting *planting)
{
    const struct task_item *item = planting->item;
    struct task *task = tree_allocate(!planting->parent, planting->bytes.size);

    memcpy(task->item, planting->bytes.data, planting->bytes.size);
    task->id = *planting->id;
    task->request = tree_request(planting->parent, function_use(forest, item->function),
                                 planting->payload, item);
    task->record = planting->record;
    task->seal_index = planting->seal_index;
    task->sequence = ++forest->sequence;
    task->submitted_ms = forest->now_ms;
    inherit(forest, task, planting);
    if (!planting->parent) {
        task->tree->expires_ms = item->expires_ms;
        task->tree->turns_left = (uint8_t)forest->options.turns;
    }
    task->state = (uint8_t)first_state(forest, task, planting->as);
    attach(forest, task);
    forest->counters.submitted++;
    forest->counters.body_size += task->item_size;
    forest->counters.state[task->state]++;
    task->request.function->state[task->state]++;
    timers_set(&forest->timers, task);
    if (task->state == TASK_READY) {
        ready_add(forest, task);
    }
    emit_note(forest, NOTICE_SUBMITTED, task, 0);
    return task;
}

void tree_move(struct forest *forest, struct task *task, enum task_state state)
{
    struct function *function = task->request.function;
    const bool was_inside = join_is_inside(task);

    assert(task_may_move(task->state, state));
    if (task->lane) {
        ready_remove(forest, task);
    } else if (task->state == TASK_HELD) {
        join_unqueue(task);
    }
    forest->counters.state[task->state]--;
    function->state[task->state]--;
    task->state = (uint8_t)state;
    forest->counters.state[state]++;
    function->state[state]++;
    timers_set(&forest->timers, task);
    if (state == TASK_READY) {
        ready_add(forest, task);
    } else if (state == TASK_HELD) {
        join_queue(forest, task);
    }
    join_turn(forest, task, was_inside);
}

struct work *tree_work(struct task *task)
{
    if (!task->work) {
        task->work = kept_allocate(sizeof(*task->work));
        task->work->task = task;
        task->work->budget = budget_make(task);
        TAILQ_INIT(&task->work->joins);
    }
    return task->work;
}

uint64_t tree_size_of(const struct task *task)
{
    uint64_t size = sizeof(*task) + task->item_size;

    if (!task_state_is_open(task->state)) {
        const struct work *work = task->work;
        size += sizeof(*work) + blob_size(work->progress) + blob_size(work->failure) +
                blob_size(work->verdict) + blob_size(work->result) +
                (budget_own(task) ? sizeof(*work->budget) : 0);
    }
    return size;
}

static void wake_parent(struct forest *forest, const struct task *task)
{
    const struct task *parent = task->request.parent;

    if (parent && parent->state == TASK_WAITING && task->awaited != 0 &&
        task->awaited == parent->work->wait) {
        roster_wake(forest, parent->work);
    }
}

static void count_end(struct forest *forest, const struct task *task)
{
    struct function *function = task->request.function;
    struct work *root = task->tree->root->work; /* has begun, or its tree has no other task */

    if (task->state == TASK_SUCCEEDED) {
        forest->counters.succeeded++;
        function->succeeded++;
    } else if (task->state == TASK_CANCELLED) {
        forest->counters.cancelled++;
        function->cancelled++;
        root->cancelled++;
    } else {
        forest->counters.failed++;
        function->failed++;
        root->failed++;
        failures_add(forest, task->work);
    }
}

static void settle(struct forest *forest, struct task *task, enum task_state state)
{
    struct tree *tree = task->tree;

    free(task->work->checkpoint);
    task->work->checkpoint = NULL;
    task->work->ended_ms = forest->now_ms;
    tree->size -= tree_size_of(task);
    tree_move(forest, task, state);
    tree->size += tree_size_of(task);
    count_end(forest, task);
    forest->counters.body_size -= task->item_size;
    tree->open--;
    if (tree->open == 0) {
        forest->counters.open_roots--;
    }
    emit_settled(forest, task);
    emit_note_end(forest, task);
    wake_parent(forest, task);
    tree_rest(forest, tree); /* before a join ends the root: a tree comes to rest once */
    join_settle(forest, task);
}

static void count_run(struct function *function, uint64_t run_ms)
{
    if (!function->runs) {
        function->runs = kept_allocate(sizeof(*function->runs));
    }
    durations_add(function->runs, run_ms);
}

void tree_settle_result(struct forest *forest, struct task *task, const struct result_item *result,
                        struct blob *bytes, struct record *record, uint8_t seal_index)
{
    struct work *work = tree_work(task);

    budget_take_result(task, blob_bytes(bytes).size);
    work->code = result->code;
    work->result = bytes;
    work->record = record;
    work->result_index = seal_index;
    count_run(task->request.function, result->run_ms);
    settle(forest, task, result->code == CODE_SUCCEEDED ? TASK_SUCCEEDED : TASK_FAILED);
}

void tree_settle_verdict(struct forest *forest, struct task *task, enum outcome_code code,
                         struct bytes text)
{
    struct work *work = tree_work(task);

    work->code = code;
    work->verdict = blob_make(text);
    settle(forest, task,
           code == CODE_CANCELLED ? TASK_CANCELLED
           : code == CODE_JOINED  ? TASK_SUCCEEDED
                                  : TASK_FAILED);
}

bool tree_is_at_rest(const struct tree *tree)
{
    return tree->open == 0 && tree->held == 0 && tree->sweeps == 0;
}

void tree_rest(struct forest *forest, struct tree *tree)
{
    if (tree_is_at_rest(tree)) {
        tree->settled_ms = forest->now_ms;
        TAILQ_INSERT_TAIL(&forest->retained, tree->root, retained);
        forest->counters.settled_size += tree->size;
    }
}

void tree_stir(struct forest *forest, struct tree *tree)
{
    if (tree_is_at_rest(tree)) {
        tree->settled_ms = 0;
        TAILQ_REMOVE(&forest->retained, tree->root, retained);
        forest->counters.settled_size -= tree->size;
    }
}

static void free_work(struct forest *forest, struct work *work)
{
    while (!TAILQ_EMPTY(&work->joins)) {
        join_free(forest, TAILQ_FIRST(&work->joins));
    }
    if (work->task->state == TASK_FAILED) {
        failures_drop(forest, work);
    }
    record_drop(forest, work->record);
    free(budget_own(work->task));
    free(work->sweep);
    free(work->progress);
    free(work->checkpoint);
    free(work->failure);
    free(work->verdict);
    free(work->result);
    free(work);
}

void tree_free_task(struct forest *forest, struct task *task)
{
    struct task *parent = task->request.parent;
    struct work *work = task->work;

    table_remove(&forest->by_id, task);
    if (task->flags & TASK_INDEXED) {
        table_remove(&forest->by_request, task);
    }
    if (parent) {
        TAILQ_REMOVE(&parent->children, task, sibling);
        parent->child_count--;
    } else {
        TAILQ_REMOVE(&forest->roots, task, sibling);
    }
    forest->counters.state[task->state]--;
    task->request.function->state[task->state]--;
    function_drop(forest, task->request.function);
    record_drop(forest, task->record);
    if (work) {
        free_work(forest, work);
    }
    free(parent ? (void *)task : (void *)task->tree);
}

bool tree_is_forgettable(const struct forest *forest, uint64_t now_ms)
{
    const struct task *root = TAILQ_FIRST(&forest->retained);

    return root && (root->tree->forgetting ||
                    forest->counters.settled_size > forest->options.retention_size ||
                    now_ms - root->tree->settled_ms >= forest->options.retention_ms);
}

/* What others of its batches keep no longer has it in their trees. */
static void let_seals_go(struct forest *forest, struct task *task)
{
    record_release(forest, &task->record, task->seal_index);
    if (task->work) {
        record_release(forest, &task->work->record, task->work->result_index);
    }
}

/* Frees tasks of a tree from its leaves on; false when there was no move left to finish it. */
static bool fell(struct forest *forest, struct tree *tree)
{
    struct task *task = tree->root;

    for (bool is_root = false; !is_root; forest->moves--) {
        if (forest->moves == 0) {
            return false;
        }
        while (!TAILQ_EMPTY(&task->children)) {
            task = TAILQ_LAST(&task->children, task_list);
        }
        struct task *parent = task->request.parent;
        is_root = !parent;
        if (is_root) {
            TAILQ_REMOVE(&forest->retained, task, retained);
            forest->counters.roots--;
        } else {
            tree->tasks--;
        }
        let_seals_go(forest, task);
        tree_free_task(forest, task);
        task = parent;
    }
    return true;
}

void tree_forget(struct forest *forest)
{
    while (forest->moves > 0 && tree_is_forgettable(forest, forest->now_ms)) {
        struct tree *tree = TAILQ_FIRST(&forest->retained)->tree;
        if (!tree->forgetting) {
            tree->forgetting = true;
            forest->counters.settled_size -= tree->size;
            memory_keep(forest, tree);
        }
        if (!fell(forest, tree)) {
            return;
        }
    }
}
