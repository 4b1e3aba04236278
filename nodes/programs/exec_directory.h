/* SPDX-License-Identifier: MPL-2.0
 * The executable files of a directory, as functions of their names. */
#ifndef GROVE_NODES_PROGRAMS_EXEC_DIRECTORY_H
#define GROVE_NODES_PROGRAMS_EXEC_DIRECTORY_H

#include "core/limits.h"
#include "nodes/programs/program.h"

struct executable {
    char name[LIMIT_FUNCTION_LENGTH + 1];
    char *command; /* for sh -c */
};

struct exec_directory {
    struct executable list[LIMIT_FUNCTIONS];
    size_t count;
};

/* Reads a directory; in the order of their names. What is executable and has no function's name is
 * complained of, but for hidden files and backups (~). */
enum exit_code exec_directory_read(const char *path, struct exec_directory *directory);
void exec_directory_clear(struct exec_directory *directory);

#endif
