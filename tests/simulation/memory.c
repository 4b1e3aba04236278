/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/memory.h"

#include "tests/simulation/memory_calls.h"

#include <stddef.h>
#include <stdlib.h>

static struct {
    const void *whose; /* NULL: nobody's fails */
    uint64_t left;
    void (*died)(void);
    const void *working;
    unsigned held;
    bool failed;
} memory;

void memory_reset(void)
{
    memory.whose = memory.working = NULL;
    memory.held = 0;
    memory.failed = false;
}

bool memory_threatens(const void *whose)
{
    return memory.whose == whose;
}

void memory_enter(const void *whose)
{
    memory.working = whose;
    memory.held = 0;
}

void memory_leave(void)
{
    memory.working = NULL;
    memory.failed = false;
}

void memory_hold(void)
{
    memory.held++;
}

void memory_go_on(void)
{
    memory.held--;
}

/* Does this allocation fail? */
static bool fails(void)
{
    if (memory.whose == NULL || memory.working != memory.whose || memory.held > 0) {
        return false;
    }
    if (memory.left-- > 0) {
        return false;
    }
    memory.whose = NULL;
    memory.failed = true;
    return true;
}

/* ---- the C library's, as our objects call them */

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory_before, size_t size)
{
    return fails() ? NULL : __real_realloc(memory_before, size);
}

void __wrap_abort(void)
{
    if (memory.failed && memory.working != NULL) {
        memory.died();
    }
    __real_abort();
}

void memory_fail_after(const void *whose, uint64_t allocations, void (*died)(void))
{
    memory.whose = whose;
    memory.left = allocations;
    memory.died = died;
    memory.failed = false;
}
