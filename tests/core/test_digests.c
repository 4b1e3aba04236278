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
#include "core/lanes.h"

#define SIZE_MOST 700u
#define COUNT_MOST 20u

static uint8_t bytes[SIZE_MOST];

static int fill_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 256 + 1);
    }
    if (sodium_init() < 0) { /* which looks what the processor can */
        return 1;
    }
    if (!lanes_are_there()) {
        printf("this processor has no lanes: what is tested is the way without them\n");
    }
    return 0;
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

/* H over the digests of the pieces, word for word. */
static struct digest of_pieces_plainly(struct bytes text)
{
    struct buffer digests = {0};

    for (size_t at = 0; at < text.size; at += DIGEST_PIECE) {
        const size_t left = text.size - at;
        const struct digest digest =
            digest_of(bytes_of(text.data + at, left < DIGEST_PIECE ? left : DIGEST_PIECE));
        buffer_append(&digests, &digest, sizeof(digest));
    }
    const struct digest digest = digest_of(buffer_bytes(&digests));
    buffer_clear(&digests);
    return digest;
}

static void a_long_text_in_pieces(void **state)
{
    static const size_t sizes[] = {0,    1,     1023,  1024,  1025,   2047,
                                   8192, 20000, 65536, 65537, 131072, 200001};
    static uint8_t text[200001];

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i * 11 + i / 1000);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const struct digest expected = of_pieces_plainly(bytes_of(text, sizes[i]));
        const struct digest digest = digest_of_pieces(bytes_of(text, sizes[i]));
        assert_memory_equal(&digest, &expected, sizeof(digest));
    }
}

/* However many whole pieces come at a time. */
static void a_long_text_part_by_part(void **state)
{
    static uint8_t text[100 * DIGEST_PIECE + 7];

    (void)state;
    memset(text, 3, sizeof(text));
    const struct digest expected = digest_of_pieces(bytes_of(text, sizeof(text)));
    for (size_t step = DIGEST_PIECE; step < sizeof(text); step += DIGEST_PIECE) {
        struct pieces pieces;

        pieces_begin(&pieces);
        for (size_t at = 0; at < sizeof(text); at += step) {
            const size_t left = sizeof(text) - at;
            pieces_add(&pieces, bytes_of(text + at, left < step ? left : step));
        }
        const struct digest digest = pieces_end(&pieces);
        assert_memory_equal(&digest, &expected, sizeof(digest));
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
        cmocka_unit_test(a_long_text_in_pieces),
        cmocka_unit_test(a_long_text_part_by_part),
    };

    return cmocka_run_group_tests_name("digests", tests, fill_bytes, NULL);
}
