/* SPDX-License-Identifier: MPL-2.0
 * Judging items, planting tasks, parking parents. */
#include "core/accept.h"

#include "core/attempt.h"
#include "core/emit.h"
#include "core/kept.h"
#include "core/memory.h"
#include "core/roster.h"
#include "core/tree.h"

/* One item of a batch, while it is judged. */
struct entry {
    struct forest *forest;
    const struct batch *batch;
    struct record **record; /* of the batch, once something of it is kept */
    uint16_t position;
    const struct id *id;
    const struct digest *digest;
    struct task_item item;
    struct bytes judged;     /* function of the item before, and ... */
    enum refusal may_submit; /* ... whether whoever submits the batch may submit it */
};

static enum refusal judge_options(const struct forest *forest, const struct task_item *item)
{
    if (!wire_function_is_valid(item->function)) {
        return REFUSED_FUNCTION_NAME;
    }
    if (item->priority > LIMIT_PRIORITY || item->priority < -LIMIT_PRIORITY ||
        item->delay_ms > LIMIT_DELAY_MS || item->max_attempts > LIMIT_ATTEMPTS ||
        item->deadline_ms > forest->now_ms + LIMIT_DELAY_MS) {
        return REFUSED_OPTION;
    }
    return REFUSED_NOT;
}

static enum refusal judge_room(const struct forest *forest, size_t item_size)
{
    uint64_t live = 0;

    for (int state = 0; state < TASK_STATE_COUNT; state++) {
        live += task_state_is_open((enum task_state)state) ? forest->counters.state[state] : 0;
    }
    if (live >= forest->options.live_tasks ||
        forest->counters.body_size + item_size > forest->options.body_size) {
        return REFUSED_QUOTA;
    }
    return REFUSED_NOT;
}

/* Answers with a task that is there already, if it is the same one. */
static struct task *answer_known(const struct entry *entry, struct task *task)
{
    if (digest_equal(entry->digest, &task->request.payload) &&
        bytes_equal(entry->item.function, function_name(task->request.function))) {
        emit_accepted(entry->forest, entry->position, task);
        return task;
    }
    emit_refused(entry->forest, entry->position, entry->id, REFUSED_CONFLICT,
                 &task->request.payload);
    return NULL;
}

static struct task *answer_new(const struct entry *entry, struct task *parent)
{
    const struct planting planting = {
        .id = entry->id,
        .payload = entry->digest,
        .item = &entry->item,
        .bytes = entry->batch->sealed.item[entry->position],
        .parent = parent,
        .record = record_use(entry->forest, entry->record, entry->batch, entry->position),
        .seal_index = entry->batch->sealed.index[entry->position],
    };
    struct task *task = tree_plant(entry->forest, &planting);

    emit_accepted(entry->forest, entry->position, task);
    return task;
}

static struct task *refuse(const struct entry *entry, enum refusal refusal)
{
    emit_refused(entry->forest, entry->position, entry->id, refusal, NULL);
    return NULL;
}

/* Decodes an item; one that does not decode was never checked by a pool. */
static bool open_entry(struct entry *entry, uint16_t position)
{
    entry->position = position;
    entry->id = &entry->batch->ids[position];
    entry->digest = &entry->batch->digests[position];
    entry->item = (struct task_item){0};
    return wire_task_decode(entry->batch->sealed.item[position], &entry->item) == GROVE_OK;
}

/* Whether the submitter may submit the item's function. Most batches are of one function, and are
 * judged once. */
static enum refusal judge_submitter(struct entry *entry, const struct key *submitter)
{
    const struct forest *forest = entry->forest;

    if (!entry->judged.data || !bytes_equal(entry->judged, entry->item.function)) {
        entry->judged = entry->item.function;
        entry->may_submit =
            trust_may_submit(&forest->trust, submitter, entry->judged, forest->now_ms);
    }
    return entry->may_submit;
}

/* ---- roots */

static enum refusal judge_root(const struct forest *forest, const struct entry *entry)
{
    const struct task_item *item = &entry->item;
    enum refusal refusal = judge_options(forest, item);

    if (refusal == REFUSED_NOT &&
        (item->expires_ms < forest->now_ms ||
         item->expires_ms > forest->now_ms + forest->options.retention_ms)) {
        refusal = REFUSED_EXPIRED;
    }
    if (refusal == REFUSED_NOT && !memory_has_room(forest)) {
        refusal = REFUSED_QUOTA;
    }
    return refusal != REFUSED_NOT
               ? refusal
               : judge_room(forest, entry->batch->sealed.item[entry->position].size);
}

static void submit_item(struct entry *entry)
{
    struct forest *forest = entry->forest;
    const struct key *signer = &entry->batch->sealed.seal.signer;
    struct task *known = table_find(&forest->by_id, entry->id);
    enum refusal refusal = REFUSED_NOT;

    if (entry->item.lineage.present) {
        refusal = REFUSED_LINEAGE;
    } else {
        refusal = judge_submitter(entry, signer);
    }
    if (refusal == REFUSED_NOT && known && !known->tree->forgetting) {
        (void)answer_known(entry, known);
        return;
    }
    if (refusal == REFUSED_NOT && (known || memory_has(forest, entry->id))) {
        refusal = REFUSED_FORGOTTEN;
    }
    if (refusal == REFUSED_NOT) {
        refusal = judge_root(forest, entry);
    }
    if (refusal == REFUSED_NOT) {
        (void)answer_new(entry, NULL);
    } else {
        (void)refuse(entry, refusal);
    }
}

void accept_submit(struct forest *forest, const struct batch *batch)
{
    struct record *record = NULL;
    struct entry entry = {.forest = forest, .batch = batch, .record = &record};

    for (uint16_t i = 0; i < batch->sealed.item_count; i++) {
        if (open_entry(&entry, i)) {
            submit_item(&entry);
        } else {
            (void)refuse(&entry, REFUSED_MALFORMED);
        }
    }
    record_close(forest, record);
}

/* ---- children */

/* The attempt that asks for a child must be one that this session holds, in its present generation.
 */
static enum refusal judge_lineage(const struct forest *forest, const struct session *session,
                                  const struct lineage *lineage)
{
    const struct task *parent = lineage->present ? tree_find(forest, &lineage->parent) : NULL;

    if (!lineage->present) {
        return REFUSED_LINEAGE;
    }
    if (!parent || !task_state_is_open(parent->state)) {
        return REFUSED_PARENT;
    }
    if (!id_equal(&lineage->root, &parent->tree->root->id)) {
        return REFUSED_LINEAGE;
    }
    if (!attempt_in_force(forest, session, &lineage->parent, lineage->attempt)) {
        return REFUSED_STALE;
    }
    if (lineage->generation != parent->generation) {
        return REFUSED_PARENT;
    }
    return parent->depth >= LIMIT_DEPTH ? REFUSED_DEPTH : REFUSED_NOT;
}

/* The right of the worker, judged now, and that of the root's submitter, who was judged when the
 * root came and is only asked whether it has been revoked since. */
static enum refusal judge_rights(const struct forest *forest, const struct session *session,
                                 struct entry *entry, const struct task *parent)
{
    const struct bytes function = entry->item.function;
    const struct key *submitter = &parent->tree->root->record->seal.signer;
    const enum refusal refusal = judge_submitter(entry, &session->identity);

    if (!key_equal(&entry->batch->sealed.seal.signer, &session->identity)) {
        return REFUSED_WRONG_SIGNER;
    }
    if (refusal != REFUSED_NOT) {
        return refusal;
    }
    if (trust_is_revoked(&forest->trust, submitter)) {
        return REFUSED_REVOKED;
    }
    const struct certificate *root = trust_certificate(&forest->trust, submitter, NULL);
    return pattern_matches(root->submit, root->submit_count, function) ? REFUSED_NOT
                                                                       : REFUSED_RIGHT_SUBMIT;
}

/* A child that an earlier generation made by an equal request, and that still answers: it
 * succeeded, or it is open. */
static struct task *find_earlier(const struct entry *entry, struct task *parent)
{
    const struct forest *forest = entry->forest;
    struct function *function = function_find(forest, entry->item.function);

    if (!function || entry->item.fresh || parent->generation == 0) {
        return NULL;
    }
    const struct request request = tree_request(parent, function, entry->digest, &entry->item);
    struct task *task = table_find(&forest->by_request, &request);
    if (!task || !(task->state == TASK_SUCCEEDED || task_state_is_open(task->state))) {
        return NULL;
    }
    return task;
}

static struct task *expand_item(struct entry *entry, const struct session *session)
{
    struct forest *forest = entry->forest;
    enum refusal refusal = judge_lineage(forest, session, &entry->item.lineage);

    if (refusal != REFUSED_NOT) {
        return refuse(entry, refusal);
    }
    struct task *parent = tree_find(forest, &entry->item.lineage.parent);
    refusal = judge_rights(forest, session, entry, parent);
    if (refusal != REFUSED_NOT) {
        return refuse(entry, refusal);
    }
    struct task *known = table_find(&forest->by_id, entry->id);
    if (!known) {
        known = find_earlier(entry, parent);
    }
    if (known) {
        return answer_known(entry, known);
    }
    refusal = judge_options(forest, &entry->item);
    if (refusal == REFUSED_NOT) {
        refusal = judge_room(forest, entry->batch->sealed.item[entry->position].size);
    }
    return refusal == REFUSED_NOT ? answer_new(entry, parent) : refuse(entry, refusal);
}

/* ---- waits */

/* What an attempt waits for: children by id, and by position in the batch beside. */
struct wait {
    struct waits waits;
    struct task *const *answered; /* by position; NULL where refused */
    size_t answered_count;
};

/* The i-th awaited child, or NULL for one that was refused.
 *
 *   returns   false: it is no child of this task */
static bool awaited_at(const struct forest *forest, const struct wait *wait,
                       const struct task *parent, size_t i, struct task **child)
{
    const size_t ids = wait->waits.awaited.size / sizeof(struct id);
    struct id id;

    if (i < ids) {
        memcpy(&id, wait->waits.awaited.data + i * sizeof(id), sizeof(id));
        *child = tree_find(forest, &id);
        return *child && (*child)->request.parent == parent;
    }
    const uint8_t position = wait->waits.positions.data[i - ids];
    if (position >= wait->answered_count) {
        return false;
    }
    *child = wait->answered[position];
    return !*child || (*child)->request.parent == parent;
}

static enum refusal judge_wait(const struct forest *forest, const struct wait *wait,
                               const struct task *parent, size_t count)
{
    struct task *child = NULL;

    if (count == 0 || count > LIMIT_AWAITED || wait->waits.awaited.size % sizeof(struct id) != 0) {
        return REFUSED_AWAITED;
    }
    for (size_t i = 0; i < count; i++) {
        if (!awaited_at(forest, wait, parent, i, &child)) {
            return REFUSED_AWAITED;
        }
    }
    return REFUSED_NOT;
}

/* Marks what is awaited.
 *
 *   returns   whether one of them has settled, or was refused and never will */
static bool mark_awaited(const struct forest *forest, const struct wait *wait, struct work *work,
                         size_t count)
{
    bool has_settled = false;
    struct task *child = NULL;

    work->wait++;
    for (size_t i = 0; i < count; i++) {
        (void)awaited_at(forest, wait, work->task, i, &child);
        has_settled |= !child || !task_state_is_open(child->state);
        if (child) {
            child->awaited = work->wait;
        }
    }
    return has_settled;
}

static void refuse_wait(struct forest *forest, const struct session *session,
                        const struct waits *waits, enum refusal refusal)
{
    emit_stale(forest, EFFECT_REFUSE, session->index, &waits->task, waits->attempt, refusal);
}

/* An attempt that is to wait for what has settled already stays RUNNING and is told so. The same
 * message may come twice: what it says is put in the place of what it said before. */
static void wait_for(struct forest *forest, struct session *session, const struct wait *wait)
{
    const struct waits *waits = &wait->waits;
    const size_t count = waits->awaited.size / sizeof(struct id) + waits->positions.size;
    struct work *work = attempt_in_force(forest, session, &waits->task, waits->attempt);
    enum refusal refusal = work ? judge_wait(forest, wait, work->task, count) : REFUSED_STALE;

    if (refusal != REFUSED_NOT) {
        refuse_wait(forest, session, waits, refusal);
        return;
    }
    const bool has_settled = mark_awaited(forest, wait, work, count);
    if (has_settled && work->task->state == TASK_WAITING) {
        roster_wake(forest, work);
    } else if (has_settled) {
        work->resumed = true;
        emit_attempt(forest, EFFECT_RESUME, work);
    } else {
        if (work->task->state != TASK_WAITING) {
            tree_move(forest, work->task, TASK_WAITING);
        }
        roster_wait(forest,
                    work); /* also out of the line for a slot, which was for an earlier wait */
    }
}

void accept_expand(struct forest *forest, struct session *session, const struct batch *batch,
                   struct wire_list waits)
{
    struct task *answered[LIMIT_BATCH_ITEMS] = {0};
    struct record *record = NULL;
    struct entry entry = {.forest = forest, .batch = batch, .record = &record};
    struct wait wait = {.answered = answered,
                        .answered_count = batch ? batch->sealed.item_count : 0};
    size_t left = WAITS_COST;
    struct bytes element;

    for (uint16_t i = 0; batch && i < batch->sealed.item_count; i++) {
        if (open_entry(&entry, i)) {
            answered[i] = expand_item(&entry, session);
        } else {
            (void)refuse(&entry, REFUSED_MALFORMED);
        }
    }
    record_close(forest, record);
    while (left > 0 && wire_next(&waits, &element)) {
        if (wire_waits_decode(element, &wait.waits) != GROVE_OK) {
            left--;
        } else if (waits_pay(&wait.waits, &left)) {
            wait_for(forest, session, &wait);
        } else {
            refuse_wait(forest, session, &wait.waits, REFUSED_AWAITED);
        }
    }
}
