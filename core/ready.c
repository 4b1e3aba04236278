/* SPDX-License-Identifier: MPL-2.0
 * Queues, lanes and ranks. */
#include "core/ready.h"

#include <assert.h>
#include <stdlib.h>

#include "core/kept.h"
#include "core/pool.h"
#include "core/tree.h"

static int order(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_age(const struct task *a, const struct task *b)
{
    return a->priority != b->priority ? b->priority - a->priority : order(a->sequence, b->sequence);
}

RB_GENERATE_STATIC(task_tree, task, ready, by_age)

static int by_turn(const struct lane *a, const struct lane *b)
{
    if (a->key.priority != b->key.priority) {
        return a->key.priority > b->key.priority ? -1 : 1;
    }
    if (a->is_large != b->is_large) {
        return a->is_large ? 1 : -1;
    }
    if (a->served != b->served) {
        return order(a->served, b->served);
    }
    return order(a->key.tree->root->sequence, b->key.tree->root->sequence);
}

RB_GENERATE_STATIC(lane_tree, lane, turn, by_turn)

static int compare_ranks(const struct rank *a, const struct rank *b)
{
    if (a->priority != b->priority) {
        return a->priority > b->priority ? -1 : 1;
    }
    if (a->standing != b->standing) {
        return a->standing < b->standing ? -1 : 1;
    }
    if (a->served != b->served) {
        return order(a->served, b->served);
    }
    return a->depth != b->depth ? order(b->depth, a->depth) : order(a->sequence, b->sequence);
}

/* A rank names a task that stands in the queue, so no two queues have equal ranks. */
static int by_rank(const struct queue *a, const struct queue *b)
{
    return compare_ranks(&a->rank, &b->rank);
}

RB_GENERATE_STATIC(queue_tree, queue, runnable, by_rank)

bool ready_needs_slot(const struct task *task)
{
    return task->flags & (TASK_AT_MOST_ONCE | TASK_WINDOWED);
}

static struct queue_key key_of(const struct task *task)
{
    struct queue_key key = {.function = task->request.function, .depth = task->depth};

    if (ready_needs_slot(task)) {
        key.needs |= NEED_SLOT;
    }
    if (task->work && task->work->losses > 0) {
        key.needs |= NEED_CALM;
    }
    if (task->tree->served == 0) {
        key.needs |= NEED_TURN;
    }
    if (task->work) {
        memcpy(key.refused_by, task->work->refused_by, sizeof(key.refused_by));
    }
    return key;
}

/* The lane whose turn it is among the trees begun, or NULL; puts those that were served or became
 * large meanwhile where they belong. */
static struct lane *first_lane(struct queue *queue)
{
    struct lane *lane = RB_MIN(lane_tree, &queue->lanes);

    while (lane && (lane->served != lane->key.tree->served ||
                    lane->is_large != tree_is_large(lane->key.tree))) {
        RB_REMOVE(lane_tree, &queue->lanes, lane);
        lane->served = lane->key.tree->served;
        lane->is_large = tree_is_large(lane->key.tree);
        RB_INSERT(lane_tree, &queue->lanes, lane);
        lane = RB_MIN(lane_tree, &queue->lanes);
    }
    return lane;
}

static enum standing standing_of(const struct tree *tree)
{
    if (tree->served == 0) {
        return STANDING_FRESH;
    }
    return tree_is_large(tree) ? STANDING_LARGE : STANDING_SMALL;
}

static struct rank rank_of(const struct task *task)
{
    return (struct rank){.priority = task->priority,
                         .standing = standing_of(task->tree),
                         .served = task->tree->served,
                         .depth = task->depth,
                         .sequence = task->sequence};
}

struct task *ready_first(struct queue *queue)
{
    struct lane *lane = queue->key.needs & NEED_TURN ? &queue->fresh : first_lane(queue);

    return RB_MIN(task_tree, &lane->tasks);
}

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms == 0 || (b_ms != 0 && b_ms < a_ms) ? b_ms : a_ms;
}

/* Of the roots that have not begun, or of the tree whose turn it is. */
static uint64_t first_ms(const struct queue *queue)
{
    struct lane_tree lanes = queue->lanes;
    const struct lane *begun = RB_MIN(lane_tree, &lanes);
    struct task_tree tasks = (begun ? begun : &queue->fresh)->tasks;
    const struct task *task = RB_MIN(task_tree, &tasks);

    return task ? task->submitted_ms : 0;
}

uint64_t ready_oldest_ms(const struct forest *forest)
{
    struct queue_tree runnable = forest->runnable;
    const struct function *function = NULL;
    struct queue *queue;
    uint64_t oldest_ms = 0;

    RB_FOREACH(queue, queue_tree, &runnable) {
        oldest_ms = earlier(oldest_ms, first_ms(queue));
    }
    while ((function = function_after(forest, function ? function->name : NULL))) {
        TAILQ_FOREACH(queue, &function->blocked, blocked) {
            oldest_ms = earlier(oldest_ms, first_ms(queue));
        }
    }
    return oldest_ms;
}

static void let_run(struct forest *forest, struct queue *queue, const struct rank *rank)
{
    TAILQ_REMOVE(&queue->key.function->blocked, queue, blocked);
    queue->is_blocked = false;
    queue->rank = *rank;
    RB_INSERT(queue_tree, &forest->runnable, queue);
}

/* Puts a queue where its first task belongs. A blocked one may go on when that is of a small tree
 * now: large ones leave places to those. */
static void rank_again(struct forest *forest, struct queue *queue)
{
    const struct rank rank = rank_of(ready_first(queue));

    if (queue->is_blocked && rank.standing < queue->rank.standing) {
        let_run(forest, queue, &rank);
    }
    if (queue->is_blocked || compare_ranks(&rank, &queue->rank) == 0) {
        return;
    }
    RB_REMOVE(queue_tree, &forest->runnable, queue);
    queue->rank = rank;
    RB_INSERT(queue_tree, &forest->runnable, queue);
}

static struct queue *make_queue(struct forest *forest, const struct queue_key *key)
{
    struct queue *queue = kept_allocate(sizeof(*queue));

    queue->key = *key;
    queue->fresh.key.queue = queue;
    table_insert(&forest->queues, queue);
    return queue;
}

static void drop_queue(struct forest *forest, struct queue *queue)
{
    if (queue->is_blocked) {
        TAILQ_REMOVE(&queue->key.function->blocked, queue, blocked);
    } else {
        RB_REMOVE(queue_tree, &forest->runnable, queue);
    }
    table_remove(&forest->queues, queue);
    free(queue);
}

static struct lane *lane_for(struct forest *forest, struct queue *queue, const struct task *task)
{
    const struct lane_key key = {.queue = queue, .tree = task->tree, .priority = task->priority};

    if (queue->key.needs & NEED_TURN) {
        return &queue->fresh;
    }
    struct lane *lane = table_find(&forest->lanes, &key);
    if (!lane) {
        lane = kept_allocate(sizeof(*lane));
        lane->key = key;
        lane->served = task->tree->served;
        lane->is_large = tree_is_large(task->tree);
        table_insert(&forest->lanes, lane);
        RB_INSERT(lane_tree, &queue->lanes, lane);
    }
    return lane;
}

void ready_add(struct forest *forest, struct task *task)
{
    const struct queue_key key = key_of(task);
    struct queue *queue = table_find(&forest->queues, &key);

    if (!queue) {
        queue = make_queue(forest, &key);
    }
    task->lane = lane_for(forest, queue, task);
    RB_INSERT(task_tree, &task->lane->tasks, task);
    queue->count++;
    if (queue->count == 1) {
        queue->rank = rank_of(task);
        RB_INSERT(queue_tree, &forest->runnable, queue);
    } else {
        rank_again(forest, queue);
    }
}

void ready_remove(struct forest *forest, struct task *task)
{
    struct lane *lane = task->lane;
    struct queue *queue = lane->key.queue;

    RB_REMOVE(task_tree, &lane->tasks, task);
    task->lane = NULL;
    if (lane != &queue->fresh && RB_EMPTY(&lane->tasks)) {
        RB_REMOVE(lane_tree, &queue->lanes, lane);
        table_remove(&forest->lanes, lane);
        free(lane);
    }
    queue->count--;
    if (queue->count == 0) {
        drop_queue(forest, queue);
    } else {
        rank_again(forest, queue);
    }
}

/* The queue that stands highest; a tree served elsewhere has moved back since. */
static struct queue *highest(struct forest *forest)
{
    struct queue *queue = RB_MIN(queue_tree, &forest->runnable);

    while (queue) {
        rank_again(forest, queue);
        struct queue *first = RB_MIN(queue_tree, &forest->runnable);
        if (first == queue) {
            break;
        }
        queue = first;
    }
    return queue;
}

uint32_t ready_before(const struct task *task, uint32_t most)
{
    struct task *at = RB_MIN(task_tree, &task->lane->tasks);
    uint32_t count = 0;

    for (; at != task && count < most; count++) {
        at = RB_NEXT(task_tree, &task->lane->tasks, at);
    }
    return count;
}

/* Whether it is a fresh root's turn: a large tree has been served since a root of its function last
 * began. */
static bool is_turn_of(const struct queue *fresh, const struct queue *large)
{
    return fresh && fresh->rank.priority == large->rank.priority &&
           fresh->key.function->begun < large->rank.served;
}

struct queue *ready_next(struct forest *forest)
{
    struct queue *queue = highest(forest);

    if (queue && queue->rank.standing == STANDING_LARGE) {
        struct queue key = {.rank = {queue->rank.priority, .standing = STANDING_FRESH}};
        struct queue *fresh = RB_NFIND(queue_tree, &forest->runnable, &key);
        return is_turn_of(fresh, queue) ? fresh : queue;
    }
    return queue;
}

void ready_serve(struct forest *forest, struct tree *tree)
{
    const bool begins = tree->served == 0;

    tree->served = ++forest->served;
    if (begins) {
        tree->root->request.function->begun = tree->served;
    }
    if (tree->turns_left > 0) {
        tree->turns_left--;
    }
}

void ready_block(struct forest *forest, struct queue *queue)
{
    assert(!queue->is_blocked);
    RB_REMOVE(queue_tree, &forest->runnable, queue);
    queue->is_blocked = true;
    TAILQ_INSERT_TAIL(&queue->key.function->blocked, queue, blocked);
}

void ready_block_stuck(struct forest *forest)
{
    struct queue *queue = RB_MIN(queue_tree, &forest->runnable);

    while (queue) {
        struct queue *next = RB_NEXT(queue_tree, &forest->runnable, queue);
        if (!pool_choose(queue)) {
            ready_block(forest, queue);
        }
        queue = next;
    }
}

void ready_unblock(struct forest *forest, struct function *function)
{
    struct queue *queue = NULL;

    while (!function->is_held && (queue = TAILQ_FIRST(&function->blocked))) {
        const struct rank rank = rank_of(ready_first(queue));
        let_run(forest, queue, &rank);
    }
}
