/* SPDX-License-Identifier: MPL-2.0
 * A simulated disk with a file system on it, under the real journal: what is written lies in
 * memory until it is synced, what is renamed until its directory is. A power cut leaves of the rest
 * any sectors, and the first so many names. Beside that it may be full, fail a sync, flip a bit, or
 * lie: say that it has synced what it holds in a cache of its own.
 *
 * volume_calls.c has the calls of the operating system and of file.h, which find a volume by the
 * number of its directory; simulated_journal.c the journal, without its thread. */
#ifndef GROVE_TESTS_SIMULATION_VOLUME_H
#define GROVE_TESTS_SIMULATION_VOLUME_H

#include "core/bytes.h"
#include "tests/simulation/disk.h"

#include <sys/queue.h>

#define VOLUME_FIRST_FD 0x40000000 /* no real one is so high */
#define VOLUME_NAME_SIZE 48u
#define VOLUME_FILES 64u /* open ones, the directory too */
#define VOLUME_SECTOR 512u

struct volume_file {
    char name[VOLUME_NAME_SIZE];    /* as a process sees it; empty when it was removed */
    char durable[VOLUME_NAME_SIZE]; /* after a power cut */
    uint8_t *cache;                 /* as a process sees it */
    uint8_t *platter;
    uint8_t *sector; /* what each of them is: a set of enum volume_sector */
    size_t size;
    size_t platter_size;
    size_t room; /* bytes of cache and platter */
    LIST_ENTRY(volume_file) link;
};

/* A sector that is not CLEAN may be lost: what was written since its last sync, and what a disk
 * that lies has said it has. */
enum volume_sector { SECTOR_CLEAN = 0, SECTOR_DIRTY = 1, SECTOR_HELD = 2 };

/* A change of names that is not on disk yet. */
struct volume_rename {
    struct volume_file *file;
    char name[VOLUME_NAME_SIZE]; /* empty: it was removed */
};

/* What the replica was told that its disk has: the truth, unless that lies or rots. */
struct volume_said {
    uint64_t term, vote;
    uint64_t before; /* a snapshot stands for all up to here */
    uint64_t end;    /* of the log */
    uint64_t *terms; /* of each index after `before` */
    size_t room;
};

struct journal;

struct volume {
    struct schedule *schedule;
    struct dice *dice;
    LIST_HEAD(, volume_file) files;
    struct volume_file *open[VOLUME_FILES];
    struct volume_rename *renames;
    size_t rename_count, rename_room;
    struct volume_said said;
    uint64_t member; /* the id that lies beside the ledger */

    /* How it behaves. */
    const struct disk *like; /* as slow, and as full, as this one */
    bool fails_sync; /* the next one, which leaves what it should have written marked clean */
    bool lies;
    uint64_t free; /* bytes, unless it is full */

    /* What it did. */
    bool failed;  /* a call failed for one of these reasons */
    bool damaged; /* a bit was flipped, or something said to be synced was lost */
    bool flipped; /* ... since it was read last */

    /* A crash: so many more calls take effect, and then none until it is mounted again. */
    uint64_t calls_left;
    bool dead;

    /* The process that writes a snapshot. */
    bool child_runs, child_writes;
    struct volume_rename child_rename;
    int child_error;
    uint64_t child_life;

    /* Whose it is: asked before something happens to it (struct disk), and told that the journal
     * has finished something. */
    bool (*runs)(void *owner, schedule_call call, void *context, uint64_t argument);
    void (*ring)(void *owner);
    void *owner;
    struct journal *journal; /* while it is open */
    uint64_t life;           /* grows with each crash */
};

void volume_init(struct volume *volume, const struct disk *like);
void volume_clear(struct volume *volume);

/* Its path: the data directory of a replica. */
const char *volume_path(const struct volume *volume);

/* The volume of a path or of a file's number; NULL for those of the real system. */
struct volume *volume_of_path(const char *path);
struct volume *volume_of_fd(int fd);
int volume_directory(const struct volume *volume);

/* The process that used it has died. What it had written stays, but for what a power cut takes:
 * then also what the disk had lied about. */
void volume_kill(struct volume *volume);
void volume_cut_power(struct volume *volume);

/* Writes what is held and dirty, as a disk does in time. */
void volume_settle(struct volume *volume);

/* Flips a bit of a file; false when there is none. */
bool volume_flip(struct volume *volume);

/* Loses all: a new disk. */
void volume_wipe(struct volume *volume);

/* The term of an entry that it says it has, 0 for none; UINT64_MAX for one within its snapshot. */
uint64_t volume_term_of(const struct volume *volume, uint64_t index);

/* Free its `terms`. */
struct volume_said volume_said_copy(const struct volume_said *said);

/* The bytes of a file; NULL when there is no such. */
const struct volume_file *volume_find(const struct volume *volume, const char *name);

/* For volume_calls.c. True when a change takes effect; false after the crash's moment. */
bool volume_step(struct volume *volume);
struct volume_file *volume_make(struct volume *volume, const char *name);
void volume_rename(struct volume *volume, struct volume_file *file, const char *name);
void volume_resize(struct volume_file *file, size_t size);
void volume_empty(struct volume_file *file);
void volume_write(struct volume_file *file, struct bytes bytes, size_t offset);
int volume_sync(struct volume *volume, struct volume_file *file);
int volume_sync_names(struct volume *volume);

/* For simulated_journal.c. */
void volume_says_less(struct volume *volume, uint64_t index); /* perhaps nothing after it */
void volume_says(struct volume *volume, uint64_t index, uint64_t term); /* has this entry */
void volume_says_end(struct volume *volume, uint64_t index);            /* and none after it */
void volume_says_snapshot(struct volume *volume, uint64_t index);

/* Does at once what is queued. */
void journal_hurry(struct journal *journal);

/* journal.h without a thread: what is queued is not done any more, and its `done` is called. */
void journal_give_up(struct journal *journal);

/* A crash of its process: some of what is under way is done on the way. */
void journal_crash(struct journal *journal);

#endif
