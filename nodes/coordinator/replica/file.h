/* SPDX-License-Identifier: MPL-2.0
 * The few things that the ledger does to files, each whole or not at all. */
#ifndef GROVE_COORDINATOR_REPLICA_FILE_H
#define GROVE_COORDINATOR_REPLICA_FILE_H

#include "core/bytes.h"

/* Writes all of it at `offset`; 0 or errno. */
int file_write(int fd, const void *data, size_t size, size_t offset);

/* Writes one slice after the other at `offset`; 0 or errno. */
int file_write_two(int fd, struct bytes first, struct bytes second, size_t offset);

/* Maps a whole file for reading; 0 or errno. An empty file gives an empty image.
 *
 *   image     the caller unmaps it with file_unmap */
int file_map(int directory, const char *name, struct bytes *image);

/* ... from the disk: what lies only in memory, as a failed sync leaves it, marked clean, is dropped
 * first. What was written and not synced yet stays. */
int file_map_anew(int directory, const char *name, struct bytes *image);

void file_unmap(struct bytes image);

/* Numbers of the files in `directory` whose whole name is `prefix` and 16 hexadecimal digits,
 * ascending; 0 or errno.
 *
 *   numbers   the caller frees it */
int file_list(int directory, const char *prefix, uint64_t **numbers, size_t *count);

/* Removes every file of `directory` whose name ends in ".new": what a crash left half made. */
int file_remove_unfinished(int directory);

#endif
