/* SPDX-License-Identifier: MPL-2.0
 * Two histories of one ledger, as a directory that was copied and went on twice makes them: pieces
 * of both never pass for one. */
#include "nodes/coordinator/replica/replica.h"

#include "nodes/coordinator/replica/segment.h"
#include "nodes/coordinator/replica/snapshot.h"
#include "nodes/host/clock.h"
#include "tests/support/scratch.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT_SIZE ((size_t)32 << 10)
#define PATIENCE_MS 120000

struct fixture {
    struct scratch first, second;
    uint64_t groups; /* applied since the last start */
};

static void apply(void *context, uint64_t index, const uint8_t *data, size_t size)
{
    struct fixture *f = context;

    (void)index;
    (void)data;
    (void)size;
    f->groups++;
}

static int snapshot_write(void *context, struct snapshot_writer *writer)
{
    struct fixture *f = context;

    snapshot_put(writer, &f->groups, sizeof(f->groups));
    return 0;
}

static enum grove_status read_state(void *context, const uint8_t *data, size_t size)
{
    struct fixture *f = context;

    assert_int_equal(size, sizeof(f->groups));
    memcpy(&f->groups, data, size);
    return GROVE_OK;
}

static void adopt(void *context)
{
    (void)context; /* nothing was applied before */
}

static enum grove_status open_replica(struct fixture *f, const struct scratch *scratch,
                                      struct replica **replica, struct fault *fault)
{
    const struct replica_options options = {
        .directory = scratch->path,
        .start = REPLICA_BOOTSTRAP,
        .segment_size = SEGMENT_SIZE,
        .now_ns = clock_monotonic_ns,
    };
    const struct replica_machine machine = {.context = f,
                                            .apply = apply,
                                            .snapshot_write = snapshot_write,
                                            .read = read_state,
                                            .adopt = adopt};

    f->groups = 0;
    return replica_open(&options, &machine, replica, fault);
}

static void settle(struct replica *replica)
{
    for (int i = 0; replica_is_busy(replica) || replica_status(replica).snapshotting; i++) {
        struct pollfd done = {.fd = replica_fd(replica), .events = POLLIN};

        assert_true(i < PATIENCE_MS);
        poll(&done, 1, 1);
        replica_turn(replica);
        replica_tick(replica);
    }
}

enum at_the_end { STOP, SNAPSHOT };

/* One start: `count` groups of `size` bytes that all say `what`. */
static void go_on(struct fixture *f, const struct scratch *scratch, unsigned count, char what,
                  enum at_the_end end)
{
    uint8_t data[1000];
    struct replica *replica = NULL;
    struct fault fault;

    memset(data, what, sizeof(data));
    assert_int_equal(open_replica(f, scratch, &replica, &fault), GROVE_OK);
    settle(replica);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(replica_propose(replica, data, sizeof(data)), GROVE_OK);
        settle(replica);
    }
    if (end == SNAPSHOT) {
        assert_int_equal(replica_snapshot(replica), GROVE_OK);
        settle(replica);
    }
    replica_close(replica);
}

/* Five groups in common; each history goes on by itself. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    scratch_make(&f->first);
    scratch_make(&f->second);
    go_on(f, &f->first, 5, 'c', STOP);
    scratch_copy(&f->first, &f->second);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    scratch_remove(&f->first);
    scratch_remove(&f->second);
    free(f);
    return 0;
}

static void expect_refused(struct fixture *f, const char *name, const char *why)
{
    struct replica *replica = NULL;
    struct fault fault = {.text = ""};

    assert_int_equal(open_replica(f, &f->first, &replica, &fault), GROVE_CORRUPT);
    assert_non_null(strstr(fault.text, name));
    assert_non_null(strstr(fault.text, "offset"));
    assert_non_null(strstr(fault.text, why));
}

/* Copies `size` bytes at `offset` from the second history's file to the first's. */
static void transplant(const struct fixture *f, const char *name, size_t offset, size_t size)
{
    uint8_t *bytes = malloc(size);
    const int from = scratch_open(&f->second, name);
    const int to = scratch_open(&f->first, name);

    assert_non_null(bytes);
    assert_int_equal(pread(from, bytes, size, (off_t)offset), size);
    assert_int_equal(pwrite(to, bytes, size, (off_t)offset), size);
    close(from);
    close(to);
    free(bytes);
}

/* The name of the newest file that begins so. */
static void newest(const struct scratch *scratch, const char *prefix, char name[64])
{
    struct scratch_list list;

    name[0] = '\0';
    scratch_list(scratch, &list);
    for (size_t i = 0; i < list.count; i++) {
        if (strncmp(list.names[i], prefix, strlen(prefix)) == 0) {
            snprintf(name, 64, "%s", list.names[i]);
        }
    }
    assert_int_not_equal(name[0], '\0');
}

static void the_promise_of_another_history_is_refused(void **state)
{
    struct fixture *f = *state;
    char name[SEGMENT_NAME_SIZE];

    go_on(f, &f->first, 5, '1', STOP);
    go_on(f, &f->second, 4, '2', STOP);
    segment_name(1, name);
    transplant(f, name, SEGMENT_SLOT_OFFSET, (size_t)PROMISE_SLOTS * SEGMENT_SLOT_STRIDE);
    expect_refused(f, name, "not the promised one");
}

static void a_segment_of_another_history_is_refused(void **state)
{
    struct fixture *f = *state;
    char name[SEGMENT_NAME_SIZE];

    go_on(f, &f->first, 30, '1', STOP);
    go_on(f, &f->second, 30, '2', STOP);
    segment_name(2, name);
    transplant(f, name, 0, scratch_size(&f->second, name));
    segment_name(1, name);
    expect_refused(f, name, "");
}

static void a_snapshot_of_another_history_is_refused(void **state)
{
    struct fixture *f = *state;
    char name[64], other[64];

    go_on(f, &f->first, 5, '1', SNAPSHOT);
    go_on(f, &f->second, 5, '2', SNAPSHOT);
    newest(&f->first, SNAPSHOT_PREFIX, name);
    newest(&f->second, SNAPSHOT_PREFIX, other);
    assert_string_equal(name, other);
    transplant(f, name, 0, scratch_size(&f->second, name));
    expect_refused(f, name, "not a state of this log");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_promise_of_another_history_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_segment_of_another_history_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_snapshot_of_another_history_is_refused, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
