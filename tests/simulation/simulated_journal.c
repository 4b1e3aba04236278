/* SPDX-License-Identifier: MPL-2.0
 * journal.h over a simulated volume, in virtual time: in place of the journal's thread there is an
 * event when the disk has taken as long as it takes. What is done then is the real thing. */
#include "nodes/coordinator/replica/journal.h"
#include "tests/simulation/volume.h"

#include <stdlib.h>

#define IDLE_US 10000u /* as journal.c */

struct journal {
    struct journal_options options;
    struct volume *volume;
    struct store store;
    struct write_list queued;
    struct write_list working;
    struct write_list finished;
    bool busy; /* an event for what is queued comes */
    uint64_t forget, forgotten;
    uint64_t promised; /* the event for an idle promise that counts */
    struct chain delivered_end;
    size_t outstanding;
};

static void die(struct journal *journal, enum grove_status status, const struct fault *fault)
{
    journal->options.fatal(journal->options.context, status, fault->text);
    abort();
}

/* ---- what the disk says it has */

static void say(struct volume *volume, const struct journal_write *step)
{
    switch (step->step) {
    case JOURNAL_APPEND:
        for (size_t i = 0; i < step->count; i++) {
            volume_says(volume, step->records[i].index, step->records[i].term);
        }
        return;
    case JOURNAL_TRUNCATE:
        volume_says_end(volume, step->index - 1);
        return;
    case JOURNAL_BEGIN:
        volume_says_snapshot(volume, 0);
        return;
    case JOURNAL_INSTALL:
        volume_says_snapshot(volume, step->index);
        return;
    }
}

static void say_recovered(struct volume *volume, const struct recovery *recovery)
{
    volume_says_snapshot(volume, recovery->record_count > 0 ? recovery->records[0].index - 1
                                                            : recovery->end.index);
    for (size_t i = 0; i < recovery->record_count; i++) {
        volume_says(volume, recovery->records[i].index, recovery->records[i].term);
    }
    volume->said.term = recovery->empty ? 0 : recovery->promise.term; /* removed, too */
    volume->said.vote = recovery->empty ? 0 : recovery->promise.vote;
}

/* ---- its work */

static void do_chores(struct journal *journal)
{
    if (journal->forget > journal->forgotten) {
        journal->forgotten = journal->forget;
        store_forget(&journal->store, journal->forget);
    }
    store_make_spare(&journal->store);
}

static void promise_idle(void *context, uint64_t which)
{
    struct volume *volume = context;
    struct journal *journal = volume->journal;
    struct fault fault;

    if (journal == NULL || which != journal->promised || journal->busy || !journal->store.owed ||
        !volume->runs(volume->owner, promise_idle, volume, which)) {
        return;
    }
    enum grove_status status = store_promise(&journal->store, &fault);
    if (status != GROVE_OK) {
        die(journal, status, &fault);
    }
}

/* Takes all that is queued, as the thread does. */
static void work(struct journal *journal)
{
    struct journal_write *step;
    struct fault fault;

    STAILQ_CONCAT(&journal->working, &journal->queued);
    enum grove_status status = steps_take(&journal->store, &journal->working, &fault);
    if (status != GROVE_OK) {
        die(journal, status, &fault);
    }
    STAILQ_FOREACH(step, &journal->working, link) {
        say(journal->volume, step);
    }
    STAILQ_CONCAT(&journal->finished, &journal->working);
    do_chores(journal);
}

static void begin(struct journal *journal);

static void end_work(void *context, uint64_t life)
{
    struct volume *volume = context;
    struct journal *journal = volume->journal;

    if (life != volume->life || journal == NULL ||
        !volume->runs(volume->owner, end_work, volume, life)) {
        return;
    }
    work(journal);
    journal->busy = false;
    volume->ring(volume->owner);
    if (life == volume->life && volume->journal == journal && !STAILQ_EMPTY(&journal->queued)) {
        begin(journal);
    } else if (life == volume->life && volume->journal == journal) {
        schedule_after(volume->schedule, IDLE_US, promise_idle, volume, ++journal->promised);
    }
}

static void begin(struct journal *journal)
{
    struct volume *volume = journal->volume;

    if (!journal->busy) {
        journal->busy = true;
        schedule_after(
            volume->schedule,
            dice_between(volume->dice, volume->like->write_least_us, volume->like->write_most_us),
            end_work, volume, volume->life);
    }
}

/* Of steps that a crash may have interrupted nobody knows whether they took something away. */
static void say_less(struct volume *volume, const struct write_list *steps)
{
    const struct journal_write *step;

    STAILQ_FOREACH(step, steps, link) {
        if (step->step == JOURNAL_TRUNCATE) {
            volume_says_less(volume, step->index - 1);
        } else if (step->step == JOURNAL_INSTALL) {
            volume_says_less(volume, step->index);
        }
    }
}

void journal_hurry(struct journal *journal)
{
    if (!STAILQ_EMPTY(&journal->queued)) {
        work(journal);
    }
}

void journal_crash(struct journal *journal)
{
    struct volume *volume = journal->volume;
    struct fault fault;

    say_less(volume, &journal->working);
    say_less(volume, &journal->queued);

    volume->calls_left = journal->busy ? dice_below(volume->dice, 12) : 0;
    if (journal->busy && STAILQ_EMPTY(&journal->working)) {
        STAILQ_CONCAT(&journal->working, &journal->queued);
        if (steps_take(&journal->store, &journal->working, &fault) != GROVE_OK) {
            volume->failed = true;
        }
    }
    volume->calls_left = 0;
    volume->dead = true;
}

void journal_give_up(struct journal *journal)
{
    struct journal_write *write;

    STAILQ_CONCAT(&journal->finished, &journal->working);
    STAILQ_CONCAT(&journal->finished, &journal->queued);
    while ((write = STAILQ_FIRST(&journal->finished)) != NULL) {
        STAILQ_REMOVE_HEAD(&journal->finished, link);
        journal->outstanding--;
        write->done(write);
    }
}

/* ---- journal.h */

static void reset_store(struct journal *journal)
{
    store_clear(&journal->store);
    store_init(&journal->store, volume_directory(journal->volume), journal->options.segment_size,
               journal->options.now_ns);
}

enum grove_status journal_open(const struct journal_options *options, bool make,
                               struct journal **journal, struct recovery *recovery,
                               struct fault *fault)
{
    struct journal *made = calloc(1, sizeof(*made));

    if (made == NULL) {
        abort();
    }
    (void)make;
    made->options = *options;
    made->volume = volume_of_path(options->directory);
    STAILQ_INIT(&made->queued);
    STAILQ_INIT(&made->working);
    STAILQ_INIT(&made->finished);
    store_init(&made->store, -1, options->segment_size, options->now_ns);
    reset_store(made);
    enum grove_status status = recovery_read(volume_directory(made->volume), recovery, fault);
    if (status != GROVE_OK) {
        journal_close(made);
        return status;
    }
    made->volume->journal = made;
    *journal = made;
    return GROVE_OK;
}

enum grove_status journal_begin(struct journal *journal, const struct id *ledger,
                                struct record *first, struct recovery *recovery,
                                struct fault *fault)
{
    recovery_clear(recovery);
    enum grove_status status = store_begin(&journal->store, ledger, first, fault);
    if (status == GROVE_OK) {
        reset_store(journal);
        status = recovery_read(volume_directory(journal->volume), recovery, fault);
    }
    return status;
}

enum grove_status journal_start(struct journal *journal, const struct recovery *recovery,
                                struct fault *fault)
{
    enum grove_status status = store_resume(&journal->store, recovery, fault);

    if (status == GROVE_OK) {
        journal->delivered_end = recovery->end;
        say_recovered(journal->volume, recovery);
    }
    return status;
}

void journal_append(struct journal *journal, struct journal_write *write)
{
    journal->outstanding++;
    STAILQ_INSERT_TAIL(&journal->queued, write, link);
    begin(journal);
}

void journal_expect(struct journal *journal)
{
    (void)journal;
}

int journal_fd(const struct journal *journal)
{
    return volume_directory(journal->volume);
}

void journal_turn(struct journal *journal)
{
    struct write_list finished = STAILQ_HEAD_INITIALIZER(finished);
    struct journal_write *write;

    STAILQ_CONCAT(&finished, &journal->finished);
    while ((write = STAILQ_FIRST(&finished)) != NULL) {
        STAILQ_REMOVE_HEAD(&finished, link);
        journal->outstanding--;
        journal->delivered_end = write->chain;
        write->done(write);
    }
}

void journal_drain(struct journal *journal)
{
    while (journal->outstanding > 0 && !journal->volume->dead) {
        work(journal);
        journal_turn(journal);
    }
}

void journal_vote(struct journal *journal, uint64_t term, uint64_t vote)
{
    struct store *store = &journal->store;
    enum grove_status status = GROVE_OK;
    struct fault fault;

    store->promise.term = term;
    store->promise.vote = vote;
    for (unsigned i = 0; i < PROMISE_SLOTS && status == GROVE_OK && store->newest != NULL; i++) {
        status = store_promise(store, &fault);
    }
    if (status != GROVE_OK) {
        die(journal, status, &fault);
    }
    if (store->newest != NULL) {
        journal->volume->said.term = term;
        journal->volume->said.vote = vote;
    }
}

struct chain journal_end(const struct journal *journal)
{
    return journal->delivered_end;
}

void journal_forget(struct journal *journal, uint64_t index)
{
    journal->forget = index;
    begin(journal);
}

enum grove_status journal_chain(struct journal *journal, uint64_t index, struct chain *chain,
                                struct fault *fault)
{
    if (index == journal->delivered_end.index) {
        *chain = journal->delivered_end;
        return GROVE_OK;
    }
    return store_chain(&journal->store, index, chain, fault);
}

int journal_directory(const struct journal *journal)
{
    return volume_directory(journal->volume);
}

struct store_counters journal_counters(struct journal *journal)
{
    store_look(&journal->store);
    return journal->store.counters;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    store_clear(&journal->store);
    if (journal->volume->journal == journal) {
        journal->volume->journal = NULL;
    }
    free(journal);
}
