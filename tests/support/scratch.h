/* SPDX-License-Identifier: MPL-2.0
 * Directories for a test to spoil: flat ones, of files only. */
#ifndef GROVE_TESTS_SUPPORT_SCRATCH_H
#define GROVE_TESTS_SUPPORT_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

#define SCRATCH_PATH_SIZE 128
#define SCRATCH_FILES 64

struct scratch {
    char path[SCRATCH_PATH_SIZE];
};

/* The files of a directory, by name in order. */
struct scratch_list {
    char names[SCRATCH_FILES][64];
    size_t count;
};

/* A new empty directory; a failure fails the test. */
void scratch_make(struct scratch *scratch);

/* Removes it with its files. */
void scratch_remove(struct scratch *scratch);

/* Copies all files of `from` in place of those of `to`. */
void scratch_copy(const struct scratch *from, const struct scratch *to);

void scratch_list(const struct scratch *scratch, struct scratch_list *list);

/* Opens a file of it for reading and writing; the caller closes it. */
int scratch_open(const struct scratch *scratch, const char *name);

size_t scratch_size(const struct scratch *scratch, const char *name);

/* Flips the bits of `mask` in one byte. */
void scratch_flip(const struct scratch *scratch, const char *name, size_t offset, uint8_t mask);

#endif
