/* SPDX-License-Identifier: MPL-2.0
 * Memory for secrets: between guard pages, never swapped (where the system lets us lock it), in no
 * core dump, zeros in a forked child, and wiped when it is given back. */
#ifndef GROVE_NODES_HOST_SECRET_H
#define GROVE_NODES_HOST_SECRET_H

#include <stddef.h>

/* Zeroed. What cannot be locked is logged once a process. Out of memory aborts. */
void *secret_create(size_t size);

/* From now on it can only be read: a stray write stops the process. */
void secret_freeze(void *secret);

/* NULL is fine. */
void secret_destroy(void *secret);

#endif
