/* SPDX-License-Identifier: MPL-2.0
 * Buckets of lengths: none overlaps, none is wide, and quantiles are never too low. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/durations.h"

/* Into which bucket it goes. */
static unsigned bucket_of(uint64_t ms)
{
    struct durations durations = {.total = 0};
    unsigned bucket = 0;

    durations_add(&durations, ms);
    while (durations.count[bucket] == 0) {
        bucket++;
    }
    return bucket;
}

static void every_length_has_the_bucket_that_ends_next(void **state)
{
    (void)state;
    for (unsigned i = 0; i + 1 < DURATIONS_BUCKETS; i++) {
        const uint64_t last_ms = durations_limit_ms(i);

        assert_int_equal(bucket_of(last_ms), i);
        assert_int_equal(bucket_of(last_ms + 1), i + 1);
    }
    assert_int_equal(bucket_of(UINT64_MAX), DURATIONS_BUCKETS - 1);
}

static void no_bucket_is_wider_than_a_quarter_of_its_beginning(void **state)
{
    (void)state;
    for (unsigned i = 1; i + 1 < DURATIONS_BUCKETS; i++) {
        const uint64_t first_ms = durations_limit_ms(i - 1) + 1;

        assert_true((durations_limit_ms(i) - first_ms) * 4 <= first_ms);
    }
}

static void a_quantile_is_the_end_of_the_bucket_that_reaches_it(void **state)
{
    struct durations durations = {.total = 0};

    (void)state;
    assert_int_equal(durations_quantile_ms(&durations, 500), 0);
    for (uint64_t ms = 1; ms <= 1000; ms++) {
        durations_add(&durations, ms);
    }
    assert_int_equal(durations.total, 1000);
    assert_int_equal(durations.sum_ms, 500500);
    assert_int_equal(durations_quantile_ms(&durations, 5), 5);
    assert_int_equal(durations_quantile_ms(&durations, 500), 511);
    assert_int_equal(durations_quantile_ms(&durations, 990), 1023);
    assert_int_equal(durations_up_to(&durations, 511), 511);
    assert_int_equal(durations_up_to(&durations, UINT64_MAX), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_has_the_bucket_that_ends_next),
        cmocka_unit_test(no_bucket_is_wider_than_a_quarter_of_its_beginning),
        cmocka_unit_test(a_quantile_is_the_end_of_the_bucket_that_reaches_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
