/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/heap.h"

#include <raft.h>
#include <stdlib.h>

static void *or_abort(void *memory, size_t size)
{
    if (memory == NULL && size > 0) {
        abort();
    }
    return memory;
}

/* Zeroed: the library pads what it encodes with what lies there, and that goes to disk. */
static void *take(void *data, size_t size)
{
    (void)data;
    return or_abort(calloc(1, size), size);
}

static void give_back(void *data, void *memory)
{
    (void)data;
    free(memory);
}

static void *take_zeroed(void *data, size_t count, size_t size)
{
    (void)data;
    return or_abort(calloc(count, size), count > 0 ? size : 0);
}

static void *resize(void *data, void *memory, size_t size)
{
    (void)data;
    return or_abort(realloc(memory, size), size);
}

static void *take_aligned(void *data, size_t alignment, size_t size)
{
    (void)data;
    return or_abort(aligned_alloc(alignment, size), size);
}

static void give_back_aligned(void *data, size_t alignment, void *memory)
{
    (void)alignment;
    give_back(data, memory);
}

void heap_install(void)
{
    static struct raft_heap heap = {
        .malloc = take,
        .free = give_back,
        .calloc = take_zeroed,
        .realloc = resize,
        .aligned_alloc = take_aligned,
        .aligned_free = give_back_aligned,
    };

    raft_heap_set(&heap);
}
