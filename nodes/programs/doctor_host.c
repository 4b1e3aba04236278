/* SPDX-License-Identifier: MPL-2.0
 * What grove doctor looks at on this host: a data directory, and the limits of a process. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "nodes/programs/doctor.h"

#define ROOM_BAD (UINT64_C(256) << 20) /* bytes: a snapshot and a few segments */
#define ROOM_WARN (UINT64_C(2) << 30)
#define FILES_COORDINATOR 65536u /* of deploy/grove-coordinator.service */
#define FILES_NODE 1024u

static void look_at_owner(const char *path, const struct stat *about, struct findings *findings)
{
    if (about->st_uid != geteuid()) {
        find(findings, "data", VERDICT_BAD, "run grove as its owner, or chown it",
             "%s belongs to user %u, not to this one (%u)", path, (unsigned)about->st_uid,
             (unsigned)geteuid());
    } else if ((about->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        find(findings, "data", VERDICT_WARN, "chmod 700 it",
             "%s: others may look into it (mode %o)", path, (unsigned)(about->st_mode & 07777));
    } else if (access(path, R_OK | W_OK | X_OK) != 0) {
        find(findings, "data", VERDICT_BAD, "chmod 700 it", "%s: %s", path, strerror(errno));
    } else {
        find(findings, "data", VERDICT_OK, NULL, "%s is of this user alone", path);
    }
}

static void look_at_room(const char *path, struct findings *findings)
{
    struct statvfs disk;

    if (statvfs(path, &disk) != 0) {
        find(findings, "disk", VERDICT_BAD, NULL, "%s: %s", path, strerror(errno));
        return;
    }
    const uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    const enum verdict verdict = room < ROOM_BAD    ? VERDICT_BAD
                                 : room < ROOM_WARN ? VERDICT_WARN
                                                    : VERDICT_OK;

    if ((disk.f_flag & ST_RDONLY) != 0) {
        find(findings, "disk", VERDICT_BAD, "mount it read-write", "%s is mounted read-only", path);
        return;
    }
    find(findings, "disk", verdict,
         verdict != VERDICT_OK ? "make room: a coordinator whose disk is full ends" : NULL,
         "%" PRIu64 " MiB are free at %s", room >> 20, path);
}

void doctor_directory(const char *path, struct findings *findings)
{
    struct stat about;

    if (lstat(path, &about) != 0) {
        find(findings, "data", errno == ENOENT ? VERDICT_WARN : VERDICT_BAD,
             errno == ENOENT ? "a coordinator makes it: with --bootstrap or --join" : NULL,
             "%s: %s", path, strerror(errno));
        return;
    }
    if (!S_ISDIR(about.st_mode)) {
        find(findings, "data", VERDICT_BAD, NULL, "%s is no directory", path);
        return;
    }
    look_at_owner(path, &about, findings);
    look_at_room(path, findings);
}

void doctor_limits(uint32_t roles, struct findings *findings)
{
    const rlim_t wanted = (roles & ROLE_COORDINATOR) != 0 ? FILES_COORDINATOR : FILES_NODE;
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return;
    }
    if (files.rlim_cur < wanted) {
        find(findings, "files", VERDICT_WARN,
             "raise it: ulimit -n, or LimitNOFILE= of its unit; each peer takes one or more",
             "this process may have %llu files open, fewer than %llu",
             (unsigned long long)files.rlim_cur, (unsigned long long)wanted);
    } else {
        find(findings, "files", VERDICT_OK, NULL, "this process may have %llu files open",
             (unsigned long long)files.rlim_cur);
    }
}
