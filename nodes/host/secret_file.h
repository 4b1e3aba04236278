/* SPDX-License-Identifier: MPL-2.0
 * Files with secrets: regular, in our (or root's) hands, closed to others, with one name; written
 * whole or not at all. */
#ifndef GROVE_NODES_HOST_SECRET_FILE_H
#define GROVE_NODES_HOST_SECRET_FILE_H

#include "core/buffer.h"
#include "core/status.h"

#define SECRET_FILE_SIZE ((size_t)256 * 1024) /* bytes; the largest that is read */
#define SECRET_FILE_ERROR_SIZE 512 /* bytes of an error text, here and in what builds on this */

/* Writes why something cannot be done into `error`, and returns the status. */
enum grove_status secret_file_refuse(char *error, enum grove_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads a file whole.
 *
 *   contents   out: wipe it with secret_buffer_clear
 *   error      names the file and what is wrong with it
 *   errors     GROVE_NOT_FOUND; GROVE_PERMISSION: a symbolic link, somebody else's, open to others,
 *              with a second name, or not to be opened; GROVE_TOO_LARGE; GROVE_IO */
enum grove_status secret_file_read(const char *path, struct buffer *contents, char *error)
    GROVE_CHECKED;

enum secret_file_mode {
    SECRET_FILE_NEW,     /* GROVE_CONFLICT when there is one of this name */
    SECRET_FILE_REPLACE, /* in one step: a reader sees the old one or the new one */
};

/* Writes a file with mode 0600 and syncs it and its directory.
 *
 *   errors     GROVE_NOT_FOUND: no such directory; GROVE_PERMISSION; GROVE_CONFLICT; GROVE_FULL;
 *              GROVE_IO. The name is then as it was before */
enum grove_status secret_file_write(const char *path, enum secret_file_mode mode,
                                    struct bytes contents, char *error) GROVE_CHECKED;

/* Makes a directory of mode 0700 if it is missing, and checks that it is ours alone.
 *
 *   errors     GROVE_PERMISSION: a symbolic link, somebody else's, or open to others; GROVE_IO */
enum grove_status secret_directory(const char *path, char *error) GROVE_CHECKED;

/* A buffer that will not move as it grows to `size` bytes, so that no copy stays behind. */
void secret_buffer_init(struct buffer *buffer, size_t size);
void secret_buffer_clear(struct buffer *buffer); /* wipes it */

#endif
