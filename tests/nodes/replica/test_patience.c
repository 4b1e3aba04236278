/* SPDX-License-Identifier: MPL-2.0
 * Voters wait longer where one term follows the other, and as before where a leader stays. */
#include "nodes/coordinator/replica/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_leader_that_dies_after_a_while_is_followed_as_quickly_as_ever(void **state)
{
    struct patience patience = {0};
    uint64_t now_ms = 1000;

    (void)state;
    for (uint64_t term = 7; term < 107; term++) {
        assert_int_equal(patience_look(&patience, term, false, now_ms), 1);
        assert_int_equal(patience_look(&patience, term, true, now_ms += 200), 1);
        assert_int_equal(patience_look(&patience, term, true, now_ms += PATIENCE_STAYS_MS), 1);
        assert_int_equal(patience_look(&patience, term, false, now_ms += 150), 1);
    }
}

static void terms_that_follow_each_other_double_the_wait_up_to_a_bound(void **state)
{
    struct patience patience = {0};
    const unsigned waits[] = {1, 1, 1, 2, 4, 8, 8, 8};

    (void)state;
    for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
        const uint64_t now_ms = 1000 + 1000 * i;

        assert_int_equal(patience_look(&patience, 1 + i, false, now_ms), waits[i]);
        assert_int_equal(patience_look(&patience, 1 + i, true, now_ms + 1), waits[i]);
        assert_int_equal(patience_look(&patience, 1 + i, true, now_ms + 800), waits[i]);
    }
}

static void many_terms_at_once_are_one(void **state)
{
    struct patience patience = {0};

    (void)state;
    patience_look(&patience, 1, false, 0);
    assert_int_equal(patience_look(&patience, 1000, false, 1), 1);
    assert_int_equal(patience_look(&patience, 2000, false, 2), 1);
    assert_int_equal(patience_look(&patience, 3000, false, 3), 2);
}

static void a_leader_that_stays_makes_good_for_them_one_by_one(void **state)
{
    struct patience patience = {0};
    const unsigned waits[] = {2, 1, 1};
    uint64_t now_ms = 1000;

    (void)state;
    for (uint64_t term = 1; term < 9; term++) {
        patience_look(&patience, term, false, now_ms);
    }
    assert_int_equal(patience_look(&patience, 8, true, now_ms), 8);
    assert_int_equal(patience_look(&patience, 8, true, now_ms + PATIENCE_STAYS_MS - 1), 8);
    assert_int_equal(patience_look(&patience, 8, true, now_ms + PATIENCE_STAYS_MS), 4);
    for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
        now_ms += PATIENCE_FORGIVE_MS - 1;
        assert_int_equal(patience_look(&patience, 8, true, now_ms), i == 0 ? 4 : waits[i - 1]);
        assert_int_equal(patience_look(&patience, 8, true, ++now_ms), waits[i]);
    }
}

/* As when one leader is killed after the other, and every third vote is split. */
static void a_split_vote_is_forgiven_when_somebody_leads(void **state)
{
    struct patience patience = {0};
    uint64_t now_ms = 1000, term = 1;

    (void)state;
    for (int i = 0; i < 100; i++) {
        term += i % 3 == 0;
        assert_int_equal(patience_look(&patience, term, false, now_ms), 1);
        assert_int_equal(patience_look(&patience, ++term, false, now_ms += 200), 1);
        assert_int_equal(patience_look(&patience, term, true, now_ms += 100), 1);
        assert_int_equal(patience_look(&patience, term, true, now_ms += PATIENCE_STAYS_MS), 1);
    }
}

/* It must stay in one piece: who is known for a moment now and then has not led. */
static void one_that_comes_and_goes_does_not(void **state)
{
    struct patience patience = {0};

    (void)state;
    for (uint64_t term = 1; term < 9; term++) {
        patience_look(&patience, term, false, 1000);
    }
    for (uint64_t now_ms = 1000; now_ms < 61000; now_ms += 1000) {
        assert_int_equal(patience_look(&patience, 8, true, now_ms), 8);
        assert_int_equal(patience_look(&patience, 8, true, now_ms + 700), 8);
        assert_int_equal(patience_look(&patience, 8, false, now_ms + 900), 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_that_dies_after_a_while_is_followed_as_quickly_as_ever),
        cmocka_unit_test(terms_that_follow_each_other_double_the_wait_up_to_a_bound),
        cmocka_unit_test(many_terms_at_once_are_one),
        cmocka_unit_test(a_leader_that_stays_makes_good_for_them_one_by_one),
        cmocka_unit_test(a_split_vote_is_forgiven_when_somebody_leads),
        cmocka_unit_test(one_that_comes_and_goes_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
