/* SPDX-License-Identifier: MPL-2.0
 * What one session has been shown already, so that it need not travel again: the certificates of
 * signers, and the root items of trees it runs tasks of. */
#ifndef GROVE_COORDINATOR_SHOWN_H
#define GROVE_COORDINATOR_SHOWN_H

#include <sys/queue.h>

#include "core/bytes.h"
#include "core/table.h"

/* A session is sent a tree's root with the first task of the tree, and again once so many other
 * roots were sent: the worker keeps as many, first in, first out. */
#define SHOWN_ROOTS 1024u

struct shown_signer;
struct shown_root;

struct shown {
    struct table by_signer;
    SLIST_HEAD(, shown_signer) signers;
    struct table by_root;
    struct shown_root *roots; /* a ring of SHOWN_ROOTS, made with the first */
    size_t root_count;        /* ever shown */
};

void shown_init(struct shown *shown, const uint8_t hash_key[16]);
void shown_clear(struct shown *shown);

/* Each returns true the first time: it must be sent now. */
bool shown_add_signer(struct shown *shown, const struct key *signer);
bool shown_add_root(struct shown *shown, const struct id *root);

/* Certificates changed: each is to be shown again. */
void shown_forget_signers(struct shown *shown);

/* All is to be shown again. */
void shown_forget(struct shown *shown);

#endif
