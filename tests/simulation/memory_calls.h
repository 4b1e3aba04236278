/* SPDX-License-Identifier: MPL-2.0
 * The calls that memory.c stands around: the linker gives it those that our objects make. */
#ifndef GROVE_TESTS_SIMULATION_MEMORY_CALLS_H
#define GROVE_TESTS_SIMULATION_MEMORY_CALLS_H

#include <stddef.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory_before, size_t size);
void *__wrap_realloc(void *memory_before, size_t size);
void __real_abort(void) __attribute__((noreturn));
void __wrap_abort(void) __attribute__((noreturn));
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

#endif
