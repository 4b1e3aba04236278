/* SPDX-License-Identifier: MPL-2.0
 * The calls that the ledger makes to files, for those of a volume: linked in place of file.c, and
 * around the operating system's (ld --wrap), which get every other file. */
#include "tests/simulation/volume_calls.h"

#include "nodes/coordinator/replica/file.h"
#include "nodes/coordinator/replica/snapshot.h"
#include "tests/simulation/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CHILD_PID 0x40000000 /* of the first volume's */

static struct volume_file **slot_of(int fd)
{
    struct volume *volume = volume_of_fd(fd);

    return &volume->open[fd - volume_directory(volume)];
}

static struct volume_file *file_of(int fd)
{
    return *slot_of(fd);
}

/* As one that may be written. */
static struct volume_file *find(struct volume *volume, const char *name)
{
    struct volume_file *file;

    LIST_FOREACH(file, &volume->files, link) {
        if (strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

static int fails(int error)
{
    errno = error;
    return -1;
}

/* ---- the operating system's */

static int open_in(struct volume *volume, const char *name, int flags)
{
    struct volume_file *file = find(volume, name);

    if (file == NULL && (flags & O_CREAT) == 0) {
        return fails(ENOENT);
    }
    if (file == NULL) {
        volume_step(volume);
        file = volume_make(volume, name);
    } else if ((flags & O_TRUNC) != 0 && volume_step(volume)) {
        volume_empty(file);
    }
    for (unsigned i = 1; i < VOLUME_FILES; i++) {
        if (volume->open[i] == NULL) {
            volume->open[i] = file;
            return volume_directory(volume) + (int)i;
        }
    }
    return fails(EMFILE);
}

int __wrap_openat(int directory, const char *name, int flags, ...)
{
    struct volume *volume = volume_of_fd(directory);
    va_list arguments;
    mode_t mode;

    if (volume != NULL) {
        return open_in(volume, name, flags);
    }
    va_start(arguments, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return __real_openat(directory, name, flags, mode);
}

int __wrap_close(int fd)
{
    if (volume_of_fd(fd) == NULL) {
        return __real_close(fd);
    }
    *slot_of(fd) = NULL;
    return 0;
}

int __wrap_fsync(int fd)
{
    struct volume *volume = volume_of_fd(fd);
    int error;

    if (volume == NULL) {
        return __real_fsync(fd);
    }
    error = fd == volume_directory(volume) ? volume_sync_names(volume)
                                           : volume_sync(volume, file_of(fd));
    return error == 0 ? 0 : fails(error);
}

int __wrap_fdatasync(int fd)
{
    return volume_of_fd(fd) == NULL ? __real_fdatasync(fd) : __wrap_fsync(fd);
}

/* A snapshot's child gives its file the name later: when it ends. */
int __wrap_renameat(int directory, const char *from, int to_directory, const char *to)
{
    struct volume *volume = volume_of_fd(directory);

    if (volume == NULL) {
        return __real_renameat(directory, from, to_directory, to);
    }
    if (volume->child_writes) {
        volume->child_rename.file = find(volume, from);
        snprintf(volume->child_rename.name, sizeof(volume->child_rename.name), "%s", to);
    } else if (volume_step(volume)) {
        volume_rename(volume, find(volume, from), to);
    }
    return 0;
}

int __wrap_unlinkat(int directory, const char *name, int flags)
{
    struct volume *volume = volume_of_fd(directory);
    struct volume_file *file;

    if (volume == NULL) {
        return __real_unlinkat(directory, name, flags);
    }
    file = find(volume, name);
    if (file == NULL) {
        return fails(ENOENT);
    }
    if (volume_step(volume)) {
        volume_rename(volume, file, "");
    }
    return 0;
}

int __wrap_faccessat(int directory, const char *name, int mode, int flags)
{
    struct volume *volume = volume_of_fd(directory);

    if (volume == NULL) {
        return __real_faccessat(directory, name, mode, flags);
    }
    return find(volume, name) != NULL ? 0 : fails(ENOENT);
}

static int describe(const struct volume_file *file, struct stat *status)
{
    if (file == NULL) {
        return fails(ENOENT);
    }
    *status = (struct stat){.st_size = (off_t)file->size};
    return 0;
}

int __wrap_fstat(int fd, struct stat *status)
{
    return volume_of_fd(fd) == NULL ? __real_fstat(fd, status) : describe(file_of(fd), status);
}

int __wrap_fstatat(int directory, const char *name, struct stat *status, int flags)
{
    struct volume *volume = volume_of_fd(directory);

    return volume == NULL ? __real_fstatat(directory, name, status, flags)
                          : describe(find(volume, name), status);
}

int __wrap_fstatvfs(int fd, struct statvfs *status)
{
    const struct volume *volume = volume_of_fd(fd);

    if (volume == NULL) {
        return __real_fstatvfs(fd, status);
    }
    *status = (struct statvfs){.f_frsize = 1, .f_bavail = volume->like->full ? 0 : volume->free};
    return 0;
}

int __wrap_posix_fallocate(int fd, off_t offset, off_t size)
{
    struct volume *volume = volume_of_fd(fd);

    if (volume == NULL) {
        return __real_posix_fallocate(fd, offset, size);
    }
    if (volume->like->full) {
        volume->failed = true;
        return ENOSPC;
    }
    if (volume_step(volume) && (size_t)(offset + size) > file_of(fd)->size) {
        volume_resize(file_of(fd), (size_t)(offset + size));
    }
    return 0;
}

int __wrap_posix_fadvise(int fd, off_t offset, off_t size, int advice)
{
    return volume_of_fd(fd) == NULL ? __real_posix_fadvise(fd, offset, size, advice) : 0;
}

/* ---- the snapshot's child */

static struct volume *volume_of_child(pid_t pid)
{
    return pid >= CHILD_PID ? volume_of_fd((int)(pid - CHILD_PID) + VOLUME_FIRST_FD) : NULL;
}

static void end_child(void *context, uint64_t life)
{
    struct volume *volume = context;

    if (life != volume->child_life || !volume->child_runs) {
        return;
    }
    volume->child_runs = false;
    if (volume->child_error == 0) {
        volume_rename(volume, volume->child_rename.file, volume->child_rename.name);
        volume->child_error = volume_sync_names(volume);
    }
}

/* It writes at once, from the state as it is, and ends later. */
enum grove_status __wrap_snapshot_fork(int directory, const struct snapshot_head *head,
                                       snapshot_fill fill, void *context, pid_t *child)
{
    struct volume *volume = volume_of_fd(directory);

    if (volume == NULL) {
        return __real_snapshot_fork(directory, head, fill, context, child);
    }
    if (dice_chance(volume->dice, 50)) {
        return GROVE_BUSY;
    }
    volume->child_writes = true;
    volume->child_error = snapshot_write_file(directory, head, fill, context);
    volume->child_writes = false;
    volume->child_runs = true;
    volume->child_life++;
    *child = CHILD_PID + (volume_directory(volume) - VOLUME_FIRST_FD);
    schedule_after(volume->schedule,
                   dice_between(volume->dice, 100, volume->like->snapshot_most_us), end_child,
                   volume, volume->child_life);
    return GROVE_OK;
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
    struct volume *volume = volume_of_child(pid);

    if (volume == NULL) {
        return __real_waitpid(pid, status, options);
    }
    if (volume->child_runs && (options & WNOHANG) != 0) {
        return 0;
    }
    if (status != NULL) {
        *status = volume->child_error << 8;
    }
    return pid;
}

int __wrap_kill(pid_t pid, int number)
{
    struct volume *volume = volume_of_child(pid);

    if (volume == NULL) {
        return __real_kill(pid, number);
    }
    volume->child_runs = false;
    return 0;
}

/* ---- file.h */

int file_write(int fd, const void *data, size_t size, size_t offset)
{
    struct volume *volume = volume_of_fd(fd);
    struct volume_file *file = file_of(fd);

    if (volume->like->full && offset + size > file->size) {
        volume->failed = true;
        return ENOSPC;
    }
    if (volume_step(volume)) {
        volume_write(file, bytes_of(data, size), offset);
    }
    return 0;
}

int file_write_two(int fd, struct bytes first, struct bytes second, size_t offset)
{
    int error = file_write(fd, first.data, first.size, offset);

    return error == 0 ? file_write(fd, second.data, second.size, offset + first.size) : error;
}

int file_map(int directory, const char *name, struct bytes *image)
{
    const struct volume_file *file = volume_find(volume_of_fd(directory), name);

    if (file == NULL) {
        return ENOENT;
    }
    uint8_t *copy = malloc(file->size + 1);
    if (copy == NULL) {
        abort();
    }
    if (file->size > 0) {
        memcpy(copy, file->cache, file->size);
    }
    *image = bytes_of(copy, file->size);
    return 0;
}

int file_map_anew(int directory, const char *name, struct bytes *image)
{
    struct volume_file *file = find(volume_of_fd(directory), name);

    for (size_t i = 0; file != NULL && i < file->room / VOLUME_SECTOR; i++) {
        if (file->sector[i] == SECTOR_CLEAN) {
            memcpy(file->cache + i * VOLUME_SECTOR, file->platter + i * VOLUME_SECTOR,
                   VOLUME_SECTOR);
        }
    }
    return file_map(directory, name, image);
}

void file_unmap(struct bytes image)
{
    union {
        const uint8_t *data;
        void *base;
    } view = {.data = image.data};

    free(view.base);
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;

    return *left < *right ? -1 : *left > *right;
}

int file_list(int directory, const char *prefix, uint64_t **numbers, size_t *count)
{
    struct volume *volume = volume_of_fd(directory);
    const struct volume_file *file;
    const size_t length = strlen(prefix);
    size_t files = 1;

    LIST_FOREACH(file, &volume->files, link) {
        files++;
    }
    *numbers = calloc(files, sizeof(**numbers));
    if (*numbers == NULL) {
        return ENOMEM;
    }
    *count = 0;
    LIST_FOREACH(file, &volume->files, link) {
        if (strncmp(file->name, prefix, length) == 0 && strlen(file->name) == length + 16 &&
            strspn(file->name + length, "0123456789abcdef") == 16) {
            (*numbers)[(*count)++] = strtoull(file->name + length, NULL, 16);
        }
    }
    qsort(*numbers, *count, sizeof(**numbers), compare_numbers);
    return 0;
}

int file_remove_unfinished(int directory)
{
    struct volume *volume = volume_of_fd(directory);
    struct volume_file *file;

    LIST_FOREACH(file, &volume->files, link) {
        const size_t length = strlen(file->name);
        if (length > 4 && strcmp(file->name + length - 4, ".new") == 0 && volume_step(volume)) {
            volume_rename(volume, file, "");
        }
    }
    return 0;
}
