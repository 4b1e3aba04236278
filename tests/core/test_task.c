/* SPDX-License-Identifier: MPL-2.0
 * Every pair of states, against the table that DESIGN draws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/task.h"

/* Rows: from; columns: to. d delayed, h held, r ready, R running, w waiting, s succeeded, f failed,
 * c cancelled. */
static const char *const moves[TASK_STATE_COUNT] = {
    [TASK_DELAYED] = ".hr...fc", [TASK_HELD] = "..r...fc",      [TASK_READY] = ".h.R..fc",
    [TASK_RUNNING] = "dhr.wsfc", [TASK_WAITING] = "dhrR.sfc",   [TASK_SUCCEEDED] = "........",
    [TASK_FAILED] = "........",  [TASK_CANCELLED] = "........",
};

static void a_task_moves_as_drawn_and_not_otherwise(void **state)
{
    (void)state;
    for (int from = 0; from < TASK_STATE_COUNT; from++) {
        for (int to = 0; to < TASK_STATE_COUNT; to++) {
            assert_int_equal(task_may_move((enum task_state)from, (enum task_state)to),
                             moves[from][to] != '.');
        }
    }
}

static void a_closed_state_is_final(void **state)
{
    (void)state;
    for (int from = 0; from < TASK_STATE_COUNT; from++) {
        assert_int_equal(task_state_is_open((enum task_state)from), from < TASK_SUCCEEDED);
        assert_non_null(task_state_name((enum task_state)from));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_moves_as_drawn_and_not_otherwise),
        cmocka_unit_test(a_closed_state_is_final),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
