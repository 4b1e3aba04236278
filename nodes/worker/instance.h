/* SPDX-License-Identifier: MPL-2.0
 * The name of a worker among those of its identity: host name, and the counter and token of a lock
 * file on this host. Whoever holds the lock knows that the one before is gone. */
#ifndef GROVE_NODES_WORKER_INSTANCE_H
#define GROVE_NODES_WORKER_INSTANCE_H

#include <limits.h>

#include "core/bytes.h"
#include "core/limits.h"

struct instance {
    char name[LIMIT_NAME_LENGTH + 1];
    char path[PATH_MAX + 64]; /* of the lock file, which goes with the worker */
    int lock;                 /* held while the worker lives; -1: none */
    bool previous_exited;     /* no other process has this name now */
};

/* Takes the first free counter for this identity; without a place for locks, the process id. */
void instance_take(struct instance *instance, const struct key *identity);

/* Takes a name that was given; nothing is known of the one before. */
void instance_name(struct instance *instance, const char *name);

void instance_release(struct instance *instance);

#endif
