/* SPDX-License-Identifier: MPL-2.0
 * What the library receives: rules 1, 3, 4, 5, 6, 7, 10, 11 and 12. */
#include "nodes/coordinator/replica/guard_rules.h"

#include "nodes/coordinator/replica/configuration.h"

#include <stdlib.h>
#include <string.h>

/* Rule 1. A leader counts acknowledgements of entries of former terms, and may so commit what a
 * later leader overwrites (Ongaro 2014, figure 3.7). Mended in 0.17 (524f735, 29bb302).
 *
 * No acknowledgement counts before the first entry of the term is on the leader's own disk: the
 * library commits at the end of what it has stored, and that is then of its term. */
static bool counts_too_early(const struct guard *guard, const struct raft_message *message)
{
    const struct raft *raft = guard->raft;

    return message->type == RAFT_IO_APPEND_ENTRIES_RESULT && raft->state == RAFT_LEADER &&
           message->append_entries_result.term == raft->current_term &&
           message->append_entries_result.rejected == 0 &&
           (guard->barrier_term != raft->current_term || raft->last_stored < guard->barrier.index);
}

/* A message that does not count still shows that the peer is there. */
static void mark_contact(struct raft *raft, raft_id peer)
{
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        if (raft->configuration.servers[i].id == peer) {
            raft->leader_state.progress[i].recent_recv = true;
        }
    }
}

/* Rule 4, one half: see hold_elections in guard.c. */
static bool elects_while_writing(const struct guard *guard, const struct raft_message *message)
{
    return message->type == RAFT_IO_TIMEOUT_NOW && (guard->appending > 0 || guard->installing);
}

/* Rule 11, one half: see begin_a_term_alone in guard.c. Its own timer makes a lone voter lead. */
static bool elects_itself(const struct raft *raft, const struct raft_message *message)
{
    return message->type == RAFT_IO_TIMEOUT_NOW && guard_is_lone_voter(raft);
}

/* Rule 5. A leader that hands over its leadership votes for the one it chose, also when it has
 * voted in that term: two leaders. Mended in cowsql's fork only. */
static bool votes_again(const struct raft *raft, const struct raft_message *message)
{
    return message->type == RAFT_IO_REQUEST_VOTE && raft->transfer != NULL &&
           message->request_vote.term == raft->current_term && raft->voted_for != 0 &&
           raft->voted_for != message->request_vote.candidate_id;
}

/* Rule 10, the other half: see guard_send. While an entry is being written, none is truncated; the
 * leader sends again. */
static bool truncates_while_writing(const struct guard *guard, const struct raft_message *message)
{
    return message->type == RAFT_IO_APPEND_ENTRIES && guard->appending > 0 &&
           guard_conflict(guard->raft, &message->append_entries) != 0;
}

static void drop_entries(struct raft_append_entries *append)
{
    if (append->n_entries > 0) {
        raft_free(append->entries[0].batch);
    }
    raft_free(append->entries);
    append->entries = NULL;
    append->n_entries = 0;
}

/* Rule 6. Entries that begin behind a compacted log are appended again at its end. Not mended.
 *
 * What the snapshot holds is committed and need not be compared. */
static void leave_out_what_the_snapshot_holds(const struct raft *raft,
                                              struct raft_append_entries *append)
{
    const raft_index snapshot = raft->log.snapshot.last_index;

    if (append->prev_log_index >= snapshot) {
        return;
    }
    if (append->prev_log_index + append->n_entries <= snapshot) {
        drop_entries(append);
    } else {
        unsigned held = (unsigned)(snapshot - append->prev_log_index);
        append->n_entries -= held;
        memmove(append->entries, append->entries + held,
                append->n_entries * sizeof(*append->entries));
    }
    append->prev_log_index = snapshot;
    append->prev_log_term = raft->log.snapshot.last_term;
}

/* Rule 3, the other half: a follower commits up to the end of its log, also where that lies beyond
 * what the message verified. */
static void commit_only_what_was_verified(struct raft_append_entries *append)
{
    raft_index end = append->prev_log_index + append->n_entries;

    if (append->leader_commit > end) {
        append->leader_commit = end;
    }
}

static bool follows_the_log(const struct raft *raft, const struct raft_append_entries *append)
{
    return append->prev_log_index == 0 ||
           guard_term_of(raft, append->prev_log_index) == append->prev_log_term;
}

/* Rule 7, where it is needed: only the library's own truncation may follow. */
static void take_back_what_is_truncated(struct guard *guard,
                                        const struct raft_append_entries *append)
{
    const struct raft *raft = guard->raft;
    raft_index conflict = guard_conflict(raft, append);

    if (conflict > raft->commit_index && append->term >= raft->current_term && !guard->installing &&
        follows_the_log(raft, append)) {
        guard_take_back(guard, conflict);
    }
}

/* Rule 12. A replica grants no vote while it does not find itself among the voters. A leader that
 * promoted it and lost its leadership before it heard of that needs this vote and never gets it:
 * nobody leads any more. Not mended.
 *
 * Whoever counts the vote knows who may vote (Ongaro 2014, section 4.2.2). A replica without a log
 * gives none, since it has no disk to remember it on. */
static void vote_for_whoever_counts_it(struct guard *guard, struct raft_message *message)
{
    struct raft *raft = guard->raft;
    const struct raft_configuration own = raft->configuration;

    raft_configuration_init(&raft->configuration);
    if (raft_configuration_add(&raft->configuration, raft->id, raft->address, RAFT_VOTER) != 0) {
        abort(); /* out of memory */
    }
    guard->receive(raft->io, message);
    raft_configuration_close(&raft->configuration);
    raft->configuration = own;
}

static bool is_asked_though_no_voter(const struct raft *raft, const struct raft_message *message)
{
    const struct raft_server *self = configuration_server(&raft->configuration, raft->id);

    return message->type == RAFT_IO_REQUEST_VOTE && guard_last_index(raft) > 0 &&
           (self == NULL || self->role != RAFT_VOTER);
}

static void hand_over(struct guard *guard, struct raft_message *message)
{
    if (is_asked_though_no_voter(guard->raft, message)) {
        vote_for_whoever_counts_it(guard, message);
    } else {
        guard->receive(guard->raft->io, message);
    }
}

static bool is_dropped(struct guard *guard, const struct raft_message *message)
{
    if (counts_too_early(guard, message)) {
        mark_contact(guard->raft, message->server_id);
        return true;
    }
    return elects_while_writing(guard, message) || elects_itself(guard->raft, message) ||
           votes_again(guard->raft, message) || truncates_while_writing(guard, message);
}

static void discard(struct raft_message *message)
{
    if (message->type == RAFT_IO_APPEND_ENTRIES) {
        drop_entries(&message->append_entries);
    } else if (message->type == RAFT_IO_INSTALL_SNAPSHOT) {
        raft_free(message->install_snapshot.data.base);
        raft_configuration_close(&message->install_snapshot.conf);
    }
}

/* Applies the rules that change a message; returns up to where the answer may go. */
static raft_index prepare(struct guard *guard, struct raft_message *message)
{
    struct raft_append_entries *append = &message->append_entries;

    if (message->type == RAFT_IO_APPEND_ENTRIES) {
        raft_index end = append->prev_log_index + append->n_entries;
        leave_out_what_the_snapshot_holds(guard->raft, append);
        commit_only_what_was_verified(append);
        take_back_what_is_truncated(guard, append);
        return end;
    }
    return message->type == RAFT_IO_INSTALL_SNAPSHOT ? guard->raft->last_stored : GUARD_NO_LIMIT;
}

void guard_receive(struct guard *guard, struct raft_message *message)
{
    guard_settle(guard);
    if (is_dropped(guard, message)) {
        discard(message);
        return;
    }
    guard->verified = prepare(guard, message);
    hand_over(guard, message);
    guard->verified = GUARD_NO_LIMIT;
    if (guard->raft->state == RAFT_UNAVAILABLE) {
        guard_die(guard, guard->raft->errmsg);
    }
    guard_lead(guard);
}
