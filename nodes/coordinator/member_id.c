/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/member_id.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "member-id"
#define TEXT_SIZE 50u /* the id and its digest in hex digits, a space and a newline */

static enum grove_status status_of(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
        return GROVE_PERMISSION;
    case ENOSPC:
    case EDQUOT:
        return GROVE_FULL;
    default:
        return GROVE_IO;
    }
}

/* A flipped bit must not make another member of it. */
static void write_text(uint64_t id, char text[TEXT_SIZE + 1])
{
    char hex[17];
    char check[33];
    uint8_t digest[16];

    snprintf(hex, sizeof(hex), "%016" PRIx64, id);
    crypto_generichash(digest, sizeof(digest), (const uint8_t *)hex, sizeof(hex) - 1, NULL, 0);
    sodium_bin2hex(check, sizeof(check), digest, sizeof(digest));
    snprintf(text, TEXT_SIZE + 1, "%s %s\n", hex, check);
}

static enum grove_status read_it(int fd, uint64_t *id)
{
    char text[TEXT_SIZE + 2] = "";
    char expected[TEXT_SIZE + 1];
    const ssize_t size = read(fd, text, TEXT_SIZE + 1);

    if (size < 0) {
        return status_of(errno);
    }
    const uint64_t number = strtoull(text, NULL, 16);
    write_text(number, expected);
    if (size != TEXT_SIZE || number == 0 || memcmp(text, expected, TEXT_SIZE) != 0) {
        return GROVE_CORRUPT;
    }
    *id = number;
    return GROVE_OK;
}

static enum grove_status write_it(int directory, uint64_t id)
{
    static const char unfinished[] = NAME ".new";
    const int fd =
        openat(directory, unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int error = fd < 0 ? errno : 0;
    char text[TEXT_SIZE + 1];

    write_text(id, text);
    if (error == 0 &&
        (dprintf(fd, "%s", text) < 0 || fsync(fd) != 0 ||
         renameat(directory, unfinished, directory, NAME) != 0 || fsync(directory) != 0)) {
        error = errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    return error == 0 ? GROVE_OK : status_of(error);
}

static bool holds_ledger(const char *directory)
{
    char pattern[PATH_MAX];
    glob_t found;

    snprintf(pattern, sizeof(pattern), "%s/segment-*", directory);
    const bool holds = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;

    if (holds) {
        globfree(&found);
    }
    return holds;
}

enum grove_status member_id_take(const char *directory, uint64_t fresh, uint64_t *id)
{
    enum grove_status status = GROVE_OK;

    *id = 0;
    if (fresh != 0 && mkdir(directory, 0700) != 0 && errno != EEXIST) {
        return status_of(errno);
    }
    const int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) {
        return fresh == 0 && errno == ENOENT ? GROVE_OK : status_of(errno);
    }
    const int fd = openat(at, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        status = read_it(fd, id);
        close(fd);
    } else if (errno != ENOENT) {
        status = status_of(errno);
    } else if (fresh != 0 && !holds_ledger(directory)) {
        status = write_it(at, fresh);
        *id = fresh;
    }
    close(at);
    return status;
}
