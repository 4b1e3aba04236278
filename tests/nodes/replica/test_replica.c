/* SPDX-License-Identifier: MPL-2.0
 * The ledger as the rest of grove sees it: kills, restarts, snapshots, rotten bytes. */
#include "nodes/coordinator/replica/replica.h"

#include "core/id.h"
#include "nodes/coordinator/replica/segment.h"
#include "nodes/coordinator/replica/snapshot.h"
#include "nodes/host/clock.h"
#include "tests/support/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT_SIZE ((size_t)32 << 10)
#define PATIENCE_MS 120000
#define FLIPS 100
#define FLIPS_LONG 1000 /* with GROVE_LONG */

/* A machine whose state is a digest of all groups in order, and their number. */
struct state {
    uint64_t groups;
    struct digest digest;
};

/* Shared with the snapshot's child. */
struct child {
    atomic_bool held;    /* wait until this is false, in the middle of writing */
    atomic_bool started; /* the child is in the middle */
    atomic_int error;    /* fail with it, once */
};

struct fixture {
    struct scratch scratch;
    struct replica *replica;
    struct state state;
    struct child *child;
    struct fault fault;
    size_t last_size; /* bytes of the group applied last */
    uint8_t last[32]; /* its beginning */
    uint64_t last_index;
    unsigned notes;
    size_t threshold;
};

static void add_group(struct state *state, const uint8_t *data, size_t size)
{
    uint8_t both[2 * sizeof(struct digest)];
    struct digest group = digest_of(bytes_of(data, size));

    memcpy(both, state->digest.byte, sizeof(state->digest));
    memcpy(both + sizeof(state->digest), group.byte, sizeof(group));
    state->digest = digest_of(bytes_of(both, sizeof(both)));
    state->groups++;
}

static void apply(void *context, uint64_t index, const uint8_t *data, size_t size)
{
    struct fixture *f = context;

    assert_true(index > f->last_index);
    f->last_index = index;
    f->last_size = size;
    memcpy(f->last, data, size < sizeof(f->last) ? size : sizeof(f->last));
    add_group(&f->state, data, size);
}

static int snapshot_write(void *context, struct snapshot_writer *writer)
{
    struct fixture *f = context;
    static const uint8_t filler[5000];

    snapshot_put(writer, &f->state, sizeof(f->state));
    atomic_store(&f->child->started, true);
    while (atomic_load(&f->child->held)) {
    }
    for (unsigned i = 0; i < 30; i++) {
        snapshot_put(writer, filler, sizeof(filler));
    }
    return atomic_exchange(&f->child->error, 0);
}

static enum grove_status read_state(void *context, const uint8_t *data, size_t size)
{
    struct fixture *f = context;

    if (size != sizeof(f->state) + 30 * (size_t)5000) {
        return GROVE_MALFORMED;
    }
    memcpy(&f->state, data, sizeof(f->state));
    return GROVE_OK;
}

static void adopt(void *context)
{
    (void)context; /* nothing was applied before */
}

static void take_note(void *context, const char *text)
{
    struct fixture *f = context;

    (void)text;
    f->notes++;
}

static enum grove_status open_replica(struct fixture *f, enum replica_start how)
{
    const struct replica_options options = {
        .directory = f->scratch.path,
        .start = how,
        .segment_size = SEGMENT_SIZE,
        .snapshot_threshold = f->threshold,
        .now_ns = clock_monotonic_ns,
        .context = f,
        .note = take_note,
    };
    const struct replica_machine machine = {.context = f,
                                            .apply = apply,
                                            .snapshot_write = snapshot_write,
                                            .read = read_state,
                                            .adopt = adopt};

    f->state = (struct state){.groups = 0};
    f->last_index = 0;
    f->notes = 0;
    return replica_open(&options, &machine, &f->replica, &f->fault);
}

static void stop(struct fixture *f)
{
    replica_close(f->replica);
    f->replica = NULL;
}

/* One turn of the loop: waits a little for the journal. */
static void turn(struct fixture *f)
{
    struct pollfd done = {.fd = replica_fd(f->replica), .events = POLLIN};

    poll(&done, 1, 1);
    replica_turn(f->replica);
    replica_tick(f->replica);
}

static void settle(struct fixture *f)
{
    for (int i = 0; replica_is_busy(f->replica); i++) {
        assert_true(i < PATIENCE_MS);
        turn(f);
    }
}

static void start(struct fixture *f)
{
    enum grove_status status = open_replica(f, REPLICA_BOOTSTRAP);

    if (status != GROVE_OK) {
        print_error("%s\n", f->fault.text);
    }
    assert_int_equal(status, GROVE_OK);
    settle(f);
    assert_true(replica_is_leader(f->replica));
}

static void propose(struct fixture *f, const uint8_t *data, size_t size)
{
    assert_int_equal(replica_propose(f->replica, data, size), GROVE_OK);
    settle(f);
}

static void propose_many(struct fixture *f, unsigned count)
{
    uint8_t data[200];

    for (unsigned i = 0; i < count; i++) {
        memset(data, (int)i, sizeof(data));
        propose(f, data, 1 + (size_t)i * 7 % sizeof(data));
    }
}

static void await_snapshots(struct fixture *f, uint64_t count)
{
    for (int i = 0; replica_status(f->replica).snapshots < count; i++) {
        assert_true(i < PATIENCE_MS);
        turn(f);
    }
}

static void await_child(struct fixture *f)
{
    for (int i = 0; replica_status(f->replica).snapshotting; i++) {
        assert_true(i < PATIENCE_MS);
        turn(f);
    }
}

/* The journal removes what it need not keep in its own time. */
static void await_journal_below(struct fixture *f, size_t size)
{
    for (int i = 0; replica_status(f->replica).journal_size >= size; i++) {
        assert_true(i < PATIENCE_MS);
        turn(f);
    }
}

static void take_snapshot(struct fixture *f)
{
    uint64_t before = replica_status(f->replica).snapshots;

    assert_int_equal(replica_snapshot(f->replica), GROVE_OK);
    await_snapshots(f, before + 1);
    settle(f);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    scratch_make(&f->scratch);
    f->child =
        mmap(NULL, sizeof(*f->child), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(f->child, MAP_FAILED);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    replica_close(f->replica);
    scratch_remove(&f->scratch);
    munmap(f->child, sizeof(*f->child));
    free(f);
    return 0;
}

static void an_empty_directory_needs_bootstrap(void **state)
{
    struct fixture *f = *state;
    struct fixture missing = {.scratch = {"/nowhere/at/all"}};

    assert_int_equal(open_replica(f, REPLICA_EXISTING), GROVE_EMPTY);
    assert_null(f->replica);
    assert_int_equal(open_replica(&missing, REPLICA_EXISTING), GROVE_EMPTY);
    start(f);
    stop(f);
    assert_int_equal(open_replica(f, REPLICA_EXISTING), GROVE_OK);
}

static void a_second_opener_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fixture second = {.scratch = f->scratch};

    start(f);
    assert_int_equal(open_replica(&second, REPLICA_BOOTSTRAP), GROVE_BUSY);
    assert_null(second.replica);
}

static void a_restart_replays_exactly(void **state)
{
    struct fixture *f = *state;

    start(f);
    struct id ledger = replica_status(f->replica).ledger;
    assert_false(id_is_zero(&ledger));
    propose_many(f, 300);
    struct state expected = f->state;
    for (unsigned i = 0; i < 3; i++) {
        stop(f);
        start(f);
        struct id again = replica_status(f->replica).ledger;
        assert_int_equal(f->state.groups, 300);
        assert_memory_equal(&f->state, &expected, sizeof(expected));
        assert_true(id_equal(&ledger, &again));
    }
}

static void two_ledgers_have_two_ids(void **state)
{
    struct fixture *f = *state;

    start(f);
    struct id one = replica_status(f->replica).ledger;
    stop(f);
    scratch_remove(&f->scratch);
    scratch_make(&f->scratch);
    start(f);
    struct id other = replica_status(f->replica).ledger;
    assert_false(id_equal(&one, &other));
}

static void groups_of_any_size_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    static const uint8_t bytes[] = "seventeen letters";

    start(f);
    for (size_t size = 1; size <= 17; size++) {
        propose(f, bytes, size);
        assert_int_equal(f->last_size, size);
        assert_memory_equal(f->last, bytes, size);
    }
    size_t large = (size_t)4 << 20;
    uint8_t *data = malloc(large);
    memset(data, 7, large);
    propose(f, data, large);
    free(data);
    assert_int_equal(f->last_size, large);
    struct state expected = f->state;
    stop(f);
    start(f);
    assert_int_equal(f->last_size, large);
    assert_memory_equal(&f->state, &expected, sizeof(expected));
    assert_int_equal(replica_propose(f->replica, bytes, REPLICA_GROUP_LIMIT + 1), GROVE_TOO_LARGE);
}

static void one_group_is_in_flight(void **state)
{
    struct fixture *f = *state;
    static const uint8_t byte = 1;

    assert_int_equal(open_replica(f, REPLICA_BOOTSTRAP), GROVE_OK);
    assert_true(replica_is_busy(f->replica)); /* its barrier is not committed */
    assert_int_equal(replica_propose(f->replica, &byte, 1), GROVE_NO_LEADER);
    settle(f);
    replica_expect(f->replica); /* only a hint */
    assert_int_equal(replica_propose(f->replica, &byte, 1), GROVE_OK);
    assert_true(replica_is_busy(f->replica));
    assert_int_equal(replica_propose(f->replica, &byte, 1), GROVE_BUSY);
    assert_int_equal(f->state.groups, 0); /* nothing is applied before it is on disk */
    settle(f);
    assert_int_equal(f->state.groups, 1);
}

static void what_is_in_flight_at_close_is_kept(void **state)
{
    struct fixture *f = *state;
    static const uint8_t byte = 1;

    start(f);
    assert_int_equal(replica_propose(f->replica, &byte, 1), GROVE_OK);
    stop(f);
    start(f);
    assert_int_equal(f->state.groups, 1);
}

static void applies_go_on_while_a_child_writes(void **state)
{
    struct fixture *f = *state;

    start(f);
    propose_many(f, 10);
    struct state then = f->state;
    atomic_store(&f->child->held, true);
    assert_int_equal(replica_snapshot(f->replica), GROVE_OK);
    for (int i = 0; !atomic_load(&f->child->started); i++) {
        assert_true(i < PATIENCE_MS);
        turn(f);
    }
    settle(f);
    propose_many(f, 200);
    assert_int_equal(f->state.groups, 210);
    assert_true(replica_status(f->replica).snapshotting);
    assert_int_equal(replica_snapshot(f->replica), GROVE_BUSY); /* never two at once */
    atomic_store(&f->child->held, false);
    await_snapshots(f, 1);

    struct snapshot snapshot;
    int directory = open(f->scratch.path, O_RDONLY | O_DIRECTORY);
    uint64_t index = replica_status(f->replica).snapshot_index;
    assert_int_equal(snapshot_open(directory, index, &snapshot, &f->fault), GROVE_OK);
    assert_memory_equal(snapshot.state.data, &then, sizeof(then)); /* as of its index */
    snapshot_close(&snapshot);
    close(directory);

    struct state expected = f->state;
    stop(f);
    start(f);
    assert_memory_equal(&f->state, &expected, sizeof(expected));
    assert_int_equal(replica_status(f->replica).groups, 200); /* the rest came from the snapshot */
}

static void snapshots_come_by_themselves_and_the_log_goes(void **state)
{
    struct fixture *f = *state;
    uint8_t data[4000] = {1};

    f->threshold = (size_t)64 << 10;
    start(f);
    for (unsigned i = 0; i < 300; i++) {
        data[0] = (uint8_t)i;
        propose(f, data, sizeof(data));
    }
    /* The one being written has the log as it was when it began; the next, if due, as it is. */
    await_child(f);
    propose(f, data, sizeof(data));
    await_child(f);
    struct replica_status status = replica_status(f->replica);
    assert_true(status.snapshots >= 2);
    /* The next is due only past the size of the last, 150 kB. */
    assert_true(status.snapshots <= 300 * 4000 / (30 * 5000) + 1);
    await_journal_below(f, (size_t)600 << 10);
    struct state expected = f->state;
    stop(f);

    struct scratch_list list;
    scratch_list(&f->scratch, &list);
    assert_string_not_equal(list.names[1], "segment-0000000000000001");
    start(f);
    assert_memory_equal(&f->state, &expected, sizeof(expected));
    assert_true(replica_status(f->replica).journal_size < (size_t)600 << 10);
}

static void a_failed_snapshot_is_tried_again(void **state)
{
    struct fixture *f = *state;

    f->threshold = 1000;
    atomic_store(&f->child->error, ENOSPC);
    start(f);
    for (int i = 0; replica_status(f->replica).snapshots == 0; i++) {
        assert_true(i < PATIENCE_MS);
        propose_many(f, 1);
        turn(f);
    }
    assert_int_equal(replica_status(f->replica).snapshot_failures, 1);
    assert_int_equal(f->notes, 1);
}

/* The names of the snapshots, oldest first. */
static size_t list_snapshots(const struct fixture *f, char names[4][64])
{
    struct scratch_list list;
    size_t count = 0;

    scratch_list(&f->scratch, &list);
    for (size_t i = 0; i < list.count; i++) {
        if (strlen(list.names[i]) == strlen(SNAPSHOT_PREFIX) + 16 &&
            strncmp(list.names[i], SNAPSHOT_PREFIX, strlen(SNAPSHOT_PREFIX)) == 0) {
            memcpy(names[count++], list.names[i], sizeof(list.names[i]));
        }
    }
    return count;
}

/* The journal removes older ones in its own time. */
static void await_two_snapshots(struct fixture *f, char names[4][64])
{
    size_t count = list_snapshots(f, names);

    for (int i = 0; count > 2; i++) {
        assert_true(i < PATIENCE_MS);
        turn(f);
        count = list_snapshots(f, names);
    }
    assert_int_equal(count, 2);
}

static void a_damaged_snapshot_is_replaced_by_the_one_before(void **state)
{
    struct fixture *f = *state;
    char names[4][64];

    start(f);
    for (unsigned i = 0; i < 4; i++) {
        propose_many(f, 400); /* some segments each */
        take_snapshot(f);
    }
    propose_many(f, 10);
    struct state expected = f->state;
    await_two_snapshots(f, names);
    stop(f);

    scratch_flip(&f->scratch, names[1], 1000, 4);
    start(f);
    assert_memory_equal(&f->state, &expected, sizeof(expected));
    assert_int_equal(f->notes, 2); /* not in silence */
    stop(f);
    assert_int_equal(list_snapshots(f, names), 1);

    scratch_flip(&f->scratch, names[0], 1000, 4); /* and nothing reaches back that far */
    assert_int_equal(open_replica(f, REPLICA_BOOTSTRAP), GROVE_CORRUPT);
    assert_non_null(strstr(f->fault.text, names[0]));
    assert_non_null(strstr(f->fault.text, "offset"));
}

static enum grove_status refuse_to_read(void *context, const uint8_t *data, size_t size)
{
    (void)context;
    (void)data;
    (void)size;
    return GROVE_VERSION;
}

static void a_state_that_cannot_be_restored_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct replica_options options = {
        .directory = f->scratch.path, .segment_size = SEGMENT_SIZE, .now_ns = clock_monotonic_ns};
    const struct replica_machine machine = {.context = f, .apply = apply, .read = refuse_to_read};

    start(f);
    propose_many(f, 3);
    take_snapshot(f);
    stop(f);
    assert_int_equal(replica_open(&options, &machine, &f->replica, &f->fault), GROVE_VERSION);
    assert_null(f->replica);
    assert_non_null(strstr(f->fault.text, SNAPSHOT_PREFIX));
}

/* In a child: proposes for ever, and tells of each group that was applied. */
static void run_until_killed(struct fixture *f, int acknowledged)
{
    uint8_t data[100] = {0};

    f->threshold = (size_t)16 << 10;
    start(f);
    for (;;) {
        propose(f, data, 1 + f->state.groups * 13 % sizeof(data));
        const struct state now = f->state;
        if (write(acknowledged, &now, sizeof(now)) != sizeof(now)) {
            _exit(1);
        }
    }
}

static void nothing_acknowledged_is_lost_by_kills(void **state)
{
    struct fixture *f = *state;
    struct state seen = {.groups = 0};
    int status;

    for (unsigned i = 0; i < 20; i++) {
        int pipes[2];
        uint64_t enough = seen.groups + 20 + (uint64_t)i * 10;
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        if (child == 0) {
            close(pipes[0]);
            run_until_killed(f, pipes[1]);
        }
        close(pipes[1]);
        while (read(pipes[0], &seen, sizeof(seen)) == sizeof(seen)) {
            if (seen.groups == enough) {
                kill(child, SIGKILL);
            }
        }
        close(pipes[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));

        start(f);
        assert_true(f->state.groups >= seen.groups);
        assert_true(f->state.groups <= seen.groups + 1); /* the one in flight */
        if (f->state.groups == seen.groups) {
            assert_memory_equal(&f->state, &seen, sizeof(seen));
        }
        seen = f->state;
        stop(f);
    }
}

/* A seeded sequence, the same in every run (Marsaglia 2003, xorshift). */
static size_t random_below(size_t limit)
{
    static uint64_t x = 88172645463325252;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (size_t)(x % limit);
}

/* Where a random flip goes: half of them where something is written, the rest anywhere. */
static size_t flip_offset(const struct scratch *scratch, const char *name)
{
    size_t size = scratch_size(scratch, name);

    if (strncmp(name, SEGMENT_PREFIX, strlen(SEGMENT_PREFIX)) != 0) {
        return random_below(size);
    }
    switch (random_below(4)) {
    case 0:
        return random_below(sizeof(struct segment_header));
    case 1:
        return SEGMENT_SLOT_OFFSET + random_below(2) * SEGMENT_SLOT_STRIDE +
               random_below(sizeof(struct promise_slot));
    case 2:
        return SEGMENT_RECORDS_OFFSET + random_below(4000);
    default:
        return random_below(size);
    }
}

struct verdicts {
    unsigned refused;
    unsigned harmless;
    unsigned replaced; /* of the harmless, with a note */
};

/* Everything here is promised, so a flip is refused or changes nothing. */
static void judge_flip(struct fixture *f, const char *name, size_t offset,
                       const struct state *expected, struct verdicts *verdicts)
{
    enum grove_status status = open_replica(f, REPLICA_BOOTSTRAP);

    if (status == GROVE_OK) {
        if (memcmp(&f->state, expected, sizeof(*expected)) != 0) {
            fail_msg("%s, offset %zu: %ju groups of %ju", name, offset, (uintmax_t)f->state.groups,
                     (uintmax_t)expected->groups);
        }
        verdicts->harmless++;
        verdicts->replaced += f->notes > 0;
        stop(f);
        return;
    }
    assert_int_equal(status, GROVE_CORRUPT);
    assert_non_null(strstr(f->fault.text, "offset"));
    assert_true(strstr(f->fault.text, SEGMENT_PREFIX) != NULL ||
                strstr(f->fault.text, SNAPSHOT_PREFIX) != NULL);
    verdicts->refused++;
}

static void every_flipped_byte_is_refused_or_harmless(void **state)
{
    struct fixture *f = *state;
    struct fixture spoilt = {.child = f->child};
    const unsigned flips = getenv("GROVE_LONG") != NULL ? FLIPS_LONG : FLIPS;
    struct verdicts verdicts = {0};
    struct scratch_list list;

    start(f);
    for (unsigned i = 0; i < 3; i++) {
        propose_many(f, 300);
        take_snapshot(f);
    }
    propose_many(f, 100);
    struct state expected = f->state;
    stop(f);
    scratch_list(&f->scratch, &list);
    scratch_make(&spoilt.scratch);
    for (unsigned i = 0; i < flips; i++) {
        const char *name = list.names[1 + random_below(list.count - 1)]; /* not the lock */
        size_t offset = flip_offset(&f->scratch, name);
        scratch_copy(&f->scratch, &spoilt.scratch);
        scratch_flip(&spoilt.scratch, name, offset, (uint8_t)(1u << random_below(8)));
        judge_flip(&spoilt, name, offset, &expected, &verdicts);
    }
    print_message("%u flips: %u refused, %u harmless, %u of them by an older snapshot\n", flips,
                  verdicts.refused, verdicts.harmless, verdicts.replaced);
    assert_true(verdicts.refused > flips / 10);
    assert_true(verdicts.replaced > 0);
    scratch_remove(&spoilt.scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_directory_needs_bootstrap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_opener_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restart_replays_exactly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_ledgers_have_two_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(groups_of_any_size_come_back_as_they_were, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_group_is_in_flight, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_in_flight_at_close_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(applies_go_on_while_a_child_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(snapshots_come_by_themselves_and_the_log_goes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_failed_snapshot_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_snapshot_is_replaced_by_the_one_before, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_state_that_cannot_be_restored_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_acknowledged_is_lost_by_kills, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_flipped_byte_is_refused_or_harmless, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("nodes.replica", tests, NULL, NULL);
}
