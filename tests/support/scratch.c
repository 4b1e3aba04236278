/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void scratch_make(struct scratch *scratch)
{
    const char *root = getenv("TMPDIR");

    snprintf(scratch->path, sizeof(scratch->path), "%s/grove-test-XXXXXX",
             root == NULL ? "/tmp" : root);
    assert_non_null(mkdtemp(scratch->path));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

void scratch_list(const struct scratch *scratch, struct scratch_list *list)
{
    DIR *directory = opendir(scratch->path);

    assert_non_null(directory);
    list->count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.') {
            assert_true(list->count < SCRATCH_FILES);
            snprintf(list->names[list->count++], sizeof(list->names[0]), "%.63s", entry->d_name);
        }
    }
    closedir(directory);
    qsort(list->names, list->count, sizeof(list->names[0]), compare_names);
}

static void file_path(const struct scratch *scratch, const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", scratch->path, name);
}

static void empty(const struct scratch *scratch)
{
    struct scratch_list list;
    char path[256];

    scratch_list(scratch, &list);
    for (size_t i = 0; i < list.count; i++) {
        file_path(scratch, list.names[i], path);
        assert_int_equal(unlink(path), 0);
    }
}

void scratch_remove(struct scratch *scratch)
{
    empty(scratch);
    assert_int_equal(rmdir(scratch->path), 0);
}

int scratch_open(const struct scratch *scratch, const char *name)
{
    char path[256];
    int fd;

    file_path(scratch, name, path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

size_t scratch_size(const struct scratch *scratch, const char *name)
{
    char path[256];
    struct stat status;

    file_path(scratch, name, path);
    assert_int_equal(stat(path, &status), 0);
    return (size_t)status.st_size;
}

void scratch_copy(const struct scratch *from, const struct scratch *to)
{
    static char buffer[1 << 16];
    struct scratch_list list;

    empty(to);
    scratch_list(from, &list);
    for (size_t i = 0; i < list.count; i++) {
        int source = scratch_open(from, list.names[i]);
        int target = scratch_open(to, list.names[i]);
        for (ssize_t size; (size = read(source, buffer, sizeof(buffer))) > 0;) {
            assert_int_equal(write(target, buffer, (size_t)size), size);
        }
        close(source);
        close(target);
    }
}

void scratch_flip(const struct scratch *scratch, const char *name, size_t offset, uint8_t mask)
{
    int fd = scratch_open(scratch, name);
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= mask;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
}
