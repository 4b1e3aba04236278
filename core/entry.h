/* SPDX-License-Identifier: MPL-2.0
 * One item of a batch, while it is judged and answered. */
#ifndef GROVE_CORE_ENTRY_H
#define GROVE_CORE_ENTRY_H

#include "core/forest_state.h"

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

/* Goes to the item at a position; false for one that does not decode, which no pool has checked. */
bool entry_open(struct entry *entry, uint16_t position);

/* ---- judging */

enum refusal entry_judge_options(const struct entry *entry);

/* Whether there is room for `count` more tasks with items of `size` bytes in all. */
enum refusal entry_judge_room(const struct forest *forest, size_t count, size_t size);

/* Whether the submitter may submit the item's function. Most batches are of one function, and are
 * judged once. */
enum refusal entry_judge_submitter(struct entry *entry, const struct key *submitter);

/* The right of the one who asks for a child, judged now, and that of the root's submitter, who was
 * judged when the root came and is only asked whether it has been revoked since. */
enum refusal entry_judge_child(struct entry *entry, const struct key *asker,
                               const struct task *parent);

/* ---- finding */

/* Whether an item asks for the very task that is there. */
bool entry_is_of(const struct entry *entry, const struct task *task);

/* A child that an equal request made before, and that answers this one as well: it succeeded, or it
 * is open and no input of a join; in another generation, or of a join that was given up. */
struct task *entry_find_earlier(const struct entry *entry, struct task *parent);

/* ---- answering */

/* With a task that is there already, if it is the same one, else with CONFLICT and NULL. */
struct task *entry_answer_known(const struct entry *entry, struct task *task);

/* With a new task. */
struct task *entry_answer_new(const struct entry *entry, struct task *parent, enum planted as);

/* Returns NULL. */
struct task *entry_refuse(const struct entry *entry, enum refusal refusal);

#endif
