/* SPDX-License-Identifier: MPL-2.0
 * A disk that is nearly full is noticed before it is, and what can be let go of is. */
#include "nodes/coordinator/replica/replica.h"

#include "nodes/coordinator/replica/snapshot.h"
#include "nodes/host/clock.h"
#include "tests/support/scratch.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include <cmocka.h>

#define SEGMENT_SIZE ((size_t)32 << 10)
#define PATIENCE_MS 30000
#define PLENTY (UINT64_C(1) << 40)

static atomic_uint_fast64_t left; /* bytes of the disk, whatever it really has */

/* In place of the C library's. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): its names are reserved */
int fstatvfs(int fd, struct statvfs *disk)
{
    (void)fd;
    *disk = (struct statvfs){.f_frsize = 1, .f_bavail = atomic_load(&left)};
    return 0;
}

struct fixture {
    struct scratch scratch;
    struct replica *replica;
};

static void apply(void *context, uint64_t index, const uint8_t *data, size_t size)
{
    (void)context;
    (void)index;
    (void)data;
    (void)size;
}

static int snapshot_write(void *context, struct snapshot_writer *writer)
{
    (void)context;
    snapshot_put(writer, "state", 5);
    return 0;
}

static enum grove_status read_state(void *context, const uint8_t *data, size_t size)
{
    (void)context;
    (void)data;
    return size == 5 ? GROVE_OK : GROVE_MALFORMED;
}

static void adopt(void *context)
{
    (void)context;
}

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

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    const struct replica_machine machine = {.context = f,
                                            .apply = apply,
                                            .snapshot_write = snapshot_write,
                                            .read = read_state,
                                            .adopt = adopt};
    struct fault fault;

    scratch_make(&f->scratch);
    atomic_store(&left, PLENTY);
    const struct replica_options options = {.directory = f->scratch.path,
                                            .start = REPLICA_BOOTSTRAP,
                                            .segment_size = SEGMENT_SIZE,
                                            .now_ns = clock_monotonic_ns};
    assert_int_equal(replica_open(&options, &machine, &f->replica, &fault), GROVE_OK);
    settle(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    replica_close(f->replica);
    scratch_remove(&f->scratch);
    return 0;
}

static void fill_segments(struct fixture *f, uint64_t count)
{
    static const uint8_t group[8000];

    while (replica_status(f->replica).journal_size < count * SEGMENT_SIZE) {
        assert_int_equal(replica_propose(f->replica, group, sizeof(group)), GROVE_OK);
        settle(f);
    }
}

static void await_room(struct fixture *f, enum replica_room room)
{
    for (int i = 0; replica_status(f->replica).room != room; i++) {
        assert_true(i < PATIENCE_MS);
        turn(f);
    }
}

static void less_than_two_segments_and_a_snapshot_is_low(void **state)
{
    (void)state;
    assert_int_equal(room_of(2 * 100 + 7, 100, 7), REPLICA_ROOM_ENOUGH);
    assert_int_equal(room_of(2 * 100 + 6, 100, 7), REPLICA_ROOM_LOW);
    assert_int_equal(room_of(100, 100, 7), REPLICA_ROOM_LOW);
    assert_int_equal(room_of(99, 100, 7), REPLICA_ROOM_NONE);
    assert_string_equal(room_name(REPLICA_ROOM_LOW), "low");
}

/* Others fill the disk, and empty it; nothing is written here meanwhile. */
static void an_idle_disk_is_looked_at(void **state)
{
    struct fixture *f = *state;
    const uint64_t written = replica_status(f->replica).journal_written;

    await_room(f, REPLICA_ROOM_ENOUGH);
    atomic_store(&left, SEGMENT_SIZE - 1);
    await_room(f, REPLICA_ROOM_LOW);
    assert_int_equal(replica_status(f->replica).free, 2 * SEGMENT_SIZE - 1); /* the spare's, too */
    atomic_store(&left, SEGMENT_SIZE);
    await_room(f, REPLICA_ROOM_ENOUGH);
    assert_int_equal(replica_status(f->replica).journal_written, written);
}

/* The first snapshot lets nothing go, since it may rot; the second all that is older than it. */
static void snapshots_make_room_when_nothing_is_proposed(void **state)
{
    struct fixture *f = *state;

    fill_segments(f, 4);
    assert_int_equal(replica_status(f->replica).snapshots, 0);
    atomic_store(&left, 0);
    await_room(f, REPLICA_ROOM_LOW);
    for (int i = 0; replica_status(f->replica).journal_size > SEGMENT_SIZE; i++) {
        assert_true(i < PATIENCE_MS);
        turn(f);
    }
    for (int i = 0; replica_is_busy(f->replica) || replica_status(f->replica).snapshotting; i++) {
        assert_true(i < PATIENCE_MS);
        turn(f);
    }
    const uint64_t snapshots = replica_status(f->replica).snapshots;
    assert_true(snapshots >= 2);
    for (int i = 0; i < 100; i++) { /* there is nothing more to let go of */
        turn(f);
    }
    assert_int_equal(replica_status(f->replica).snapshots, snapshots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(less_than_two_segments_and_a_snapshot_is_low),
        cmocka_unit_test_setup_teardown(an_idle_disk_is_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(snapshots_make_room_when_nothing_is_proposed, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
