/* SPDX-License-Identifier: MPL-2.0
 * What the simulated disk says of itself: the oracle believes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/simulation/volume.h"

struct fixture {
    struct schedule schedule;
    struct dice dice;
    struct disk disk;
    struct volume volume;
    struct volume_file *file;
};

/* A file of one sector that is all there. */
static void make(struct fixture *f, uint64_t seed)
{
    static const uint8_t nothing[VOLUME_SECTOR] = {0};

    *f = (struct fixture){.dice = {dice_mix(seed)}};
    disk_init(&f->disk, &f->schedule, &f->dice);
    volume_init(&f->volume, &f->disk);
    f->file = volume_make(&f->volume, "file");
    volume_write(f->file, bytes_of(nothing, sizeof(nothing)), 0);
    assert_int_equal(volume_sync(&f->volume, f->file), 0);
    assert_int_equal(volume_sync_names(&f->volume), 0);
}

static bool has(const struct fixture *f, const char *text, size_t at)
{
    return memcmp(f->file->cache + at, text, strlen(text)) == 0;
}

static void what_was_synced_stays_whatever_is_written_beside_it(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct fixture f;
        make(&f, seed);
        volume_write(f.file, bytes_of_text("said"), 0);
        assert_int_equal(volume_sync(&f.volume, f.file), 0);
        volume_write(f.file, bytes_of_text("more"), 4);
        volume_cut_power(&f.volume);
        assert_true(has(&f, "said", 0));
        assert_false(f.volume.damaged);
        volume_clear(&f.volume);
    }
}

/* Seed 5807 of test_disks.c. */
static void a_lie_stays_one_whatever_is_written_beside_it(void **state)
{
    unsigned lost = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct fixture f;
        make(&f, seed);
        f.volume.lies = true;
        volume_write(f.file, bytes_of_text("said"), 0);
        assert_int_equal(volume_sync(&f.volume, f.file), 0);
        volume_write(f.file, bytes_of_text("more"), 4);
        volume_cut_power(&f.volume);
        assert_int_equal(f.volume.damaged, !has(&f, "said", 0));
        lost += f.volume.damaged;
        volume_clear(&f.volume);
    }
    assert_in_range(lost, 1, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_synced_stays_whatever_is_written_beside_it),
        cmocka_unit_test(a_lie_stays_one_whatever_is_written_beside_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
