/* SPDX-License-Identifier: MPL-2.0
 * Statuses and refusals have names that tell them apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/refusal.h"

static const int outside[] = {-1, GROVE_STATUS_COUNT, 1000};

static void every_status_has_its_own_name_and_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < GROVE_STATUS_COUNT; i++) {
        const char *name = grove_status_name((enum grove_status)i);

        assert_non_null(name);
        assert_non_null(grove_status_text((enum grove_status)i));
        assert_string_not_equal(name, "unknown");
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(name, grove_status_name((enum grove_status)j));
        }
    }
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        assert_string_equal(grove_status_name((enum grove_status)outside[i]), "unknown");
        assert_non_null(grove_status_text((enum grove_status)outside[i]));
    }
}

/* The numbers that are not taken yet. */
static bool is_gap(int refusal)
{
    return refusal > REFUSED_DISK && refusal < REFUSED_EXPIRED;
}

static void every_refusal_has_its_own_name_and_a_text(void **state)
{
    (void)state;
    for (int i = 0; i < REFUSED_COUNT; i++) {
        const char *name = refusal_name((enum refusal)i);

        assert_non_null(refusal_text((enum refusal)i));
        assert_int_equal(strcmp(name, "unknown") == 0, is_gap(i));
        for (int j = 0; j < i; j++) {
            assert_true(is_gap(j) || strcmp(name, refusal_name((enum refusal)j)) != 0);
        }
    }
    assert_string_equal(refusal_name((enum refusal)4711), "unknown");
    assert_int_equal(refusal_status((enum refusal)4711), GROVE_REFUSED);
    assert_false(refusal_is_retryable((enum refusal)4711));
}

static void only_acceptance_is_no_failure(void **state)
{
    (void)state;
    assert_int_equal(refusal_status(REFUSED_NOT), GROVE_OK);
    for (int i = 1; i < REFUSED_COUNT; i++) {
        assert_int_not_equal(refusal_status((enum refusal)i), GROVE_OK);
    }
}

static void what_passes_is_retryable_and_what_stays_is_not(void **state)
{
    (void)state;
    assert_true(refusal_is_retryable(REFUSED_BUSY));
    assert_true(refusal_is_retryable(REFUSED_NO_LEADER));
    assert_true(refusal_is_retryable(REFUSED_QUOTA));
    assert_false(refusal_is_retryable(REFUSED_CONFLICT));
    assert_false(refusal_is_retryable(REFUSED_BAD_SIGNATURE));
    assert_false(refusal_is_retryable(REFUSED_TOO_LARGE));
}

/* The table of section 8 has a row for each, and marks what is retryable. */
static void the_protocol_lists_every_refusal(void **state)
{
    static char text[64 * 1024];
    const char *source = getenv("GROVE_SOURCE");
    char path[512], row[64];

    (void)state;
    snprintf(path, sizeof(path), "%s/schema/PROTOCOL.md", source ? source : ".");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    for (int i = 1; i < REFUSED_COUNT; i++) {
        const enum refusal refusal = (enum refusal)i;

        snprintf(row, sizeof(row), "\n| %d | %s%s | ", i, refusal_name(refusal),
                 refusal_is_retryable(refusal) ? " R" : "");
        assert_true(is_gap(i) || strstr(text, row) != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_own_name_and_a_text),
        cmocka_unit_test(every_refusal_has_its_own_name_and_a_text),
        cmocka_unit_test(only_acceptance_is_no_failure),
        cmocka_unit_test(what_passes_is_retryable_and_what_stays_is_not),
        cmocka_unit_test(the_protocol_lists_every_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
