/* SPDX-License-Identifier: MPL-2.0 */
#include "core/trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/revocation.h"

#define NOON UINT64_C(1700000000000)
#define YEAR_MS UINT64_C(31536000000)

struct fixture {
    struct signer mesh;
    struct trust trust;
    struct buffer form; /* the last one issued */
};

/* Keys from a name, so that a failure can be run again. */
static struct signer signer_of(const char *name)
{
    struct signer signer;
    uint8_t seed[crypto_sign_SEEDBYTES] = {0};

    for (size_t i = 0; name[i] != '\0'; i++) {
        seed[i] = (uint8_t)name[i];
    }
    crypto_sign_seed_keypair(signer.public_key.byte, signer.secret, seed);
    return signer;
}

static int set_up(void **state)
{
    static const uint8_t hash_key[16] = {7};
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_true(sodium_init() >= 0);
    f->mesh = signer_of("mesh");
    trust_init(&f->trust, &f->mesh.public_key, hash_key);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    assert_null(trust_check(&f->trust));
    trust_clear(&f->trust);
    trust_clear(&f->trust);
    buffer_clear(&f->form);
    free(f);
    return 0;
}

/* A worker that may submit `step` and run `flow-*`; its link key is its name. */
static struct certificate certificate_of(const struct fixture *f, const char *name, uint8_t serial)
{
    struct certificate certificate = {
        .mesh = f->mesh.public_key,
        .serial = {{serial}},
        .roles = ROLE_WORKER,
        .sign_key = signer_of(name).public_key,
        .submit_count = 1,
        .run_count = 1,
        .submit = {{"step"}},
        .run = {{"flow-*"}},
        .not_before_ms = NOON,
        .not_after_ms = NOON + YEAR_MS,
    };

    memcpy(certificate.name, name, strlen(name));
    memcpy(certificate.link_key.byte, name, strlen(name));
    return certificate;
}

static enum refusal admit_form(struct fixture *f, bool *changed)
{
    return trust_admit(&f->trust, buffer_bytes(&f->form), NOON, changed);
}

static enum refusal admit(struct fixture *f, const struct certificate *certificate)
{
    bool changed;

    buffer_reset(&f->form);
    certificate_issue(&f->form, certificate, &f->mesh);
    return admit_form(f, &changed);
}

static void admit_ok(struct fixture *f, const char *name, uint8_t serial)
{
    const struct certificate certificate = certificate_of(f, name, serial);

    assert_int_equal(admit(f, &certificate), REFUSED_NOT);
}

static enum refusal revoke(struct fixture *f, const struct revocation *revocation, bool *changed)
{
    buffer_reset(&f->form);
    revocation_issue(&f->form, revocation, &f->mesh);
    return admit_form(f, changed);
}

static enum refusal may_submit(struct fixture *f, const char *name, const char *function)
{
    const struct signer signer = signer_of(name);

    return trust_may_submit(&f->trust, &signer.public_key, bytes_of_text(function), NOON);
}

static enum refusal may_run(struct fixture *f, const char *name, const char *function)
{
    const struct signer signer = signer_of(name);

    return trust_may_run(&f->trust, &signer.public_key, bytes_of_text(function), NOON);
}

static enum refusal judge_at(struct fixture *f, const char *name, uint64_t now_ms)
{
    const struct signer signer = signer_of(name);

    return trust_judge(&f->trust, &signer.public_key, now_ms);
}

static void a_stranger_may_do_nothing(void **state)
{
    struct fixture *f = *state;
    const struct signer signer = signer_of("stranger");

    assert_int_equal(may_submit(f, "stranger", "step"), REFUSED_UNKNOWN_KEY);
    assert_int_equal(may_run(f, "stranger", "step"), REFUSED_UNKNOWN_KEY);
    assert_int_equal(judge_at(f, "stranger", NOON), REFUSED_UNKNOWN_KEY);
    assert_int_equal(trust_has_role(&f->trust, &signer.public_key, UINT32_MAX, NOON),
                     REFUSED_UNKNOWN_KEY);
    assert_true(trust_is_revoked(&f->trust, &signer.public_key));
    assert_null(trust_certificate(&f->trust, &signer.public_key, NULL));
}

static void what_no_pattern_names_is_denied(void **state)
{
    struct fixture *f = *state;
    struct certificate certificate = certificate_of(f, "idle", 2);

    admit_ok(f, "w1", 1);
    assert_int_equal(may_submit(f, "w1", "step"), REFUSED_NOT);
    assert_int_equal(may_submit(f, "w1", "step2"), REFUSED_RIGHT_SUBMIT);
    assert_int_equal(may_submit(f, "w1", "ste"), REFUSED_RIGHT_SUBMIT);
    assert_int_equal(may_submit(f, "w1", "flow-a"), REFUSED_RIGHT_SUBMIT);
    assert_int_equal(may_run(f, "w1", "flow-a"), REFUSED_NOT);
    assert_int_equal(may_run(f, "w1", "flow-"), REFUSED_NOT);
    assert_int_equal(may_run(f, "w1", "flow"), REFUSED_RIGHT_RUN);
    assert_int_equal(may_run(f, "w1", "step"), REFUSED_RIGHT_RUN);

    certificate.submit_count = 0;
    certificate.run_count = 0;
    assert_int_equal(admit(f, &certificate), REFUSED_NOT);
    assert_int_equal(may_submit(f, "idle", "step"), REFUSED_RIGHT_SUBMIT);
    assert_int_equal(may_run(f, "idle", "flow-a"), REFUSED_RIGHT_RUN);
}

static void a_pattern_is_worth_nothing_without_its_role(void **state)
{
    struct fixture *f = *state;
    struct certificate certificate = certificate_of(f, "c1", 1);
    const struct key *identity = &certificate.sign_key;

    certificate.roles = ROLE_CLIENT | ROLE_OBSERVER;
    assert_int_equal(admit(f, &certificate), REFUSED_NOT);
    assert_int_equal(may_submit(f, "c1", "step"), REFUSED_NOT);
    assert_int_equal(may_run(f, "c1", "flow-a"), REFUSED_ROLE);
    assert_int_equal(trust_has_role(&f->trust, identity, ROLE_OPERATOR, NOON), REFUSED_ROLE);
    assert_int_equal(trust_has_role(&f->trust, identity, ROLE_OPERATOR | ROLE_OBSERVER, NOON),
                     REFUSED_NOT);

    certificate = certificate_of(f, "k1", 2);
    certificate.roles = ROLE_COORDINATOR | ROLE_OBSERVER | ROLE_OPERATOR;
    assert_int_equal(admit(f, &certificate), REFUSED_NOT);
    assert_int_equal(may_submit(f, "k1", "step"), REFUSED_ROLE);
    assert_int_equal(may_run(f, "k1", "flow-a"), REFUSED_ROLE);
}

static void a_certificate_counts_within_its_dates_only(void **state)
{
    struct fixture *f = *state;
    const struct key identity = signer_of("w1").public_key;

    admit_ok(f, "w1", 1);
    assert_int_equal(judge_at(f, "w1", NOON - 1), REFUSED_REVOKED);
    assert_int_equal(judge_at(f, "w1", NOON), REFUSED_NOT);
    assert_int_equal(judge_at(f, "w1", NOON + YEAR_MS - 1), REFUSED_NOT);
    assert_int_equal(judge_at(f, "w1", NOON + YEAR_MS), REFUSED_REVOKED);
    assert_false(trust_is_revoked(&f->trust, &identity));
}

static void only_what_the_mesh_signed_is_admitted(void **state)
{
    struct fixture *f = *state;
    const struct signer stranger = signer_of("stranger");
    struct certificate certificate = certificate_of(f, "stranger", 1);
    bool changed = true;

    certificate_issue(&f->form, &certificate, &stranger);
    assert_int_equal(admit_form(f, &changed), REFUSED_CERTIFICATE);

    certificate.mesh = stranger.public_key;
    buffer_reset(&f->form);
    certificate_issue(&f->form, &certificate, &stranger);
    assert_int_equal(admit_form(f, &changed), REFUSED_CERTIFICATE);
    assert_int_equal(admit(f, &certificate), REFUSED_CERTIFICATE);

    buffer_reset(&f->form);
    assert_int_equal(admit_form(f, &changed), REFUSED_CERTIFICATE);
    assert_true(changed); /* untouched */
    assert_int_equal(f->trust.certificate_count, 0);
}

static void no_flipped_bit_is_admitted(void **state)
{
    struct fixture *f = *state;
    struct certificate certificate = certificate_of(f, "w1", 1);
    const struct revocation revocation = {.mesh = f->mesh.public_key, .serial = {{1}}};
    bool changed;

    for (int form = 0; form < 2; form++) {
        buffer_reset(&f->form);
        if (form == 0) {
            certificate_issue(&f->form, &certificate, &f->mesh);
        } else {
            revocation_issue(&f->form, &revocation, &f->mesh);
        }
        for (size_t i = 0; i < f->form.size; i++) {
            f->form.data[i] ^= (uint8_t)(1u << i % 8);
            assert_int_equal(admit_form(f, &changed), REFUSED_CERTIFICATE);
            f->form.data[i] ^= (uint8_t)(1u << i % 8);
        }
    }
    assert_int_equal(f->trust.certificate_count + f->trust.revocation_count, 0);
}

static void an_expired_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    struct certificate certificate = certificate_of(f, "w1", 1);

    certificate.not_before_ms = 1;
    certificate.not_after_ms = NOON;
    assert_int_equal(admit(f, &certificate), REFUSED_REVOKED);
    certificate.not_after_ms = NOON + 1;
    assert_int_equal(admit(f, &certificate), REFUSED_NOT);
}

static void admitting_again_changes_nothing(void **state)
{
    struct fixture *f = *state;
    bool changed = false;

    admit_ok(f, "w1", 1);
    assert_int_equal(admit_form(f, &changed), REFUSED_NOT);
    assert_false(changed);
    assert_int_equal(f->trust.certificate_count, 1);
}

/* A coordinator admits the files it is given at each start: that must not bring back an old one. */
static void the_latest_certificate_counts_in_whatever_order_they_come(void **state)
{
    struct fixture *f = *state;
    struct certificate old = certificate_of(f, "w1", 9);
    struct certificate new = certificate_of(f, "w1", 1);
    bool changed = true;

    new.not_before_ms = NOON + 1;
    new.link_key.byte[0] ^= 1;
    assert_int_equal(admit(f, &old), REFUSED_NOT);
    assert_int_equal(admit(f, &new), REFUSED_NOT);
    assert_int_equal(judge_at(f, "w1", NOON), REFUSED_REVOKED);
    assert_int_equal(judge_at(f, "w1", NOON + 1), REFUSED_NOT);
    buffer_reset(&f->form);
    certificate_issue(&f->form, &old, &f->mesh);
    assert_int_equal(admit_form(f, &changed), REFUSED_NOT);
    assert_false(changed);
    assert_int_equal(judge_at(f, "w1", NOON), REFUSED_REVOKED);
    assert_int_equal(f->trust.certificate_count, 1);

    new.not_before_ms = NOON;
    new.serial.byte[0] = 8;
    assert_int_equal(admit(f, &new), REFUSED_NOT);
    assert_int_equal(judge_at(f, "w1", NOON), REFUSED_REVOKED);
}

static void of_equal_dates_the_greater_serial_counts(void **state)
{
    struct fixture *f = *state;
    const struct key identity = signer_of("w1").public_key;

    admit_ok(f, "w1", 2);
    admit_ok(f, "w1", 3);
    admit_ok(f, "w1", 1);
    assert_int_equal(trust_certificate(&f->trust, &identity, NULL)->serial.byte[0], 3);
}

/* The ZAP handler finds an identity by its link key, which must name one. */
static void a_link_key_belongs_to_one_identity(void **state)
{
    struct fixture *f = *state;
    struct certificate other = certificate_of(f, "w2", 2);
    struct certificate moved = certificate_of(f, "w1", 3);

    admit_ok(f, "w1", 1);
    other.link_key = moved.link_key;
    assert_int_equal(admit(f, &other), REFUSED_CERTIFICATE);
    assert_int_equal(judge_at(f, "w2", NOON), REFUSED_UNKNOWN_KEY);

    moved.link_key.byte[31] = 1;
    assert_int_equal(admit(f, &moved), REFUSED_NOT);
    assert_int_equal(admit(f, &other), REFUSED_NOT);
    assert_int_equal(judge_at(f, "w2", NOON), REFUSED_NOT);
}

static void a_revoked_identity_never_comes_back(void **state)
{
    struct fixture *f = *state;
    const struct revocation revocation = {.mesh = f->mesh.public_key,
                                          .of_identity = true,
                                          .sign_key = signer_of("w1").public_key,
                                          .reason = "stolen"};
    struct certificate new = certificate_of(f, "w1", 2);
    bool changed = false;

    admit_ok(f, "w1", 1);
    admit_ok(f, "w2", 1);
    assert_int_equal(revoke(f, &revocation, &changed), REFUSED_NOT);
    assert_true(changed);
    assert_int_equal(may_run(f, "w1", "flow-a"), REFUSED_REVOKED);
    assert_true(trust_is_revoked(&f->trust, &revocation.sign_key));
    assert_int_equal(may_run(f, "w2", "flow-a"), REFUSED_NOT);

    assert_int_equal(revoke(f, &revocation, &changed), REFUSED_NOT);
    assert_false(changed);
    new.not_before_ms = NOON + 1;
    assert_int_equal(admit(f, &new), REFUSED_REVOKED);
    assert_int_equal(f->trust.revocation_count, 1);
}

static void a_revoked_certificate_can_be_replaced(void **state)
{
    struct fixture *f = *state;
    const struct revocation revocation = {.mesh = f->mesh.public_key, .serial = {{1}}};
    bool changed = false;

    admit_ok(f, "w1", 1);
    assert_int_equal(revoke(f, &revocation, &changed), REFUSED_NOT);
    assert_int_equal(may_run(f, "w1", "flow-a"), REFUSED_REVOKED);
    admit_ok(f, "w1", 2);
    assert_int_equal(may_run(f, "w1", "flow-a"), REFUSED_NOT);
}

static void a_revocation_may_come_before_its_certificate(void **state)
{
    struct fixture *f = *state;
    const struct revocation revocation = {.mesh = f->mesh.public_key, .serial = {{1}}};
    const struct certificate certificate = certificate_of(f, "w1", 1);
    bool changed = false;

    assert_int_equal(revoke(f, &revocation, &changed), REFUSED_NOT);
    assert_int_equal(admit(f, &certificate), REFUSED_REVOKED);
    assert_int_equal(f->trust.certificate_count, 0);
}

static void a_revocation_by_another_than_the_mesh_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct signer stranger = signer_of("stranger");
    const struct revocation revocation = {.mesh = f->mesh.public_key, .serial = {{1}}};
    bool changed;

    revocation_issue(&f->form, &revocation, &stranger);
    assert_int_equal(admit_form(f, &changed), REFUSED_CERTIFICATE);
    assert_int_equal(f->trust.revocation_count, 0);
}

static void positions_follow_the_first_admission(void **state)
{
    struct fixture *f = *state;
    const char *names[] = {"w3", "w1", "w2"};
    struct bytes form;

    for (uint8_t i = 0; i < 3; i++) {
        admit_ok(f, names[i], 1);
    }
    admit_ok(f, "w1", 2);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(trust_certificate_at(&f->trust, i, &form)->name, names[i]);
    }
    assert_true(trust_certificate_at(&f->trust, 1, &form)->serial.byte[0] == 2);
    assert_true(form.size > 64);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stranger_may_do_nothing),
        TEST(what_no_pattern_names_is_denied),
        TEST(a_pattern_is_worth_nothing_without_its_role),
        TEST(a_certificate_counts_within_its_dates_only),
        TEST(only_what_the_mesh_signed_is_admitted),
        TEST(no_flipped_bit_is_admitted),
        TEST(an_expired_certificate_is_refused),
        TEST(admitting_again_changes_nothing),
        TEST(the_latest_certificate_counts_in_whatever_order_they_come),
        TEST(of_equal_dates_the_greater_serial_counts),
        TEST(a_link_key_belongs_to_one_identity),
        TEST(a_revoked_identity_never_comes_back),
        TEST(a_revoked_certificate_can_be_replaced),
        TEST(a_revocation_may_come_before_its_certificate),
        TEST(a_revocation_by_another_than_the_mesh_is_refused),
        TEST(positions_follow_the_first_admission),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
