/* SPDX-License-Identifier: MPL-2.0
 * What those who watch are told, and how the ring of it forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/notice.h"
#include "tests/support/forest_fixture.h"

static struct notices notices;

static int setup(void **state)
{
    const int rc = fixture_setup(state);
    struct fixture *f = *state;

    notices_init(&notices, 64);
    f->effects.notices = &notices;
    return rc;
}

static int teardown(void **state)
{
    notices_clear(&notices);
    return fixture_teardown(state);
}

/* What was noted since `number`, a line each: kind, task or name, attempt. */
static void expect_notices(struct fixture *f, uint64_t *number, const char *expected)
{
    const struct notice *notice;
    char text[2048];
    int size = 0;

    text[0] = '\0';
    while ((notice = notices_after(&notices, *number)) != NULL) {
        const enum notice_kind kind = notice->kind;
        const bool is_of_task = kind <= NOTICE_ENDED;
        const char *name = is_of_task ? name_of(f, &notice->id)
                           : kind >= NOTICE_ENLISTED && kind <= NOTICE_LIMIT
                               ? notices_name(&notices, notice)
                               : "";

        assert_true(notice->number > *number);
        assert_int_equal(notice->at_ms, f->now_ms);
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%s %s", notice_kind_name(kind),
                         name);
        if (is_of_task) {
            size += snprintf(text + size, sizeof(text) - (size_t)size, " %u code %u",
                             (unsigned)notice->attempt, (unsigned)notice->code);
        }
        size += snprintf(text + size, sizeof(text) - (size_t)size, "\n");
        *number = notice->number;
    }
    assert_string_equal(text, expected);
}

static void the_life_of_a_parent_and_its_child_is_noted_in_order(void **state)
{
    struct fixture *f = *state;
    uint64_t number = 0;

    enlist(f, "w1", .slots = 1);
    expect_notices(f, &number, "worker-enlisted w1\n");
    submit_with(f, "p", .function = "flow");
    expand_and_wait(f, "w1", "p", "c");
    report(f, "w1", "c", CODE_FAILED);
    report(f, "w1", "p", CODE_SUCCEEDED);
    expect_notices(f, &number,
                   "task-submitted p 0 code 0\n"
                   "task-assigned p 1 code 0\n"
                   "task-submitted c 0 code 0\n"
                   "task-waits p 1 code 0\n"
                   "task-assigned c 1 code 0\n"
                   "task-ended c 1 code 1\n"
                   "task-resumed p 1 code 0\n"
                   "task-ended p 1 code 0\n");
}

static void retries_returns_losses_and_ends_are_told_apart(void **state)
{
    struct fixture *f = *state;
    uint64_t number = 0;

    enlist(f, "w1", .slots = 1);
    submit_with(f, "a", .max_attempts = 2);
    expect_notices(f, &number,
                   "worker-enlisted w1\n"
                   "task-submitted a 0 code 0\ntask-assigned a 1 code 0\n");
    return_attempt(f, "w1", "a", RETURN_UNSTARTED, "");
    expect_notices(f, &number, "task-returned a 1 code 0\ntask-assigned a 2 code 0\n");
    report(f, "w1", "a", CODE_FAILED);
    expect_notices(f, &number, "task-retried a 2 code 0\n");
    expire(f, 2000);
    expect_notices(f, &number, "task-assigned a 3 code 0\n");
    retire(f, "w1", RETIRE_SILENT);
    expect_notices(f, &number, "worker-retired w1\ntask-lost a 3 code 0\n");
    cancel(f, "a");
    expect_notices(f, &number, "task-ended a 3 code 16\n");
}

static void the_end_of_a_join_is_noted_with_its_state(void **state)
{
    struct fixture *f = *state;
    uint64_t number;

    enlist(f, "w1", .slots = 2);
    submit_with(f, "p", .function = "flow");
    join_with(f, "w1", "p", "a b", .kind = JOIN_RACE, .stop = 1);
    number = notices_last(&notices);
    report(f, "w1", "a", CODE_SUCCEEDED);
    const struct notice *notice = notices_after(&notices, number);

    while (notice != NULL && notice->kind != NOTICE_JOINED) {
        notice = notices_after(&notices, notice->number);
    }
    const struct id id = join_of(f, "j").id;

    assert_true(notice != NULL && notice->code == JOIN_WON && id_equal(&notice->id, &id));
}

/* Of the entry 7: the numbers are those that every replica gives. */
static void numbers_are_of_the_ledger_and_grow(void **state)
{
    uint64_t first;

    (void)state;
    assert_int_equal(notices_last(&notices), 0);
    notices_begin(&notices, 7);
    first = notices_add(&notices, NOTICE_TRUST, 1)->number;
    assert_int_equal(first, UINT64_C(7) << 21);
    assert_int_equal(notices_add(&notices, NOTICE_TRUST, 1)->number, first + 1);
    notices_begin(&notices, 8);
    assert_int_equal(notices_add(&notices, NOTICE_TRUST, 1)->number, UINT64_C(8) << 21);
    assert_int_equal(notices_after(&notices, first)->number, first + 1);
    assert_null(notices_after(&notices, UINT64_C(8) << 21));
}

static void the_ring_says_when_it_no_longer_has_a_number(void **state)
{
    uint64_t numbers[100];

    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        notices_begin(&notices, i + 1);
        numbers[i] = notices_add(&notices, NOTICE_TRUST, i)->number;
        assert_int_equal(notices_has_all_after(&notices, 0), i < 64);
    }
    assert_false(notices_has_all_after(&notices, numbers[34]));
    assert_true(notices_has_all_after(&notices, numbers[35]));
    assert_int_equal(notices_after(&notices, numbers[10])->number, numbers[36]);
    assert_int_equal(notices_after(&notices, numbers[50])->number, numbers[51]);
}

/* A snapshot from the leader: what led to it is not known. */
static void a_cut_forgets_what_was_before(void **state)
{
    uint64_t number;

    (void)state;
    notices_begin(&notices, 3);
    number = notices_add(&notices, NOTICE_TRUST, 1)->number;
    notices_cut(&notices);
    assert_false(notices_has_all_after(&notices, number));
    notices_begin(&notices, 9);
    assert_null(notices_after(&notices, 0));
    assert_false(notices_has_all_after(&notices, number));
    assert_true(notices_has_all_after(&notices, notices_last(&notices)));
    notices_add(&notices, NOTICE_TRUST, 1);
    assert_int_equal(notices_after(&notices, number)->number, UINT64_C(9) << 21);
}

static void the_last_names_are_kept(void **state)
{
    const struct notice *first, *last;
    char name[16];

    (void)state;
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        notices_set_name(&notices, notices_add(&notices, NOTICE_LIMIT, 0), bytes_of_text(name));
    }
    first = notices_after(&notices, 0);
    assert_string_equal(notices_name(&notices, first), "n0");
    struct notice unkept = *first;

    for (unsigned i = 0; i < NOTICE_NAMES; i++) {
        notices_set_name(&notices, notices_add(&notices, NOTICE_LIMIT, 0), bytes_of_text("x"));
    }
    assert_null(notices_name(&notices, &unkept));
    last = notices_after(&notices, notices_last(&notices) - 1);
    assert_string_equal(notices_name(&notices, last), "x");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_life_of_a_parent_and_its_child_is_noted_in_order),
        TEST(retries_returns_losses_and_ends_are_told_apart),
        TEST(the_end_of_a_join_is_noted_with_its_state),
        TEST(numbers_are_of_the_ledger_and_grow),
        TEST(the_ring_says_when_it_no_longer_has_a_number),
        TEST(a_cut_forgets_what_was_before),
        TEST(the_last_names_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
