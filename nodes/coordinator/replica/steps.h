/* SPDX-License-Identifier: MPL-2.0
 * What is done to the log on disk, step by step, by the journal's thread. */
#ifndef GROVE_COORDINATOR_REPLICA_STEPS_H
#define GROVE_COORDINATOR_REPLICA_STEPS_H

#include "nodes/coordinator/replica/store.h"

/* What is done to the log, in the order in which it was asked for. */
enum journal_step {
    JOURNAL_APPEND,   /* records */
    JOURNAL_TRUNCATE, /* takes back those from `index` on */
    JOURNAL_BEGIN,    /* begins the log of `ledger` in a directory that has none */
    JOURNAL_INSTALL /* names the snapshot received for `index`, and begins the log anew after it */
};

struct journal_write {
    enum journal_step step;
    struct record *records; /* term, type and payload set by the caller; the rest by the journal */
    size_t count;           /* of them; 0 unless they are appended */
    uint64_t index;

    /* Of an installation: reads the state, which lasts no longer than the call. */
    enum grove_status (*read)(void *context, struct bytes state);
    void *context;

    struct id ledger;                          /* also set by the journal, to the snapshot's */
    struct chain chain;                        /* set by the journal: the end of the log then */
    void (*done)(struct journal_write *write); /* called by journal_turn, once it is on disk */
    STAILQ_ENTRY(journal_write) link;
};

STAILQ_HEAD(write_list, journal_write);

/* Takes all steps in order, with the promise for those before them, and syncs once.
 *
 *   errors    as store_write: end the process */
enum grove_status steps_take(struct store *store, const struct write_list *steps,
                             struct fault *fault) GROVE_CHECKED;

#endif
