/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/simulation/volume.h"

#include "tests/simulation/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VOLUMES_MOST 16u
#define PATH_PREFIX "simulated-volume-"

/* Of one simulated run: a process has one at a time. */
static struct volume *volumes[VOLUMES_MOST];
static char paths[VOLUMES_MOST][sizeof(PATH_PREFIX) + 2];

static void *resize(void *memory, size_t size)
{
    memory_hold();
    void *resized = realloc(memory, size);
    memory_go_on();

    if (resized == NULL) {
        abort();
    }
    return resized;
}

/* ---- which one */

static size_t number_of(const struct volume *volume)
{
    size_t number = 0;

    while (volumes[number] != volume) {
        number++;
        assert(number < VOLUMES_MOST);
    }
    return number;
}

const char *volume_path(const struct volume *volume)
{
    return paths[number_of(volume)];
}

struct volume *volume_of_path(const char *path)
{
    for (size_t i = 0; i < VOLUMES_MOST; i++) {
        if (volumes[i] != NULL && strcmp(paths[i], path) == 0) {
            return volumes[i];
        }
    }
    return NULL;
}

struct volume *volume_of_fd(int fd)
{
    const size_t number = (size_t)(fd - VOLUME_FIRST_FD) / VOLUME_FILES;

    return fd >= VOLUME_FIRST_FD && number < VOLUMES_MOST ? volumes[number] : NULL;
}

int volume_directory(const struct volume *volume)
{
    return VOLUME_FIRST_FD + (int)(number_of(volume) * VOLUME_FILES);
}

void volume_init(struct volume *volume, const struct disk *like)
{
    size_t number = 0;

    *volume = (struct volume){
        .schedule = like->schedule,
        .dice = like->dice,
        .like = like,
        .calls_left = UINT64_MAX,
        .free = UINT64_C(1) << 40,
    };
    LIST_INIT(&volume->files);
    while (volumes[number] != NULL) {
        number++;
        assert(number < VOLUMES_MOST);
    }
    volumes[number] = volume;
    snprintf(paths[number], sizeof(paths[number]), PATH_PREFIX "%zu", number + 1);
}

static void free_file(struct volume_file *file)
{
    LIST_REMOVE(file, link);
    free(file->cache);
    free(file->platter);
    free(file->sector);
    free(file);
}

static bool is_renamed(const struct volume *volume, const struct volume_file *file)
{
    for (size_t i = 0; i < volume->rename_count; i++) {
        if (volume->renames[i].file == file) {
            return true;
        }
    }
    return false;
}

/* Frees the files that will have no name. Nobody has one open. */
static void collect(struct volume *volume)
{
    struct volume_file *next;

    for (struct volume_file *file = LIST_FIRST(&volume->files); file != NULL; file = next) {
        next = LIST_NEXT(file, link);
        if (file->name[0] == '\0' && file->durable[0] == '\0' && !is_renamed(volume, file)) {
            free_file(file);
        }
    }
}

void volume_wipe(struct volume *volume)
{
    struct volume_file *next;

    for (struct volume_file *file = LIST_FIRST(&volume->files); file != NULL; file = next) {
        next = LIST_NEXT(file, link);
        free_file(file);
    }
    volume->rename_count = 0;
    free(volume->said.terms);
    volume->said = (struct volume_said){.end = 0};
    volume->damaged = volume->flipped = volume->lies = false;
}

void volume_clear(struct volume *volume)
{
    volume_wipe(volume);
    free(volume->renames);
    volumes[number_of(volume)] = NULL;
}

/* ---- files */

bool volume_step(struct volume *volume)
{
    if (volume->calls_left == 0) {
        volume->dead = true;
    } else if (volume->calls_left != UINT64_MAX) {
        volume->calls_left--;
    }
    return !volume->dead;
}

const struct volume_file *volume_find(const struct volume *volume, const char *name)
{
    const struct volume_file *file;

    LIST_FOREACH(file, &volume->files, link) {
        if (strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

static void set_name(char into[VOLUME_NAME_SIZE], const char *name)
{
    snprintf(into, VOLUME_NAME_SIZE, "%s", name);
}

static void note_rename(struct volume *volume, struct volume_file *file)
{
    if (volume->rename_count == volume->rename_room) {
        volume->rename_room = volume->rename_room == 0 ? 16 : 2 * volume->rename_room;
        volume->renames = resize(volume->renames, volume->rename_room * sizeof(*volume->renames));
    }
    struct volume_rename *rename = &volume->renames[volume->rename_count++];
    rename->file = file;
    set_name(rename->name, file->name);
}

struct volume_file *volume_make(struct volume *volume, const char *name)
{
    memory_hold();
    struct volume_file *file = calloc(1, sizeof(*file));
    memory_go_on();

    if (file == NULL) {
        abort();
    }
    LIST_INSERT_HEAD(&volume->files, file, link);
    volume_rename(volume, file, name);
    return file;
}

void volume_rename(struct volume *volume, struct volume_file *file, const char *name)
{
    struct volume_file *other;

    LIST_FOREACH(other, &volume->files, link) {
        if (name[0] != '\0' && other != file && strcmp(other->name, name) == 0) {
            other->name[0] = '\0';
        }
    }
    set_name(file->name, name);
    if (!volume->dead) {
        note_rename(volume, file);
    }
}

static size_t sectors_of(size_t size)
{
    return (size + VOLUME_SECTOR - 1) / VOLUME_SECTOR;
}

void volume_resize(struct volume_file *file, size_t size)
{
    if (size > file->room) {
        size_t room = sectors_of(size) * VOLUME_SECTOR;
        file->cache = resize(file->cache, room);
        file->platter = resize(file->platter, room);
        file->sector = resize(file->sector, sectors_of(room));
        memset(file->cache + file->room, 0, room - file->room);
        memset(file->platter + file->room, 0, room - file->room);
        memset(file->sector + file->room / VOLUME_SECTOR, SECTOR_CLEAN,
               sectors_of(room) - file->room / VOLUME_SECTOR);
        file->room = room;
    }
    file->size = size;
}

void volume_empty(struct volume_file *file)
{
    if (file->room > 0) {
        memset(file->cache, 0, file->room);
        memset(file->sector, SECTOR_DIRTY, sectors_of(file->room));
    }
    volume_resize(file, 0);
}

void volume_write(struct volume_file *file, struct bytes bytes, size_t offset)
{
    if (bytes.size == 0) {
        return;
    }
    if (offset + bytes.size > file->size) {
        volume_resize(file, offset + bytes.size);
    }
    memcpy(file->cache + offset, bytes.data, bytes.size);
    for (size_t i = offset / VOLUME_SECTOR; i < sectors_of(offset + bytes.size); i++) {
        file->sector[i] |= SECTOR_DIRTY;
    }
}

/* ---- what lasts */

static void write_sector(struct volume_file *file, size_t i)
{
    memcpy(file->platter + i * VOLUME_SECTOR, file->cache + i * VOLUME_SECTOR, VOLUME_SECTOR);
    file->sector[i] = SECTOR_CLEAN;
}

int volume_sync(struct volume *volume, struct volume_file *file)
{
    const bool fails = volume->fails_sync;

    if (!volume_step(volume)) {
        return 0;
    }
    for (size_t i = 0; i < sectors_of(file->room); i++) {
        if ((file->sector[i] & SECTOR_DIRTY) != 0) {
            if (fails) {
                volume->damaged = volume->damaged || (file->sector[i] & SECTOR_HELD) != 0;
                file->sector[i] = SECTOR_CLEAN;
            } else if (volume->lies) {
                file->sector[i] = SECTOR_HELD;
            } else {
                write_sector(file, i);
            }
        }
    }
    if (fails) {
        volume->fails_sync = false;
        volume->failed = true;
        volume->damaged = volume->damaged || volume->lies;
        return EIO;
    }
    if (!volume->lies) {
        file->platter_size = file->size;
    }
    return 0;
}

static void apply_renames(struct volume *volume, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct volume_rename *rename = &volume->renames[i];
        struct volume_file *other;
        LIST_FOREACH(other, &volume->files, link) {
            if (rename->name[0] != '\0' && strcmp(other->durable, rename->name) == 0) {
                other->durable[0] = '\0';
            }
        }
        set_name(rename->file->durable, rename->name);
    }
    volume->rename_count = 0;
}

int volume_sync_names(struct volume *volume)
{
    if (volume_step(volume) && !volume->lies) {
        apply_renames(volume, volume->rename_count);
    }
    return 0;
}

void volume_settle(struct volume *volume)
{
    struct volume_file *file;

    LIST_FOREACH(file, &volume->files, link) {
        for (size_t i = 0; i < sectors_of(file->room); i++) {
            if (file->sector[i] != SECTOR_CLEAN) {
                write_sector(file, i);
            }
        }
        file->platter_size = file->size;
    }
    apply_renames(volume, volume->rename_count);
}

void volume_kill(struct volume *volume)
{
    memset(volume->open, 0, sizeof(volume->open));
    volume->calls_left = UINT64_MAX;
    volume->dead = volume->child_runs = volume->child_writes = false;
    volume->failed = volume->fails_sync = false;
    volume->life++;
    collect(volume);
}

/* Leaves of what was not on the platter each sector with this chance (permille). */
static void tear(struct volume *volume, struct volume_file *file, unsigned chance)
{
    for (size_t i = 0; i < sectors_of(file->room); i++) {
        const bool was_said = (file->sector[i] & SECTOR_HELD) != 0;
        if (file->sector[i] != SECTOR_CLEAN) {
            if (dice_chance(volume->dice, chance)) {
                write_sector(file, i);
            } else {
                volume->damaged = volume->damaged || was_said;
            }
        }
        file->sector[i] = SECTOR_CLEAN;
    }
    memcpy(file->cache, file->platter, file->room);
    if (dice_chance(volume->dice, chance)) {
        file->platter_size = file->size;
    }
    file->size = file->platter_size;
    if (file->size < file->room) { /* what lay there is not there when it grows again */
        memset(file->cache + file->size, 0, file->room - file->size);
        memset(file->platter + file->size, 0, file->room - file->size);
    }
}

void volume_cut_power(struct volume *volume)
{
    static const unsigned chances[] = {0, 500, 1000};
    const unsigned chance = chances[dice_below(volume->dice, 3)];
    struct volume_file *file;

    if (volume->lies && volume->rename_count > 0) {
        volume->damaged = true;
    }
    apply_renames(volume, (size_t)dice_below(volume->dice, volume->rename_count + 1));
    LIST_FOREACH(file, &volume->files, link) {
        set_name(file->name, file->durable);
        if (file->room > 0) {
            tear(volume, file, chance);
        }
    }
    volume_kill(volume);
}

/* ---- faults */

static size_t used_of(const struct volume_file *file)
{
    size_t used = file->size;

    while (used > 0 && file->cache[used - 1] == 0) {
        used--;
    }
    return used;
}

/* Mostly where something lies. */
bool volume_flip(struct volume *volume)
{
    struct volume_file *chosen = NULL;
    struct volume_file *file;
    uint64_t count = 0;

    LIST_FOREACH(file, &volume->files, link) {
        if (file->name[0] != '\0' && used_of(file) > 0 && dice_below(volume->dice, ++count) == 0) {
            chosen = file;
        }
    }
    if (chosen == NULL) {
        return false;
    }
    size_t reach = dice_chance(volume->dice, 900) ? used_of(chosen) : chosen->size;
    assert(reach > 0);
    size_t at = (size_t)dice_below(volume->dice, reach);
    uint8_t bit = (uint8_t)(1u << dice_below(volume->dice, 8));
    chosen->cache[at] ^= bit;
    chosen->platter[at] ^= bit;
    volume->damaged = volume->flipped = true;
    return true;
}

/* ---- what it says */

uint64_t volume_term_of(const struct volume *volume, uint64_t index)
{
    const struct volume_said *said = &volume->said;

    if (index <= said->before) {
        return UINT64_MAX;
    }
    return index <= said->end ? said->terms[index - said->before - 1] : 0;
}

struct volume_said volume_said_copy(const struct volume_said *said)
{
    struct volume_said copy = *said;

    copy.terms = NULL;
    if (said->room > 0) {
        copy.terms = resize(NULL, said->room * sizeof(*copy.terms));
        memcpy(copy.terms, said->terms, said->room * sizeof(*copy.terms));
    }
    return copy;
}

void volume_says(struct volume *volume, uint64_t index, uint64_t term)
{
    struct volume_said *said = &volume->said;
    size_t at = (size_t)(index - said->before - 1);

    if (at >= said->room) {
        said->room = 2 * at + 64;
        said->terms = resize(said->terms, said->room * sizeof(*said->terms));
    }
    said->terms[at] = term;
    said->end = index;
}

void volume_says_end(struct volume *volume, uint64_t index)
{
    volume->said.end = index;
}

void volume_says_less(struct volume *volume, uint64_t index)
{
    if (volume->said.end > index) {
        volume->said.end = index;
    }
}

void volume_says_snapshot(struct volume *volume, uint64_t index)
{
    volume->said.before = volume->said.end = index;
}
