/* SPDX-License-Identifier: MPL-2.0
 * Directories of commands: made, and removed however they were left. */
#include "nodes/worker/exec_place.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/host/log.h"

int exec_place_begin(char base[PATH_MAX])
{
    const char *temporary = getenv("TMPDIR");
    const int size = snprintf(base, PATH_MAX, "%s/grove-worker.XXXXXX",
                              temporary && temporary[0] == '/' ? temporary : "/tmp");

    if (size >= PATH_MAX) {
        return ENAMETOOLONG;
    }
    return mkdtemp(base) ? 0 : errno;
}

/* False: it does not fit. */
static bool join_path(char path[PATH_MAX], const char *directory, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX;
}

static int write_file(const char *path, struct bytes bytes)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int error = fd < 0 ? errno : 0;

    while (error == 0 && bytes.size > 0) {
        const ssize_t size = write(fd, bytes.data, bytes.size);

        if (size > 0) {
            bytes = bytes_of(bytes.data + size, bytes.size - (size_t)size);
        } else if (errno != EINTR) {
            error = errno;
        }
    }
    if (fd >= 0 && close(fd) != 0 && error == 0) {
        error = errno;
    }
    return error;
}

int exec_place_open(struct exec_place *place, const char *base, const char *name,
                    struct bytes checkpoint)
{
    int error = 0;

    if (!join_path(place->directory, base, name) ||
        !join_path(place->work, place->directory, "work") ||
        !join_path(place->checkpoint, place->directory, "checkpoint") ||
        !join_path(place->socket, place->directory, "socket")) {
        return ENAMETOOLONG;
    }
    if (mkdir(place->directory, 0700) != 0) {
        return errno;
    }
    if (mkdir(place->work, 0700) != 0) {
        error = errno;
    } else {
        error = write_file(place->checkpoint, checkpoint);
    }
    if (error != 0) {
        exec_place_close(place);
    }
    return error;
}

/* On the way down a directory becomes ours to change, on the way up it goes. */
static int remove_entry(const FTSENT *entry)
{
    switch (entry->fts_info) {
    case FTS_D:
        return chmod(entry->fts_accpath, 0700);
    case FTS_DP:
    case FTS_DNR: /* it was not ours to read when the way down came to it */
        return rmdir(entry->fts_accpath);
    default:
        return unlink(entry->fts_accpath);
    }
}

void exec_place_close(const struct exec_place *place)
{
    char path[PATH_MAX];
    char *const paths[] = {path, NULL};
    int error = 0;
    FTS *tree;

    memcpy(path, place->directory, sizeof(path));
    tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    if (!tree) {
        abort();
    }
    for (FTSENT *entry = fts_read(tree); entry; entry = fts_read(tree)) {
        if (remove_entry(entry) != 0 && error == 0) {
            error = errno;
        }
    }
    fts_close(tree);
    if (error != 0) {
        log_event(LOG_WARNING, "directory left", "path=%s why=\"%s\"", path,
                  strerrordesc_np(error));
    }
}
