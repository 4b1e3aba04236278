/* SPDX-License-Identifier: MPL-2.0
 * The log on disk: what it gives back after crashes, and what it refuses. */
#include "nodes/coordinator/replica/journal.h"

#include "nodes/host/clock.h"
#include "tests/support/scratch.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT_SIZE ((size_t)32 << 10)
#define FIRST_SEGMENT "segment-0000000000000001"
#define PATIENCE_MS 30000

static const struct id ledger = {"0123456789abcde"};

struct fixture {
    struct scratch scratch;
    struct journal *journal;
    struct recovery recovery;
    struct fault fault;
    uint64_t done; /* groups on disk */
};

static struct fixture *current; /* for the callback of journal_turn */

static void fail_hard(void *context, enum grove_status status, const char *text)
{
    (void)context;
    fprintf(stderr, "fatal: %s: %s\n", text, grove_status_text(status));
    _exit(status == GROVE_FULL ? 42 : 43);
}

static enum grove_status open_journal(struct fixture *f)
{
    const struct journal_options options = {
        .directory = f->scratch.path,
        .segment_size = SEGMENT_SIZE,
        .now_ns = clock_monotonic_ns,
        .fatal = fail_hard,
    };

    return journal_open(&options, true, &f->journal, &f->recovery, &f->fault);
}

/* Opens the journal, and begins the ledger if there is none. */
static void start(struct fixture *f)
{
    struct record first = {.term = 1, .type = 3, .payload = bytes_of("the fi\0", 8)};

    assert_int_equal(open_journal(f), GROVE_OK);
    if (f->recovery.empty) {
        assert_int_equal(journal_begin(f->journal, &ledger, &first, &f->recovery, &f->fault),
                         GROVE_OK);
    }
    assert_int_equal(journal_start(f->journal, &f->recovery, &f->fault), GROVE_OK);
}

static void stop(struct fixture *f)
{
    recovery_clear(&f->recovery);
    journal_close(f->journal);
    f->journal = NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    scratch_make(&f->scratch);
    current = f;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    recovery_clear(&f->recovery);
    journal_close(f->journal);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

static void count_done(struct journal_write *write)
{
    (void)write;
    current->done++;
}

/* Appends one record and waits for it. */
static void append(struct fixture *f, const void *data, size_t size)
{
    struct record record = {.term = 1, .type = 1, .payload = bytes_of(data, size)};
    struct journal_write write = {.records = &record, .count = 1, .done = count_done};

    journal_append(f->journal, &write);
    journal_drain(f->journal);
    assert_int_equal(journal_end(f->journal).index, record.index);
}

static void append_many(struct fixture *f, unsigned count, size_t size)
{
    uint8_t *data = malloc(size);

    for (unsigned i = 0; i < count; i++) {
        memset(data, (int)(i % 251 + 1), size);
        append(f, data, size);
    }
    free(data);
}

static void expect_refused(struct fixture *f, const char *name)
{
    assert_int_equal(open_journal(f), GROVE_CORRUPT);
    assert_null(f->journal);
    assert_non_null(strstr(f->fault.text, name));
    assert_non_null(strstr(f->fault.text, "offset"));
}

static void what_was_appended_is_read_back(void **state)
{
    struct fixture *f = *state;

    start(f);
    append(f, "8 bytes.", 8);
    append(f, "sixteen bytes it", 16);
    stop(f);

    assert_int_equal(open_journal(f), GROVE_OK);
    assert_false(f->recovery.empty);
    assert_true(id_equal(&f->recovery.ledger, &ledger));
    assert_int_equal(f->recovery.record_count, 3);
    assert_memory_equal(f->recovery.records[1].payload.data, "8 bytes.", 8);
    assert_memory_equal(f->recovery.records[2].payload.data, "sixteen bytes it", 16);
    assert_int_equal(f->recovery.promise.end.index, 3);
    assert_false(f->recovery.torn);
}

static void a_directory_never_begun_is_empty(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(open_journal(f), GROVE_OK);
    assert_true(f->recovery.empty);
}

static void a_second_opener_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fixture second = {.scratch = f->scratch};

    start(f);
    assert_int_equal(open_journal(&second), GROVE_BUSY);
    assert_null(second.journal);
}

static void segments_follow_each_other_in_one_chain(void **state)
{
    struct fixture *f = *state;

    start(f);
    append_many(f, 100, 1000);
    assert_true(journal_counters(f->journal).segments >= 4);
    stop(f);

    assert_int_equal(open_journal(f), GROVE_OK);
    assert_true(f->recovery.segment_count >= 4);
    assert_int_equal(f->recovery.record_count, 101);
    assert_int_equal(f->recovery.records[100].payload.data[0], 100);
}

static void a_record_larger_than_a_segment_gets_its_own(void **state)
{
    struct fixture *f = *state;
    const size_t size = (size_t)4 << 20;

    start(f);
    append_many(f, 2, size);
    append(f, "after it", 8);
    stop(f);

    assert_int_equal(open_journal(f), GROVE_OK);
    assert_int_equal(f->recovery.record_count, 4);
    assert_int_equal(f->recovery.records[2].payload.size, size);
    assert_int_equal(f->recovery.records[2].payload.data[size - 1], 2);
}

/* Returns how many syncs 200 groups take that come as fast as they can. */
static uint64_t syncs_of_many(struct fixture *f)
{
    const uint64_t syncs = journal_counters(f->journal).syncs;
    const uint64_t index = journal_end(f->journal).index;
    struct record records[200];
    struct journal_write writes[200];

    f->done = 0;
    for (unsigned i = 0; i < 200; i++) {
        records[i] = (struct record){.term = 1, .type = 1, .payload = bytes_of("8 bytes.", 8)};
        writes[i] = (struct journal_write){.records = &records[i], .count = 1, .done = count_done};
        journal_append(f->journal, &writes[i]);
    }
    journal_drain(f->journal);
    assert_int_equal(f->done, 200);
    assert_int_equal(journal_end(f->journal).index, index + 200);
    return journal_counters(f->journal).syncs - syncs;
}

/* Groups that queued while another was written share a sync. A disk that is faster than those that
 * write lets none queue. */
static void queued_groups_share_a_sync(void **state)
{
    unsigned tries = 0;

    start(*state);
    while (syncs_of_many(*state) >= 200) {
        assert_true(++tries < 100);
    }
}

/* Reads behind the back of a journal that is open; returns what is promised. */
static uint64_t promised(struct fixture *f)
{
    const int directory = open(f->scratch.path, O_RDONLY | O_DIRECTORY);
    struct recovery seen;

    assert_int_equal(recovery_read(directory, &seen, &f->fault), GROVE_OK);
    const uint64_t index = seen.promise.end.index;

    assert_true(index < 2 || chain_equal(&seen.promise.end, &seen.end));
    recovery_clear(&seen);
    close(directory);
    return index;
}

static void an_idle_log_is_promised(void **state)
{
    const uint64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct fixture *f = *state;

    start(f);
    append(f, "8 bytes.", 8);
    while (promised(f) < 2) {
        assert_true(clock_monotonic_ms() < until_ms);
        poll(NULL, 0, 1);
    }
}

static void a_vote_is_in_both_slots(void **state)
{
    struct fixture *f = *state;

    start(f);
    journal_vote(f->journal, 7, 3);
    stop(f);
    for (unsigned slot = 0; slot < PROMISE_SLOTS; slot++) {
        size_t offset = SEGMENT_SLOT_OFFSET + slot * SEGMENT_SLOT_STRIDE + 20;
        scratch_flip(&f->scratch, FIRST_SEGMENT, offset, 1);
        assert_int_equal(open_journal(f), GROVE_OK);
        assert_int_equal(f->recovery.promise.term, 7);
        assert_int_equal(f->recovery.promise.vote, 3);
        stop(f);
        scratch_flip(&f->scratch, FIRST_SEGMENT, offset, 1);
    }
}

static void without_a_readable_slot_it_refuses(void **state)
{
    struct fixture *f = *state;

    start(f);
    stop(f);
    scratch_flip(&f->scratch, FIRST_SEGMENT, SEGMENT_SLOT_OFFSET, 1);
    scratch_flip(&f->scratch, FIRST_SEGMENT, SEGMENT_SLOT_OFFSET + SEGMENT_SLOT_STRIDE, 1);
    expect_refused(f, FIRST_SEGMENT);
}

/* Writes the first `size` bytes of a further record, as a crash might leave it; returns its size.
 */
static size_t tear(struct fixture *f, size_t size)
{
    uint8_t image[RECORD_HEADER_SIZE + 64];
    struct record record = {.term = 1, .type = 1, .payload = bytes_of(image + 56, 64)};
    struct record_header header;

    assert_int_equal(open_journal(f), GROVE_OK);
    struct chain end = f->recovery.end;
    memset(image, 0xab, sizeof(image));
    record_seal(&record, &end, &header);
    memcpy(image, &header, sizeof(header));
    int fd = scratch_open(&f->scratch, FIRST_SEGMENT);
    assert_int_equal(pwrite(fd, image, size, (off_t)f->recovery.end_offset), size);
    close(fd);
    stop(f);
    return sizeof(image);
}

static void a_torn_tail_is_cut(void **state)
{
    struct fixture *f = *state;

    start(f);
    append(f, "8 bytes.", 8);
    stop(f);
    for (size_t size = 1; size < RECORD_HEADER_SIZE + 64; size++) {
        tear(f, size);
        start(f);
        assert_int_equal(f->recovery.record_count, 2);
        assert_true(f->recovery.torn);
        stop(f);
        assert_int_equal(open_journal(f), GROVE_OK);
        assert_false(f->recovery.torn); /* nothing is left of it */
        stop(f);
    }
    start(f);
    append(f, "it goes on as ever was the case!", 32);
    stop(f);
    start(f);
    assert_int_equal(f->recovery.record_count, 3);
}

/* Synced but not yet promised: a crash in those 10 ms loses nothing. */
static void a_whole_record_after_the_promise_is_kept(void **state)
{
    struct fixture *f = *state;

    start(f);
    stop(f);
    tear(f, RECORD_HEADER_SIZE + 64);
    start(f);
    assert_int_equal(f->recovery.record_count, 2);
    assert_int_equal(f->recovery.promise.end.index, 1);
    stop(f);
    start(f);
    assert_int_equal(f->recovery.promise.end.index, 2);
}

static void a_flip_in_the_unpromised_record_costs_it_alone(void **state)
{
    struct fixture *f = *state;

    start(f);
    append(f, "8 bytes.", 8);
    stop(f);
    size_t size = tear(f, RECORD_HEADER_SIZE + 64);
    assert_int_equal(open_journal(f), GROVE_OK);
    size_t begin = f->recovery.end_offset - size;
    stop(f);
    for (size_t i = 0; i < size; i++) {
        scratch_flip(&f->scratch, FIRST_SEGMENT, begin + i, 16);
        assert_int_equal(open_journal(f), GROVE_OK);
        assert_int_equal(f->recovery.end.index, 2);
        assert_true(f->recovery.torn);
        stop(f);
        scratch_flip(&f->scratch, FIRST_SEGMENT, begin + i, 16);
    }
}

static void a_log_shorter_than_its_promise_is_refused(void **state)
{
    struct fixture *f = *state;
    static const uint8_t zeroes[64];

    start(f);
    append(f, "8 bytes.", 8);
    append(f, "8 bytes.", 8);
    stop(f);
    assert_int_equal(open_journal(f), GROVE_OK);
    size_t offset = f->recovery.end_offset - 64;
    stop(f);
    int fd = scratch_open(&f->scratch, FIRST_SEGMENT);
    assert_int_equal(pwrite(fd, zeroes, 64, (off_t)offset), 64);
    close(fd);
    expect_refused(f, FIRST_SEGMENT);
    assert_non_null(strstr(f->fault.text, "was acknowledged"));
}

static void a_shortened_file_is_refused(void **state)
{
    struct fixture *f = *state;

    start(f);
    append_many(f, 100, 1000);
    stop(f);
    for (size_t size = 0; size < SEGMENT_SIZE; size += 4000) {
        struct scratch copy;
        scratch_make(&copy);
        scratch_copy(&f->scratch, &copy);
        int fd = scratch_open(&copy, "segment-0000000000000002");
        assert_int_equal(ftruncate(fd, (off_t)size), 0);
        close(fd);
        struct fixture spoilt = {.scratch = copy};
        expect_refused(&spoilt, "segment-0000000000000002");
        scratch_remove(&copy);
    }
}

static void a_missing_segment_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[256];

    start(f);
    append_many(f, 100, 1000);
    stop(f);
    snprintf(path, sizeof(path), "%s/segment-0000000000000002", f->scratch.path);
    assert_int_equal(unlink(path), 0);
    expect_refused(f, "segment-0000000000000002");
}

/* In a child that may write files of `limit` bytes: appends records of 1000 bytes, a hundredth of
 * `large` bytes, and tells of each that is on disk. */
static void fill_disk(struct fixture *f, size_t limit, size_t large, int acknowledged)
{
    const struct rlimit limits = {limit, limit};
    uint8_t *payload = calloc(1, large);

    signal(SIGXFSZ, SIG_IGN);
    start(f);
    append(f, payload, 1000);
    setrlimit(RLIMIT_FSIZE, &limits);
    for (unsigned i = 1;; i++) {
        append(f, payload, i % 100 == 0 ? large : 1000);
        uint64_t index = journal_end(f->journal).index;
        if (write(acknowledged, &index, sizeof(index)) != sizeof(index)) {
            _exit(1);
        }
    }
}

static void expect_full_disk(struct fixture *f, size_t limit, size_t large)
{
    uint64_t last = 0;
    int pipes[2];
    int status;

    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        close(pipes[0]);
        fill_disk(f, limit, large, pipes[1]);
    }
    close(pipes[1]);
    for (uint64_t index; read(pipes[0], &index, sizeof(index)) == sizeof(index);) {
        last = index;
    }
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42); /* GROVE_FULL, by way of fatal */
    assert_true(last > 2);

    start(f); /* there is room again */
    assert_true(f->recovery.end.index >= last);
    append_many(f, 50, 1000);
}

static void a_failed_write_ends_it_and_loses_nothing(void **state)
{
    expect_full_disk(*state, SEGMENT_SIZE - 4096, 1000);
}

static void a_full_disk_ends_it_when_a_segment_is_needed(void **state)
{
    expect_full_disk(*state, SEGMENT_SIZE, 2 * SEGMENT_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_appended_is_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_directory_never_begun_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_opener_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(segments_follow_each_other_in_one_chain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_larger_than_a_segment_gets_its_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(queued_groups_share_a_sync, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_idle_log_is_promised, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_vote_is_in_both_slots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_readable_slot_it_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_whole_record_after_the_promise_is_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_flip_in_the_unpromised_record_costs_it_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_log_shorter_than_its_promise_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_shortened_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_segment_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_write_ends_it_and_loses_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_ends_it_when_a_segment_is_needed, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("nodes.journal", tests, NULL, NULL);
}
