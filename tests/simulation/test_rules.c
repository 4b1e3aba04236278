/* SPDX-License-Identifier: MPL-2.0
 * The rules of the guard, each in the situation that it is for. The seeds meet some of these only
 * once in many thousands. */
#include "tests/simulation/stage.h"

#include "nodes/coordinator/replica/guard_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct cluster *cluster;
    struct node *one, *two, *three;
};

/* 1 leads; 2 and 3 have what it has. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->cluster = stage_set(3, 1);
    f->one = stage_lead(f->cluster, 1);
    f->two = cluster_node(f->cluster, 2);
    f->three = cluster_node(f->cluster, 3);
    cluster_run(f->cluster, 1000000);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    stage_clear(f->cluster);
    free(f);
    return 0;
}

static raft_term term_of(const struct node *node)
{
    return node->voter->raft.current_term;
}

static raft_index end_of(const struct node *node)
{
    return guard_last_index(&node->voter->raft);
}

static void slow_down(struct node *node)
{
    node->disk.write_least_us = node->disk.write_most_us = 3000000;
}

/* An AppendEntries of a leader of `term`, behind entry `before` of the receiver's own log. */
static struct raft_message append_after(const struct node *to, raft_term term, raft_index before)
{
    return (struct raft_message){
        .type = RAFT_IO_APPEND_ENTRIES,
        .server_id = to->id,
        .append_entries = {.term = term,
                           .prev_log_index = before,
                           .prev_log_term = guard_term_of(&to->voter->raft, before)},
    };
}

static void tell_entry(struct fixture *f, struct node *to, raft_term term, raft_index before)
{
    uint64_t payload[2] = {sizeof(uint64_t), term};
    struct raft_entry entry = {
        .term = term, .type = RAFT_COMMAND, .buf = {.base = payload, .len = sizeof(payload)}};
    struct raft_message message = append_after(to, term, before);

    message.append_entries.entries = &entry;
    message.append_entries.n_entries = 1;
    stage_tell(f->cluster, 2, &message);
}

static bool is_silent(const struct node *node)
{
    const struct letter *letter;

    TAILQ_FOREACH(letter, &node->cluster->network.letters, link) {
        if (letter->parcel->from == node->id) {
            return false;
        }
    }
    return true;
}

/* Rule 2. 3 answers when its disk is done, but the entries were those of a leader before. */
static void an_answer_belongs_to_its_term(void **state)
{
    struct fixture *f = *state;
    const raft_index before = end_of(f->three);

    slow_down(f->three);
    stage_propose(f->cluster, f->one);
    cluster_run(f->cluster, 50000);
    assert_int_equal(end_of(f->three), before + 1);
    network_cut(&f->cluster->network, 3, false, true);

    const struct raft_message later = append_after(f->three, term_of(f->one) + 1, before + 1);
    stage_tell(f->cluster, 2, &later);
    cluster_run(f->cluster, 2000000);
    assert_true(is_silent(f->three));
    stage_await(f->cluster, stage_has_on_disk, f->three, before + 1);
    assert_true(is_silent(f->three));
}

/* Rule 3. What the message did not verify may not be the leader's. */
static void a_follower_commits_only_what_was_verified(void **state)
{
    struct fixture *f = *state;
    const raft_index before = end_of(f->three);

    network_cut(&f->cluster->network, 3, true, false); /* it gets the entry, nobody hears so */
    network_cut(&f->cluster->network, 2, false, true);
    stage_propose(f->cluster, f->one);
    stage_await(f->cluster, stage_has_on_disk, f->three, before + 1);
    assert_int_equal(f->three->history.count, 0);

    struct raft_message part = append_after(f->three, term_of(f->one) + 1, before);
    part.append_entries.leader_commit = before + 1;
    stage_tell(f->cluster, 2, &part);
    assert_int_equal(f->three->history.count, 0);
    assert_int_equal(f->three->voter->raft.commit_index, before);
}

/* Rule 4, for hand-overs. */
static void nobody_stands_for_election_while_writing(void **state)
{
    struct fixture *f = *state;

    slow_down(f->three);
    const raft_index index = stage_propose(f->cluster, f->one);
    cluster_run(f->cluster, 50000);
    assert_int_equal(f->three->voter->guard.appending, 1);

    const struct raft_message now = {
        .type = RAFT_IO_TIMEOUT_NOW,
        .server_id = 3,
        .timeout_now = {.term = term_of(f->one),
                        .last_log_index = index,
                        .last_log_term = term_of(f->one)},
    };
    stage_tell(f->cluster, 1, &now);
    assert_int_equal(f->three->voter->raft.state, RAFT_FOLLOWER);
    stage_await(f->cluster, stage_has_on_disk, f->three, index);
    stage_tell(f->cluster, 1, &now);
    assert_int_equal(f->three->voter->raft.state, RAFT_CANDIDATE);
}

/* Rule 5. */
static void a_leader_that_hands_over_votes_once_a_term(void **state)
{
    struct fixture *f = *state;
    const struct raft_message asked = {
        .type = RAFT_IO_REQUEST_VOTE,
        .server_id = 1,
        .request_vote = {.term = term_of(f->one),
                         .candidate_id = 2,
                         .last_log_index = end_of(f->one),
                         .last_log_term = term_of(f->one),
                         .disrupt_leader = true},
    };

    assert_int_equal(f->one->disk.vote, 1);
    assert_int_equal(voter_transfer(f->one->voter, 2), GROVE_OK);
    stage_tell(f->cluster, 2, &asked);
    assert_int_equal(f->one->disk.vote, 1);
}

static bool has_no_snapshot_under_way(const struct node *node, raft_index index)
{
    (void)index;
    return node->voter->raft.snapshot.pending.term == 0;
}

/* Rule 8. 3 has a change of membership that is not committed, and crashes. What it then applies
 * lies before that, and so does the snapshot that it takes. */
static void a_snapshot_holds_no_uncommitted_configuration(void **state)
{
    struct fixture *f = *state;
    struct raft *raft;

    network_split(&f->cluster->network, 1u << 2 | 1u << 4);
    f->cluster->network.cut[3][1] = true;
    stage_propose(f->cluster, f->one);
    assert_int_equal(voter_add(f->one->voter, 4, "node-4"), GROVE_OK);
    const raft_index change = end_of(f->one);
    stage_await(f->cluster, stage_has_on_disk, f->three, change);
    network_cut(&f->cluster->network, 3, true, true);

    node_crash(f->three);
    node_start(f->three);
    raft = &f->three->voter->raft;
    assert_int_equal(raft->configuration.n, 4);
    assert_int_equal(raft->configuration_uncommitted_index, change);
    f->three->snapshot_threshold = 1;
    raft_set_snapshot_threshold(raft, 1);
    struct raft_message commit = append_after(f->three, term_of(f->one) + 1, change);
    commit.append_entries.leader_commit = change - 1;
    stage_tell(f->cluster, 2, &commit);
    assert_int_equal(raft->last_applied, change - 1);
    stage_await(f->cluster, has_no_snapshot_under_way, f->three, 0);
    assert_int_equal(f->three->disk.snapshot.index, 0);
}

/* Rule 10. */
static void nothing_is_truncated_while_it_is_written(void **state)
{
    struct fixture *f = *state;
    const raft_index before = end_of(f->three);

    slow_down(f->three);
    stage_propose(f->cluster, f->one);
    cluster_run(f->cluster, 50000);
    assert_int_equal(end_of(f->three), before + 1);
    network_cut(&f->cluster->network, 3, true, true);

    tell_entry(f, f->three, term_of(f->one) + 1, before);
    assert_int_equal(guard_term_of(&f->three->voter->raft, before + 1), term_of(f->one));
    stage_await(f->cluster, stage_has_on_disk, f->three, before + 1);
    tell_entry(f, f->three, term_of(f->one) + 1, before);
    assert_int_equal(guard_term_of(&f->three->voter->raft, before + 1), term_of(f->one) + 1);
}

/* Rule 10, for what is sent: before anything is received, no message refers to an entry. */
static void what_was_sent_is_settled_before_more_comes(void **state)
{
    struct fixture *f = *state;
    const struct raft_message stale = {.type = RAFT_IO_APPEND_ENTRIES_RESULT,
                                       .server_id = 1,
                                       .append_entries_result = {.term = 1}};

    stage_propose(f->cluster, f->one);
    assert_false(STAILQ_EMPTY(&f->one->voter->guard.sent));
    stage_tell(f->cluster, 2, &stale);
    assert_true(STAILQ_EMPTY(&f->one->voter->guard.sent));
}

/* The mark of an uncommitted configuration goes with the log that a snapshot replaces. */
static void an_installed_snapshot_leaves_no_doubt(void **state)
{
    struct fixture *f = *state;

    network_split(&f->cluster->network, 1u << 2 | 1u << 4);
    f->cluster->network.cut[3][1] = true;
    assert_int_equal(voter_add(f->one->voter, 4, "node-4"), GROVE_OK);
    stage_await(f->cluster, stage_has_on_disk, f->three, end_of(f->one));
    network_mend_cuts(&f->cluster->network);
    network_cut(&f->cluster->network, 3, true, true);
    assert_true(f->three->voter->raft.configuration_uncommitted_index > 0);

    f->one->snapshot_threshold = 3;
    while (f->one->disk.snapshot.index <= end_of(f->three)) {
        stage_await(f->cluster, stage_is_idle, f->one, 0);
        stage_propose(f->cluster, f->one);
        cluster_run(f->cluster, 100000);
    }
    network_mend_cuts(&f->cluster->network);
    cluster_converge(f->cluster, STAGE_PATIENCE_US);
    assert_true(f->three->voter->raft.log.snapshot.last_index > 0);
    assert_int_equal(f->three->voter->raft.configuration_uncommitted_index, 0);
}

/* The entries of the largest message under way. */
static size_t largest_append(const struct cluster *cluster)
{
    const struct letter *letter;
    size_t largest = 0;

    TAILQ_FOREACH(letter, &cluster->network.letters, link) {
        const struct raft_message *message = &letter->parcel->message;
        size_t size = 0;
        for (unsigned i = 0;
             message->type == RAFT_IO_APPEND_ENTRIES && i < message->append_entries.n_entries;
             i++) {
            size += message->append_entries.entries[i].buf.len;
        }
        largest = size > largest ? size : largest;
    }
    return largest;
}

/* The library would send all of it at once. */
static void one_that_is_far_behind_gets_the_log_in_parts(void **state)
{
    struct fixture *f = *state;
    size_t largest = 0;

    network_cut(&f->cluster->network, 3, true, true);
    f->cluster->group_most = (size_t)1 << 20;
    for (unsigned i = 0; i < 60; i++) { /* some 30 MiB */
        stage_await(f->cluster, stage_is_idle, f->one, 0);
        stage_propose(f->cluster, f->one);
    }
    stage_await(f->cluster, stage_is_idle, f->one, 0);
    network_mend_cuts(&f->cluster->network);
    while (f->three->history.count < 60) {
        assert_true(cluster_step(f->cluster, 10 * STAGE_PATIENCE_US));
        const size_t now = largest_append(f->cluster);
        largest = now > largest ? now : largest;
    }
    assert_true(largest <= GUARD_APPEND_LIMIT);
    assert_true(largest > GUARD_APPEND_LIMIT / 2);
}

/* Rule 13. Else the one that is removed may be the only one that has it. */
static void a_change_of_membership_is_written_before_it_is_sent(void **state)
{
    struct fixture *f = *state;
    const raft_index change = end_of(f->one) + 1;

    slow_down(f->one);
    assert_int_equal(voter_remove(f->one->voter, 3), GROVE_OK);
    assert_int_equal(end_of(f->one), change);
    cluster_run(f->cluster, 1000000);
    assert_false(stage_has_on_disk(f->one, change));
    assert_int_equal(end_of(f->two), change - 1);
    assert_int_equal(end_of(f->three), change - 1);
    stage_await(f->cluster, stage_has_on_disk, f->one, change);
    stage_await(f->cluster, stage_has_on_disk, f->two, change);
}

/* The second rule of use. */
static void membership_changes_only_under_a_committed_barrier(void **state)
{
    struct fixture *f = *state;

    network_cut(&f->cluster->network, 1, true, true);
    slow_down(f->two);
    stage_elect(f->cluster, 2);
    assert_int_equal(voter_add(f->two->voter, 4, "node-4"), GROVE_NO_LEADER);
    stage_await(f->cluster, stage_is_idle, f->two, 0);
    assert_int_equal(voter_add(f->two->voter, 4, "node-4"), GROVE_OK);
}

/* The third. */
static void a_leader_does_not_leave(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(voter_remove(f->one->voter, 1), GROVE_INVALID);
    assert_int_equal(voter_assign(f->one->voter, 1, REPLICA_STANDBY), GROVE_INVALID);
    assert_int_equal(voter_remove(f->one->voter, 3), GROVE_OK);
}

/* The first. */
static void there_is_no_pre_vote(void **state)
{
    struct fixture *f = *state;
    const raft_term before = term_of(f->two);

    network_cut(&f->cluster->network, 2, true, true);
    node_stand(f->two);
    cluster_run(f->cluster, 2000000);
    assert_true(term_of(f->two) > before);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_answer_belongs_to_its_term),
        TEST(a_follower_commits_only_what_was_verified),
        TEST(nobody_stands_for_election_while_writing),
        TEST(a_leader_that_hands_over_votes_once_a_term),
        TEST(a_snapshot_holds_no_uncommitted_configuration),
        TEST(nothing_is_truncated_while_it_is_written),
        TEST(what_was_sent_is_settled_before_more_comes),
        TEST(an_installed_snapshot_leaves_no_doubt),
        TEST(one_that_is_far_behind_gets_the_log_in_parts),
        TEST(a_change_of_membership_is_written_before_it_is_sent),
        TEST(membership_changes_only_under_a_committed_barrier),
        TEST(a_leader_does_not_leave),
        TEST(there_is_no_pre_vote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
