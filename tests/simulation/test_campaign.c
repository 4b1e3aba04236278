/* SPDX-License-Identifier: MPL-2.0
 * The program around many seeds: a failure ends it, or is one of all. */
#include "tests/simulation/campaign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { SEEDS = 8 };

static _Atomic unsigned *runs; /* by seed; the processes share them */

static struct outcome fail_in_three_and_six(uint64_t seed)
{
    runs[seed]++;
    if (seed % 3 == 0) {
        _exit(1);
    }
    return (struct outcome){.trace = seed};
}

/* Runs the seeds from 1; its exit status. */
static int run(char *jobs, char *option)
{
    const struct campaign campaign = {
        .everyday = SEEDS - 1, .twice = 1000, .run = fail_in_three_and_six};
    char name[] = "campaign", word[] = "--jobs";
    char *words[] = {name, word, jobs, option, NULL};

    for (unsigned seed = 0; seed < SEEDS; seed++) {
        runs[seed] = 0;
    }
    (void)fflush(stdout);
    return campaign_main(&campaign, option ? 4 : 3, words);
}

static void a_failure_is_the_end(void **state)
{
    char one[] = "1";

    (void)state;
    assert_int_equal(run(one, NULL), 1);
    for (unsigned seed = 1; seed < SEEDS; seed++) {
        assert_int_equal(runs[seed], seed <= 3);
    }
}

static void all_are_run_once_whatever_fails(void **state)
{
    char all[] = "--all", jobs[] = "1";

    (void)state;
    for (; jobs[0] <= '3'; jobs[0]++) {
        assert_int_equal(run(jobs, all), 1);
        for (unsigned seed = 1; seed < SEEDS; seed++) {
            assert_int_equal(runs[seed], 1);
        }
    }
}

static int share(void **state)
{
    (void)state;
    runs = mmap(NULL, SEEDS * sizeof(runs[0]), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    return runs == MAP_FAILED ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_the_end),
        cmocka_unit_test(all_are_run_once_whatever_fails),
    };

    return cmocka_run_group_tests(tests, share, NULL);
}
