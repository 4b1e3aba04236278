/* SPDX-License-Identifier: MPL-2.0
 * Reading a forest, for egress and for people. */
#include "core/join.h"
#include "core/kept.h"
#include "core/limit.h"
#include "core/memory.h"
#include "core/pool.h"
#include "core/ready.h"
#include "core/roster.h"
#include "core/tree.h"

static void view_work(const struct work *work, struct task_view *view)
{
    view->session = work->session ? work->session->index : 0;
    view->losses = work->losses;
    view->is_behind = work->place == PLACE_LARGE;
    view->started_ms = work->started_ms;
    view->ended_ms = work->ended_ms;
    view->code = (enum outcome_code)work->code;
    view->verdict_text = blob_bytes(work->verdict);
    view->failure_text = blob_bytes(work->failure);
    view->checkpoint = blob_bytes(work->checkpoint);
    view->percent = work->percent;
    view->progress_text = blob_bytes(work->progress);
    view->is_resumable = work->place == PLACE_RESUMABLE;
    if (work->record) {
        view->has_result = true;
        view->result = blob_bytes(work->result);
        view->result_seal = &work->record->seal;
        view->result_tree = &work->record->tree;
        view->result_index = work->result_index;
    }
}

/* What its function's limit holds is READY in all else. */
static bool is_held(const struct task *task)
{
    return task->state == TASK_READY && task->request.function->is_held;
}

bool forest_task(const struct forest *forest, const struct id *id, struct task_view *view)
{
    const struct task *task = tree_find(forest, id);

    if (!task) {
        return false;
    }
    const struct task *parent = task->request.parent;
    *view = (struct task_view){
        .id = task->id,
        .root = task->tree->root->id,
        .is_root = !parent,
        .state = is_held(task) ? TASK_HELD : (enum task_state)task->state,
        .depth = task->depth,
        .attempt = task->attempts,
        .attempts_started = task->attempts,
        .generation = task->generation,
        .priority = task->priority,
        .submitted_ms = task->submitted_ms,
        .deadline_ms = task->deadline_ms,
        .due_ms = task->state == TASK_DELAYED ? task->due_ms : 0,
        .function = function_name(task->request.function),
        .payload_digest = task->request.payload,
        .item = bytes_of(task->item, task->item_size),
        .seal = &task->record->seal,
        .tree = &task->record->tree,
        .seal_index = task->seal_index,
        .is_begun = task->tree->served != 0,
        .child_count = task->child_count,
    };
    if (parent) {
        view->parent = parent->id;
    }
    if (task->work) {
        view_work(task->work, view);
    }
    if (task->members) {
        view->join = task->members->join->id;
        view->join_position = task->members->position;
    }
    return true;
}

bool forest_remembers(const struct forest *forest, const struct id *id)
{
    const struct task *task = table_find(&forest->by_id, id);

    return memory_has(forest, id) || (task && task->tree->forgetting);
}

/* The task after this one, depth first. */
static const struct task *next_in_tree(const struct task *task)
{
    if (!TAILQ_EMPTY(&task->children)) {
        return TAILQ_FIRST(&task->children);
    }
    while (task->request.parent && !TAILQ_NEXT(task, sibling)) {
        task = task->request.parent;
    }
    return task->request.parent ? TAILQ_NEXT(task, sibling) : NULL;
}

size_t forest_tree(const struct forest *forest, const struct id *root, struct id *cursor,
                   struct id *ids, size_t most)
{
    const struct task *task = tree_find(forest, id_is_zero(cursor) ? root : cursor);
    size_t count = 0;

    if (task && !id_equal(&task->tree->root->id, root)) {
        task = NULL;
    }
    for (; task && count < most; task = next_in_tree(task)) {
        ids[count++] = task->id;
    }
    *cursor = task ? task->id : (struct id){0};
    return count;
}

static const struct task *older_root(const struct task *root)
{
    do {
        root = TAILQ_PREV(root, task_list, sibling);
    } while (root && root->tree->forgetting);
    return root;
}

size_t forest_roots(const struct forest *forest, struct id *cursor, struct id *ids, size_t most)
{
    const struct task *root =
        id_is_zero(cursor) ? TAILQ_LAST(&forest->roots, task_list) : tree_find(forest, cursor);
    size_t count = 0;

    if (root && root->tree->forgetting) {
        root = older_root(root);
    }
    for (; root && !root->request.parent && count < most; root = older_root(root)) {
        ids[count++] = root->id;
    }
    *cursor = root ? root->id : (struct id){0};
    return count;
}

bool forest_root(const struct forest *forest, const struct id *root, struct root_view *view)
{
    const struct task *task = tree_find(forest, root);

    if (!task || task->request.parent) {
        return false;
    }
    const struct tree *tree = task->tree;
    *view = (struct root_view){
        .tasks = tree->tasks,
        .open = tree->open,
        .failed = task->work ? task->work->failed : 0,
        .cancelled = task->work ? task->work->cancelled : 0,
        .held = tree->held,
        .settled_ms = tree->settled_ms,
        .size = tree->size,
        .signer = task->record->seal.signer,
    };
    return true;
}

bool forest_session(const struct forest *forest, uint64_t after, struct session_view *view)
{
    const struct session *session = roster_session_after(forest, after);

    if (!session) {
        return false;
    }
    const uint32_t waiting = pool_parked(session);
    *view = (struct session_view){
        .session = session->index,
        .identity = session->identity,
        .boot = session->boot,
        .instance = session->instance,
        .slots = session->slots,
        .window = session->window,
        .max_waiting = session->max_waiting,
        .assigned = pool_busy(session) + waiting,
        .waiting = waiting,
        .stopping = session->stopping,
        .enlisted_ms = session->enlisted_ms,
        .function_count = session->function_count,
        .functions = session->names,
    };
    return true;
}

static bool show_function(const struct function *function, struct function_view *view)
{
    if (!function) {
        return false;
    }
    *view = (struct function_view){
        .function = function->name,
        .succeeded = function->succeeded,
        .failed = function->failed,
        .cancelled = function->cancelled,
        .sessions = function->sessions,
        .limit = {function->limit.running, function->limit.rate, function->limit.paused},
        .active = function->active,
        .barred = function->barred_count,
        .runs = function->runs,
    };
    memcpy(view->state, function->state, sizeof(view->state));
    return true;
}

bool forest_function(const struct forest *forest, const char *after, struct function_view *view)
{
    return show_function(function_after(forest, after), view);
}

bool forest_function_named(const struct forest *forest, struct bytes name,
                           struct function_view *view)
{
    return show_function(function_find(forest, name), view);
}

/* Of one session: what it has not begun. */
static void add_ahead(const struct session *session, struct backlog_view *view)
{
    static const enum place ahead[] = {PLACE_CHILDREN, PLACE_ROOTS, PLACE_LARGE};

    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        const struct work *work = TAILQ_FIRST(&session->places[ahead[i]]);

        view->tasks += session->held[ahead[i]];
        if (work && (view->oldest_ms == 0 || work->task->submitted_ms < view->oldest_ms)) {
            view->oldest_ms = work->task->submitted_ms;
        }
    }
}

void forest_backlog(const struct forest *forest, struct backlog_view *view)
{
    const struct session *session = NULL;

    *view = (struct backlog_view){.tasks = forest->counters.state[TASK_READY],
                                  .oldest_ms = ready_oldest_ms(forest)};
    while ((session = roster_session_after(forest, session ? session->index : 0))) {
        add_ahead(session, view);
    }
}

const struct forest_counters *forest_counters(const struct forest *forest)
{
    return &forest->counters;
}

const struct certificate *forest_certificate(const struct forest *forest,
                                             const struct key *identity, struct bytes *signed_form)
{
    return trust_certificate(&forest->trust, identity, signed_form);
}

bool forest_trusts(const struct forest *forest, const struct key *identity)
{
    return trust_judge(&forest->trust, identity, forest->now_ms) == REFUSED_NOT;
}

bool forest_certificate_at(const struct forest *forest, size_t i,
                           const struct certificate **certificate, struct bytes *signed_form)
{
    if (i >= forest->trust.certificate_count) {
        return false;
    }
    *certificate = trust_certificate_at(&forest->trust, i, signed_form);
    return true;
}
