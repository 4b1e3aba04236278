/* SPDX-License-Identifier: MPL-2.0
 * Many digests at once are what one after another would be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/buffer.h"
#include "core/digests.h"
#include "core/id.h"

#define SIZE_MOST 700u
#define COUNT_MOST 20u

static uint8_t bytes[SIZE_MOST];

static int fill_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256 + 1);
    }
    return sodium_init() < 0; /* which looks what the processor can */
}

static struct digest one_of(struct bytes prefix, struct bytes text)
{
    struct buffer both = {0};

    if (prefix.size > 0) {
        buffer_append(&both, prefix.data, prefix.size);
    }
    if (text.size > 0) {
        buffer_append(&both, text.data, text.size);
    }
    const struct digest digest = digest_of(buffer_bytes(&both));
    buffer_clear(&both);
    return digest;
}

static void check(struct bytes prefix, const struct bytes *texts, size_t count)
{
    struct digest digests[COUNT_MOST + 1];

    memset(digests, 0xee, sizeof(digests));
    const struct digest untouched = digests[count];
    digests_of(prefix, texts, count, digests);
    for (size_t i = 0; i < count; i++) {
        const struct digest expected = one_of(prefix, texts[i]);
        assert_memory_equal(&digests[i], &expected, sizeof(expected));
    }
    assert_memory_equal(&digests[count], &untouched, sizeof(untouched));
}

static void texts_of_one_size(void **state)
{
    struct bytes texts[COUNT_MOST];

    (void)state;
    for (size_t size = 0; size <= 300; size++) {
        for (size_t i = 0; i < COUNT_MOST; i++) {
            texts[i] = bytes_of(bytes + i, size);
        }
        check(bytes_of(NULL, 0), texts, COUNT_MOST);
        check(bytes_of("p", 1), texts, COUNT_MOST);
    }
}

static void any_number_of_texts(void **state)
{
    struct bytes texts[COUNT_MOST];

    (void)state;
    for (size_t i = 0; i < COUNT_MOST; i++) {
        texts[i] = bytes_of(bytes + i, 64);
    }
    for (size_t count = 0; count <= COUNT_MOST; count++) {
        check(bytes_of("p", 1), texts, count);
    }
}

/* They end in different steps, and one of them is over long before the others. */
static void texts_of_different_sizes_side_by_side(void **state)
{
    struct bytes texts[COUNT_MOST];

    (void)state;
    for (size_t shift = 0; shift < 130; shift++) {
        for (size_t i = 0; i < COUNT_MOST; i++) {
            texts[i] = bytes_of(bytes + i, i % 8 == 0 ? 0 : (i % 8) * 66 + shift);
        }
        check(bytes_of("p", 1), texts, COUNT_MOST);
    }
}

/* Among short ones it goes alone, and so do they. */
static void one_long_text_among_short_ones(void **state)
{
    struct bytes texts[8];

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        texts[i] = bytes_of(bytes + i, i == 3 ? 600 : 20);
    }
    check(bytes_of(NULL, 0), texts, 8);
}

static void a_prefix_of_any_size(void **state)
{
    struct bytes texts[8];

    (void)state;
    for (size_t size = 0; size <= 300; size += 1) {
        for (size_t i = 0; i < 8; i++) {
            texts[i] = bytes_of(bytes + i, 10 * i);
        }
        check(bytes_of(bytes, size), texts, 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_one_size),
        cmocka_unit_test(any_number_of_texts),
        cmocka_unit_test(texts_of_different_sizes_side_by_side),
        cmocka_unit_test(one_long_text_among_short_ones),
        cmocka_unit_test(a_prefix_of_any_size),
    };

    return cmocka_run_group_tests_name("digests", tests, fill_bytes, NULL);
}
