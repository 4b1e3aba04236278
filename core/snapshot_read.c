/* SPDX-License-Identifier: MPL-2.0
 * Makes a forest from a snapshot, hostile until proved otherwise: what is read is bounded where it
 * is read, what hangs together is judged when all is read, and forest_check has the last word. */
#include <stdlib.h>

#include "core/failures.h"
#include "core/item.h"
#include "core/kept.h"
#include "core/limit.h"
#include "core/memory.h"
#include "core/ready.h"
#include "core/roster.h"
#include "core/snapshot.h"
#include "core/text.h"
#include "core/timers.h"
#include "core/tree.h"

/* ---- sections before the tasks */

static enum grove_status read_header(struct snapshot_reader *reader, const struct key *mesh)
{
    struct stream_reader *in = &reader->in;
    char magic[sizeof(SNAPSHOT_MAGIC)];
    struct key made_for;

    stream_read_raw(in, magic, sizeof(magic));
    const uint64_t version = stream_read_uint(in, UINT64_MAX);
    stream_read_raw(in, &made_for, sizeof(made_for));
    if (in->failed || memcmp(magic, SNAPSHOT_MAGIC, sizeof(magic)) != 0) {
        return GROVE_MALFORMED;
    }
    if (version != SNAPSHOT_VERSION) {
        return GROVE_VERSION;
    }
    return key_equal(&made_for, mesh) ? GROVE_OK : GROVE_WRONG_MESH;
}

static void read_clock(struct snapshot_reader *reader)
{
    struct stream_reader *in = &reader->in;
    struct forest *forest = reader->forest;

    forest->now_ms = stream_read_uint(in, UINT64_MAX);
    forest->applied = stream_read_uint(in, UINT64_MAX);
    forest->counters.applied = forest->applied;
    forest->sequence = stream_read_uint(in, UINT64_MAX);
    forest->served = stream_read_uint(in, UINT64_MAX);
}

static void read_counters(struct stream_reader *in, struct forest_counters *counters)
{
    counters->submitted = stream_read_uint(in, UINT64_MAX);
    counters->succeeded = stream_read_uint(in, UINT64_MAX);
    counters->failed = stream_read_uint(in, UINT64_MAX);
    counters->cancelled = stream_read_uint(in, UINT64_MAX);
    counters->attempts = stream_read_uint(in, UINT64_MAX);
    counters->losses = stream_read_uint(in, UINT64_MAX);
    counters->retries = stream_read_uint(in, UINT64_MAX);
    if (stream_read_uint(in, REFUSED_COUNT) != REFUSED_COUNT) {
        stream_fail(in);
    }
    for (int i = 0; i < REFUSED_COUNT; i++) {
        counters->refused[i] = stream_read_uint(in, UINT64_MAX);
    }
}

/* Certificates come first, so none is refused for a revocation that came after it; and none for its
 * dates, which were judged when it was admitted. */
static void read_trust(struct snapshot_reader *reader)
{
    struct stream_reader *in = &reader->in;

    for (int section = 0; section < 2; section++) {
        const size_t count = stream_read_count(in, LIMIT_REVOCATIONS, 1);
        for (size_t i = 0; i < count && !in->failed; i++) {
            bool changed = false;
            const struct bytes form = stream_read_bytes(in, LIMIT_CERTIFICATE_SIZE);
            if (trust_admit(&reader->forest->trust, form, 0, &changed) != REFUSED_NOT || !changed) {
                stream_fail(in);
            }
        }
    }
}

static void read_limit(struct snapshot_reader *reader, struct function *function)
{
    struct stream_reader *in = &reader->in;
    struct function_limit limit;

    limit.running = (uint32_t)stream_read_uint(in, UINT32_MAX);
    limit.rate = (uint32_t)stream_read_uint(in, UINT32_MAX);
    limit.paused = stream_read_bool(in);
    limit.level = stream_read_uint(in, UINT64_MAX);
    limit.level_ms = stream_read_uint(in, reader->forest->now_ms);
    if (!in->failed && !limit_restore(reader->forest, function, &limit)) {
        stream_fail(in);
    }
}

/* All that tasks and sessions will name.  Each gets a use that let_functions_go gives back. */
static void read_functions(struct snapshot_reader *reader)
{
    struct stream_reader *in = &reader->in;

    while (stream_read_bool(in)) {
        const struct bytes name = stream_read_bytes(in, LIMIT_FUNCTION_LENGTH);
        if (!wire_function_is_valid(name) || function_find(reader->forest, name)) {
            stream_fail(in);
            return;
        }
        struct function *function = function_use(reader->forest, name);
        function->succeeded = stream_read_uint(in, UINT64_MAX);
        function->failed = stream_read_uint(in, UINT64_MAX);
        function->cancelled = stream_read_uint(in, UINT64_MAX);
        function->begun = stream_read_uint(in, reader->forest->served);
        read_limit(reader, function);
    }
}

static void let_functions_go(struct forest *forest)
{
    struct function *function = function_after(forest, NULL);

    while (function) {
        struct function *next = function_after(forest, function->name);
        function_drop(forest, function);
        function = next;
    }
}

/* ---- sections after the tasks */

/* A root in forest->retained has its link set; the others have zeroes there until they are queued.
 */
static bool is_retained(const struct task *root)
{
    return root->retained.tqe_prev != NULL;
}

static void read_retained(struct snapshot_reader *reader)
{
    struct stream_reader *in = &reader->in;
    struct forest *forest = reader->forest;

    while (stream_read_bool(in)) {
        struct id id;
        stream_read_raw(in, &id, sizeof(id));
        struct task *root = table_find(&forest->by_id, &id);
        if (!root || root->request.parent || is_retained(root) || task_state_is_open(root->state)) {
            stream_fail(in);
            return;
        }
        TAILQ_INSERT_TAIL(&forest->retained, root, retained);
    }
}

static void read_memories(struct snapshot_reader *reader)
{
    struct stream_reader *in = &reader->in;
    struct forest *forest = reader->forest;
    const size_t count = stream_read_count(in, UINT32_MAX, sizeof(struct id));

    for (size_t i = 0; i < count && !in->failed; i++) {
        struct id id;
        const uint64_t at_ms = stream_read_uint(in, UINT64_MAX);
        const uint64_t sequence = stream_read_uint(in, forest->sequence);
        stream_read_raw(in, &id, sizeof(id));
        if (in->failed || memory_has(forest, &id)) {
            stream_fail(in);
            return;
        }
        memory_restore(forest, &id, at_ms, sequence);
    }
}

/* ---- sessions */

static bool may_be_held(const struct task *task, enum place place)
{
    const bool stopping = !task_state_is_open(task->state);

    if (!task->work || task->work->session || task->work->stopping != stopping) {
        return false;
    }
    switch (place) {
    case PLACE_CHILDREN:
    case PLACE_LARGE:
        return (stopping || task->state == TASK_RUNNING) && task->depth > 0;
    case PLACE_ROOTS:
        return (stopping || task->state == TASK_RUNNING) && task->depth == 0;
    case PLACE_SLOT:
        return stopping || task->state == TASK_RUNNING;
    case PLACE_WAITING:
        return stopping || task->state == TASK_WAITING;
    case PLACE_RESUMABLE:
    case PLACE_BARRED:
        return task->state == TASK_WAITING;
    case PLACE_NONE:
    case PLACE_COUNT:
        break;
    }
    return false;
}

static void read_places(struct snapshot_reader *reader, struct session *session)
{
    struct stream_reader *in = &reader->in;

    for (int place = PLACE_NONE + 1; place < PLACE_COUNT; place++) {
        const size_t count = stream_read_count(in, UINT32_MAX, sizeof(struct id));
        for (size_t i = 0; i < count; i++) {
            struct id id;
            stream_read_raw(in, &id, sizeof(id));
            struct task *task = table_find(&reader->forest->by_id, &id);
            if (!task || !may_be_held(task, (enum place)place)) {
                stream_fail(in);
                return;
            }
            roster_put(task->work, session, (enum place)place);
        }
    }
}

/* In order of name, so that they are distinct; the uses go to the session even when reading fails.
 */
static void read_offer(struct snapshot_reader *reader, struct session *session)
{
    struct stream_reader *in = &reader->in;
    struct function *functions[LIMIT_FUNCTIONS];
    const size_t claimed = stream_read_count(in, LIMIT_FUNCTIONS, 1);
    size_t count = 0;

    while (count < claimed) {
        const struct bytes name = stream_read_bytes(in, LIMIT_FUNCTION_LENGTH);
        if (!function_find(reader->forest, name)) {
            stream_fail(in);
            break;
        }
        functions[count] = function_use(reader->forest, name);
        if (count > 0 && strcmp(functions[count - 1]->name, functions[count]->name) >= 0) {
            function_drop(reader->forest, functions[count]);
            stream_fail(in);
            break;
        }
        count++;
    }
    roster_offer(reader->forest, session, functions, count);
}

static void read_process(struct stream_reader *in, struct session *session)
{
    session->index = stream_read_uint(in, UINT64_MAX - 1);
    stream_read_raw(in, &session->boot, sizeof(session->boot));
    stream_read_raw(in, &session->identity, sizeof(session->identity));
    const struct bytes instance = stream_read_bytes(in, LIMIT_NAME_LENGTH);
    if (instance.size > 0 && text_is_valid(instance)) {
        memcpy(session->instance, instance.data, instance.size);
    }
    session->slots = (uint32_t)stream_read_uint(in, LIMIT_SLOTS);
    session->window = (uint32_t)stream_read_uint(in, LIMIT_WINDOW);
    session->max_waiting = (uint32_t)stream_read_uint(in, LIMIT_MAX_WAITING);
    session->enlisted_ms = stream_read_uint(in, UINT64_MAX);
    session->reason = (uint8_t)stream_read_uint(in, UINT8_MAX);
    if (session->slots == 0 || session->instance[0] == 0) {
        stream_fail(in); /* nobody enlists without */
    }
}

static bool is_known(const struct forest *forest, const struct session *session)
{
    return session->index == 0 || roster_session(forest, session->index) ||
           roster_by_boot(forest, &session->identity, &session->boot) ||
           roster_by_instance(forest, &session->identity, bytes_of_text(session->instance));
}

/* A leaving session is found by nobody, and its process may have enlisted again. */
static void add_leaving(struct forest *forest, struct session *session)
{
    for (int place = 0; place < PLACE_COUNT; place++) {
        TAILQ_INIT(&session->places[place]);
    }
    session->is_leaving = true;
    TAILQ_INSERT_TAIL(&forest->leaving, session, leaving);
}

static void read_session(struct snapshot_reader *reader, bool is_leaving)
{
    struct stream_reader *in = &reader->in;
    struct session *session = kept_allocate(sizeof(*session));

    read_process(in, session);
    if (in->failed || (!is_leaving && is_known(reader->forest, session))) {
        stream_fail(in);
        free(session);
        return;
    }
    if (is_leaving) {
        add_leaving(reader->forest, session);
    } else {
        roster_add(reader->forest, session);
    }
    read_offer(reader, session);
    read_places(reader, session);
}

static void read_sessions(struct snapshot_reader *reader)
{
    while (stream_read_bool(&reader->in)) {
        read_session(reader, false);
    }
    while (stream_read_bool(&reader->in)) {
        read_session(reader, true);
    }
}

/* ---- what is derived */

/* Whether a task that must be held is, and only such a one. */
static bool holding_makes_sense(const struct task *task)
{
    const struct work *work = task->work;

    if (!work) {
        return true; /* task_makes_sense has seen its state */
    }
    if (task->flags & TASK_JOIN) {
        return !work->session; /* no worker runs it */
    }
    if (task->state == TASK_RUNNING || task->state == TASK_WAITING || work->stopping) {
        return work->session != NULL;
    }
    return !work->session && !work->resumed;
}

static void count_task(struct forest *forest, struct task *task)
{
    struct tree *tree = task->tree;
    const bool open = task_state_is_open(task->state);

    forest->counters.state[task->state]++;
    task->request.function->state[task->state]++;
    tree->tasks++;
    tree->open += open;
    if (task->state == TASK_FAILED) {
        failures_add(forest, task->work);
    }
    if (tree->root->work) {
        tree->root->work->cancelled += task->state == TASK_CANCELLED;
        tree->root->work->failed += task->state == TASK_FAILED;
    }
    tree->size += tree_size_of(task) + (task->request.parent ? 0 : sizeof(*tree));
    if (open) {
        forest->counters.body_size += task->item_size;
    }
}

static void count_tree(struct snapshot_reader *reader, const struct tree *tree)
{
    struct forest_counters *counters = &reader->forest->counters;
    const bool settled = tree_is_at_rest(tree);

    if (settled != is_retained(tree->root) || (tree->forgetting && !settled)) {
        stream_fail(&reader->in);
        return;
    }
    counters->roots++;
    counters->open_roots += tree->open > 0;
    if (settled && !tree->forgetting) {
        counters->settled_size += tree->size;
    }
}

static void count_all(struct snapshot_reader *reader)
{
    struct forest *forest = reader->forest;
    struct task *task = TAILQ_FIRST(&forest->roots);
    const struct task *root;

    for (; task; task = snapshot_next_task(task)) {
        if (!holding_makes_sense(task)) {
            stream_fail(&reader->in);
            return;
        }
        count_task(forest, task);
    }
    TAILQ_FOREACH(root, &forest->roots, sibling) {
        count_tree(reader, root->tree);
    }
}

/* Timers, queues and lines; a forest between two commands has no hungry session. */
static void set_going(struct forest *forest)
{
    struct session *session = NULL;

    limit_restore_all(forest);
    for (struct task *task = TAILQ_FIRST(&forest->roots); task; task = snapshot_next_task(task)) {
        timers_set(&forest->timers, task);
        if (task->state == TASK_READY) {
            ready_add(forest, task);
        }
    }
    while ((session = TAILQ_FIRST(&forest->hungry))) {
        TAILQ_REMOVE(&forest->hungry, session, hungry);
        session->is_hungry = false;
    }
    while ((session = roster_session_after(forest, session ? session->index : 0))) {
        roster_place(forest, session);
    }
    ready_block_stuck(forest);
}

static enum grove_status read_all(struct snapshot_reader *reader)
{
    struct stream_reader *in = &reader->in;

    const enum grove_status status = read_header(reader, &reader->forest->options.mesh);
    if (status != GROVE_OK) {
        return status;
    }
    read_clock(reader);
    read_counters(in, &reader->forest->counters);
    read_trust(reader);
    read_functions(reader);
    snapshot_read_tasks(reader);
    snapshot_read_joins(reader);
    snapshot_read_sweeps(reader);
    read_retained(reader);
    read_sessions(reader);
    read_memories(reader);
    let_functions_go(reader->forest);
    if (in->failed || in->rest.size > 0) {
        return GROVE_MALFORMED;
    }
    count_all(reader);
    if (in->failed) {
        return GROVE_MALFORMED;
    }
    snapshot_set_windows(reader->forest);
    set_going(reader->forest);
    return forest_check(reader->forest) ? GROVE_MALFORMED : GROVE_OK;
}

enum grove_status forest_restore(const struct forest_options *options, struct bytes snapshot,
                                 struct forest **forest)
{
    struct snapshot_reader reader = {.in = {.rest = snapshot}, .forest = forest_create(options)};

    const enum grove_status status = read_all(&reader);
    free(reader.records);
    if (status == GROVE_OK) {
        *forest = reader.forest;
    } else {
        forest_destroy(reader.forest);
    }
    return status;
}
