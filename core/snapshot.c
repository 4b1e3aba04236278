/* SPDX-License-Identifier: MPL-2.0
 * Writes a forest: the same bytes for the same state, whatever its hash keys and addresses. */
#include "core/snapshot.h"

#include "core/budget.h"
#include "core/kept.h"
#include "core/roster.h"

/* ---- walking all tasks without a stack */

struct task *snapshot_next_task(const struct task *task)
{
    struct task *child = TAILQ_FIRST(&task->children);

    if (child) {
        return child;
    }
    while (!TAILQ_NEXT(task, sibling) && task->request.parent) {
        task = task->request.parent;
    }
    return TAILQ_NEXT(task, sibling);
}

/* ---- seals */

/* Numbers are given as records are met; those of an earlier snapshot must not count. */
static void forget_numbers(const struct forest *forest)
{
    for (struct task *task = TAILQ_FIRST(&forest->roots); task; task = snapshot_next_task(task)) {
        struct record *of_result = task->work ? task->work->record : NULL;
        if (task->record && task->record->uses > 1) {
            task->record->number = 0;
        }
        if (of_result && of_result->uses > 1) {
            of_result->number = 0;
        }
    }
}

static void write_seal(struct stream_writer *out, const struct record *record)
{
    stream_write_uint(out, record->seal.kind);
    stream_write_uint(out, record->seal.count);
    stream_write_raw(out, &record->seal.signer, sizeof(record->seal.signer));
    stream_write_raw(out, &record->seal.signature, sizeof(record->seal.signature));
    for (unsigned i = 0; i < sizeof(record->tree.kept.word) / sizeof(record->tree.kept.word[0]);
         i++) {
        stream_write_uint(out, record->tree.kept.word[i]);
    }
    stream_write_raw(out, record->tree.hashes,
                     record->tree.hash_count * sizeof(record->tree.hashes[0]));
}

/* Only a record with several users is written to: a forked child then copies few pages. */
static void write_record(struct stream_writer *out, struct record *record, uint8_t index,
                         uint32_t *numbers)
{
    if (!record) {
        stream_write_uint(out, SNAPSHOT_RECORD_NONE);
        return;
    }
    if (record->uses == 1) {
        stream_write_uint(out, SNAPSHOT_RECORD_SOLE);
        write_seal(out, record);
    } else if (record->number == 0) {
        record->number = ++*numbers;
        stream_write_uint(out, SNAPSHOT_RECORD_SHARED);
        write_seal(out, record);
    } else {
        stream_write_uint(out, SNAPSHOT_RECORD_NUMBER + (uint64_t)record->number - 1);
    }
    stream_write_uint(out, index);
}

/* ---- tasks */

static void write_blob(struct stream_writer *out, const struct blob *blob)
{
    stream_write_bytes(out, blob_bytes(blob));
}

static void write_id(struct stream_writer *out, const struct id *id)
{
    stream_write_raw(out, id, sizeof(*id));
}

static void write_past(struct stream_writer *out, const struct work *work)
{
    stream_write_uint(out, work->losses);
    for (uint32_t i = 0; i < work->losses && i < LIMIT_LOSSES - 1; i++) {
        write_id(out, &work->loss[i].boot);
        stream_write_uint(out, work->loss[i].attempt);
    }
    stream_write_uint(out, work->refusals);
    for (uint32_t i = 0; i < LIMIT_REFUSALS - 1; i++) {
        stream_write_uint(out, work->refused_by[i]);
    }
    stream_write_uint(out, work->percent);
    write_blob(out, work->progress);
    write_blob(out, work->checkpoint);
    write_blob(out, work->failure);
}

/* Where the attempt is held stands in its session. */
static void write_work(struct stream_writer *out, const struct work *work, uint32_t *numbers)
{
    stream_write_bool(out, work);
    if (!work) {
        return;
    }
    stream_write_bool(out, work->stopping);
    stream_write_bool(out, work->resumed);
    stream_write_uint(out, work->wait);
    stream_write_uint(out, work->started_ms);
    write_past(out, work);
    stream_write_uint(out, work->ended_ms);
    stream_write_uint(out, work->code);
    write_blob(out, work->verdict);
    write_record(out, work->record, work->result_index, numbers);
    write_blob(out, work->result);
    if (budget_own(work->task)) {
        stream_write_uint(out, work->budget->tasks_left);
        stream_write_uint(out, work->budget->bytes_left);
    }
    stream_write_bool(out, work->sweep);
    if (work->sweep) {
        stream_write_uint(out, work->sweep->counts.never_started);
        stream_write_uint(out, work->sweep->counts.stopped);
        stream_write_uint(out, work->sweep->counts.already_done);
    }
}

static void write_tree(struct stream_writer *out, const struct tree *tree)
{
    stream_write_uint(out, tree->served);
    stream_write_uint(out, tree->turns_left);
    stream_write_uint(out, tree->settled_ms);
    stream_write_uint(out, tree->expires_ms);
    stream_write_bool(out, tree->forgetting);
}

static void write_task(struct stream_writer *out, const struct task *task, uint32_t *numbers)
{
    stream_write_uint(out, task->depth);
    write_id(out, &task->id);
    stream_write_bytes(out, function_name(task->request.function));
    stream_write_raw(out, &task->request.payload, sizeof(task->request.payload));
    stream_write_uint(out, task->request.call[0]);
    stream_write_uint(out, task->request.call[1]);
    stream_write_bytes(out, bytes_of(task->item, task->item_size));
    write_record(out, task->record, task->seal_index, numbers);
    stream_write_uint(out, task->sequence);
    stream_write_uint(out, task->submitted_ms);
    stream_write_uint(out, task->deadline_ms);
    stream_write_uint(out, task->due_ms);
    stream_write_uint(out, task->attempts);
    stream_write_uint(out, task->generation);
    stream_write_uint(out, task->awaited);
    stream_write_uint(out, task->max_attempts);
    stream_write_int(out, task->priority);
    stream_write_uint(out, task->state);
    stream_write_uint(out, task->flags);
    if (task->depth == 0) {
        write_tree(out, task->tree);
    }
    write_work(out, task->work, numbers);
}

static void write_tasks(struct stream_writer *out, const struct forest *forest)
{
    uint32_t numbers = 0;

    forget_numbers(forest);
    stream_write_uint(out, forest->by_id.count);
    for (struct task *task = TAILQ_FIRST(&forest->roots); task; task = snapshot_next_task(task)) {
        write_task(out, task, &numbers);
    }
}

static void write_retained(struct stream_writer *out, const struct forest *forest)
{
    const struct task *root;

    TAILQ_FOREACH(root, &forest->retained, retained) {
        stream_write_bool(out, true);
        write_id(out, &root->id);
    }
    stream_write_bool(out, false);
}

/* ---- sessions */

static void write_session(struct stream_writer *out, const struct session *session)
{
    const struct work *work;

    stream_write_bool(out, true);
    stream_write_uint(out, session->index);
    write_id(out, &session->boot);
    stream_write_raw(out, &session->identity, sizeof(session->identity));
    stream_write_bytes(out, bytes_of_text(session->instance));
    stream_write_uint(out, session->slots);
    stream_write_uint(out, session->window);
    stream_write_uint(out, session->max_waiting);
    stream_write_uint(out, session->enlisted_ms);
    stream_write_uint(out, session->reason);
    stream_write_uint(out, session->function_count);
    for (size_t i = 0; i < session->function_count; i++) {
        stream_write_bytes(out, function_name(session->functions[i]));
    }
    for (int place = PLACE_NONE + 1; place < PLACE_COUNT; place++) {
        stream_write_uint(out, session->held[place]);
        TAILQ_FOREACH(work, &session->places[place], held) {
            write_id(out, &work->task->id);
        }
    }
}

static void write_sessions(struct stream_writer *out, const struct forest *forest)
{
    const struct session *session = NULL;

    while ((session = roster_session_after(forest, session ? session->index : 0))) {
        write_session(out, session);
    }
    stream_write_bool(out, false);
    TAILQ_FOREACH(session, &forest->leaving, leaving) {
        write_session(out, session);
    }
    stream_write_bool(out, false);
}

/* ---- the rest */

static void write_clock(struct stream_writer *out, const struct forest *forest)
{
    stream_write_uint(out, forest->now_ms);
    stream_write_uint(out, forest->applied);
    stream_write_uint(out, forest->sequence);
    stream_write_uint(out, forest->served);
}

static void write_counters(struct stream_writer *out, const struct forest_counters *counters)
{
    stream_write_uint(out, counters->submitted);
    stream_write_uint(out, counters->succeeded);
    stream_write_uint(out, counters->failed);
    stream_write_uint(out, counters->cancelled);
    stream_write_uint(out, counters->attempts);
    stream_write_uint(out, counters->losses);
    stream_write_uint(out, counters->retries);
    stream_write_uint(out, REFUSED_COUNT);
    for (int i = 0; i < REFUSED_COUNT; i++) {
        stream_write_uint(out, counters->refused[i]);
    }
}

static void write_trust(struct stream_writer *out, const struct trust *trust)
{
    struct bytes form;

    stream_write_uint(out, trust->certificate_count);
    for (size_t i = 0; i < trust->certificate_count; i++) {
        (void)trust_certificate_at(trust, i, &form);
        stream_write_bytes(out, form);
    }
    stream_write_uint(out, trust->revocation_count);
    for (size_t i = 0; i < trust->revocation_count; i++) {
        stream_write_bytes(out, trust_revocation_at(trust, i));
    }
}

static void write_limit(struct stream_writer *out, const struct function_limit *limit)
{
    stream_write_uint(out, limit->running);
    stream_write_uint(out, limit->rate);
    stream_write_bool(out, limit->paused);
    stream_write_uint(out, limit->level);
    stream_write_uint(out, limit->level_ms);
}

static void write_functions(struct stream_writer *out, const struct forest *forest)
{
    const struct function *function = NULL;

    while ((function = function_after(forest, function ? function->name : NULL))) {
        stream_write_bool(out, true);
        stream_write_bytes(out, function_name(function));
        stream_write_uint(out, function->succeeded);
        stream_write_uint(out, function->failed);
        stream_write_uint(out, function->cancelled);
        stream_write_uint(out, function->begun);
        write_limit(out, &function->limit);
    }
    stream_write_bool(out, false);
}

/* Equal moments keep the order in which the heap has them, so the heap is written as it lies. */
static void write_memories(struct stream_writer *out, const struct timers *fading)
{
    stream_write_uint(out, fading->count);
    for (uint32_t i = 0; i < fading->count; i++) {
        const struct memory *memory = fading->heap[i].owner;
        stream_write_uint(out, fading->heap[i].at_ms);
        stream_write_uint(out, fading->heap[i].sequence);
        write_id(out, &memory->id);
    }
}

bool forest_snapshot(const struct forest *forest, snapshot_sink *sink, void *context)
{
    struct stream_writer out = {.sink = sink, .context = context};

    stream_write_raw(&out, SNAPSHOT_MAGIC, sizeof(SNAPSHOT_MAGIC));
    stream_write_uint(&out, SNAPSHOT_VERSION);
    stream_write_raw(&out, &forest->options.mesh, sizeof(forest->options.mesh));
    write_clock(&out, forest);
    write_counters(&out, &forest->counters);
    write_trust(&out, &forest->trust);
    write_functions(&out, forest);
    write_tasks(&out, forest);
    snapshot_write_joins(&out, forest);
    snapshot_write_sweeps(&out, forest);
    write_retained(&out, forest);
    write_sessions(&out, forest);
    write_memories(&out, &forest->fading);
    return stream_flush(&out);
}
