/* SPDX-License-Identifier: MPL-2.0
 * Judging items, planting tasks. */
#include "core/accept.h"

#include "core/append.h"
#include "core/attempt.h"
#include "core/budget.h"
#include "core/emit.h"
#include "core/entry.h"
#include "core/join.h"
#include "core/kept.h"
#include "core/memory.h"
#include "core/sweep.h"
#include "core/tree.h"
#include "core/wait.h"

/* ---- roots */

static bool is_join(const struct entry *entry)
{
    return bytes_equal(entry->item.function, bytes_of_text(JOIN_FUNCTION));
}

/* A join from outside has no attempts, and its inputs have delays of their own. */
static enum refusal judge_join(const struct entry *entry, struct join_terms *terms)
{
    const struct task_item *item = &entry->item;

    return wire_terms_decode(item->payload, terms) == GROVE_OK && item->delay_ms == 0 &&
                   item->max_attempts <= 1 && !item->at_most_once
               ? REFUSED_NOT
               : REFUSED_OPTION;
}

/* Who may run a root again: whoever submitted it, or an operator; for anyone else there is none.
 * What the forest does not have (any more) is nobody's, and its id only says what this is for. */
static enum refusal judge_retry(const struct entry *entry)
{
    const struct forest *forest = entry->forest;
    const struct key *signer = &entry->batch->sealed.seal.signer;
    const struct task *old =
        entry->item.has_retry_of ? tree_find(forest, &entry->item.retry_of) : NULL;

    if (!old) {
        return REFUSED_NOT;
    }
    if (!key_equal(&old->tree->root->record->seal.signer, signer) &&
        trust_has_role(&forest->trust, signer, ROLE_OPERATOR, forest->now_ms) != REFUSED_NOT) {
        return REFUSED_NOT_FOUND;
    }
    return old->request.parent ? REFUSED_OPTION : REFUSED_NOT;
}

static enum refusal judge_root(const struct forest *forest, const struct entry *entry)
{
    const struct task_item *item = &entry->item;
    enum refusal refusal = entry_judge_options(entry);

    if (refusal == REFUSED_NOT &&
        (item->expires_ms < forest->now_ms ||
         item->expires_ms > forest->now_ms + forest->options.retention_ms)) {
        refusal = REFUSED_EXPIRED;
    }
    if (refusal == REFUSED_NOT) {
        refusal = judge_retry(entry);
    }
    if (refusal == REFUSED_NOT && !memory_has_room(forest)) {
        refusal = REFUSED_QUOTA;
    }
    return refusal != REFUSED_NOT
               ? refusal
               : entry_judge_room(forest, 1, entry->batch->sealed.item[entry->position].size);
}

/* Whoever may submit anything may join it: each input is judged by itself. An observer or an
 * operator submits nothing. */
static enum refusal judge_signer(struct entry *entry)
{
    const struct forest *forest = entry->forest;
    const struct key *signer = &entry->batch->sealed.seal.signer;

    return is_join(entry)
               ? trust_has_role(&forest->trust, signer, ROLE_CLIENT | ROLE_WORKER, forest->now_ms)
               : entry_judge_submitter(entry, signer);
}

static void plant_root(struct entry *entry)
{
    struct forest *forest = entry->forest;
    struct join_terms terms;
    enum refusal refusal = judge_root(forest, entry);

    if (refusal == REFUSED_NOT && is_join(entry)) {
        refusal = judge_join(entry, &terms);
    }
    if (refusal != REFUSED_NOT) {
        (void)entry_refuse(entry, refusal);
    } else if (is_join(entry)) {
        struct task *root = entry_answer_new(entry, NULL, PLANT_JOIN);
        (void)join_open(forest, root, &root->id, &terms);
    } else {
        (void)entry_answer_new(entry, NULL, PLANT_FREE);
    }
}

static void submit_item(struct entry *entry)
{
    struct forest *forest = entry->forest;
    struct task *known = table_find(&forest->by_id, entry->id);
    enum refusal refusal = entry->item.lineage.present ? REFUSED_LINEAGE : judge_signer(entry);

    if (refusal == REFUSED_NOT && known && !known->tree->forgetting) {
        (void)entry_answer_known(entry, known);
        return;
    }
    if (refusal == REFUSED_NOT && (known || memory_has(forest, entry->id))) {
        refusal = REFUSED_FORGOTTEN;
    }
    if (refusal == REFUSED_NOT) {
        plant_root(entry);
    } else {
        (void)entry_refuse(entry, refusal);
    }
}

void accept_submit(struct forest *forest, const struct batch *batch)
{
    struct record *record = NULL;
    struct entry entry = {.forest = forest, .batch = batch, .record = &record};

    table_expect(&forest->by_id, batch->ids, batch->sealed.item_count);
    table_expect(&forest->memories, batch->ids, batch->sealed.item_count);
    for (uint16_t i = 0; i < batch->sealed.item_count; i++) {
        if (entry_open(&entry, i)) {
            submit_item(&entry);
        } else {
            (void)entry_refuse(&entry, REFUSED_MALFORMED);
        }
    }
    record_close(forest, record);
}

/* ---- children */

/* The attempt that asks for a child must be one that this session holds, in its present generation.
 */
static enum refusal judge_lineage(struct forest *forest, const struct session *session,
                                  const struct lineage *lineage)
{
    struct task *parent = lineage->present ? tree_find(forest, &lineage->parent) : NULL;

    if (!lineage->present) {
        return REFUSED_LINEAGE;
    }
    if (!parent || sweep_heed(forest, parent) || !task_state_is_open(parent->state)) {
        return REFUSED_PARENT;
    }
    if (!id_equal(&lineage->root, &parent->tree->root->id)) {
        return REFUSED_LINEAGE;
    }
    if (!session || !attempt_in_force(forest, session, &lineage->parent, lineage->attempt)) {
        return REFUSED_STALE;
    }
    if (lineage->generation != parent->generation) {
        return REFUSED_PARENT;
    }
    return parent->depth >= LIMIT_DEPTH ? REFUSED_DEPTH : REFUSED_NOT;
}

static struct task *expand_item(struct expansion *expansion)
{
    struct forest *forest = expansion->forest;
    struct entry *entry = &expansion->entry;
    const size_t size = entry->batch->sealed.item[entry->position].size;
    enum refusal refusal = judge_lineage(forest, expansion->session, &entry->item.lineage);

    if (refusal != REFUSED_NOT) {
        return entry_refuse(entry, refusal);
    }
    struct task *parent = tree_find(forest, &entry->item.lineage.parent);
    refusal = entry_judge_child(entry, &expansion->asker, parent);
    if (refusal == REFUSED_NOT && (entry->item.lineage.join_kind != JOIN_NONE || is_join(entry))) {
        refusal = REFUSED_JOIN; /* an input that no Append names, or a root's function */
    }
    if (refusal != REFUSED_NOT) {
        return entry_refuse(entry, refusal);
    }
    struct task *known = table_find(&forest->by_id, entry->id);
    if (!known) {
        known = entry_find_earlier(entry, parent);
    }
    if (known) {
        return entry_answer_known(entry, known);
    }
    refusal = entry_judge_options(entry);
    if (refusal == REFUSED_NOT) {
        refusal = entry_judge_room(forest, 1, size);
    }
    if (refusal == REFUSED_NOT) {
        refusal = budget_judge(parent, 1, size);
    }
    return refusal == REFUSED_NOT ? entry_answer_new(entry, parent, PLANT_FREE)
                                  : entry_refuse(entry, refusal);
}

static void expand_items(struct expansion *expansion, const bool claimed[LIMIT_BATCH_ITEMS])
{
    struct entry *entry = &expansion->entry;

    for (uint16_t i = 0; entry->batch && i < entry->batch->sealed.item_count; i++) {
        if (claimed[i]) {
            continue;
        }
        expansion->answered[i] =
            entry_open(entry, i) ? expand_item(expansion) : entry_refuse(entry, REFUSED_MALFORMED);
    }
}

void accept_expand(struct forest *forest, struct session *session, const struct command *command)
{
    struct record *record = NULL;
    const struct batch *batch = command->expand.has_batch ? &command->expand.batch : NULL;
    struct expansion expansion = {
        .forest = forest,
        .session = session,
        .asker = session ? session->identity : command->expand.identity,
        .entry = {.forest = forest, .batch = batch, .record = &record},
    };
    bool claimed[LIMIT_BATCH_ITEMS] = {false};

    if (batch) {
        table_expect(&forest->by_id, batch->ids, batch->sealed.item_count);
    }
    append_claim(command->expand.appends, claimed);
    expand_items(&expansion, claimed);
    append_all(&expansion, command->expand.appends, command->expand.joins);
    record_close(forest, record);
    if (session) {
        wait_all(forest, session, command->expand.waits, expansion.answered,
                 batch ? batch->sealed.item_count : 0);
    }
}
