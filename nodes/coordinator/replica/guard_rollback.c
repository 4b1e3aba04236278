/* SPDX-License-Identifier: MPL-2.0
 * Rules 7 and 8: a configuration counts from the moment it is in the log, and goes with its entry.
 */
#include "nodes/coordinator/replica/guard_rules.h"

#include "nodes/coordinator/replica/configuration.h"

/* The log in memory, as libraft 0.15.0 keeps it: a ring of entries after log.offset. */
static size_t entry_count(const struct raft_log *log)
{
    return log->front <= log->back ? log->back - log->front : log->size - log->front + log->back;
}

raft_index guard_last_index(const struct raft *raft)
{
    return raft->log.offset + entry_count(&raft->log);
}

const struct raft_entry *guard_entry(const struct raft *raft, raft_index index)
{
    const struct raft_log *log = &raft->log;

    if (index <= log->offset || index > guard_last_index(raft)) {
        return NULL;
    }
    return &log->entries[(log->front + (size_t)(index - log->offset - 1)) % log->size];
}

raft_term guard_term_of(const struct raft *raft, raft_index index)
{
    const struct raft_entry *entry = guard_entry(raft, index);

    if (entry != NULL) {
        return entry->term;
    }
    return index == raft->log.snapshot.last_index ? raft->log.snapshot.last_term : 0;
}

raft_index guard_conflict(const struct raft *raft, const struct raft_append_entries *append)
{
    for (unsigned i = 0; i < append->n_entries; i++) {
        raft_index index = append->prev_log_index + 1 + i;
        raft_term term = guard_term_of(raft, index);
        if (term == 0) {
            return 0;
        }
        if (term != append->entries[i].term) {
            return index;
        }
    }
    return 0;
}

/* Where the newest configuration before `index` lies; 0 when only the snapshot has one. */
static raft_index change_before(const struct raft *raft, raft_index index)
{
    while (--index > raft->log.offset) {
        const struct raft_entry *entry = guard_entry(raft, index);
        if (entry != NULL && entry->type == RAFT_CHANGE) {
            return index;
        }
    }
    return 0;
}

static void set_configuration(struct guard *guard, raft_index change)
{
    struct raft *raft = guard->raft;
    struct raft_configuration configuration;

    if (change == 0) {
        configuration_copy(&guard->configuration, &configuration);
        change = guard->configuration_index;
    } else if (!configuration_of_entry(&guard_entry(raft, change)->buf, &configuration)) {
        guard_die(guard, "a configuration in the log cannot be read");
    }
    raft_configuration_close(&raft->configuration);
    raft->configuration = configuration;
    raft->configuration_index = change;
    raft->configuration_uncommitted_index = 0;
    if (change > raft->commit_index) {
        guard_doubt(guard);
    }
}

/* Rule 7. The library looks for the configuration to go back to in its log, where a snapshot may
 * have compacted it away, and crashes; and an entry it took for committed at a restart it never
 * takes back at all. Mended in 0.17.1 (issues 250, 323; baa8f52).
 *
 * Done just before the library truncates, so that it finds nothing left to take back. */
void guard_take_back(struct guard *guard, raft_index index)
{
    const struct raft *raft = guard->raft;

    if (raft->configuration_index >= index || raft->configuration_uncommitted_index >= index) {
        set_configuration(guard, change_before(raft, index));
    }
}

/* Rule 8. After a restart the library takes the newest configuration in its log for committed.
 * Mended in 0.17.1.
 *
 * It is committed when it has been applied; until then the one before it is the committed one. */
void guard_doubt(struct guard *guard)
{
    struct raft *raft = guard->raft;
    raft_index change = raft->configuration_index;

    if (change > raft->commit_index && raft->configuration_uncommitted_index == 0) {
        raft_index before = change_before(raft, change);
        raft->configuration_uncommitted_index = change;
        raft->configuration_index = before != 0 ? before : guard->configuration_index;
    }
}

/* Rule 8, the other half: a snapshot taken while a configuration is uncommitted would hold it as
 * though it were committed. Mended in 0.17.1. */
bool guard_may_snapshot(const struct guard *guard)
{
    return guard->raft->configuration_uncommitted_index == 0;
}

void guard_keep(struct guard *guard, const struct raft_configuration *configuration,
                raft_index index)
{
    raft_configuration_close(&guard->configuration);
    configuration_copy(configuration, &guard->configuration);
    guard->configuration_index = index;
}
