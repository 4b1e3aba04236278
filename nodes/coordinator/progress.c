/* SPDX-License-Identifier: MPL-2.0
 * The latest progress of each attempt. */
#include "nodes/coordinator/progress.h"

#include <stdlib.h>

void progress_init(struct progress *progress, const uint8_t hash_key[16])
{
    TAILQ_INIT(&progress->notes);
    progress->count = 0;
    table_init(&progress->by_task, hash_key, offsetof(struct progress_note, link),
               offsetof(struct progress_note, task), sizeof(struct id));
}

static void drop(struct progress *progress, struct progress_note *note)
{
    table_remove(&progress->by_task, note);
    TAILQ_REMOVE(&progress->notes, note, order);
    progress->count--;
    free(note);
}

void progress_clear(struct progress *progress)
{
    struct progress_note *note;

    while ((note = TAILQ_FIRST(&progress->notes)) != NULL) {
        drop(progress, note);
    }
    table_clear(&progress->by_task);
}

static struct progress_note *add(struct progress *progress, const struct id *task)
{
    struct progress_note *note = calloc(1, sizeof(*note));

    if (note == NULL) {
        abort();
    }
    if (progress->count == PROGRESS_NOTES) {
        drop(progress, TAILQ_FIRST(&progress->notes));
    }
    note->task = *task;
    table_insert(&progress->by_task, note);
    TAILQ_INSERT_TAIL(&progress->notes, note, order);
    progress->count++;
    return note;
}

void progress_note(struct progress *progress, const struct progress_item *item)
{
    struct progress_note *note = table_find(&progress->by_task, &item->task);

    if (item->text.size > LIMIT_PROGRESS_LENGTH) {
        return;
    }
    if (note == NULL) {
        note = add(progress, &item->task);
    }
    note->attempt = item->attempt;
    note->percent = item->percent;
    note->text_size = (uint16_t)item->text.size;
    if (item->text.size > 0) {
        memcpy(note->text, item->text.data, item->text.size);
    }
}

const struct progress_note *progress_find(const struct progress *progress, const struct id *task,
                                          uint32_t attempt)
{
    const struct progress_note *note = table_find(&progress->by_task, task);

    return note != NULL && note->attempt == attempt ? note : NULL;
}

void progress_forget(struct progress *progress, const struct id *task)
{
    struct progress_note *note = progress->count > 0 ? table_find(&progress->by_task, task) : NULL;

    if (note != NULL) {
        drop(progress, note);
    }
}
