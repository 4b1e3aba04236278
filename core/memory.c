/* SPDX-License-Identifier: MPL-2.0
 * A table to recognize ids, a heap to let them go. */
#include "core/memory.h"

#include <stdlib.h>

#include "core/kept.h"
#include "core/timers.h"

_Static_assert(MEMORY_SIZE <= 56, "what a remembered id may cost");

bool memory_has_room(const struct forest *forest)
{
    const uint64_t ids = forest->memories.count + forest->counters.roots;

    return (ids + 1) * MEMORY_SIZE <= forest->options.remembered_size;
}

bool memory_has(const struct forest *forest, const struct id *id)
{
    return table_find(&forest->memories, id) != NULL;
}

void memory_restore(struct forest *forest, const struct id *id, uint64_t expires_ms,
                    uint64_t sequence)
{
    struct memory *memory = kept_allocate(sizeof(*memory));

    memory->id = *id;
    table_insert(&forest->memories, memory);
    timers_add(&forest->fading, expires_ms, sequence, memory);
    forest->counters.remembered_size += MEMORY_SIZE;
}

void memory_keep(struct forest *forest, const struct tree *tree)
{
    if (tree->expires_ms >
        forest->now_ms) { /* else by its own word nobody may submit it any more */
        memory_restore(forest, &tree->root->id, tree->expires_ms, tree->root->sequence);
    }
}

static void drop_first(struct forest *forest)
{
    struct memory *memory = timers_take(&forest->fading);

    table_remove(&forest->memories, memory);
    free(memory);
    forest->counters.remembered_size -= MEMORY_SIZE;
}

void memory_fade(struct forest *forest)
{
    while (forest->moves > 0 && timers_due_ms(&forest->fading) <= forest->now_ms) {
        drop_first(forest);
        forest->moves--;
    }
}

void memory_clear(struct forest *forest)
{
    while (forest->fading.count > 0) {
        drop_first(forest);
    }
    timers_clear(&forest->fading);
    table_clear(&forest->memories);
}
