/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/steps.h"

#include "core/id.h"

#include <stdlib.h>

static enum grove_status append(struct store *store, const struct journal_write *step,
                                struct fault *fault)
{
    enum grove_status status = GROVE_OK;

    for (size_t i = 0; i < step->count && status == GROVE_OK; i++) {
        status = store_write(store, &step->records[i], fault);
    }
    return status;
}

static enum grove_status begin(struct store *store, const struct id *ledger, struct fault *fault)
{
    const struct chain start = chain_of_ledger(ledger);

    return store_begin_at(store, ledger, &start, fault);
}

static enum grove_status read_state(const struct journal_write *step,
                                    const struct snapshot *snapshot, struct fault *fault)
{
    const enum grove_status status = step->read(step->context, snapshot->state);

    if (status != GROVE_OK) {
        fault_set(fault, "the leader's snapshot cannot be restored: %s", grove_status_text(status));
    }
    return status;
}

/* The snapshot gets its name before the log begins anew after it, and after the log has begun at
 * all: a crash between leaves a snapshot that has outrun its log (recovery.h). */
static enum grove_status install(struct store *store, struct journal_write *step,
                                 struct fault *fault)
{
    struct snapshot snapshot;
    enum grove_status status =
        snapshot_open_incoming(store->directory, step->index, &snapshot, fault);

    if (status != GROVE_OK) {
        return status;
    }
    const struct snapshot_head *head = &snapshot.head;
    if (store->newest == NULL) {
        status = begin(store, &head->ledger, fault);
    }
    if (status == GROVE_OK && !id_equal(&head->ledger, &store->ledger)) {
        fault_set(fault, "the leader's snapshot belongs to another ledger");
        status = GROVE_CORRUPT;
    }
    if (status == GROVE_OK) {
        status = read_state(step, &snapshot, fault);
    }
    if (status == GROVE_OK) {
        status = snapshot_name_incoming(store->directory, step->index, fault);
    }
    if (status == GROVE_OK) {
        step->ledger = head->ledger;
        status = store_begin_at(store, &head->ledger, &head->end, fault);
    }
    snapshot_close(&snapshot);
    return status;
}

static enum grove_status take(struct store *store, struct journal_write *step, struct fault *fault)
{
    switch (step->step) {
    case JOURNAL_APPEND:
        return append(store, step, fault);
    case JOURNAL_TRUNCATE:
        return store_truncate(store, step->index, fault);
    case JOURNAL_BEGIN:
        return begin(store, &step->ledger, fault);
    case JOURNAL_INSTALL:
        return install(store, step, fault);
    }
    abort();
}

enum grove_status steps_take(struct store *store, const struct write_list *steps,
                             struct fault *fault)
{
    enum grove_status status = GROVE_OK;
    struct journal_write *step;

    STAILQ_FOREACH(step, steps, link) {
        if (status == GROVE_OK) {
            status = take(store, step, fault);
            step->chain = store->end;
        }
    }
    return status == GROVE_OK ? store_sync(store, fault) : status;
}
