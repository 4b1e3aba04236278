/* SPDX-License-Identifier: MPL-2.0
 * Judged first, all of it; planted then. */
#include "core/append.h"

#include "core/attempt.h"
#include "core/budget.h"
#include "core/emit.h"
#include "core/join.h"
#include "core/kept.h"
#include "core/sweep.h"
#include "core/tree.h"

/* One Append while it is applied. */
struct appending {
    struct expansion *expansion;
    struct append append;
    struct id id; /* of the join */
    struct task *parent;
    struct join *join;       /* NULL: to be opened by `terms` */
    struct join_terms terms; /* not from outside */
    uint32_t kept;           /* inputs of this Append that are there already */
    size_t new_count;        /* tasks that it makes */
    size_t new_size;         /* bytes of their items */
};

static uint32_t count_of(const struct appending *appending)
{
    return appending->append.adopted.size > 0
               ? (uint32_t)(appending->append.adopted.size / sizeof(struct id))
               : appending->append.count;
}

void append_claim(struct wire_list appends, bool claimed[LIMIT_BATCH_ITEMS])
{
    struct bytes element;
    struct append append;

    while (wire_next(&appends, &element)) {
        if (wire_append_decode(element, &append) == GROVE_OK) {
            for (uint32_t i = 0; i < append.count && append.first + i < LIMIT_BATCH_ITEMS; i++) {
                claimed[append.first + i] = true;
            }
        }
    }
}

/* ---- whose join it is */

/* Only the signer of a grove.join root appends to it from outside. */
static enum refusal judge_outside(const struct appending *appending)
{
    const struct task *parent = appending->parent;

    if (!(parent->flags & TASK_JOIN) ||
        !key_equal(&parent->record->seal.signer, &appending->expansion->asker)) {
        return REFUSED_JOIN;
    }
    return trust_judge(&appending->expansion->forest->trust, &appending->expansion->asker,
                       appending->expansion->forest->now_ms);
}

static enum refusal judge_parent(struct appending *appending)
{
    struct forest *forest = appending->expansion->forest;
    const struct session *session = appending->expansion->session;
    const struct append *append = &appending->append;
    struct task *parent = tree_find(forest, &append->parent);

    if (!parent || sweep_heed(forest, parent)) {
        return REFUSED_PARENT;
    }
    appending->parent = parent;
    if (!session) {
        return judge_outside(appending); /* also when it is over: what is kept may be sent again */
    }
    if (!task_state_is_open(parent->state)) {
        return REFUSED_PARENT;
    }
    if (!attempt_in_force(forest, session, &append->parent, append->attempt)) {
        return REFUSED_STALE;
    }
    if (append->generation != parent->generation) {
        return REFUSED_PARENT;
    }
    return parent->depth >= LIMIT_DEPTH ? REFUSED_DEPTH : REFUSED_NOT;
}

static enum refusal judge_new_join(struct appending *appending)
{
    const struct append *append = &appending->append;

    if (append->offset != 0 || wire_terms_decode(append->terms, &appending->terms) != GROVE_OK ||
        (appending->parent->flags & TASK_JOIN)) {
        return REFUSED_JOIN;
    }
    return appending->parent->work->open_joins >= LIMIT_OPEN_JOINS ? REFUSED_QUOTA : REFUSED_NOT;
}

static uint32_t kind_of(const struct appending *appending)
{
    return appending->join ? appending->join->kind : appending->terms.kind;
}

/* The join, the place in it, and whether what comes may stand there. */
static enum refusal judge_join(struct appending *appending)
{
    const struct append *append = &appending->append;
    const struct batch *batch = appending->expansion->entry.batch;
    const uint32_t count = count_of(appending);
    enum refusal refusal = REFUSED_NOT;

    appending->join = join_find(appending->expansion->forest, &appending->id);
    if (appending->join && appending->join->parent != appending->parent) {
        return REFUSED_JOIN;
    }
    if (!appending->join) {
        refusal = judge_new_join(appending);
    }
    if (refusal != REFUSED_NOT) {
        return refusal;
    }
    const uint32_t accepted = appending->join ? appending->join->count : 0;
    if (append->offset > accepted || (append->count > 0 && append->adopted.size > 0) ||
        append->first + append->count > (batch ? batch->sealed.item_count : 0u) ||
        (append->adopted.size > 0 && kind_of(appending) != JOIN_GATHER) ||
        append->offset + count > LIMIT_JOIN_INPUTS) {
        return REFUSED_JOIN;
    }
    appending->kept = accepted - append->offset < count ? accepted - append->offset : count;
    return REFUSED_NOT;
}

/* ---- inputs */

/* What is kept at the place of the i-th input must be the same. */
static enum refusal judge_kept(const struct appending *appending, uint32_t i)
{
    const struct append *append = &appending->append;
    const struct task *task = join_at(appending->join, append->offset + i)->task;
    struct id id;

    if (append->adopted.size == 0) {
        return entry_is_of(&appending->expansion->entry, task) ? REFUSED_NOT : REFUSED_DIFFERS;
    }
    memcpy(&id, append->adopted.data + i * sizeof(id), sizeof(id));
    return id_equal(&id, &task->id) ? REFUSED_NOT : REFUSED_DIFFERS;
}

/* An item says itself that it is this input of this call of this parent. */
static enum refusal judge_lineage(const struct appending *appending, uint32_t i)
{
    const struct append *append = &appending->append;
    const struct task_item *item = &appending->expansion->entry.item;
    const struct lineage *lineage = &item->lineage;
    const struct task *parent = appending->parent;

    if (!lineage->present || !id_equal(&lineage->parent, &parent->id) ||
        !id_equal(&lineage->root, &parent->tree->root->id) || lineage->attempt != append->attempt ||
        lineage->generation != parent->generation) {
        return REFUSED_LINEAGE;
    }
    if (lineage->join_kind % JOIN_REVISION != kind_of(appending) ||
        lineage->join_position != append->offset + i) {
        return REFUSED_JOIN;
    }
    return REFUSED_NOT;
}

static struct bytes map_function(const struct appending *appending)
{
    return appending->join ? function_name(appending->join->function) : appending->terms.function;
}

/* The child that answers for an input: of the same id, or an earlier one. */
static struct task *find_child(const struct appending *appending)
{
    struct entry *entry = &appending->expansion->entry;
    struct task *known = table_find(&entry->forest->by_id, entry->id);

    return known ? known : entry_find_earlier(entry, appending->parent);
}

/* What is open may be an input of one map only, which holds it back. */
static bool is_of_another_map(const struct appending *appending, const struct task *task)
{
    return kind_of(appending) == JOIN_MAP && task_state_is_open(task->state);
}

/* Settling a task costs one look at each join that it is an input of. */
static bool is_in_too_many(const struct task *task)
{
    uint32_t count = 0;

    for (const struct member *member = task->members; member && count < LIMIT_MEMBERSHIPS;
         member = member->next) {
        count++;
    }
    return count == LIMIT_MEMBERSHIPS;
}

/* An input before it in the same Append has its id, and is another: its caller's key names two. */
static bool is_named_twice(const struct appending *appending, uint32_t i)
{
    const struct entry *entry = &appending->expansion->entry;
    const uint32_t first = appending->append.first;

    for (uint32_t k = 0; entry->item.key.size > 0 && k < i; k++) {
        struct task_item other = {0};
        if (id_equal(&entry->batch->ids[first + k], entry->id) &&
            (!digest_equal(&entry->batch->digests[first + k], entry->digest) ||
             wire_task_decode(entry->batch->sealed.item[first + k], &other) != GROVE_OK ||
             !bytes_equal(other.function, entry->item.function))) {
            return true;
        }
    }
    return false;
}

static enum refusal judge_new(struct appending *appending, uint32_t i)
{
    struct entry *entry = &appending->expansion->entry;
    const struct task *known = NULL;
    enum refusal refusal = judge_lineage(appending, i);

    if (refusal == REFUSED_NOT && kind_of(appending) == JOIN_MAP &&
        !bytes_equal(entry->item.function, map_function(appending))) {
        refusal = REFUSED_JOIN;
    }
    if (refusal == REFUSED_NOT && kind_of(appending) == JOIN_MAP && entry->item.key.size > 0) {
        refusal = REFUSED_OPTION; /* two inputs by one key would be one task */
    }
    if (refusal == REFUSED_NOT) {
        refusal = entry_judge_child(entry, &appending->expansion->asker, appending->parent);
    }
    if (refusal == REFUSED_NOT) {
        refusal = entry_judge_options(entry);
    }
    if (refusal == REFUSED_NOT && (known = find_child(appending)) &&
        (!entry_is_of(entry, known) || is_of_another_map(appending, known))) {
        refusal = REFUSED_CONFLICT;
    }
    if (refusal == REFUSED_NOT && is_named_twice(appending, i)) {
        refusal = REFUSED_CONFLICT;
    }
    if (refusal == REFUSED_NOT && known && is_in_too_many(known)) {
        refusal = REFUSED_QUOTA;
    }
    if (!known) {
        appending->new_count++;
        appending->new_size += entry->batch->sealed.item[entry->position].size;
    }
    return refusal;
}

static enum refusal judge_items(struct appending *appending)
{
    const struct append *append = &appending->append;
    struct entry *entry = &appending->expansion->entry;
    enum refusal refusal = REFUSED_NOT;

    for (uint32_t i = 0; refusal == REFUSED_NOT && i < append->count; i++) {
        const uint16_t position = (uint16_t)(append->first + i);
        if (!entry_open(entry, position)) {
            return REFUSED_MALFORMED;
        }
        refusal = i < appending->kept ? judge_kept(appending, i) : judge_new(appending, i);
    }
    if (refusal == REFUSED_NOT && appending->new_count > 0) {
        refusal = entry_judge_room(entry->forest, appending->new_count, appending->new_size);
    }
    if (refusal == REFUSED_NOT) {
        refusal = budget_judge(appending->parent, appending->new_count, appending->new_size);
    }
    return refusal;
}

static enum refusal judge_adopted(const struct appending *appending)
{
    const struct append *append = &appending->append;
    const uint32_t count = count_of(appending);
    enum refusal refusal = REFUSED_NOT;

    for (uint32_t i = 0; refusal == REFUSED_NOT && append->adopted.size > 0 && i < count; i++) {
        struct id id;
        memcpy(&id, append->adopted.data + i * sizeof(id), sizeof(id));
        const struct task *task = tree_find(appending->expansion->forest, &id);
        if (!task || task->request.parent != appending->parent) {
            refusal = REFUSED_AWAITED;
        } else if (is_in_too_many(task)) {
            refusal = REFUSED_QUOTA;
        } else if (i < appending->kept) {
            refusal = judge_kept(appending, i);
        }
    }
    return refusal;
}

/* Of a join that is over nothing more is taken, a closed one had as many as there are, and the
 * first append always fits. */
static enum refusal judge_fit(const struct appending *appending)
{
    const struct append *append = &appending->append;
    const struct join *join = appending->join;
    const uint32_t count = count_of(appending);
    const uint32_t fresh = count - appending->kept;

    if (!join) {
        return REFUSED_NOT;
    }
    if ((append->close && append->offset + count < join->count) || (fresh > 0 && join->closed)) {
        return REFUSED_DIFFERS;
    }
    if ((fresh > 0 && join->state != JOIN_OPEN) ||
        (append->close && !join->closed && join->state != JOIN_OPEN)) {
        return REFUSED_OVER;
    }
    return fresh > join_room(join) ? REFUSED_CREDIT : REFUSED_NOT;
}

static enum refusal judge(struct appending *appending)
{
    enum refusal refusal = judge_parent(appending);

    if (refusal == REFUSED_NOT) {
        refusal = judge_join(appending);
    }
    if (refusal == REFUSED_NOT) {
        refusal = judge_items(appending);
    }
    if (refusal == REFUSED_NOT) {
        refusal = judge_adopted(appending);
    }
    return refusal == REFUSED_NOT ? judge_fit(appending) : refusal;
}

/* ---- taking */

static struct task *take_item(struct appending *appending, uint32_t i)
{
    struct expansion *expansion = appending->expansion;
    struct forest *forest = expansion->forest;
    struct join *join = appending->join;
    struct task *task = NULL;

    (void)entry_open(&expansion->entry, (uint16_t)(appending->append.first + i));
    if (i < appending->kept) {
        task = join_at(join, appending->append.offset + i)->task;
        emit_accepted(forest, expansion->entry.position, task);
        return task;
    }
    task = find_child(appending);
    if (task) {
        emit_accepted(forest, expansion->entry.position, task);
    } else {
        task = entry_answer_new(&expansion->entry, appending->parent,
                                join->kind == JOIN_MAP ? PLANT_WINDOWED : PLANT_FREE);
    }
    join_add(forest, join, task);
    if (task->state == TASK_HELD) {
        join_queue(forest, task);
    }
    return task;
}

static void take_adopted(struct appending *appending)
{
    const struct bytes adopted = appending->append.adopted;

    for (size_t i = appending->kept; i < adopted.size / sizeof(struct id); i++) {
        struct id id;
        memcpy(&id, adopted.data + i * sizeof(id), sizeof(id));
        join_add(appending->expansion->forest, appending->join,
                 tree_find(appending->expansion->forest, &id));
    }
}

/* Inputs of a race whose winner was there already are planted to be cancelled, in this entry. */
static void take(struct appending *appending)
{
    struct expansion *expansion = appending->expansion;
    const struct append *append = &appending->append;

    if (!appending->join) {
        appending->join =
            join_open(expansion->forest, appending->parent, &appending->id, &appending->terms);
    }
    for (uint32_t i = 0; i < append->count; i++) {
        expansion->answered[append->first + i] = take_item(appending, i);
    }
    take_adopted(appending);
    if (append->close && appending->join->state == JOIN_OPEN) {
        join_close(expansion->forest, appending->join);
    }
}

/* ---- refusing */

/* A handler that took another path ends what it does not want any more. A key is given once: who
 * gives it again, from outside, with other inputs does not harm what goes by it. */
static void refuse(struct appending *appending, enum refusal refusal)
{
    struct expansion *expansion = appending->expansion;
    const struct append *append = &appending->append;
    const struct batch *batch = expansion->entry.batch;

    if (refusal == REFUSED_DIFFERS && expansion->session && appending->join->state == JOIN_OPEN) {
        join_finish(expansion->forest, appending->join, JOIN_CANCELLED);
    }
    for (uint32_t i = 0; batch && i < append->count; i++) {
        if (append->first + i < batch->sealed.item_count) {
            expansion->entry.position = (uint16_t)(append->first + i);
            expansion->entry.id = &batch->ids[append->first + i];
            (void)entry_refuse(&expansion->entry, refusal);
        }
    }
}

void append_all(struct expansion *expansion, struct wire_list appends, const struct id *joins)
{
    struct bytes element;

    for (uint32_t i = 0; wire_next(&appends, &element); i++) {
        struct appending appending = {.expansion = expansion, .id = joins[i]};
        enum refusal refusal = REFUSED_MALFORMED;

        if (wire_append_decode(element, &appending.append) == GROVE_OK) {
            refusal = judge(&appending);
        }
        if (refusal == REFUSED_NOT) {
            take(&appending);
        } else {
            refuse(&appending, refusal);
        }
        emit_appended(expansion->forest, i, refusal);
    }
}
