/* SPDX-License-Identifier: MPL-2.0
 * The parts of `grove keys`. */
#ifndef GROVE_NODES_PROGRAMS_KEYS_H
#define GROVE_NODES_PROGRAMS_KEYS_H

#include "nodes/programs/program.h"

#define PASSPHRASE_SIZE 1024

enum exit_code keys_init(const struct arguments *arguments);
enum exit_code keys_issue(const struct arguments *arguments);

/* Prints the path of a file that was written: a line, or JSON. */
void print_file(const struct arguments *arguments, const char *path);

/* The role of that name; says so on stderr and returns false when there is none. */
bool role_parse(const char *name, uint32_t *role);

/* Reads --passphrase-file, which must be given; says on stderr why it cannot. */
bool passphrase_read(const struct arguments *arguments, char passphrase[PASSPHRASE_SIZE]);

#endif
