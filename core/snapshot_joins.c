/* SPDX-License-Identifier: MPL-2.0
 * Joins and sweeps in a snapshot, written and read.  What is read is hostile: forest_check, when
 * all is read, has the last word on what is counted from it. */
#include <stdlib.h>

#include "core/join.h"
#include "core/kept.h"
#include "core/snapshot.h"
#include "core/tree.h"

/* ---- writing */

static void write_id(struct stream_writer *out, const struct id *id)
{
    stream_write_raw(out, id, sizeof(*id));
}

static void write_join(struct stream_writer *out, const struct join *join)
{
    stream_write_bool(out, true);
    write_id(out, &join->parent->id);
    write_id(out, &join->id);
    stream_write_uint(out, join->sequence);
    stream_write_uint(out, join->kind);
    stream_write_uint(out, join->state);
    stream_write_uint(out, join->limit);
    stream_write_uint(out, join->stop);
    stream_write_bool(out, join->first_settled);
    stream_write_bool(out, join->closed);
    stream_write_uint(out, join->awaited);
    stream_write_uint(out, join->until);
    stream_write_uint(out, join->room);
    stream_write_bytes(out, join->function ? function_name(join->function) : bytes_of(NULL, 0));
    stream_write_uint(out, join->winner_count);
    for (uint32_t i = 0; i < join->winner_count; i++) {
        stream_write_uint(out, join->winners[i]);
    }
    stream_write_uint(out, join->count);
    for (uint32_t i = 0; i < join->count; i++) {
        write_id(out, &join_at(join, i)->task->id);
    }
}

void snapshot_write_joins(struct stream_writer *out, const struct forest *forest)
{
    const struct task *task = TAILQ_FIRST(&forest->roots);
    const struct join *join = NULL;

    for (; task; task = snapshot_next_task(task)) {
        if (!task->work || task->tree->forgetting) {
            continue; /* inputs of a tree that is being forgotten are gone already */
        }
        TAILQ_FOREACH(join, &task->work->joins, of_parent) {
            write_join(out, join);
        }
    }
    stream_write_bool(out, false);
}

static void write_sweep(struct stream_writer *out, const struct sweep *sweep)
{
    stream_write_bool(out, true);
    stream_write_bool(out, sweep->head);
    write_id(out, sweep->head ? &sweep->head->id : &sweep->join->id);
    stream_write_uint(out, sweep->position);
    stream_write_bool(out, sweep->at);
    if (sweep->at) {
        write_id(out, &sweep->top->id);
        write_id(out, &sweep->at->id);
    }
}

void snapshot_write_sweeps(struct stream_writer *out, const struct forest *forest)
{
    const struct sweep *sweep = NULL;

    TAILQ_FOREACH(sweep, &forest->sweeps, next) {
        write_sweep(out, sweep);
    }
    stream_write_bool(out, false);
}

/* ---- reading joins */

static struct task *read_task(struct snapshot_reader *reader)
{
    struct id id;

    stream_read_raw(&reader->in, &id, sizeof(id));
    struct task *task = reader->in.failed ? NULL : tree_find(reader->forest, &id);
    if (!task) {
        stream_fail(&reader->in);
    }
    return task;
}

static void read_winners(struct stream_reader *in, struct join *join)
{
    const uint32_t count = (uint32_t)stream_read_uint(in, LIMIT_WINNERS);

    if (count > 0) {
        join->winners = kept_allocate(count * sizeof(join->winners[0]));
    }
    for (uint32_t i = 0; i < count; i++) {
        join->winners[i] = (uint32_t)stream_read_uint(in, UINT32_MAX);
    }
    join->winner_count = count;
}

/* A map has a function and a limit, and nothing else has. */
static bool makes_sense(const struct snapshot_reader *reader, const struct join *join,
                        const struct task *parent, struct bytes function)
{
    const bool is_map = join->kind == JOIN_MAP;

    return parent && parent->work && join->kind != JOIN_NONE && is_map == (join->limit > 0) &&
           is_map == (function.size > 0) && (!is_map || function_find(reader->forest, function)) &&
           (join->kind == JOIN_RACE || (join->winner_count == 0 && !join->first_settled)) &&
           !table_find(&reader->forest->by_join, &join->id) &&
           (join->state != JOIN_OPEN || task_state_is_open(parent->state));
}

static void read_inputs(struct snapshot_reader *reader, struct join *join)
{
    const uint64_t count = stream_read_uint(&reader->in, LIMIT_JOIN_INPUTS);

    for (uint64_t i = 0; i < count && !reader->in.failed; i++) {
        struct task *task = read_task(reader);
        if (task && task->request.parent != join->parent) {
            stream_fail(&reader->in);
        } else if (task) {
            join_restore_input(join, task);
        }
    }
}

static void read_join(struct snapshot_reader *reader)
{
    struct stream_reader *in = &reader->in;
    struct join join = {0};
    struct task *parent = read_task(reader);

    stream_read_raw(in, &join.id, sizeof(join.id));
    join.sequence = stream_read_uint(in, reader->forest->sequence);
    join.kind = (uint8_t)stream_read_uint(in, JOIN_MAP);
    join.state = (uint8_t)stream_read_uint(in, JOIN_CANCELLED);
    join.limit = (uint32_t)stream_read_uint(in, UINT32_MAX);
    join.stop = (uint32_t)stream_read_uint(in, UINT32_MAX);
    join.first_settled = stream_read_bool(in);
    join.closed = stream_read_bool(in);
    join.awaited = (uint32_t)stream_read_uint(in, UINT32_MAX);
    join.until = (uint32_t)stream_read_uint(in, UINT32_MAX);
    join.room = (uint32_t)stream_read_uint(in, UINT32_MAX);
    const struct bytes function = stream_read_bytes(in, LIMIT_FUNCTION_LENGTH);
    read_winners(in, &join);
    if (in->failed || !makes_sense(reader, &join, parent, function)) {
        stream_fail(in);
        free(join.winners);
        return;
    }
    if (function.size > 0) {
        join.function = function_use(reader->forest, function);
    }
    read_inputs(reader, join_restore(reader->forest, parent, &join));
}

/* Whether each task that is held back or was let in by a map is an input of one. */
static void check_windows(struct snapshot_reader *reader)
{
    struct task *task = TAILQ_FIRST(&reader->forest->roots);

    for (; task && !reader->in.failed; task = snapshot_next_task(task)) {
        const bool is_windowed = (task->flags & TASK_WINDOWED) != 0;
        if (task->tree->forgetting) {
            continue;
        }
        if ((is_windowed && !join_window(task)) || (task->state == TASK_HELD && !is_windowed) ||
            ((task->flags & TASK_JOIN) && task->request.parent)) {
            stream_fail(&reader->in);
        }
    }
}

void snapshot_read_joins(struct snapshot_reader *reader)
{
    while (stream_read_bool(&reader->in) && !reader->in.failed) {
        read_join(reader);
    }
    check_windows(reader);
}

/* ---- reading sweeps */

static bool is_below(const struct task *task, const struct task *top)
{
    while (task && task != top) {
        task = task->request.parent;
    }
    return task != NULL;
}

static struct sweep *find_sweep(struct snapshot_reader *reader)
{
    const bool is_of_task = stream_read_bool(&reader->in);
    struct id id;

    stream_read_raw(&reader->in, &id, sizeof(id));
    if (reader->in.failed) {
        return NULL;
    }
    if (is_of_task) {
        const struct task *task = tree_find(reader->forest, &id);
        return task && task->work ? task->work->sweep : NULL;
    }
    struct join *join = join_find(reader->forest, &id);
    if (!join || join->state == JOIN_OPEN) {
        return NULL;
    }
    join->sweep.join = join;
    return &join->sweep;
}

static void read_sweep(struct snapshot_reader *reader)
{
    struct stream_reader *in = &reader->in;
    struct sweep *sweep = find_sweep(reader);

    if (!sweep || sweep->is_under_way) {
        stream_fail(in);
        return;
    }
    struct tree *tree = (sweep->head ? sweep->head : sweep->join->parent)->tree;
    sweep->position = (uint32_t)stream_read_uint(in, sweep->join ? sweep->join->count : 0);
    sweep->top = NULL;
    if (stream_read_bool(in)) {
        sweep->top = read_task(reader);
        sweep->at = read_task(reader);
    }
    if (in->failed || (sweep->at && !is_below(sweep->at, sweep->top)) ||
        (sweep->head && sweep->at && sweep->top != sweep->head) ||
        (sweep->join && sweep->top && sweep->top->request.parent != sweep->join->parent)) {
        sweep->at = NULL;
        stream_fail(in);
        return;
    }
    sweep->is_under_way = true;
    tree->sweeps++;
    TAILQ_INSERT_TAIL(&reader->forest->sweeps, sweep, next);
}

void snapshot_read_sweeps(struct snapshot_reader *reader)
{
    while (stream_read_bool(&reader->in) && !reader->in.failed) {
        read_sweep(reader);
    }
}

/* ---- what follows from the rest */

void snapshot_set_windows(struct forest *forest)
{
    struct task *task = TAILQ_FIRST(&forest->roots);

    for (; task; task = snapshot_next_task(task)) {
        if (task->tree->forgetting) {
            continue;
        }
        if (task->state == TASK_HELD) {
            join_queue(forest, task);
        } else if (join_is_inside(task)) {
            join_window(task)->window++;
        }
    }
    while (!TAILQ_EMPTY(&forest->eager)) {
        struct join *join = TAILQ_FIRST(&forest->eager);
        TAILQ_REMOVE(&forest->eager, join, eager);
        join->is_eager = false;
    }
}
