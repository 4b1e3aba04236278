/* SPDX-License-Identifier: MPL-2.0
 * Memory that runs out: an allocation of the code under test fails, once, while it is at work. It
 * must then end, or refuse; what the simulator itself takes never fails. */
#ifndef GROVE_TESTS_SIMULATION_MEMORY_H
#define GROVE_TESTS_SIMULATION_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Fails the allocation after `allocations` more, of those made between memory_enter and
 * memory_leave by whoever this is. Once for each time it is asked for.
 *
 *   died      called in place of abort(), which does not return */
void memory_fail_after(const void *whose, uint64_t allocations, void (*died)(void));

/* Will one of its allocations still fail? */
bool memory_threatens(const void *whose);

/* The code under test begins and ends to work, for this one. */
void memory_enter(const void *whose);
void memory_leave(void);

/* It calls back into the simulator, and goes on. In pairs, which nest. */
void memory_hold(void);
void memory_go_on(void);

/* Forgets all of that, for a new run. */
void memory_reset(void);

#endif
