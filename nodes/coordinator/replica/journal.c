/* SPDX-License-Identifier: MPL-2.0 */
#include "nodes/coordinator/replica/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDLE_MS 10        /* a promise owed this long goes to disk alone */
#define SPIN_NS 50000u    /* waking an idle core costs as much */
#define NO_LIMIT (-1)     /* for poll */
#define EXPECT_NS 200000u /* a group that is expected comes in this time, or sleep again */
#define LOOK_MS 1000      /* an idle disk is looked at so often: others fill it, and empty it */
#define SPARE_RETRY_NS UINT64_C(1000000000)

struct journal {
    struct journal_options options;
    int directory;
    int lock;
    bool running; /* the thread was started */
    pthread_t thread;

    pthread_mutex_t files; /* held to touch the store */
    struct store store;

    /* Between the threads. */
    pthread_mutex_t mutex;
    struct write_list queued;
    struct write_list finished;
    uint64_t forget; /* asked for */
    bool stop;
    bool asleep;
    bool expected;    /* journal_expect was called in its sleep */
    atomic_bool work; /* something was queued: read without the mutex while spinning */
    int wake;         /* eventfd: to the journal thread */
    int done;         /* eventfd: to the loop */
    struct store_counters counters; /* a copy of the store's */

    /* Loop thread only. */
    struct chain delivered_end;
    size_t outstanding; /* groups appended and not delivered */

    /* Journal thread only. */
    uint64_t forgotten;
    uint64_t spare_retry_ns;
    uint64_t idle_since_ns;
    bool brief; /* the last pause was shorter than a wake-up: spin through the next */
};

static void die(struct journal *journal, enum grove_status status, const struct fault *fault)
{
    journal->options.fatal(journal->options.context, status, fault->text);
    abort(); /* fatal does not return */
}

/* Shows the store's counters to the loop thread. */
static void publish(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    journal->counters = journal->store.counters;
    pthread_mutex_unlock(&journal->mutex);
}

static void ring(int fd)
{
    static const uint64_t one = 1;

    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

static void silence(int fd)
{
    uint64_t count;

    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
}

/* What is better done before it is needed. True when a promise is owed. */
static bool do_chores(struct journal *journal)
{
    uint64_t now_ns = journal->options.now_ns();

    pthread_mutex_lock(&journal->mutex);
    uint64_t forget = journal->forget;
    pthread_mutex_unlock(&journal->mutex);

    pthread_mutex_lock(&journal->files);
    if (forget > journal->forgotten) {
        journal->forgotten = forget;
        store_forget(&journal->store, forget);
    }
    if (now_ns >= journal->spare_retry_ns && !store_make_spare(&journal->store)) {
        journal->spare_retry_ns = now_ns + SPARE_RETRY_NS;
    }
    store_look(&journal->store);
    publish(journal);
    bool owed = journal->store.owed;
    pthread_mutex_unlock(&journal->files);
    return owed;
}

enum task { WRITE, IDLE, STOP };

/* Takes what is queued. */
static bool take(struct journal *journal, struct write_list *groups, enum task *task)
{
    bool taken = true;

    pthread_mutex_lock(&journal->mutex);
    if (!STAILQ_EMPTY(&journal->queued)) {
        STAILQ_CONCAT(groups, &journal->queued);
        *task = WRITE;
    } else if (journal->stop) {
        *task = STOP;
    } else {
        taken = false;
    }
    atomic_store(&journal->work, false);
    journal->asleep = !taken;
    pthread_mutex_unlock(&journal->mutex);
    return taken;
}

/* Whoever else wants this core goes first: the thread whose work we wait for, it may be. */
static void spin(struct journal *journal, uint64_t until_ns)
{
    while (!atomic_load(&journal->work) && journal->options.now_ns() < until_ns) {
        sched_yield();
    }
}

static bool take_expectation(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    bool expected = journal->expected;
    journal->expected = false;
    pthread_mutex_unlock(&journal->mutex);
    return expected;
}

static enum task next_task(struct journal *journal, struct write_list *groups)
{
    struct pollfd wake = {.fd = journal->wake, .events = POLLIN};
    enum task task;

    if (journal->brief) {
        spin(journal, journal->idle_since_ns + SPIN_NS);
    }
    while (!take(journal, groups, &task)) {
        bool owed = do_chores(journal);
        if (poll(&wake, 1, owed ? IDLE_MS : LOOK_MS) == 0) {
            return IDLE;
        }
        silence(journal->wake);
        if (take_expectation(journal)) {
            spin(journal, journal->options.now_ns() + EXPECT_NS);
        }
    }
    journal->brief = journal->options.now_ns() - journal->idle_since_ns < SPIN_NS;
    return task;
}

static void deliver(struct journal *journal, struct write_list *groups)
{
    pthread_mutex_lock(&journal->mutex);
    STAILQ_CONCAT(&journal->finished, groups);
    pthread_mutex_unlock(&journal->mutex);
    ring(journal->done);
    journal->idle_since_ns = journal->options.now_ns();
}

static void *journal_main(void *argument)
{
    struct journal *journal = argument;
    struct write_list groups = STAILQ_HEAD_INITIALIZER(groups);
    enum grove_status status = GROVE_OK;
    struct fault fault;

    for (;;) {
        enum task task = next_task(journal, &groups);
        pthread_mutex_lock(&journal->files);
        if (task == WRITE) {
            status = steps_take(&journal->store, &groups, &fault);
        } else if (journal->store.owed) {
            status = store_promise(&journal->store, &fault);
        }
        publish(journal);
        pthread_mutex_unlock(&journal->files);
        if (status != GROVE_OK) {
            die(journal, status, &fault);
        }
        if (task == WRITE) {
            deliver(journal, &groups);
        }
        if (task == STOP) {
            return NULL;
        }
    }
}

/* Locks the directory for as long as the process, or its `journal`, lives. */
static enum grove_status lock_directory(struct journal *journal, struct fault *fault)
{
    journal->lock = openat(journal->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (journal->lock < 0) {
        return fault_errno(fault, "lock", "cannot open", errno);
    }
    if (flock(journal->lock, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK) {
            fault_set(fault, "lock: another process uses this data directory");
            return GROVE_BUSY;
        }
        return fault_errno(fault, "lock", "cannot lock", errno);
    }
    return GROVE_OK;
}

static enum grove_status open_directory(struct journal *journal, bool make, struct fault *fault)
{
    const char *path = journal->options.directory;

    if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
        return fault_errno(fault, path, "cannot create", errno);
    }
    journal->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->directory < 0) {
        int error = errno;
        enum grove_status status = fault_errno(fault, path, "cannot open", error);
        return error == ENOENT ? GROVE_EMPTY : status;
    }
    return GROVE_OK;
}

static void reset_store(struct journal *journal)
{
    store_clear(&journal->store);
    store_init(&journal->store, journal->directory, journal->options.segment_size,
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
    made->options = *options;
    made->directory = made->lock = -1;
    made->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    made->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&made->files, NULL);
    pthread_mutex_init(&made->mutex, NULL);
    store_init(&made->store, -1, options->segment_size, options->now_ns);
    STAILQ_INIT(&made->queued);
    STAILQ_INIT(&made->finished);

    enum grove_status status = made->wake < 0 || made->done < 0
                                   ? fault_errno(fault, "eventfd", "cannot create", errno)
                                   : open_directory(made, make, fault);
    if (status == GROVE_OK) {
        status = lock_directory(made, fault);
    }
    reset_store(made);
    if (status == GROVE_OK) {
        status = recovery_read(made->directory, recovery, fault);
    }
    if (status != GROVE_OK) {
        journal_close(made);
        return status;
    }
    *journal = made;
    return GROVE_OK;
}

enum grove_status journal_begin(struct journal *journal, const struct id *ledger,
                                struct record *first, struct recovery *recovery,
                                struct fault *fault)
{
    assert(recovery->empty);
    recovery_clear(recovery);
    enum grove_status status = store_begin(&journal->store, ledger, first, fault);
    if (status == GROVE_OK) {
        reset_store(journal);
        status = recovery_read(journal->directory, recovery, fault);
    }
    return status;
}

enum grove_status journal_start(struct journal *journal, const struct recovery *recovery,
                                struct fault *fault)
{
    enum grove_status status = store_resume(&journal->store, recovery, fault);
    sigset_t all;
    sigset_t before;

    if (status != GROVE_OK) {
        return status;
    }
    journal->delivered_end = recovery->end;
    store_look(&journal->store);
    publish(journal);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    journal->running = true;
    int error = pthread_create(&journal->thread, NULL, journal_main, journal);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        journal->running = false;
        return fault_errno(fault, "journal thread", "cannot start", error);
    }
    return GROVE_OK;
}

/* The caller holds the mutex. */
static void wake_thread(struct journal *journal)
{
    atomic_store(&journal->work, true);
    if (journal->asleep) {
        journal->asleep = false;
        ring(journal->wake);
    }
}

void journal_append(struct journal *journal, struct journal_write *write)
{
    journal->outstanding++;
    pthread_mutex_lock(&journal->mutex);
    STAILQ_INSERT_TAIL(&journal->queued, write, link);
    wake_thread(journal);
    pthread_mutex_unlock(&journal->mutex);
}

void journal_expect(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    if (journal->asleep) {
        journal->asleep = false;
        journal->expected = true;
        ring(journal->wake);
    }
    pthread_mutex_unlock(&journal->mutex);
}

int journal_fd(const struct journal *journal)
{
    return journal->done;
}

void journal_turn(struct journal *journal)
{
    struct write_list finished = STAILQ_HEAD_INITIALIZER(finished);
    struct journal_write *write;

    silence(journal->done);
    pthread_mutex_lock(&journal->mutex);
    STAILQ_CONCAT(&finished, &journal->finished);
    pthread_mutex_unlock(&journal->mutex);
    while ((write = STAILQ_FIRST(&finished)) != NULL) {
        STAILQ_REMOVE_HEAD(&finished, link);
        journal->outstanding--;
        journal->delivered_end = write->chain;
        write->done(write);
    }
}

void journal_drain(struct journal *journal)
{
    struct pollfd done = {.fd = journal->done, .events = POLLIN};

    while (journal->outstanding > 0) {
        poll(&done, 1, NO_LIMIT);
        journal_turn(journal);
    }
}

void journal_vote(struct journal *journal, uint64_t term, uint64_t vote)
{
    enum grove_status status = GROVE_OK;
    struct fault fault;

    pthread_mutex_lock(&journal->files);
    journal->store.promise.term = term;
    journal->store.promise.vote = vote;
    for (unsigned i = 0; i < PROMISE_SLOTS && status == GROVE_OK && journal->store.newest != NULL;
         i++) {
        status = store_promise(&journal->store, &fault);
    }
    publish(journal);
    pthread_mutex_unlock(&journal->files);
    if (status != GROVE_OK) {
        die(journal, status, &fault);
    }
}

struct chain journal_end(const struct journal *journal)
{
    return journal->delivered_end;
}

enum grove_status journal_chain(struct journal *journal, uint64_t index, struct chain *chain,
                                struct fault *fault)
{
    if (index == journal->delivered_end.index) {
        *chain = journal->delivered_end;
        return GROVE_OK;
    }
    pthread_mutex_lock(&journal->files);
    enum grove_status status = store_chain(&journal->store, index, chain, fault);
    pthread_mutex_unlock(&journal->files);
    return status;
}

void journal_forget(struct journal *journal, uint64_t index)
{
    pthread_mutex_lock(&journal->mutex);
    journal->forget = index;
    wake_thread(journal);
    pthread_mutex_unlock(&journal->mutex);
}

int journal_directory(const struct journal *journal)
{
    return journal->directory;
}

struct store_counters journal_counters(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    struct store_counters counters = journal->counters;
    pthread_mutex_unlock(&journal->mutex);
    return counters;
}

static void stop_thread(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    journal->stop = true;
    wake_thread(journal);
    pthread_mutex_unlock(&journal->mutex);
    pthread_join(journal->thread, NULL);
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    if (journal->running) {
        stop_thread(journal);
    }
    store_clear(&journal->store);
    const int files[] = {journal->wake, journal->done, journal->lock, journal->directory};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i] >= 0) {
            close(files[i]);
        }
    }
    pthread_mutex_destroy(&journal->mutex);
    pthread_mutex_destroy(&journal->files);
    free(journal);
}
