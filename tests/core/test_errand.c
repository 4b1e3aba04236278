/* SPDX-License-Identifier: MPL-2.0
 * Parts come back as they were put, whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/errand.h"

static struct bytes take_part(const struct buffer *out)
{
    struct bytes rest = buffer_bytes(out);
    struct bytes part;

    assert_int_equal(errand_cut(&rest, &part), GROVE_OK);
    assert_int_equal(rest.size, 0);
    return part;
}

static void an_errand_comes_back_as_it_was_put(void **state)
{
    const struct errand errand = {
        .verb = ERRAND_MAP,
        .key = bytes_of_text("daily"),
        .has_priority = true,
        .priority = -3,
        .deadline_ms = 1700000000000,
        .limit = 20,
        .max_failures = 1,
    };
    struct errand back;
    struct errand_ask ask;
    struct buffer out = {0};

    (void)state;
    errand_put(&out, &errand);
    assert_int_equal(errand_ask_decode(take_part(&out), &ask), GROVE_OK);
    assert_true(ask.has_errand);
    assert_false(ask.has_input || ask.end);
    assert_int_equal(errand_decode(ask.errand, &back), GROVE_OK);
    assert_int_equal(back.verb, ERRAND_MAP);
    assert_true(bytes_equal(back.key, errand.key));
    assert_true(back.has_priority);
    assert_int_equal(back.priority, -3);
    assert_int_equal(back.deadline_ms, errand.deadline_ms);
    assert_int_equal(back.limit, 20);
    assert_int_equal(back.max_failures, 1);
    buffer_clear(&out);
}

static void a_conclusion_comes_back_with_its_outcome(void **state)
{
    const struct errand_outcome outcome = {
        .has_task = true,
        .task = {{7}},
        .status = GROVE_FAILED,
        .code = 2,
        .reason = bytes_of_text("permanent"),
        .text = bytes_of_text("no such customer"),
        .bytes = bytes_of("\0\1", 2),
        .attempt = 3,
        .retryable = true,
    };
    struct errand_conclusion conclusion = {.has_outcome = true, .cancelled = 5, .first_failed = 2};
    struct errand_outcome back;
    struct errand_answer answer;
    struct buffer encoded = {0}, out = {0};

    (void)state;
    errand_outcome_encode(&encoded, &outcome);
    conclusion.outcome = buffer_bytes(&encoded);
    errand_put_conclusion(&out, &conclusion);
    assert_int_equal(errand_answer_decode(take_part(&out), &answer), GROVE_OK);
    assert_true(answer.has_conclusion);
    assert_int_equal(errand_conclusion_decode(answer.conclusion, &conclusion), GROVE_OK);
    assert_int_equal(conclusion.cancelled, 5);
    assert_int_equal(conclusion.first_failed, 2);
    assert_int_equal(errand_outcome_decode(conclusion.outcome, &back), GROVE_OK);
    assert_memory_equal(&back.task, &outcome.task, sizeof(back.task));
    assert_int_equal(back.status, GROVE_FAILED);
    assert_int_equal(back.code, 2);
    assert_true(bytes_equal(back.text, outcome.text));
    assert_true(bytes_equal(back.bytes, outcome.bytes));
    assert_int_equal(back.attempt, 3);
    assert_true(back.retryable);
    buffer_clear(&encoded);
    buffer_clear(&out);
}

/* What it lacks may still come. */
static void a_part_is_cut_only_when_it_is_whole(void **state)
{
    struct buffer out = {0};
    struct bytes rest, part;

    (void)state;
    errand_put_input(&out, bytes_of_text("anything"));
    errand_put_end(&out);
    rest = buffer_bytes(&out);
    assert_int_equal(errand_cut(&rest, &part), GROVE_OK);
    for (size_t size = 0; size < rest.size; size++) {
        struct bytes some = bytes_of(rest.data, size);

        assert_int_equal(errand_cut(&some, &part), GROVE_BUSY);
        assert_int_equal(some.size, size);
    }
    assert_int_equal(errand_cut(&rest, &part), GROVE_OK);
    assert_int_equal(rest.size, 0);
    buffer_clear(&out);
}

/* Seen before anything of it has come. */
static void a_size_over_the_limit_is_refused(void **state)
{
    const uint32_t most = LIMIT_ERRAND_SIZE;
    uint8_t size[4] = {(uint8_t)most, (uint8_t)(most >> 8), (uint8_t)(most >> 16), 0};
    struct bytes rest = bytes_of(size, sizeof(size));
    struct bytes part;

    (void)state;
    assert_int_equal(errand_cut(&rest, &part), GROVE_BUSY);
    size[0]++;
    assert_int_equal(errand_cut(&rest, &part), GROVE_TOO_LARGE);
    size[0]--;
    size[3] = 0x80;
    assert_int_equal(errand_cut(&rest, &part), GROVE_TOO_LARGE);
}

static void an_ask_says_one_thing(void **state)
{
    static const char *const wrong[] = {"", "\x18\0", "\x12\1a\x18\1", "\x18\1\x18\1", "\x22\0"};
    static const size_t sizes[] = {0, 2, 5, 4, 2};
    struct errand_ask ask;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(errand_ask_decode(bytes_of(wrong[i], sizes[i]), &ask), GROVE_MALFORMED);
    }
    assert_int_equal(errand_ask_decode(bytes_of("\x18\1", 2), &ask), GROVE_OK);
    assert_true(ask.end);
}

/* A task is for the verbs that are about one. */
static void an_errand_makes_sense(void **state)
{
    struct errand errand = {.verb = ERRAND_RESULT};
    struct errand back;
    struct errand_ask ask;
    struct buffer out = {0};

    (void)state;
    errand_put(&out, &errand);
    assert_int_equal(errand_ask_decode(take_part(&out), &ask), GROVE_OK);
    assert_int_equal(errand_decode(ask.errand, &back), GROVE_MALFORMED);
    buffer_reset(&out);
    errand = (struct errand){.verb = ERRAND_LOG, .has_task = true};
    errand_put(&out, &errand);
    assert_int_equal(errand_ask_decode(take_part(&out), &ask), GROVE_OK);
    assert_int_equal(errand_decode(ask.errand, &back), GROVE_MALFORMED);
    assert_int_equal(errand_decode(bytes_of("\x08\x0b", 2), &back), GROVE_MALFORMED);
    buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_errand_comes_back_as_it_was_put),
        cmocka_unit_test(a_conclusion_comes_back_with_its_outcome),
        cmocka_unit_test(a_part_is_cut_only_when_it_is_whole),
        cmocka_unit_test(a_size_over_the_limit_is_refused),
        cmocka_unit_test(an_ask_says_one_thing),
        cmocka_unit_test(an_errand_makes_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
