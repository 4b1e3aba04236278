/* SPDX-License-Identifier: MPL-2.0
 * Counters are lock files beside the credential of `grove dev`, in a directory of this user's. Each
 * holds a token, which is part of the name: hosts may share a name, and a host may have several
 * such directories, but whoever finds the token has the lock as well. */
#include "nodes/worker/instance.h"

#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/host/credential.h"

#define COUNTERS 256u
#define HOST_SHOWN 48 /* bytes of the host name; the rest is for counter and token */

static bool lock_directory(char *directory)
{
    char error[CREDENTIAL_ERROR_SIZE];
    char *slash;

    if (credential_dev_path(directory, error) != GROVE_OK) {
        return false;
    }
    slash = strrchr(directory, '/');
    if (slash) {
        *slash = '\0';
    }
    return slash != NULL;
}

/* False when the worker before has removed the file since it was opened: the lock is on nothing. */
static bool is_there(int lock, const char *path)
{
    struct stat held;
    struct stat there;

    return fstat(lock, &held) == 0 && stat(path, &there) == 0 && held.st_dev == there.st_dev &&
           held.st_ino == there.st_ino;
}

/* Returns the descriptor that holds the lock, or -1. */
static int lock_file(const char *path)
{
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (lock >= 0 && (flock(lock, LOCK_EX | LOCK_NB) != 0 || !is_there(lock, path))) {
        close(lock);
        lock = -1;
    }
    return lock;
}

/* The token of a locked file, made when it has none; false when it cannot be kept there. */
static bool read_token(int lock, uint32_t *token)
{
    if (pread(lock, token, sizeof(*token), 0) == (ssize_t)sizeof(*token)) {
        return true;
    }
    *token = randombytes_random();
    return pwrite(lock, token, sizeof(*token), 0) == (ssize_t)sizeof(*token);
}

static bool take_counter(struct instance *instance, const char *directory, const char *host,
                         const struct key *identity, unsigned counter)
{
    uint32_t token;

    snprintf(instance->path, sizeof(instance->path), "%s/worker-%02x%02x%02x%02x%02x%02x-%u.lock",
             directory, identity->byte[0], identity->byte[1], identity->byte[2], identity->byte[3],
             identity->byte[4], identity->byte[5], counter);
    instance->lock = lock_file(instance->path);
    if (instance->lock >= 0 && !read_token(instance->lock, &token)) {
        instance_release(instance);
    }
    if (instance->lock < 0) {
        return false;
    }
    snprintf(instance->name, sizeof(instance->name), "%.*s.%u-%08x", HOST_SHOWN, host, counter,
             token);
    return true;
}

void instance_take(struct instance *instance, const struct key *identity)
{
    char host[HOST_NAME_MAX + 1] = "host";
    char directory[PATH_MAX];
    bool is_taken = false;

    gethostname(host, sizeof(host) - 1);
    instance->lock = -1;
    if (lock_directory(directory)) {
        for (unsigned counter = 0; counter < COUNTERS && !is_taken; counter++) {
            is_taken = take_counter(instance, directory, host, identity, counter);
        }
    }
    if (!is_taken) {
        snprintf(instance->name, sizeof(instance->name), "%.*s.p%ld-%08x", HOST_SHOWN - 8, host,
                 (long)getpid(), randombytes_random());
    }
    instance->previous_exited = is_taken;
}

void instance_name(struct instance *instance, const char *name)
{
    instance->lock = -1;
    instance->previous_exited = false;
    snprintf(instance->name, sizeof(instance->name), "%s", name);
}

void instance_release(struct instance *instance)
{
    if (instance->lock >= 0) {
        unlink(instance->path); /* while it is locked: nobody can have taken it over */
        close(instance->lock);
        instance->lock = -1;
    }
}
