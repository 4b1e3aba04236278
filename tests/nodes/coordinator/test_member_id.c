/* SPDX-License-Identifier: MPL-2.0
 * The id goes with the disk: kept where it was made, new on an empty one, none of an older ledger.
 */
#include "nodes/coordinator/member_id.h"

#include "tests/support/scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

static void write_file(const struct scratch *scratch, const char *name, const char *text)
{
    char path[SCRATCH_PATH_SIZE + 64];

    snprintf(path, sizeof(path), "%s/%s", scratch->path, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_true(dprintf(fd, "%s", text) >= 0);
    close(fd);
}

static void an_empty_disk_takes_a_new_one_and_keeps_it(void **state)
{
    struct scratch scratch;
    uint64_t id = 1;

    (void)state;
    scratch_make(&scratch);
    assert_int_equal(member_id_take(scratch.path, 0, &id), GROVE_OK);
    assert_int_equal(id, 0); /* nothing is begun unasked */
    assert_int_equal(member_id_take(scratch.path, 0xabc, &id), GROVE_OK);
    assert_int_equal(id, 0xabc);
    assert_int_equal(member_id_take(scratch.path, 0xdef, &id), GROVE_OK);
    assert_int_equal(id, 0xabc);
    assert_int_equal(member_id_take(scratch.path, 0, &id), GROVE_OK);
    assert_int_equal(id, 0xabc);
    scratch_remove(&scratch);
}

static void a_ledger_without_one_gets_none(void **state)
{
    struct scratch scratch;
    uint64_t id = 1;

    (void)state;
    scratch_make(&scratch);
    write_file(&scratch, "segment-0000000000000001", "");
    assert_int_equal(member_id_take(scratch.path, 0xabc, &id), GROVE_OK);
    assert_int_equal(id, 0);
    scratch_remove(&scratch);
}

/* Not taken for another member. */
static void a_flipped_bit_is_refused(void **state)
{
    struct scratch scratch;
    char path[SCRATCH_PATH_SIZE + 64];
    char text[64] = "";
    uint64_t id;

    (void)state;
    scratch_make(&scratch);
    assert_int_equal(member_id_take(scratch.path, 0xabc, &id), GROVE_OK);
    snprintf(path, sizeof(path), "%s/member-id", scratch.path);
    const int fd = open(path, O_RDONLY);
    const ssize_t size = read(fd, text, sizeof(text) - 1);
    close(fd);
    assert_in_range(size, 1, sizeof(text) - 2);
    for (size_t bit = 0; bit < 8 * (size_t)size; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        write_file(&scratch, "member-id", text);
        assert_int_equal(member_id_take(scratch.path, 0xdef, &id), GROVE_CORRUPT);
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
    }
    scratch_remove(&scratch);
}

static void what_is_no_id_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "\n",
        "0000000000000000\n",
        "00000000000abc\n",
        "0000000000000abc",
        "000000000000xabc\n",
        "0000000000000abc\n",
    };
    struct scratch scratch;
    uint64_t id;

    (void)state;
    scratch_make(&scratch);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        write_file(&scratch, "member-id", wrong[i]);
        assert_int_equal(member_id_take(scratch.path, 0xabc, &id), GROVE_CORRUPT);
    }
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_disk_takes_a_new_one_and_keeps_it),
        cmocka_unit_test(a_ledger_without_one_gets_none),
        cmocka_unit_test(a_flipped_bit_is_refused),
        cmocka_unit_test(what_is_no_id_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
