/* SPDX-License-Identifier: MPL-2.0
 * What lies on disk when a store is left as it is, with nothing written later. */
#include "nodes/coordinator/replica/store.h"

#include "nodes/host/clock.h"
#include "tests/support/scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT_SIZE ((size_t)32 << 10)

static const struct id ledger = {"0123456789abcde"};

static struct record record_of(uint64_t term)
{
    static const uint8_t data[1000] = {1};

    return (struct record){.term = term, .type = 1, .payload = bytes_of(data, sizeof(data))};
}

/* A ledger of five records, all of them promised. */
static void make_promised(struct store *store, struct fault *fault)
{
    struct record record = record_of(1);

    assert_int_equal(store_begin(store, &ledger, &record, fault), GROVE_OK);
    for (int i = 0; i < 4; i++) {
        record = record_of(1);
        assert_int_equal(store_write(store, &record, fault), GROVE_OK);
    }
    assert_int_equal(store_sync(store, fault), GROVE_OK);
    assert_int_equal(store_promise(store, fault), GROVE_OK);
}

/* Else the log would be shorter than its promise, and refused at every start. */
static void a_truncated_log_promises_no_more_than_it_holds(void **state)
{
    struct scratch scratch;
    struct store store;
    struct recovery recovery;
    struct fault fault;

    (void)state;
    scratch_make(&scratch);
    const int directory = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    store_init(&store, directory, SEGMENT_SIZE, clock_monotonic_ns);
    make_promised(&store, &fault);
    assert_int_equal(store_truncate(&store, 3, &fault), GROVE_OK);
    store_clear(&store);
    assert_int_equal(recovery_read(directory, &recovery, &fault), GROVE_OK);
    assert_int_equal(recovery.end.index, 2);
    assert_int_equal(recovery.promise.end.index, 2);
    recovery_clear(&recovery);
    close(directory);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_truncated_log_promises_no_more_than_it_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
