/* SPDX-License-Identifier: MPL-2.0
 * Files with secrets. */
#include "nodes/host/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS (S_IRWXG | S_IRWXO)

enum grove_status secret_file_refuse(char *error, enum grove_status status, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    vsnprintf(error, SECRET_FILE_ERROR_SIZE, format, values);
    va_end(values);
    return status;
}

static enum grove_status refuse_for_errno(char *error, const char *path, const char *verb)
{
    const int cause = errno;
    enum grove_status status = GROVE_IO;

    if (cause == ENOENT || cause == ENOTDIR) {
        status = GROVE_NOT_FOUND;
    } else if (cause == EACCES || cause == EPERM || cause == EROFS) {
        status = GROVE_PERMISSION;
    } else if (cause == EEXIST) {
        status = GROVE_CONFLICT;
    } else if (cause == ENOSPC || cause == EDQUOT || cause == EFBIG) {
        status = GROVE_FULL;
    }
    return secret_file_refuse(error, status, "%s: cannot %s: %s", path, verb,
                              cause == ELOOP ? "it is a symbolic link" : strerror(cause));
}

void secret_buffer_init(struct buffer *buffer, size_t size)
{
    *buffer = (struct buffer){0};
    buffer_extend(buffer, size);
    buffer_reset(buffer);
}

void secret_buffer_clear(struct buffer *buffer)
{
    if (buffer->data != NULL) {
        sodium_memzero(buffer->data, buffer->capacity);
    }
    buffer_clear(buffer);
}

/* ---- reading */

static bool is_ours(const struct stat *file)
{
    return file->st_uid == geteuid() || file->st_uid == 0;
}

static enum grove_status check(const char *path, const struct stat *file, char *error)
{
    const char *wrong = NULL;

    if (!S_ISREG(file->st_mode)) {
        wrong = "it is not a regular file";
    } else if (!is_ours(file)) {
        wrong = "it belongs to another user";
    } else if ((file->st_mode & OTHERS) != 0) {
        wrong = "others may read or write it; it needs mode 0600";
    } else if (file->st_nlink != 1) {
        wrong = "it has a second name";
    } else if ((uintmax_t)file->st_size > SECRET_FILE_SIZE) {
        return secret_file_refuse(error, GROVE_TOO_LARGE, "%s: larger than %zu bytes", path,
                                  SECRET_FILE_SIZE);
    }
    return wrong == NULL ? GROVE_OK
                         : secret_file_refuse(error, GROVE_PERMISSION, "%s: %s", path, wrong);
}

static enum grove_status read_all(int fd, const char *path, size_t most, struct buffer *contents,
                                  char *error)
{
    uint8_t *room = buffer_extend(contents, most);
    size_t size = 0;

    while (size < most) {
        const ssize_t got = read(fd, room + size, most - size);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return refuse_for_errno(error, path, "read");
        }
        size += got > 0 ? (size_t)got : 0;
    }
    contents->size = size;
    return GROVE_OK;
}

/* O_NONBLOCK: a FIFO of this name must not hold us up. What is checked is what is open. */
enum grove_status secret_file_read(const char *path, struct buffer *contents, char *error)
{
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat file;

    if (fd < 0) {
        const bool is_link = errno == ELOOP;
        const enum grove_status status = refuse_for_errno(error, path, "open");
        return is_link ? GROVE_PERMISSION : status;
    }
    enum grove_status status =
        fstat(fd, &file) == 0 ? check(path, &file, error) : refuse_for_errno(error, path, "stat");
    if (status == GROVE_OK) {
        struct buffer read;
        secret_buffer_init(&read, (size_t)file.st_size);
        status = read_all(fd, path, (size_t)file.st_size, &read, error);
        if (status == GROVE_OK) {
            *contents = read;
        } else {
            secret_buffer_clear(&read);
        }
    }
    close(fd);
    return status;
}

/* ---- writing */

static bool write_all(int fd, struct bytes bytes)
{
    while (bytes.size > 0) {
        const ssize_t put = write(fd, bytes.data, bytes.size);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        if (put > 0) {
            bytes = bytes_of(bytes.data + put, bytes.size - (size_t)put);
        }
    }
    return fsync(fd) == 0;
}

/* Makes a file of a name nobody uses, with all its contents on disk. */
static bool write_aside(int directory, const char *aside, struct bytes contents)
{
    const int fd = openat(directory, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                          S_IRUSR | S_IWUSR);
    bool is_written;

    if (fd < 0) {
        return false;
    }
    is_written = write_all(fd, contents);
    const int cause = errno;
    close(fd);
    if (!is_written) {
        unlinkat(directory, aside, 0);
        errno = cause;
    }
    return is_written;
}

static bool put_in_place(int directory, const char *aside, const char *name,
                         enum secret_file_mode mode)
{
    const unsigned flags = mode == SECRET_FILE_NEW ? RENAME_NOREPLACE : 0;

    if (renameat2(directory, aside, directory, name, flags) != 0) {
        const int cause = errno;
        unlinkat(directory, aside, 0);
        errno = cause;
        return false;
    }
    return fsync(directory) == 0;
}

/* The name that is written to until the file is whole: hidden, and nobody else's. */
static void choose_aside(char aside[32])
{
    uint8_t random[8];
    char digits[2 * sizeof(random) + 1];

    randombytes_buf(random, sizeof(random));
    sodium_bin2hex(digits, sizeof(digits), random, sizeof(random));
    snprintf(aside, 32, ".grove-%s", digits);
}

enum grove_status secret_file_write(const char *path, enum secret_file_mode mode,
                                    struct bytes contents, char *error)
{
    char parent[PATH_MAX], last[PATH_MAX], aside[32];

    if (strlen(path) >= sizeof(parent)) {
        return secret_file_refuse(error, GROVE_INVALID, "%.64s...: the path is too long", path);
    }
    snprintf(parent, sizeof(parent), "%s", path);
    snprintf(last, sizeof(last), "%s", path);
    const int directory = open(dirname(parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return refuse_for_errno(error, path, "open its directory");
    }
    choose_aside(aside);
    enum grove_status status = GROVE_OK;
    if (!write_aside(directory, aside, contents) ||
        !put_in_place(directory, aside, basename(last), mode)) {
        status = refuse_for_errno(error, path, "write");
    }
    close(directory);
    return status;
}

enum grove_status secret_directory(const char *path, char *error)
{
    struct stat directory;

    if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST) {
        return refuse_for_errno(error, path, "make the directory");
    }
    if (lstat(path, &directory) != 0) {
        return refuse_for_errno(error, path, "stat");
    }
    if (!S_ISDIR(directory.st_mode) || directory.st_uid != geteuid() ||
        (directory.st_mode & OTHERS) != 0) {
        return secret_file_refuse(error, GROVE_PERMISSION,
                                  "%s: not a directory of this user alone (mode 0700)", path);
    }
    return GROVE_OK;
}
