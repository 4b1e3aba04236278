/* SPDX-License-Identifier: MPL-2.0
 * The calls that volume_calls.c stands around: the linker gives it those that our objects make. */
#ifndef GROVE_TESTS_SIMULATION_VOLUME_CALLS_H
#define GROVE_TESTS_SIMULATION_VOLUME_CALLS_H

#include "nodes/coordinator/replica/snapshot.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/wait.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
int __real_openat(int directory, const char *name, int flags, ...);
int __wrap_openat(int directory, const char *name, int flags, ...);
int __real_close(int fd);
int __wrap_close(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_renameat(int directory, const char *from, int to_directory, const char *to);
int __wrap_renameat(int directory, const char *from, int to_directory, const char *to);
int __real_unlinkat(int directory, const char *name, int flags);
int __wrap_unlinkat(int directory, const char *name, int flags);
int __real_faccessat(int directory, const char *name, int mode, int flags);
int __wrap_faccessat(int directory, const char *name, int mode, int flags);
int __real_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status);
int __real_fstatat(int directory, const char *name, struct stat *status, int flags);
int __wrap_fstatat(int directory, const char *name, struct stat *status, int flags);
int __real_fstatvfs(int fd, struct statvfs *status);
int __wrap_fstatvfs(int fd, struct statvfs *status);
int __real_posix_fallocate(int fd, off_t offset, off_t size);
int __wrap_posix_fallocate(int fd, off_t offset, off_t size);
int __real_posix_fadvise(int fd, off_t offset, off_t size, int advice);
int __wrap_posix_fadvise(int fd, off_t offset, off_t size, int advice);
enum grove_status __real_snapshot_fork(int directory, const struct snapshot_head *head,
                                       snapshot_fill fill, void *context, pid_t *child);
enum grove_status __wrap_snapshot_fork(int directory, const struct snapshot_head *head,
                                       snapshot_fill fill, void *context, pid_t *child);
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __real_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

#endif
