/* SPDX-License-Identifier: MPL-2.0
 * Groups: all that queued, within bounds, one in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "core/ledger.h"
#include "nodes/coordinator/proposals.h"

/* A job with `count` commands of at least `size` bytes in all. */
static struct job *job_of(uint64_t token, unsigned count, size_t size)
{
    struct job *job = calloc(1, sizeof(*job));
    uint8_t *certificate = calloc(1, size / count + 1);
    const struct command command = {.kind = COMMAND_TRUST,
                                    .trust = {.certificate = bytes_of(certificate, size / count)}};

    assert_non_null(job);
    job->token = token;
    job->command_count = count;
    for (unsigned i = 0; i < count; i++) {
        ledger_group_append(&job->commands, &command);
    }
    free(certificate);
    return job;
}

static unsigned land(struct proposals *proposals)
{
    unsigned count = 0;
    struct job *job;

    while ((job = proposals_land(proposals)) != NULL) {
        buffer_clear(&job->commands);
        free(job);
        count++;
    }
    return count;
}

static unsigned commands_in(struct bytes entry, uint64_t at_ms)
{
    struct ledger_group group;
    struct command command;
    unsigned count = 0;

    assert_int_equal(ledger_group_open(entry, &group), GROVE_OK);
    assert_int_equal(group.at_ms, at_ms);
    while (ledger_group_next(&group, &command) == GROVE_OK) {
        assert_int_equal(command.kind, COMMAND_TRUST);
        count++;
    }
    return count;
}

static void what_queued_goes_as_one_group(void **state)
{
    struct proposals proposals;
    struct proposal proposal;

    (void)state;
    proposals_init(&proposals);
    assert_false(proposals_next(&proposals, 1, &proposal));
    proposals_add(&proposals, job_of(1, 1, 10));
    proposals_add(&proposals, job_of(2, 2, 10));
    assert_true(proposals_next(&proposals, 77, &proposal));
    assert_int_equal(proposal.count, 3);
    assert_int_equal(proposal.tokens[0], 1);
    assert_int_equal(proposal.tokens[1], 2);
    assert_int_equal(proposal.tokens[2], 2);
    assert_int_equal(commands_in(proposal.entry, 77), 3);
    assert_int_equal(land(&proposals), 2);
    proposals_clear(&proposals);
}

static void one_group_is_in_flight(void **state)
{
    struct proposals proposals;
    struct proposal proposal;

    (void)state;
    proposals_init(&proposals);
    proposals_add(&proposals, job_of(1, 1, 10));
    assert_true(proposals_next(&proposals, 1, &proposal));
    proposals_add(&proposals, job_of(2, 1, 10));
    assert_false(proposals_next(&proposals, 2, &proposal));
    assert_int_equal(land(&proposals), 1);
    assert_true(proposals_next(&proposals, 3, &proposal));
    assert_int_equal(proposal.tokens[0], 2);
    assert_int_equal(land(&proposals), 1);
    proposals_clear(&proposals);
}

static void a_group_is_bounded_but_holds_at_least_one(void **state)
{
    struct proposals proposals;
    struct proposal proposal;

    (void)state;
    proposals_init(&proposals);
    proposals_add(&proposals, job_of(1, 1, 2 * LIMIT_GROUP_SIZE));
    proposals_add(&proposals, job_of(2, 1, LIMIT_GROUP_SIZE / 2));
    proposals_add(&proposals, job_of(3, 1, LIMIT_GROUP_SIZE / 2));
    for (uint64_t token = 1; token <= 3; token++) {
        assert_true(proposals_next(&proposals, 1, &proposal));
        assert_int_equal(proposal.count, 1);
        assert_int_equal(proposal.tokens[0], token);
        assert_int_equal(land(&proposals), 1);
    }
    for (uint64_t token = 1; token <= LIMIT_GROUP_COMMANDS + 1; token++) {
        proposals_add(&proposals, job_of(token, 1, 10));
    }
    assert_true(proposals_next(&proposals, 1, &proposal));
    assert_int_equal(proposal.count, LIMIT_GROUP_COMMANDS);
    assert_int_equal(land(&proposals), LIMIT_GROUP_COMMANDS);
    assert_true(proposals_next(&proposals, 1, &proposal));
    assert_int_equal(proposal.count, 1);
    assert_int_equal(land(&proposals), 1);
    proposals_clear(&proposals);
}

static void the_coordinators_own_go_first_and_without_a_token(void **state)
{
    const struct command own = {.kind = COMMAND_TRUST,
                                .trust = {.certificate = bytes_of_text("own")}};
    struct proposals proposals;
    struct proposal proposal;

    (void)state;
    proposals_init(&proposals);
    proposals_add(&proposals, job_of(9, 1, 10));
    proposals_add_own(&proposals, &own);
    assert_true(proposals_next(&proposals, 5, &proposal));
    assert_int_equal(proposal.count, 2);
    assert_int_equal(proposal.tokens[0], 0);
    assert_int_equal(proposal.tokens[1], 9);
    assert_int_equal(commands_in(proposal.entry, 5), 2);
    assert_int_equal(land(&proposals), 1);
    assert_false(proposals_next(&proposals, 6, &proposal));
    proposals_clear(&proposals);
}

/* Else the ledger would pass the whole group over, as one that cannot be read. */
static void the_coordinators_own_are_bounded_too(void **state)
{
    static const size_t expected[] = {LIMIT_GROUP_COMMANDS, LIMIT_GROUP_COMMANDS, 1};
    const struct command own = {.kind = COMMAND_TRUST,
                                .trust = {.certificate = bytes_of_text("own")}};
    struct proposals proposals;
    struct proposal proposal;

    (void)state;
    proposals_init(&proposals);
    proposals_add(&proposals, job_of(9, 1, 10));
    for (size_t i = 0; i < (size_t)2 * LIMIT_GROUP_COMMANDS; i++) {
        proposals_add_own(&proposals, &own);
    }
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_true(proposals_next(&proposals, 5, &proposal));
        assert_int_equal(proposal.count, expected[i]);
        assert_int_equal(commands_in(proposal.entry, 5), expected[i]);
        assert_int_equal(proposal.tokens[0], i < 2 ? 0 : 9);
        assert_int_equal(land(&proposals), i < 2 ? 0 : 1);
    }
    assert_false(proposals_next(&proposals, 6, &proposal));
    proposals_clear(&proposals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_queued_goes_as_one_group),
        cmocka_unit_test(one_group_is_in_flight),
        cmocka_unit_test(a_group_is_bounded_but_holds_at_least_one),
        cmocka_unit_test(the_coordinators_own_go_first_and_without_a_token),
        cmocka_unit_test(the_coordinators_own_are_bounded_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
