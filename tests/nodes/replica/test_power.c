/* SPDX-License-Identifier: MPL-2.0
 * Power cuts. Beside the data directory stands a platter: it gets a file's bytes when the file is
 * synced, and a directory's names when the directory is. A cut leaves what the platter has, and of
 * what was written since any sectors, or none. The worst moment for one is just before a sync. */
#include "nodes/coordinator/replica/replica.h"

#include "core/id.h"
#include "nodes/coordinator/replica/snapshot.h"
#include "nodes/host/clock.h"
#include "tests/support/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT_SIZE ((size_t)32 << 10)
#define SNAPSHOT_THRESHOLD ((size_t)100 << 10)
#define FILE_MOST ((size_t)256 << 10)
#define SECTOR 512u
#define PATIENCE_MS 120000
#define GROUPS 200u
#define GROUPS_MOST 2000u
#define REMAINS 4u /* cuts in the syncs of one group */

/* Where fsync and fdatasync below find it. */
static struct scratch disk, platter;
static pthread_mutex_t platter_lock = PTHREAD_MUTEX_INITIALIZER; /* a cut sees no sync by half */

/* What they do beside syncing. */
static struct {
    pid_t process;               /* whose syncs these are, not a snapshot's child's */
    atomic_bool kill;            /* die instead of syncing */
    atomic_bool cut;             /* first see what a cut at this moment leaves */
    _Atomic uint8_t chance;      /* ... with this chance of a sector */
    atomic_uint_fast64_t groups; /* acknowledged so far */
    struct remains {
        struct scratch left;
        uint64_t groups; /* acknowledged before */
    } remains[REMAINS];
    atomic_uint count;
} at_sync;

/* ---- the platter */

static int open_at(const char *directory, const char *name, int flags)
{
    char path[2 * SCRATCH_PATH_SIZE];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return open(path, flags | O_CLOEXEC, 0600);
}

static size_t read_file(int fd, uint8_t image[FILE_MOST])
{
    size_t size = 0;
    ssize_t got;

    while ((got = pread(fd, image + size, FILE_MOST - size, (off_t)size)) > 0) {
        size += (size_t)got;
    }
    return size;
}

/* Replaces a file whole, whoever else does so at the same moment. */
static void write_file(const char *directory, const char *name, const void *data, size_t size)
{
    char before[2 * SCRATCH_PATH_SIZE], after[2 * SCRATCH_PATH_SIZE];
    int fd;

    snprintf(before, sizeof(before), "%s/%d.new", directory, gettid());
    snprintf(after, sizeof(after), "%s/%s", directory, name);
    fd = open(before, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) != 0 ||
        rename(before, after) != 0) {
        abort();
    }
}

static bool is_on_disk(int fd)
{
    char file[64], target[2 * SCRATCH_PATH_SIZE] = "";

    snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
    return readlink(file, target, sizeof(target) - 1) > 0 && disk.path[0] != '\0' &&
           strncmp(target, disk.path, strlen(disk.path)) == 0;
}

/* The platter's files are named by the inodes of the disk's, and by their births, for an inode is
 * used again. */
static void platter_name(int directory, const char *name, char kept[64])
{
    const int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
    struct statx file;

    if (statx(directory, name, flags, STATX_INO | STATX_BTIME, &file) != 0) {
        abort();
    }
    snprintf(kept, 64, "%" PRIu64 "-%" PRId64 ".%" PRIu32, (uint64_t)file.stx_ino,
             (int64_t)file.stx_btime.tv_sec, (uint32_t)file.stx_btime.tv_nsec);
}

static void write_names(int directory)
{
    char list[SCRATCH_FILES * 128], kept[64];
    size_t used = 0;
    struct dirent *entry;
    DIR *entries = fdopendir(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

    if (entries == NULL) {
        abort();
    }
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] != '.' && faccessat(directory, entry->d_name, F_OK, 0) == 0) {
            platter_name(directory, entry->d_name, kept);
            used +=
                (size_t)snprintf(list + used, sizeof(list) - used, "%s %s\n", entry->d_name, kept);
        }
    }
    closedir(entries);
    write_file(platter.path, "names", list, used);
}

static void write_to_platter(int fd)
{
    static _Thread_local uint8_t image[FILE_MOST];
    char link[64], kept[64];
    struct stat file;
    int readable; /* it may be open for writing only */

    if (fstat(fd, &file) != 0) {
        abort();
    }
    if (S_ISDIR(file.st_mode)) {
        write_names(fd);
    } else {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        readable = open(link, O_RDONLY | O_CLOEXEC);
        platter_name(fd, "", kept);
        write_file(platter.path, kept, image, read_file(readable, image));
        close(readable);
    }
}

/* ---- the cut */

static uint32_t seed;

static uint8_t draw(void)
{
    seed = seed * 1664525 + 1013904223; /* Numerical Recipes, section 7.1 */
    return (uint8_t)(seed >> 24);
}

/* Makes a file as a cut leaves it: each sector as it was synced, or as it was written last.
 *
 *   chance   of 256, that a sector which was not synced is there all the same */
static void cut_file(const struct scratch *to, const char *name, const char *kept, uint8_t chance)
{
    static uint8_t synced[FILE_MOST], written[FILE_MOST];
    const int old = open_at(platter.path, kept, O_RDONLY);
    const int fd = open_at(disk.path, name, O_RDONLY);
    size_t size = 0;

    memset(synced, 0, sizeof(synced));
    memset(written, 0, sizeof(written));
    if (old >= 0) {
        size = read_file(old, synced);
        close(old);
    }
    if (fd >= 0) {
        read_file(fd, written);
        close(fd);
    }
    for (size_t at = 0; fd >= 0 && at < size; at += SECTOR) {
        if (draw() < chance) {
            memcpy(synced + at, written + at, SECTOR);
        }
    }
    write_file(to->path, name, synced, size);
}

static void cut_power(const struct scratch *to, uint8_t chance)
{
    int fd = open_at(platter.path, "names", O_RDONLY);
    char name[100], kept[64];
    FILE *names = fdopen(fd, "r");

    assert_non_null(names);
    while (fscanf(names, "%99s %63s", name, kept) == 2) {
        cut_file(to, name, kept, chance);
    }
    fclose(names);
}

/* ---- syncs, in place of the C library's */

static void see_what_is_left(void)
{
    struct remains *remains = &at_sync.remains[at_sync.count];

    if (at_sync.count < REMAINS) {
        remains->groups = atomic_load(&at_sync.groups);
        scratch_make(&remains->left);
        cut_power(&remains->left, at_sync.chance);
        at_sync.count++;
    }
}

static void sync_file(int fd)
{
    if (!is_on_disk(fd)) {
        return;
    }
    if (getpid() != at_sync.process) {
        write_to_platter(fd);
        return;
    }
    if (at_sync.kill) {
        raise(SIGKILL);
    }
    pthread_mutex_lock(&platter_lock);
    if (at_sync.cut) {
        see_what_is_left();
    }
    write_to_platter(fd);
    pthread_mutex_unlock(&platter_lock);
}

int fdatasync(int fildes)
{
    sync_file(fildes);
    return 0;
}

int fsync(int fd)
{
    sync_file(fd);
    return 0;
}

/* ---- a ledger on the disk, and one on what is left of it */

struct state {
    uint64_t groups;
    struct digest digest;
};

static void apply(void *context, uint64_t index, const uint8_t *data, size_t size)
{
    struct state *state = context;
    uint8_t both[2 * sizeof(struct digest)];
    const struct digest group = digest_of(bytes_of(data, size));

    (void)index;
    memcpy(both, state->digest.byte, sizeof(state->digest));
    memcpy(both + sizeof(state->digest), group.byte, sizeof(group));
    state->digest = digest_of(bytes_of(both, sizeof(both)));
    state->groups++;
}

static int snapshot_write(void *context, struct snapshot_writer *writer)
{
    snapshot_put(writer, context, sizeof(struct state));
    return 0;
}

static enum grove_status read_state(void *context, const uint8_t *data, size_t size)
{
    assert_int_equal(size, sizeof(struct state));
    memcpy(context, data, size);
    return GROVE_OK;
}

static void adopt(void *context)
{
    (void)context; /* nothing was applied before */
}

static void take_note(void *context, const char *text)
{
    (void)context;
    fail_msg("%s", text); /* nothing is damaged by a cut */
}

static struct replica *open_at_scratch(const struct scratch *scratch, struct state *state)
{
    const struct replica_options options = {
        .directory = scratch->path,
        .start = REPLICA_BOOTSTRAP,
        .segment_size = SEGMENT_SIZE,
        .snapshot_threshold = SNAPSHOT_THRESHOLD,
        .now_ns = clock_monotonic_ns,
        .note = take_note,
    };
    const struct replica_machine machine = {.context = state,
                                            .apply = apply,
                                            .snapshot_write = snapshot_write,
                                            .read = read_state,
                                            .adopt = adopt};
    struct replica *replica = NULL;
    struct fault fault = {.text = ""};

    if (replica_open(&options, &machine, &replica, &fault) != GROVE_OK) {
        fail_msg("%s", fault.text);
    }
    return replica;
}

static void settle(struct replica *replica)
{
    for (int i = 0; replica_is_busy(replica); i++) {
        struct pollfd done = {.fd = replica_fd(replica), .events = POLLIN};

        assert_true(i < PATIENCE_MS);
        poll(&done, 1, 1);
        replica_turn(replica);
        replica_tick(replica);
    }
}

static void propose(struct replica *replica, unsigned number)
{
    uint8_t data[3000];
    const size_t size = 1 + (size_t)number * 577 % sizeof(data);

    memset(data, (int)number, size);
    assert_int_equal(replica_propose(replica, data, size), GROVE_OK);
}

/* ---- tests */

static int setup(void **state)
{
    (void)state;
    seed = 1;
    memset(&at_sync, 0, sizeof(at_sync));
    at_sync.process = getpid();
    scratch_make(&platter);
    scratch_make(&disk);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&disk);
    scratch_remove(&platter);
    disk.path[0] = '\0';
    return 0;
}

/* What a start finds there. */
static struct state found(const struct scratch *scratch)
{
    struct state state = {.groups = 0};

    replica_close(open_at_scratch(scratch, &state));
    return state;
}

static struct state found_after_a_cut(uint8_t chance)
{
    struct scratch left;
    struct state state;

    scratch_make(&left);
    pthread_mutex_lock(&platter_lock);
    cut_power(&left, chance);
    pthread_mutex_unlock(&platter_lock);
    state = found(&left);
    scratch_remove(&left);
    return state;
}

/* Of cuts in the middle of syncs: at most the group in flight is there beside those acknowledged.
 */
static void look_at_remains(void)
{
    for (unsigned i = 0; i < at_sync.count; i++) {
        struct remains *remains = &at_sync.remains[i];

        assert_in_range(found(&remains->left).groups, remains->groups, remains->groups + 1);
        scratch_remove(&remains->left);
    }
    at_sync.count = 0;
}

static void what_was_acknowledged_survives_a_power_cut(void **state)
{
    static const uint8_t chances[] = {0, 255, 64, 128, 192};
    struct state acknowledged = {.groups = 0};
    struct state left;
    struct replica *replica = open_at_scratch(&disk, &acknowledged);

    (void)state;
    settle(replica);
    /* A snapshot is written beside, in its own time: until there are two. */
    for (unsigned i = 0; i < GROUPS || replica_status(replica).snapshots < 2; i++) {
        assert_true(i < GROUPS_MOST);
        at_sync.chance = chances[i % sizeof(chances)];
        at_sync.cut = true;
        propose(replica, i);
        settle(replica);
        at_sync.cut = false;
        assert_int_equal(acknowledged.groups, i + 1);
        atomic_store(&at_sync.groups, acknowledged.groups);
        left = found_after_a_cut(at_sync.chance);
        assert_int_equal(left.groups, acknowledged.groups);
        assert_memory_equal(&left.digest, &acknowledged.digest, sizeof(left.digest));
        look_at_remains();
    }
    assert_true(replica_status(replica).journal_segments > 3);
    replica_close(replica);
}

/* Killed before it could sync its last group: that stands in memory alone. */
static void write_and_die(unsigned groups)
{
    struct state state = {.groups = 0};
    struct replica *replica;

    at_sync.process = getpid();
    replica = open_at_scratch(&disk, &state);
    settle(replica);
    for (unsigned i = 0; i < groups; i++) {
        at_sync.kill = i + 1 == groups;
        propose(replica, i);
        settle(replica);
    }
    _exit(0);
}

/* Whoever asks after the start hears that it is there, so it must stay. */
static void what_a_start_finds_survives_a_power_cut(void **state)
{
    struct state started = {.groups = 0};
    struct replica *replica;
    int status;
    const pid_t child = fork();

    (void)state;
    if (child == 0) {
        write_and_die(20);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(found_after_a_cut(0).groups, 19);
    replica = open_at_scratch(&disk, &started);
    assert_int_equal(started.groups, 20);
    assert_int_equal(found_after_a_cut(0).groups, 20);
    replica_close(replica);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_acknowledged_survives_a_power_cut, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_start_finds_survives_a_power_cut, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
