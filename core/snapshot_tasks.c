/* SPDX-License-Identifier: MPL-2.0
 * Reads tasks from a snapshot.  The bytes are hostile: whatever later code takes for granted of a
 * task is looked at here, or by forest_check when all is read. */
#include <stdlib.h>

#include "core/budget.h"
#include "core/item.h"
#include "core/kept.h"
#include "core/snapshot.h"
#include "core/tree.h"

/* ---- seals */

/* The tree is as `kept` says; that each item of those has one user is for forest_check. */
static struct record *read_seal(struct snapshot_reader *reader, enum seal_kind kind)
{
    struct stream_reader *in = &reader->in;
    struct seal seal = {0};
    struct seal_set kept;

    seal.kind = (uint8_t)stream_read_uint(in, UINT8_MAX);
    seal.count = (uint16_t)stream_read_uint(in, LIMIT_BATCH_ITEMS);
    stream_read_raw(in, &seal.signer, sizeof(seal.signer));
    stream_read_raw(in, &seal.signature, sizeof(seal.signature));
    for (unsigned i = 0; i < sizeof(kept.word) / sizeof(kept.word[0]); i++) {
        kept.word[i] = stream_read_uint(in, UINT64_MAX);
    }
    if (in->failed || seal.kind != kind || !seal_set_is_valid(&kept, seal.count)) {
        stream_fail(in);
        return NULL;
    }
    struct record *record = record_make(reader->forest, &seal, &kept);
    stream_read_raw(in, record->tree.hashes,
                    record->tree.hash_count * sizeof(record->tree.hashes[0]));
    return record;
}

/* Later users name it by its number: its place in reader->records. */
static void share(struct snapshot_reader *reader, struct record *record)
{
    const size_t count = reader->record_count;

    if ((count & (count - 1)) == 0) { /* doubles at each power of two */
        const size_t capacity = count ? 2 * count : 1;
        reader->records = reallocarray(reader->records, capacity, sizeof(struct record *));
        if (!reader->records) {
            abort();
        }
    }
    reader->records[reader->record_count++] = record;
}

/* The record that follows or is named, with one use more; NULL for none, or when that failed.
 *
 *   index   of the item in its batch */
static struct record *read_record(struct snapshot_reader *reader, enum seal_kind kind,
                                  uint8_t *index)
{
    struct stream_reader *in = &reader->in;
    const uint64_t how = stream_read_uint(in, SNAPSHOT_RECORD_NUMBER + reader->record_count);
    struct record *record = NULL;

    if (how == SNAPSHOT_RECORD_NONE) {
        return NULL;
    }
    if (how == SNAPSHOT_RECORD_SOLE || how == SNAPSHOT_RECORD_SHARED) {
        record = read_seal(reader, kind);
    } else if (how - SNAPSHOT_RECORD_NUMBER < reader->record_count) {
        record = reader->records[how - SNAPSHOT_RECORD_NUMBER];
    }
    if (!record || record->seal.kind != kind) {
        stream_fail(in);
        return NULL;
    }
    record->uses++;
    if (how == SNAPSHOT_RECORD_SHARED) {
        share(reader, record);
    }
    *index = (uint8_t)stream_read_uint(in, record->seal.count - 1u);
    return record;
}

/* ---- what a task has gathered */

static struct blob *read_blob(struct stream_reader *in, size_t most)
{
    return blob_make(stream_read_bytes(in, most));
}

static void read_past(struct stream_reader *in, struct work *work)
{
    work->losses = (uint32_t)stream_read_uint(in, LIMIT_LOSSES);
    for (uint32_t i = 0; i < work->losses && i < LIMIT_LOSSES - 1; i++) {
        stream_read_raw(in, &work->loss[i].boot, sizeof(work->loss[i].boot));
        work->loss[i].attempt = (uint32_t)stream_read_uint(in, UINT32_MAX);
    }
    work->refusals = (uint32_t)stream_read_uint(in, LIMIT_REFUSALS);
    for (uint32_t i = 0; i < LIMIT_REFUSALS - 1; i++) {
        work->refused_by[i] = stream_read_uint(in, UINT64_MAX);
    }
    work->percent = (uint32_t)stream_read_uint(in, 100);
    work->progress = read_blob(in, LIMIT_PROGRESS_LENGTH);
    work->checkpoint = read_blob(in, LIMIT_CHECKPOINT_SIZE);
    work->failure = read_blob(in, LIMIT_TEXT_LENGTH);
}

static enum task_state state_of_code(uint32_t code)
{
    switch ((enum outcome_code)code) {
    case CODE_SUCCEEDED:
    case CODE_JOINED:
        return TASK_SUCCEEDED;
    case CODE_CANCELLED:
        return TASK_CANCELLED;
    case CODE_FAILED:
    case CODE_PERMANENT:
    case CODE_TIMEOUT:
    case CODE_POISON:
    case CODE_DEADLINE:
    case CODE_REFUSED:
    case CODE_LOST:
    case CODE_ABANDONED:
    case CODE_JOIN_FAILED:
        return TASK_FAILED;
    }
    return TASK_STATE_COUNT;
}

/* An outcome is a worker's, with a seal and an item that says so, or a verdict, with neither. */
static bool outcome_makes_sense(const struct task *task)
{
    const struct work *work = task->work;
    struct result_item item;

    if (task_state_is_open(task->state)) {
        return !work->record && !work->result && !work->verdict && work->code == 0 &&
               work->ended_ms == 0;
    }
    if (state_of_code(work->code) != task->state || work->checkpoint) {
        return false;
    }
    if (work->code >= CODE_CANCELLED) {
        return !work->record && !work->result;
    }
    return work->record && !work->verdict &&
           wire_result_decode(blob_bytes(work->result), &item) == GROVE_OK &&
           item.code == (enum outcome_code)work->code;
}

static void read_work(struct snapshot_reader *reader, struct task *task)
{
    struct stream_reader *in = &reader->in;
    struct work *work = tree_work(task);

    work->stopping = stream_read_bool(in);
    work->resumed = stream_read_bool(in);
    work->wait = (uint32_t)stream_read_uint(in, UINT32_MAX);
    work->started_ms = stream_read_uint(in, reader->forest->now_ms);
    read_past(in, work);
    work->ended_ms = stream_read_uint(in, reader->forest->now_ms);
    work->code = (uint32_t)stream_read_uint(in, CODE_JOIN_FAILED);
    work->verdict = read_blob(in, LIMIT_TEXT_LENGTH);
    work->record = read_record(reader, SEAL_RESULT, &work->result_index);
    work->result = read_blob(in, LIMIT_ITEM_SIZE);
    if (budget_own(task)) {
        work->budget->tasks_left = stream_read_uint(in, UINT64_MAX);
        work->budget->bytes_left = stream_read_uint(in, UINT64_MAX);
    }
    if (stream_read_bool(in)) {
        work->sweep = kept_allocate(sizeof(*work->sweep));
        work->sweep->head = task;
        work->sweep->counts.never_started = stream_read_uint(in, UINT64_MAX);
        work->sweep->counts.stopped = stream_read_uint(in, UINT64_MAX);
        work->sweep->counts.already_done = stream_read_uint(in, UINT64_MAX);
    }
    if (!outcome_makes_sense(task)) {
        stream_fail(in);
    }
}

/* ---- tasks */

static void read_tree(struct snapshot_reader *reader, struct tree *tree)
{
    struct stream_reader *in = &reader->in;

    tree->served = stream_read_uint(in, reader->forest->served);
    tree->turns_left = (uint8_t)stream_read_uint(in, UINT8_MAX);
    tree->settled_ms = stream_read_uint(in, reader->forest->now_ms);
    tree->expires_ms = stream_read_uint(in, UINT64_MAX);
    tree->forgetting = stream_read_bool(in);
}

static void read_numbers(struct snapshot_reader *reader, struct task *task)
{
    struct stream_reader *in = &reader->in;

    task->sequence = stream_read_uint(in, reader->forest->sequence);
    task->submitted_ms = stream_read_uint(in, reader->forest->now_ms);
    task->deadline_ms = stream_read_uint(in, UINT64_MAX);
    task->due_ms = stream_read_uint(in, UINT64_MAX);
    task->attempts = (uint32_t)stream_read_uint(in, UINT32_MAX);
    task->generation = (uint32_t)stream_read_uint(in, UINT32_MAX);
    task->awaited = (uint32_t)stream_read_uint(in, UINT32_MAX);
    task->max_attempts = (uint16_t)stream_read_uint(in, LIMIT_ATTEMPTS);
    task->priority = (int8_t)stream_read_int(in, -LIMIT_PRIORITY, LIMIT_PRIORITY);
    task->state = (uint8_t)stream_read_uint(in, TASK_STATE_COUNT - 1);
    task->flags = (uint8_t)stream_read_uint(in, UINT8_MAX);
}

/* Which task the one read last makes the parent of one at this depth; NULL for a root.  Fails when
 * there is none. */
static struct task *parent_at(struct stream_reader *in, struct task *last, uint32_t depth)
{
    if (depth == 0) {
        return NULL;
    }
    while (last && last->depth >= depth) {
        last = last->request.parent;
    }
    if (!last || last->depth + 1u != depth) {
        stream_fail(in);
        return NULL;
    }
    return last;
}

/* What a task is called by, in an order that lets it be destroyed as soon as it is linked. */
struct heading {
    struct task *parent;
    uint16_t depth;
    struct id id;
    struct bytes function;
    struct digest payload;
    uint64_t call[2];
    struct bytes item;
};

static bool heading_makes_sense(const struct forest *forest, const struct heading *heading)
{
    struct task_item item;

    return function_find(forest, heading->function) && !table_find(&forest->by_id, &heading->id) &&
           wire_task_decode(heading->item, &item) == GROVE_OK &&
           bytes_equal(item.function, heading->function);
}

static void read_heading(struct snapshot_reader *reader, struct task *last, struct heading *heading)
{
    struct stream_reader *in = &reader->in;

    heading->depth = (uint16_t)stream_read_uint(in, LIMIT_DEPTH);
    heading->parent = parent_at(in, last, heading->depth);
    stream_read_raw(in, &heading->id, sizeof(heading->id));
    heading->function = stream_read_bytes(in, LIMIT_FUNCTION_LENGTH);
    stream_read_raw(in, &heading->payload, sizeof(heading->payload));
    heading->call[0] = stream_read_uint(in, UINT64_MAX);
    heading->call[1] = stream_read_uint(in, UINT64_MAX);
    heading->item = stream_read_bytes(in, LIMIT_ITEM_SIZE);
    if (!in->failed && !heading_makes_sense(reader->forest, heading)) {
        stream_fail(in);
    }
}

static struct task *link_task(struct forest *forest, const struct heading *heading)
{
    struct task *parent = heading->parent;
    struct task *task = tree_allocate(!parent, heading->item.size);

    memcpy(task->item, heading->item.data, heading->item.size);
    task->id = heading->id;
    task->depth = heading->depth;
    task->request.parent = parent;
    task->request.function = function_use(forest, heading->function);
    task->request.payload = heading->payload;
    memcpy(task->request.call, heading->call, sizeof(heading->call));
    table_insert(&forest->by_id, task);
    if (parent) {
        task->tree = parent->tree;
        TAILQ_INSERT_TAIL(&parent->children, task, sibling);
        parent->child_count++;
    } else {
        TAILQ_INSERT_TAIL(&forest->roots, task, sibling);
    }
    return task;
}

/* Whether its state has what it stands on; who holds it comes with the sessions. */
static bool task_makes_sense(const struct task *task)
{
    const enum task_state state = task->state;

    if (!task->record || task->max_attempts == 0) {
        return false;
    }
    if (state == TASK_RUNNING || state == TASK_WAITING || !task_state_is_open(state)) {
        return task->work != NULL;
    }
    return !(task->work && task->work->stopping);
}

static void index_request(struct snapshot_reader *reader, struct task *task)
{
    struct table *by_request = &reader->forest->by_request;
    const uint8_t indexed = task->flags & TASK_INDEXED;

    task->flags &= (uint8_t)~TASK_INDEXED;
    if (!indexed) {
        return;
    }
    if (!task->request.parent || table_find(by_request, &task->request)) {
        stream_fail(&reader->in);
        return;
    }
    table_insert(by_request, task);
    task->flags |= TASK_INDEXED;
}

static struct task *read_task(struct snapshot_reader *reader, struct task *last)
{
    struct stream_reader *in = &reader->in;
    struct heading heading = {0};

    read_heading(reader, last, &heading);
    if (in->failed) {
        return NULL;
    }
    struct task *task = link_task(reader->forest, &heading);
    task->record = read_record(reader, SEAL_TASK, &task->seal_index);
    read_numbers(reader, task);
    index_request(reader, task);
    if (!heading.parent) {
        read_tree(reader, task->tree);
    }
    if (stream_read_bool(in)) {
        read_work(reader, task);
    }
    if (!task_makes_sense(task)) {
        stream_fail(in);
    }
    return task;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Order is taken from sequences, so no two may be equal. */
static void check_sequences(struct snapshot_reader *reader)
{
    struct task *task = TAILQ_FIRST(&reader->forest->roots);
    const size_t count = reader->forest->by_id.count;
    uint64_t *sequences = kept_allocate((count + 1) * sizeof(*sequences));

    for (size_t i = 0; task; task = snapshot_next_task(task)) {
        sequences[i++] = task->sequence;
    }
    qsort(sequences, count, sizeof(*sequences), by_number);
    for (size_t i = 0; i < count; i++) {
        if (sequences[i] == (i > 0 ? sequences[i - 1] : 0)) {
            stream_fail(&reader->in);
        }
    }
    free(sequences);
}

void snapshot_read_tasks(struct snapshot_reader *reader)
{
    struct stream_reader *in = &reader->in;
    const uint64_t count = stream_read_uint(in, UINT64_MAX);
    struct task *last = NULL;

    for (uint64_t i = 0; i < count && !in->failed; i++) {
        last = read_task(reader, last);
    }
    check_sequences(reader);
}
