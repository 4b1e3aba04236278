/* SPDX-License-Identifier: MPL-2.0
 * The latest progress of each attempt, as its worker streams it. Soft: what a command carried is in
 * the forest; this is fresher, and gone with the leader. */
#ifndef GROVE_COORDINATOR_PROGRESS_H
#define GROVE_COORDINATOR_PROGRESS_H

#include <sys/queue.h>

#include "core/message.h"
#include "core/table.h"

struct progress_note {
    struct table_link link;
    TAILQ_ENTRY(progress_note) order; /* oldest first */
    struct id task;
    uint32_t attempt;
    uint32_t percent;
    uint16_t text_size;
    uint8_t text[LIMIT_PROGRESS_LENGTH];
};

#define PROGRESS_NOTES 65536u /* kept at a time; over it the oldest goes */

struct progress {
    struct table by_task;
    TAILQ_HEAD(, progress_note) notes;
    size_t count;
};

void progress_init(struct progress *progress, const uint8_t hash_key[16]);
void progress_clear(struct progress *progress);

/* Keeps the item's percent and text, copied. The session must hold that attempt: ask the forest
 * first. */
void progress_note(struct progress *progress, const struct progress_item *item);

/* NULL when nothing is known of this attempt. */
const struct progress_note *progress_find(const struct progress *progress, const struct id *task,
                                          uint32_t attempt);

/* The task has ended: its note goes. */
void progress_forget(struct progress *progress, const struct id *task);

#endif
