/* SPDX-License-Identifier: MPL-2.0
 * Certificates: what the mesh signed is read, by us and by nanopb alike; nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pb_decode.h>
#include <sodium.h>

#include "core/field.h"
#include "schema/grove.pb.h"
#include "tests/support/samples.h"

static void certificates_come_back_and_a_flipped_bit_does_not(void **state)
{
    const struct signer mesh = sample_signer(1);
    const struct signer other = sample_signer(3);
    const struct certificate sent = sample_certificate();
    struct certificate back;
    struct buffer form = {0};

    (void)state;
    certificate_issue(&form, &sent, &mesh);
    assert_int_equal(certificate_open(buffer_bytes(&form), &mesh.public_key, &back), GROVE_OK);
    assert_string_equal(back.name, sent.name);
    assert_int_equal(back.roles, sent.roles);
    assert_int_equal(back.submit_count, 2);
    assert_int_equal(back.run_count, 1);
    assert_string_equal(back.submit[1].text, "images.*");
    assert_true(key_equal(&back.link_key, &sent.link_key));
    assert_int_equal(back.not_after_ms, sent.not_after_ms);
    assert_int_equal(certificate_open(buffer_bytes(&form), &other.public_key, &back),
                     GROVE_BAD_SIGNATURE);
    for (size_t bit = 0; bit < form.size * 8; bit++) {
        form.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(certificate_open(buffer_bytes(&form), &mesh.public_key, &back),
                             GROVE_OK);
        form.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buffer_reset(&form);
    certificate_issue(&form, &sent, &other); /* signed by one mesh, naming another */
    assert_int_equal(certificate_open(buffer_bytes(&form), &other.public_key, &back),
                     GROVE_WRONG_MESH);
    buffer_clear(&form);
}

static void patterns_match_exactly_or_by_prefix(void **state)
{
    const struct pattern patterns[] = {{"step"}, {"images.*"}};
    const struct pattern all[] = {{"*"}};

    (void)state;
    assert_true(pattern_matches(patterns, 2, bytes_of_text("step")));
    assert_false(pattern_matches(patterns, 2, bytes_of_text("steps")));
    assert_false(pattern_matches(patterns, 2, bytes_of_text("ste")));
    assert_true(pattern_matches(patterns, 2, bytes_of_text("images.resize")));
    assert_true(pattern_matches(patterns, 2, bytes_of_text("images.")));
    assert_false(pattern_matches(patterns, 2, bytes_of_text("images")));
    assert_true(pattern_matches(all, 1, bytes_of_text("anything")));
    assert_false(pattern_matches(all, 0, bytes_of_text("anything")));
    assert_true(pattern_text_is_valid(bytes_of_text("*")));
    assert_true(pattern_text_is_valid(bytes_of_text("a.*")));
    assert_false(pattern_text_is_valid(bytes_of_text("")));
    assert_false(pattern_text_is_valid(bytes_of_text("a*b")));
    assert_false(pattern_text_is_valid(bytes_of_text("A")));
}

/* nanopb reads the same body in the same way. */
static void another_decoder_agrees_about_certificates(void **state)
{
    const struct signer mesh = sample_signer(1);
    const struct certificate sent = sample_certificate();
    grove_v1_CertificateBody body = grove_v1_CertificateBody_init_zero;
    struct buffer form = {0};
    struct field field = {0};

    (void)state;
    certificate_issue(&form, &sent, &mesh);
    struct bytes rest = buffer_bytes(&form);
    assert_true(field_take(&rest, &field));
    pb_istream_t stream = pb_istream_from_buffer(field.bytes.data, field.bytes.size);
    assert_true(pb_decode(&stream, grove_v1_CertificateBody_fields, &body));
    assert_string_equal(body.name, sent.name);
    assert_int_equal(body.roles, sent.roles);
    assert_int_equal(body.submit_count, 2);
    assert_string_equal(body.run[0], "*");
    assert_memory_equal(body.sign_key, &sent.sign_key, 32);
    assert_int_equal(body.not_before_ms, sent.not_before_ms);
    buffer_clear(&form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_come_back_and_a_flipped_bit_does_not),
        cmocka_unit_test(patterns_match_exactly_or_by_prefix),
        cmocka_unit_test(another_decoder_agrees_about_certificates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
