/* SPDX-License-Identifier: MPL-2.0
 * Judging items, and answering for them. */
#include "core/entry.h"

#include "core/emit.h"
#include "core/kept.h"
#include "core/sweep.h"
#include "core/tree.h"

bool entry_open(struct entry *entry, uint16_t position)
{
    entry->position = position;
    entry->id = &entry->batch->ids[position];
    entry->digest = &entry->batch->digests[position];
    entry->item = (struct task_item){0};
    return wire_task_decode(entry->batch->sealed.item[position], &entry->item) == GROVE_OK;
}

/* ---- judging */

enum refusal entry_judge_options(const struct entry *entry)
{
    const struct task_item *item = &entry->item;

    if (!wire_function_is_valid(item->function)) {
        return REFUSED_FUNCTION_NAME;
    }
    if (item->priority > LIMIT_PRIORITY || item->priority < -LIMIT_PRIORITY ||
        item->delay_ms > LIMIT_DELAY_MS || item->max_attempts > LIMIT_ATTEMPTS ||
        item->deadline_ms > entry->forest->now_ms + LIMIT_DELAY_MS ||
        (item->has_retry_of && item->lineage.present)) {
        return REFUSED_OPTION;
    }
    return REFUSED_NOT;
}

enum refusal entry_judge_room(const struct forest *forest, size_t count, size_t size)
{
    uint64_t live = count;

    for (int state = 0; state < TASK_STATE_COUNT; state++) {
        live += task_state_is_open((enum task_state)state) ? forest->counters.state[state] : 0;
    }
    if (live > forest->options.live_tasks ||
        forest->counters.body_size + size > forest->options.body_size) {
        return REFUSED_QUOTA;
    }
    return REFUSED_NOT;
}

enum refusal entry_judge_submitter(struct entry *entry, const struct key *submitter)
{
    const struct forest *forest = entry->forest;

    if (!entry->judged.data || !bytes_equal(entry->judged, entry->item.function)) {
        entry->judged = entry->item.function;
        entry->may_submit =
            trust_may_submit(&forest->trust, submitter, entry->judged, forest->now_ms);
    }
    return entry->may_submit;
}

enum refusal entry_judge_child(struct entry *entry, const struct key *asker,
                               const struct task *parent)
{
    const struct forest *forest = entry->forest;
    const struct bytes function = entry->item.function;
    const struct key *submitter = &parent->tree->root->record->seal.signer;
    const enum refusal refusal = entry_judge_submitter(entry, asker);

    if (!key_equal(&entry->batch->sealed.seal.signer, asker)) {
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

/* ---- finding */

bool entry_is_of(const struct entry *entry, const struct task *task)
{
    return digest_equal(entry->digest, &task->request.payload) &&
           bytes_equal(entry->item.function, function_name(task->request.function));
}

struct task *entry_find_earlier(const struct entry *entry, struct task *parent)
{
    struct forest *forest = entry->forest;
    struct function *function = function_find(forest, entry->item.function);

    if (!function || entry->item.fresh ||
        (parent->generation == 0 && entry->item.lineage.join_kind < JOIN_REVISION)) {
        return NULL;
    }
    const struct request request = tree_request(parent, function, entry->digest, &entry->item);
    struct task *task = table_find(&forest->by_request, &request);
    if (!task || sweep_heed(forest, task)) {
        return NULL;
    }
    const bool is_free = task_state_is_open(task->state) && !task->members;
    return task->state == TASK_SUCCEEDED || is_free ? task : NULL;
}

/* ---- answering */

struct task *entry_answer_known(const struct entry *entry, struct task *task)
{
    if (entry_is_of(entry, task)) {
        emit_accepted(entry->forest, entry->position, task);
        return task;
    }
    emit_refused(entry->forest, entry->position, entry->id, REFUSED_CONFLICT,
                 &task->request.payload);
    return NULL;
}

struct task *entry_answer_new(const struct entry *entry, struct task *parent, enum planted as)
{
    const struct planting planting = {
        .id = entry->id,
        .payload = entry->digest,
        .item = &entry->item,
        .bytes = entry->batch->sealed.item[entry->position],
        .parent = parent,
        .record = record_use(entry->forest, entry->record, entry->batch, entry->position),
        .seal_index = entry->batch->sealed.index[entry->position],
        .as = as,
    };
    struct task *task = tree_plant(entry->forest, &planting);

    emit_accepted(entry->forest, entry->position, task);
    return task;
}

struct task *entry_refuse(const struct entry *entry, enum refusal refusal)
{
    emit_refused(entry->forest, entry->position, entry->id, refusal, NULL);
    return NULL;
}
