/* SPDX-License-Identifier: MPL-2.0
 * Counters are lock files beside the credential of `grove dev`, in a directory of this user's. */
#include "nodes/worker/instance.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "nodes/host/credential.h"

#define COUNTERS 256u
#define HOST_SHOWN 48 /* bytes of the host name; the rest is for the counter */

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

/* Returns the descriptor that holds the lock, or -1. */
static int lock_counter(const char *directory, const struct key *identity, unsigned counter)
{
    char path[PATH_MAX + 64];
    int lock;

    snprintf(path, sizeof(path), "%s/worker-%02x%02x%02x%02x%02x%02x-%u.lock", directory,
             identity->byte[0], identity->byte[1], identity->byte[2], identity->byte[3],
             identity->byte[4], identity->byte[5], counter);
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {
        close(lock);
        lock = -1;
    }
    return lock;
}

void instance_take(struct instance *instance, const struct key *identity)
{
    char host[HOST_NAME_MAX + 1] = "host";
    char directory[PATH_MAX];

    gethostname(host, sizeof(host) - 1);
    instance->lock = -1;
    if (lock_directory(directory)) {
        for (unsigned counter = 0; counter < COUNTERS && instance->lock < 0; counter++) {
            instance->lock = lock_counter(directory, identity, counter);
            snprintf(instance->name, sizeof(instance->name), "%.*s.%u", HOST_SHOWN, host, counter);
        }
    }
    if (instance->lock < 0) {
        snprintf(instance->name, sizeof(instance->name), "%.*s.p%ld", HOST_SHOWN, host,
                 (long)getpid());
    }
    instance->previous_exited = instance->lock >= 0;
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
        close(instance->lock);
        instance->lock = -1;
    }
}
