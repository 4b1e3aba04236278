/* SPDX-License-Identifier: MPL-2.0
 * Several replicas with journals on a real disk, and a network and a clock that do as they are
 * told: joining, catching up, taking back, standing in. */
#include "nodes/coordinator/replica/replica_parts.h"

#include "nodes/coordinator/replica/snapshot.h"
#include "nodes/coordinator/replica/transport.h"
#include "nodes/host/clock.h"
#include "tests/support/parcel.h"
#include "tests/support/scratch.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define NODES 3u
#define SEGMENT_SIZE ((size_t)32 << 10)
#define GROUP_SIZE 1000u
#define PATIENCE_MS 60000u
#define HEARTBEAT_MS 100u
#define TURN_NS UINT64_C(10000000) /* that pass in a turn */

/* A replica whose state is a chain of all groups in order. */
struct node {
    struct fixture *f;
    uint64_t id;
    char address[16];
    struct scratch scratch;
    struct replica *replica;
    struct replica_transport transport;
    struct {
        uint64_t groups;
        uint64_t chain;
    } state, read;
    unsigned lost;
    unsigned restored;
    bool cut_off;
    bool was_announced_twice;
};

struct fixture {
    struct node nodes[NODES];
    struct parcels parcels; /* on their way */
};

/* ---- the machine */

static void apply(void *context, uint64_t index, const uint8_t *data, size_t size)
{
    struct node *node = context;

    (void)index;
    node->state.chain = node->state.chain * 31 + data[size - 1] + size;
    node->state.groups++;
}

static int snapshot_write(void *context, struct snapshot_writer *writer)
{
    const struct node *node = context;

    snapshot_put(writer, &node->state, sizeof(node->state));
    return 0;
}

static enum grove_status read_state(void *context, const uint8_t *data, size_t size)
{
    struct node *node = context;

    assert_int_equal(size, sizeof(node->read));
    memcpy(&node->read, data, size);
    return GROVE_OK;
}

static void adopt(void *context)
{
    struct node *node = context;

    node->state = node->read;
    node->restored++;
}

static void lost(void *context)
{
    struct node *node = context;

    node->lost++;
}

/* ---- the network */

static bool send_message(void *context, const struct raft_message *message)
{
    struct node *node = context;
    struct parcel *parcel;

    if (node->cut_off || node->f->nodes[message->server_id - 1].cut_off) {
        return false;
    }
    parcel = parcel_pack(node->id, node->address, message);
    STAILQ_INSERT_TAIL(&node->f->parcels, parcel, link);
    return true;
}

static void copy_file(int from, int to)
{
    char bytes[4096]; /* more than the file */
    ssize_t length = read(from, bytes, sizeof(bytes));

    assert_int_equal(write(to, bytes, (size_t)length), length);
    close(from);
    close(to);
}

/* False while another is being installed. */
static bool stream_snapshot(struct node *from, struct node *to,
                            const struct raft_install_snapshot *install)
{
    int source;
    int target;

    if (replica_incoming_file(to->replica, install->last_index, &target) != GROVE_OK) {
        replica_transferred(from->replica, to->id, false);
        return false;
    }
    assert_int_equal(replica_snapshot_file(from->replica, install->last_index, &source), GROVE_OK);
    copy_file(source, target);
    replica_transferred(from->replica, to->id, true);
    return true;
}

/* What is announced a second time, as libraft does, does not harm the first. */
static void announce_again(struct node *to, raft_index index)
{
    int target;

    if (!to->was_announced_twice) {
        to->was_announced_twice = true;
        assert_int_equal(replica_incoming_file(to->replica, index, &target), GROVE_BUSY);
    }
}

static void receive(void *context, struct raft_message *message)
{
    replica_receive(context, message);
}

static void deliver(struct fixture *f, struct parcel *parcel)
{
    struct node *from = &f->nodes[parcel->from - 1];
    struct node *to = &f->nodes[parcel->to - 1];

    if (to->replica == NULL || to->cut_off || from->cut_off) {
        parcel_free(parcel);
        return;
    }
    const bool installs = parcel->message.type == RAFT_IO_INSTALL_SNAPSHOT;
    const raft_index index = parcel->message.install_snapshot.last_index;

    if (installs && !stream_snapshot(from, to, &parcel->message.install_snapshot)) {
        parcel_free(parcel);
        return;
    }
    parcel_deliver(parcel, receive, to->replica);
    if (installs) {
        announce_again(to, index);
    }
}

/* ---- time */

/* Of the test: however long the machine or its disk stands still, nobody is deposed for that. */
static atomic_uint_fast64_t clock_ns;

static uint64_t now_ns(void)
{
    return atomic_load(&clock_ns);
}

/* One does all that is to be done at this moment, its journal included. */
static void go_on(struct replica *replica)
{
    replica_turn(replica);
    journal_drain(replica->journal);
    replica_tick(replica);
    if (replica_status(replica).snapshotting) {
        poll(NULL, 0, 1); /* a child, which the clock does not wait for */
    }
}

static void turn(struct fixture *f)
{
    struct parcel *parcel;

    atomic_fetch_add(&clock_ns, TURN_NS);
    for (unsigned i = 0; i < NODES; i++) {
        if (f->nodes[i].replica != NULL) {
            go_on(f->nodes[i].replica);
        }
    }
    while ((parcel = STAILQ_FIRST(&f->parcels)) != NULL) {
        STAILQ_REMOVE_HEAD(&f->parcels, link);
        deliver(f, parcel);
    }
}

static void await(struct fixture *f, bool (*holds)(struct fixture *f))
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;

    while (!holds(f)) {
        assert_true(clock_monotonic_ms() < until_ms);
        turn(f);
    }
}

static void start(struct fixture *f, unsigned i, enum replica_start how)
{
    struct node *node = &f->nodes[i];
    const struct replica_options options = {
        .directory = node->scratch.path,
        .start = how,
        .id = node->id,
        .address = node->address,
        .transport = &node->transport,
        .segment_size = SEGMENT_SIZE,
        .heartbeat_ms = HEARTBEAT_MS,
        .now_ns = now_ns,
    };
    const struct replica_machine machine = {.context = node,
                                            .apply = apply,
                                            .snapshot_write = snapshot_write,
                                            .read = read_state,
                                            .adopt = adopt,
                                            .lost = lost};
    struct fault fault;

    memset(&node->state, 0, sizeof(node->state));
    enum grove_status status = replica_open(&options, &machine, &node->replica, &fault);
    if (status != GROVE_OK) {
        print_error("%s\n", fault.text);
    }
    assert_int_equal(status, GROVE_OK);
}

static void stop(struct fixture *f, unsigned i)
{
    replica_close(f->nodes[i].replica);
    f->nodes[i].replica = NULL;
}

static struct node *leader(struct fixture *f)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct node *node = &f->nodes[i];
        if (node->replica != NULL && !node->cut_off && replica_is_leader(node->replica)) {
            return node;
        }
    }
    return NULL;
}

static bool there_is_a_leader(struct fixture *f)
{
    return leader(f) != NULL;
}

static bool nothing_is_in_flight(struct fixture *f)
{
    return leader(f) != NULL && !replica_is_busy(leader(f)->replica);
}

static bool all_have_the_same(struct fixture *f)
{
    for (unsigned i = 1; i < NODES; i++) {
        if (f->nodes[i].replica != NULL &&
            memcmp(&f->nodes[i].state, &f->nodes[0].state, sizeof(f->nodes[0].state)) != 0) {
            return false;
        }
    }
    return true;
}

static void propose(struct fixture *f, unsigned count)
{
    uint8_t data[GROUP_SIZE];

    for (unsigned i = 0; i < count; i++) {
        await(f, nothing_is_in_flight);
        memset(data, (int)i, sizeof(data));
        assert_int_equal(replica_propose(leader(f)->replica, data, sizeof(data)), GROVE_OK);
        await(f, nothing_is_in_flight);
    }
}

static bool no_change_is_running(struct fixture *f)
{
    return there_is_a_leader(f) &&
           replica_status(leader(f)->replica).change != REPLICA_CHANGE_RUNNING;
}

static void change(struct fixture *f, enum grove_status began)
{
    assert_int_equal(began, GROVE_OK);
    await(f, no_change_is_running);
    assert_int_equal(replica_status(leader(f)->replica).change, REPLICA_CHANGE_DONE);
}

static void join(struct fixture *f, unsigned i)
{
    struct node *node = &f->nodes[i];

    start(f, i, REPLICA_JOIN);
    change(f, replica_add(leader(f)->replica, node->id, node->address));
    change(f, replica_assign(leader(f)->replica, node->id, REPLICA_VOTER));
}

static void start_all(struct fixture *f)
{
    start(f, 0, REPLICA_BOOTSTRAP);
    await(f, there_is_a_leader);
    join(f, 1);
    join(f, 2);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    STAILQ_INIT(&f->parcels);
    for (unsigned i = 0; i < NODES; i++) {
        struct node *node = &f->nodes[i];
        node->f = f;
        node->id = i + 1;
        node->transport = (struct replica_transport){.context = node, .send = send_message};
        snprintf(node->address, sizeof(node->address), "node-%u", i + 1);
        scratch_make(&node->scratch);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct parcel *parcel;

    for (unsigned i = 0; i < NODES; i++) {
        replica_close(f->nodes[i].replica);
        scratch_remove(&f->nodes[i].scratch);
    }
    while ((parcel = STAILQ_FIRST(&f->parcels)) != NULL) {
        STAILQ_REMOVE_HEAD(&f->parcels, link);
        parcel_free(parcel);
    }
    free(f);
    return 0;
}

/* ---- transcripts */

static void one_that_joins_gets_the_log_and_the_ledgers_id(void **state)
{
    struct fixture *f = *state;
    struct replica_member members[NODES];

    start(f, 0, REPLICA_BOOTSTRAP);
    await(f, there_is_a_leader);
    propose(f, 5);
    join(f, 1);
    await(f, all_have_the_same);
    const struct id ledger = replica_status(f->nodes[0].replica).ledger;
    const struct id joined = replica_status(f->nodes[1].replica).ledger;
    assert_true(id_equal(&ledger, &joined));
    assert_int_equal(replica_members(f->nodes[1].replica, members, NODES), 2);
    assert_int_equal(members[1].id, 2);
    assert_int_equal(members[1].role, REPLICA_VOTER);
    assert_string_equal(members[1].address, "node-2");

    stop(f, 1); /* what it had it has again */
    start(f, 1, REPLICA_EXISTING);
    await(f, all_have_the_same);
}

static void another_leads_when_the_leader_stops_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;

    start_all(f);
    propose(f, 10);
    stop(f, 0);
    propose(f, 10);
    assert_ptr_not_equal(leader(f), &f->nodes[0]);
    start(f, 0, REPLICA_EXISTING);
    await(f, all_have_the_same);
    assert_int_equal(f->nodes[0].state.groups, 20);
}

static void terms_outlive_a_restart(void **state)
{
    struct fixture *f = *state;

    start_all(f);
    stop(f, 0);
    await(f, there_is_a_leader);
    const uint64_t term = replica_status(leader(f)->replica).term;
    assert_true(term > 1);
    for (unsigned i = 1; i < NODES; i++) {
        stop(f, i);
        start(f, i, REPLICA_EXISTING);
        assert_int_equal(replica_status(f->nodes[i].replica).term, term);
    }
}

/* What a leader wrote alone is taken back on its disk when another overruled it. */
static void what_was_not_acknowledged_is_taken_back(void **state)
{
    struct fixture *f = *state;
    static const uint8_t alone[] = "nobody else has this";
    struct node *old;

    start_all(f);
    propose(f, 3);
    await(f, all_have_the_same);
    old = leader(f);
    assert_int_equal(replica_propose(old->replica, alone, sizeof(alone)), GROVE_OK);
    old->cut_off = true;
    propose(f, 40); /* the others fill more than a segment */
    old->cut_off = false;
    await(f, all_have_the_same);
    assert_int_equal(old->lost, 1);
    assert_int_equal(old->state.groups, 43);

    const unsigned i = (unsigned)(old->id - 1);
    stop(f, i);
    start(f, i, REPLICA_EXISTING);
    await(f, all_have_the_same);
}

static bool the_snapshot_is_written(struct fixture *f)
{
    return replica_status(f->nodes[0].replica).snapshots > 0;
}

/* The leader forgets its log behind a snapshot, and so the snapshot is what the third one gets. */
static void one_that_is_far_behind_gets_the_snapshot(void **state)
{
    struct fixture *f = *state;

    start(f, 0, REPLICA_BOOTSTRAP);
    await(f, there_is_a_leader);
    join(f, 1);
    propose(f, 100);
    assert_int_equal(replica_snapshot(f->nodes[0].replica), GROVE_OK);
    await(f, the_snapshot_is_written);
    join(f, 2);
    await(f, all_have_the_same);
    assert_int_equal(f->nodes[2].restored, 1);
    assert_true(f->nodes[2].was_announced_twice);
    propose(f, 10);
    await(f, all_have_the_same);

    stop(f, 2);
    f->nodes[2].restored = 0;
    start(f, 2, REPLICA_EXISTING);
    assert_int_equal(f->nodes[2].restored, 1);
    await(f, all_have_the_same);
}

/* The chosen one may be writing when it is asked, and then does not stand. */
static bool the_second_leads(struct fixture *f)
{
    struct node *node = leader(f);

    if (node == &f->nodes[0]) {
        enum grove_status status = replica_transfer(node->replica, 2);
        assert_int_equal(status, GROVE_OK);
        assert_false(replica_is_leader(node->replica));
    }
    return node == &f->nodes[1];
}

static void leadership_is_handed_over_on_request(void **state)
{
    struct fixture *f = *state;

    start_all(f);
    propose(f, 1);
    assert_ptr_equal(leader(f), &f->nodes[0]);
    assert_int_equal(replica_transfer(leader(f)->replica, 9), GROVE_NOT_FOUND);
    await(f, the_second_leads);
    propose(f, 1);
}

static void one_that_is_removed_counts_no_more(void **state)
{
    struct fixture *f = *state;

    start_all(f);
    change(f, replica_remove(leader(f)->replica, 3));
    stop(f, 2);
    stop(f, 0); /* one of two is no majority ... */
    for (unsigned i = 0; i < 300; i++) {
        turn(f);
        assert_null(leader(f));
    }
    start(f, 0, REPLICA_EXISTING); /* ... two are */
    propose(f, 1);
}

static bool the_first_lost_something(struct fixture *f)
{
    return f->nodes[0].lost == 1;
}

static void a_barrier_ends_without_a_group(void **state)
{
    struct fixture *f = *state;

    start_all(f);
    propose(f, 2);
    assert_int_equal(replica_barrier(leader(f)->replica), GROVE_OK);
    assert_true(replica_is_busy(leader(f)->replica));
    await(f, nothing_is_in_flight);
    assert_int_equal(leader(f)->state.groups, 2);

    f->nodes[0].cut_off = true; /* it still takes itself for the leader, and cannot prove it */
    assert_int_equal(replica_barrier(f->nodes[0].replica), GROVE_OK);
    await(f, the_first_lost_something);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_that_joins_gets_the_log_and_the_ledgers_id),
        TEST(another_leads_when_the_leader_stops_and_nothing_is_lost),
        TEST(terms_outlive_a_restart),
        TEST(what_was_not_acknowledged_is_taken_back),
        TEST(one_that_is_far_behind_gets_the_snapshot),
        TEST(leadership_is_handed_over_on_request),
        TEST(one_that_is_removed_counts_no_more),
        TEST(a_barrier_ends_without_a_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
