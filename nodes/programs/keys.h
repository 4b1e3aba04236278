/* SPDX-License-Identifier: MPL-2.0
 * The parts of `grove keys`. */
#ifndef GROVE_NODES_PROGRAMS_KEYS_H
#define GROVE_NODES_PROGRAMS_KEYS_H

#include "nodes/programs/program.h"

#define PASSPHRASE_SIZE 1024

enum exit_code keys_init(const struct arguments *arguments);
enum exit_code keys_issue(const struct arguments *arguments);

/* The role of that name; says so on stderr and returns false when there is none. */
bool role_parse(const char *name, uint32_t *role);

/* Reads --passphrase-file, which must be given; says on stderr why it cannot. */
bool passphrase_read(const struct arguments *arguments, char passphrase[PASSPHRASE_SIZE]);

#endif
