/* SPDX-License-Identifier: MPL-2.0
 * What the simulator remembers of a good signature makes no bad one good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

struct sealed {
    unsigned char key[crypto_sign_PUBLICKEYBYTES];
    unsigned char signature[crypto_sign_BYTES];
    unsigned char message[100];
};

static int verify(const struct sealed *sealed)
{
    return crypto_sign_verify_detached(sealed->signature, sealed->message, sizeof(sealed->message),
                                       sealed->key);
}

static struct sealed seal(void)
{
    struct sealed sealed;
    unsigned char secret[crypto_sign_SECRETKEYBYTES];

    randombytes_buf(sealed.message, sizeof(sealed.message));
    (void)crypto_sign_keypair(sealed.key, secret);
    (void)crypto_sign_detached(sealed.signature, NULL, sealed.message, sizeof(sealed.message),
                               secret);
    return sealed;
}

static void what_was_good_is_good_again_and_with_any_other_bit_it_is_bad(void **state)
{
    const struct sealed sealed = seal();

    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        struct sealed other = sealed;
        ((unsigned char *)&other)[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(verify(&sealed), 0);
        assert_int_not_equal(verify(&other), 0);
        assert_int_not_equal(verify(&other), 0);
    }
}

static void a_part_of_a_message_is_another(void **state)
{
    const struct sealed sealed = seal();

    (void)state;
    assert_int_equal(verify(&sealed), 0);
    assert_int_not_equal(crypto_sign_verify_detached(sealed.signature, sealed.message,
                                                     sizeof(sealed.message) - 1, sealed.key),
                         0);
}

static int begin(void **state)
{
    (void)state;
    return sodium_init() < 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_good_is_good_again_and_with_any_other_bit_it_is_bad),
        cmocka_unit_test(a_part_of_a_message_is_another),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
