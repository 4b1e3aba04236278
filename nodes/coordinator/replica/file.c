/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int file_write(int fd, const void *data, size_t size, size_t offset)
{
    return file_write_two(fd, bytes_of(data, size), bytes_of(NULL, 0), offset);
}

static void skip(struct iovec *part, size_t *written)
{
    size_t step = *written < part->iov_len ? *written : part->iov_len;

    if (step == 0) {
        return; /* an empty part has no address to add to */
    }
    part->iov_base = (uint8_t *)part->iov_base + step;
    part->iov_len -= step;
    *written -= step;
}

static void *writable(const uint8_t *data)
{
    union {
        const uint8_t *data;
        void *base;
    } view = {.data = data}; /* struct iovec is for reading too */

    return view.base;
}

int file_write_two(int fd, struct bytes first, struct bytes second, size_t offset)
{
    struct iovec parts[2] = {{writable(first.data), first.size},
                             {writable(second.data), second.size}};

    while (parts[0].iov_len + parts[1].iov_len > 0) {
        ssize_t result = pwritev(fd, parts, 2, (off_t)offset);
        if (result < 0 && errno == EINTR) {
            continue;
        }
        if (result <= 0) {
            return result < 0 ? errno : EIO;
        }
        size_t written = (size_t)result;
        offset += written;
        skip(&parts[0], &written);
        skip(&parts[1], &written);
    }
    return 0;
}

static int map(int fd, struct bytes *image)
{
    struct stat status;

    if (fstat(fd, &status) < 0) {
        return errno;
    }
    if (status.st_size == 0) {
        *image = bytes_of(NULL, 0);
        return 0;
    }
    void *base = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (base == MAP_FAILED) {
        return errno;
    }
    *image = bytes_of(base, (size_t)status.st_size);
    return 0;
}

int file_map(int directory, const char *name, struct bytes *image)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return errno;
    }
    int error = map(fd, image);
    close(fd);
    return error;
}

int file_map_anew(int directory, const char *name, struct bytes *image)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return errno;
    }
    int error = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (error == 0) {
        error = map(fd, image);
    }
    close(fd);
    return error;
}

void file_unmap(struct bytes image)
{
    if (image.size > 0) {
        munmap(writable(image.data), image.size);
    }
}

/* True when `name` is `prefix` and 16 lower-case hexadecimal digits. */
static bool number_of(const char *name, const char *prefix, uint64_t *number)
{
    size_t length = strlen(prefix);
    uint64_t value = 0;

    if (strncmp(name, prefix, length) != 0 || strlen(name) != length + 16) {
        return false;
    }
    for (const char *digit = name + length; *digit != '\0'; digit++) {
        static const char digits[] = "0123456789abcdef";
        const char *place = strchr(digits, *digit);
        if (place == NULL) {
            return false;
        }
        value = value << 4 | (uint64_t)(place - digits);
    }
    *number = value;
    return true;
}

static DIR *open_listing(int directory)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && listing == NULL) {
        close(fd);
    }
    return listing;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;

    return *left < *right ? -1 : *left > *right;
}

int file_list(int directory, const char *prefix, uint64_t **numbers, size_t *count)
{
    DIR *listing = open_listing(directory);
    uint64_t *list = NULL;
    size_t length = 0;
    size_t room = 0;
    uint64_t number;

    if (listing == NULL) {
        return errno;
    }
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (!number_of(entry->d_name, prefix, &number)) {
            continue;
        }
        if (length == room) {
            room = room == 0 ? 16 : 2 * room;
            uint64_t *longer = realloc(list, room * sizeof(*list));
            if (longer == NULL) {
                free(list);
                closedir(listing);
                return ENOMEM;
            }
            list = longer;
        }
        list[length++] = number;
    }
    closedir(listing);
    if (length > 0) {
        qsort(list, length, sizeof(*list), compare_numbers);
    }
    *numbers = list;
    *count = length;
    return 0;
}

int file_remove_unfinished(int directory)
{
    static const char ending[] = ".new";
    DIR *listing = open_listing(directory);
    int error = 0;

    if (listing == NULL) {
        return errno;
    }
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length > strlen(ending) &&
            strcmp(entry->d_name + length - strlen(ending), ending) == 0 &&
            unlinkat(directory, entry->d_name, 0) < 0) {
            error = errno;
        }
    }
    closedir(listing);
    return error;
}
