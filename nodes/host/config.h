/* SPDX-License-Identifier: MPL-2.0
 * Configuration files: INI, by libinih, which loses nothing: a line that it would cut, or end at a
 * comment, is an error. What sections and keys mean is not known here. */
#ifndef GROVE_NODES_HOST_CONFIG_H
#define GROVE_NODES_HOST_CONFIG_H

#include "core/bytes.h"
#include "core/status.h"

#define CONFIG_SIZE ((size_t)256 * 1024) /* bytes; the largest file that is read */
#define CONFIG_ERROR_SIZE 512

struct config_entry {
    char *section;
    char *key;     /* "" of the line that begins a section */
    char *value;   /* several lines are joined by a blank */
    char *origin;  /* "FILE:LINE" */
    unsigned file; /* which of those that were read, from 0 */
};

/* Those of all files read, in order; zeroed, it is empty. */
struct config {
    struct config_entry *entry;
    size_t count;
    unsigned file_count;
};

/* Adds what a file holds. Lines are `[section]`, `key = value`, blank, or comments (# or ;); one
 * that begins with a blank goes on with the value before.
 *
 *   error     CONFIG_ERROR_SIZE bytes; names file and line
 *   errors    GROVE_NOT_FOUND, GROVE_PERMISSION (also when everyone may write it), GROVE_TOO_LARGE,
 *             GROVE_IO, GROVE_MALFORMED: nothing was added */
enum grove_status config_read(const char *path, struct config *config, char *error) GROVE_CHECKED;

/* Likewise a text; `path` is what errors and origins call it. */
enum grove_status config_parse(const char *path, struct bytes text, struct config *config,
                               char *error) GROVE_CHECKED;

void config_clear(struct config *config);

#endif
