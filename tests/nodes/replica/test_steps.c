/* SPDX-License-Identifier: MPL-2.0
 * What a journal does beside appending: it takes records back, begins a joiner's ledger, and
 * installs the leader's snapshot, and a crash between any two steps leaves a log that can be read.
 */
#include "nodes/coordinator/replica/journal.h"

#include "nodes/host/clock.h"
#include "tests/support/scratch.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT_SIZE ((size_t)32 << 10)

static const struct id ledger = {"0123456789abcde"};

struct fixture {
    struct scratch scratch;
    struct journal *journal;
    struct recovery recovery;
    struct fault fault;
    pthread_t thread;
    bool has_read; /* the state, on another one */
};

static void fail_hard(void *context, enum grove_status status, const char *text)
{
    (void)context;
    fprintf(stderr, "fatal: %s: %s\n", text, grove_status_text(status));
    _exit(43);
}

static void open_journal(struct fixture *f)
{
    const struct journal_options options = {
        .directory = f->scratch.path,
        .segment_size = SEGMENT_SIZE,
        .now_ns = clock_monotonic_ns,
        .fatal = fail_hard,
    };
    enum grove_status status = journal_open(&options, true, &f->journal, &f->recovery, &f->fault);

    if (status != GROVE_OK) {
        print_error("%s\n", f->fault.text);
    }
    assert_int_equal(status, GROVE_OK);
}

static void start(struct fixture *f)
{
    open_journal(f);
    assert_int_equal(journal_start(f->journal, &f->recovery, &f->fault), GROVE_OK);
}

static void stop(struct fixture *f)
{
    recovery_clear(&f->recovery);
    journal_close(f->journal);
    f->journal = NULL;
}

static void restart(struct fixture *f)
{
    stop(f);
    start(f);
}

static void is_done(struct journal_write *write)
{
    (void)write;
}

static void take(struct fixture *f, struct journal_write write)
{
    write.done = is_done;
    journal_append(f->journal, &write);
    journal_drain(f->journal);
}

static void begin(struct fixture *f)
{
    take(f, (struct journal_write){.step = JOURNAL_BEGIN, .ledger = ledger});
}

/* Appends so many records of 1,000 bytes, filled with `value`. */
static void append(struct fixture *f, unsigned count, uint8_t value)
{
    uint8_t data[1000];

    memset(data, value, sizeof(data));
    for (unsigned i = 0; i < count; i++) {
        struct record record = {.term = value, .type = 1, .payload = bytes_of(data, sizeof(data))};
        take(f, (struct journal_write){.records = &record, .count = 1});
    }
}

static void truncate_from(struct fixture *f, uint64_t index)
{
    take(f, (struct journal_write){.step = JOURNAL_TRUNCATE, .index = index});
}

/* `terms` has a digit for each record that the log should hold. */
static void expect_terms(struct fixture *f, const char *terms)
{
    assert_int_equal(f->recovery.record_count, strlen(terms));
    for (size_t i = 0; i < f->recovery.record_count; i++) {
        assert_int_equal(f->recovery.records[i].term, terms[i] - '0');
        assert_int_equal(f->recovery.records[i].index, i + 1);
    }
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    scratch_make(&f->scratch);
    start(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    stop(f);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

/* ---- truncation */

static void what_was_taken_back_stays_away(void **state)
{
    struct fixture *f = *state;

    begin(f);
    append(f, 5, 1);
    truncate_from(f, 3);
    restart(f);
    expect_terms(f, "11");
    append(f, 2, 2);
    restart(f);
    expect_terms(f, "1122");
    assert_false(f->recovery.torn);
}

static void the_promise_is_taken_back_too(void **state)
{
    struct fixture *f = *state;

    begin(f);
    append(f, 5, 1);
    restart(f); /* the promise of all five is on disk */
    assert_int_equal(f->recovery.promise.end.index, 5);
    truncate_from(f, 2);
    restart(f);
    expect_terms(f, "1");
    assert_int_equal(f->recovery.promise.end.index, 1);
}

static void truncation_reaches_over_segments(void **state)
{
    struct fixture *f = *state;

    begin(f);
    append(f, 60, 1); /* more than two segments */
    truncate_from(f, 6);
    append(f, 3, 2);
    restart(f);
    expect_terms(f, "11111222");
    append(f, 1, 3);
    truncate_from(f, 4);
    append(f, 1, 4);
    restart(f);
    expect_terms(f, "1114");
}

static void terms_and_votes_stay_when_records_go(void **state)
{
    struct fixture *f = *state;

    begin(f);
    append(f, 60, 1);
    journal_vote(f->journal, 7, 3);
    truncate_from(f, 2);
    restart(f);
    assert_int_equal(f->recovery.promise.term, 7);
    assert_int_equal(f->recovery.promise.vote, 3);
}

static void the_chain_can_be_asked_for_anywhere(void **state)
{
    struct fixture *f = *state;
    struct chain chain;

    begin(f);
    append(f, 60, 1);
    for (uint64_t index = 1; index <= 60; index++) {
        assert_int_equal(journal_chain(f->journal, index, &chain, &f->fault), GROVE_OK);
        assert_int_equal(chain.index, index);
    }
    restart(f);
    assert_int_equal(journal_chain(f->journal, 17, &chain, &f->fault), GROVE_OK);
    assert_memory_equal(&chain.hash, &f->recovery.records[16].hash, sizeof(chain.hash));
    assert_int_equal(journal_chain(f->journal, 61, &chain, &f->fault), GROVE_CORRUPT);
}

/* ---- snapshots of the leader */

static int fill(void *context, struct snapshot_writer *writer)
{
    snapshot_put(writer, context, 8);
    return 0;
}

/* Leaves the file as though it had been received. */
static void receive_snapshot(struct fixture *f, uint64_t index)
{
    char name[SNAPSHOT_NAME_SIZE];
    char incoming[SNAPSHOT_NAME_SIZE];
    char state[] = "a state";
    const struct snapshot_head head = {
        .ledger = ledger, .term = 9, .end = {.index = index, .hash = {"the leader's chain"}}};
    const int directory = journal_directory(f->journal);
    pid_t child;
    int status;

    assert_int_equal(snapshot_fork(directory, &head, fill, state, &child), GROVE_OK);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    snapshot_name(index, name);
    snapshot_incoming_name(index, incoming);
    assert_int_equal(renameat(directory, name, directory, incoming), 0);
}

/* On the journal's thread, as it may take long. */
static enum grove_status read_state(void *context, struct bytes state)
{
    struct fixture *f = context;

    f->has_read =
        !pthread_equal(pthread_self(), f->thread) && bytes_equal(state, bytes_of("a state", 8));
    return GROVE_OK;
}

static void install(struct fixture *f, uint64_t index)
{
    f->thread = pthread_self();
    f->has_read = false;
    take(f, (struct journal_write){
                .step = JOURNAL_INSTALL, .index = index, .read = read_state, .context = f});
    assert_true(f->has_read);
}

static void expect_installed(struct fixture *f)
{
    assert_true(f->recovery.has_snapshot);
    assert_int_equal(f->recovery.snapshot.head.end.index, 500);
    assert_int_equal(f->recovery.end.index, 500);
    assert_int_equal(f->recovery.record_count, 0);
    append(f, 2, 9);
    restart(f);
    assert_int_equal(f->recovery.record_count, 2);
    assert_int_equal(f->recovery.records[1].index, 502);
    assert_false(f->recovery.outrun);
}

static void a_snapshot_takes_the_place_of_the_log(void **state)
{
    struct fixture *f = *state;

    begin(f);
    append(f, 60, 1);
    journal_vote(f->journal, 8, 2);
    receive_snapshot(f, 500);
    install(f, 500);
    assert_int_equal(journal_end(f->journal).index, 500);
    restart(f);
    assert_int_equal(f->recovery.segment_count, 1);
    assert_int_equal(f->recovery.promise.term, 8);
    expect_installed(f);
}

static void one_that_joins_may_begin_with_a_snapshot(void **state)
{
    struct fixture *f = *state;

    receive_snapshot(f, 500);
    install(f, 500);
    restart(f);
    assert_true(id_equal(&f->recovery.ledger, &ledger));
    expect_installed(f);
}

/* The crash comes when the snapshot has its name, and the log does not begin after it yet. */
static void a_crash_while_installing_is_made_good(void **state)
{
    struct fixture *f = *state;

    begin(f);
    append(f, 60, 1);
    receive_snapshot(f, 500);
    assert_int_equal(snapshot_name_incoming(journal_directory(f->journal), 500, &f->fault),
                     GROVE_OK);
    restart(f);
    assert_true(f->recovery.outrun);
    expect_installed(f);
}

/* ... or when the log begins after it, and the old segments are still there. */
static void a_crash_after_installing_leaves_old_segments(void **state)
{
    struct fixture *f = *state;
    struct scratch before = {{0}};

    begin(f);
    append(f, 15, 1);
    scratch_make(&before);
    scratch_copy(&f->scratch, &before);
    receive_snapshot(f, 500);
    install(f, 500);
    stop(f);
    int old = open(before.path, O_RDONLY | O_DIRECTORY);
    int new = open(f->scratch.path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(renameat(old, "segment-0000000000000001", new, "segment-0000000000000001"), 0);
    close(old);
    close(new);
    scratch_remove(&before);
    start(f);
    expect_installed(f);
}

static void a_snapshot_that_did_not_arrive_whole_goes(void **state)
{
    struct fixture *f = *state;
    char name[SNAPSHOT_NAME_SIZE];

    begin(f);
    append(f, 3, 1);
    receive_snapshot(f, 500);
    restart(f);
    snapshot_incoming_name(500, name);
    assert_int_equal(faccessat(journal_directory(f->journal), name, F_OK, 0), -1);
    expect_terms(f, "111");
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_taken_back_stays_away),
        TEST(the_promise_is_taken_back_too),
        TEST(truncation_reaches_over_segments),
        TEST(terms_and_votes_stay_when_records_go),
        TEST(the_chain_can_be_asked_for_anywhere),
        TEST(a_snapshot_takes_the_place_of_the_log),
        TEST(one_that_joins_may_begin_with_a_snapshot),
        TEST(a_crash_while_installing_is_made_good),
        TEST(a_crash_after_installing_leaves_old_segments),
        TEST(a_snapshot_that_did_not_arrive_whole_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
