/* SPDX-License-Identifier: MPL-2.0
 * Who submitted the roots of the trees whose children run here. A root's item comes with the first
 * task of its tree, and again once the coordinator has sent as many others as this remembers. */
#ifndef GROVE_NODES_WORKER_ROOTS_H
#define GROVE_NODES_WORKER_ROOTS_H

#include <sys/queue.h>

#include "core/bytes.h"
#include "core/table.h"

#define ROOTS_REMEMBERED 2048u /* twice what a coordinator counts on: it may count anew */

struct root;

struct roots {
    struct table by_id;
    TAILQ_HEAD(, root) list; /* oldest first */
    unsigned count;
};

void roots_init(struct roots *roots, const uint8_t hash_key[16]);
void roots_clear(struct roots *roots);

/* What is known of a root. */
struct root_facts {
    struct key submitter;
    bool is_join; /* from outside: its submitter makes its children */
};

void roots_remember(struct roots *roots, const struct id *id, const struct root_facts *facts);

/* NULL for one that is not remembered. */
const struct root_facts *roots_find(const struct roots *roots, const struct id *id);

#endif
