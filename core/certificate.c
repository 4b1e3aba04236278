/* SPDX-License-Identifier: MPL-2.0
 * Certificates, in two layers: a signed form around a body that is kept as it was signed. */
#include "core/certificate.h"

#include <assert.h>
#include <sodium.h>

#include "core/field.h"
#include "core/frame.h"
#include "core/item.h"
#include "core/purpose.h"
#include "core/shape.h"
#include "schema/grove.pb.h"

#define FORM(name) grove_v1_Certificate_##name##_tag
#define BODY(name) grove_v1_CertificateBody_##name##_tag
#define PATTERN_LENGTH (sizeof(struct pattern) - 1)

#define ROLE_ALL (ROLE_COORDINATOR | ROLE_WORKER | ROLE_CLIENT | ROLE_OBSERVER | ROLE_OPERATOR)

static_assert(sizeof(((grove_v1_CertificateBody *)0)->name) == LIMIT_NAME_LENGTH + 1, "schema");
static_assert(sizeof(((grove_v1_CertificateBody *)0)->submit) ==
                  LIMIT_PATTERNS * sizeof(struct pattern),
              "schema");
static_assert(sizeof(((grove_v1_CertificateBody *)0)->run) ==
                  LIMIT_PATTERNS * sizeof(struct pattern),
              "schema");

/* ---- shapes */

struct form {
    struct bytes body;
    struct signature signature;
};

static const struct shape_field form_fields[] = {
    [FORM(body)] = {SHAPE_BYTES, SHAPE_AT(form, body), .limit = LIMIT_CERTIFICATE_SIZE},
    [FORM(signature)] = {SHAPE_FIXED, SHAPE_AT(form, signature), .limit = 64},
};

static const struct shape form_shape = {
    SHAPE_OF(form, form_fields),
    .required = SHAPE_BIT(FORM(body)) | SHAPE_BIT(FORM(signature)),
};

/* A certificate but for its copies of text. */
struct body {
    struct key mesh;
    struct id serial;
    struct bytes name;
    uint32_t roles;
    struct key sign_key;
    struct key link_key;
    struct wire_list submit;
    struct wire_list run;
    uint64_t not_before_ms;
    uint64_t not_after_ms;
};

static const struct shape_field body_fields[] = {
    [BODY(mesh)] = {SHAPE_FIXED, SHAPE_AT(body, mesh), .limit = 32},
    [BODY(serial)] = {SHAPE_FIXED, SHAPE_AT(body, serial), .limit = 16},
    [BODY(name)] = {SHAPE_TEXT, SHAPE_AT(body, name), .limit = LIMIT_NAME_LENGTH},
    [BODY(roles)] = {SHAPE_UINT32, SHAPE_AT(body, roles), .limit = ROLE_ALL},
    [BODY(sign_key)] = {SHAPE_FIXED, SHAPE_AT(body, sign_key), .limit = 32},
    [BODY(link_key)] = {SHAPE_FIXED, SHAPE_AT(body, link_key), .limit = 32},
    [BODY(submit)] = {SHAPE_TEXTS, SHAPE_AT(body, submit), .most = LIMIT_PATTERNS,
                      .limit = PATTERN_LENGTH},
    [BODY(run)] = {SHAPE_TEXTS, SHAPE_AT(body, run), .most = LIMIT_PATTERNS,
                   .limit = PATTERN_LENGTH},
    [BODY(not_before_ms)] = {SHAPE_UINT64, SHAPE_AT(body, not_before_ms)},
    [BODY(not_after_ms)] = {SHAPE_UINT64, SHAPE_AT(body, not_after_ms)},
};

static const struct shape body_shape = {
    SHAPE_OF(body, body_fields),
    .required = SHAPE_BIT(BODY(mesh)) | SHAPE_BIT(BODY(serial)) | SHAPE_BIT(BODY(name)) |
                SHAPE_BIT(BODY(roles)) | SHAPE_BIT(BODY(sign_key)) | SHAPE_BIT(BODY(link_key)),
};

/* ---- patterns */

bool pattern_text_is_valid(struct bytes text)
{
    if (text.size > 0 && text.data[text.size - 1] == '*') {
        text.size--;
        return text.size == 0 || wire_function_is_valid(text);
    }
    return wire_function_is_valid(text);
}

bool pattern_matches(const struct pattern *patterns, unsigned count, struct bytes function)
{
    for (unsigned i = 0; i < count; i++) {
        struct bytes text = bytes_of_text(patterns[i].text);
        bool is_prefix = text.size > 0 && text.data[text.size - 1] == '*';

        text.size -= is_prefix;
        if (text.size == function.size || (is_prefix && text.size < function.size)) {
            if (bytes_equal(text, bytes_of(function.data, text.size))) {
                return true;
            }
        }
    }
    return false;
}

/* Copies as many as there are; false for one that is no pattern. */
static bool copy_patterns(struct wire_list list, struct pattern *patterns, unsigned *count)
{
    struct bytes text;

    for (*count = 0; wire_next(&list, &text); ++*count) {
        if (!pattern_text_is_valid(text)) {
            return false;
        }
        memcpy(patterns[*count].text, text.data, text.size);
    }
    return true;
}

static void put_patterns(struct buffer *out, uint32_t field, const struct pattern *patterns,
                         unsigned count)
{
    assert(count <= LIMIT_PATTERNS);
    for (unsigned i = 0; i < count; i++) {
        field_put_bytes(out, field, bytes_of_text(patterns[i].text));
    }
}

/* ---- the signed form */

/* What the mesh signs: the purpose, then the body. */
static size_t
signed_bytes_of(struct bytes body,
                uint8_t signed_bytes[sizeof(PURPOSE_CERTIFICATE) + LIMIT_CERTIFICATE_SIZE])
{
    assert(body.size <= LIMIT_CERTIFICATE_SIZE);
    memcpy(signed_bytes, PURPOSE_CERTIFICATE, sizeof(PURPOSE_CERTIFICATE));
    memcpy(signed_bytes + sizeof(PURPOSE_CERTIFICATE), body.data, body.size);
    return sizeof(PURPOSE_CERTIFICATE) + body.size;
}

void certificate_issue(struct buffer *out, const struct certificate *certificate,
                       const struct signer *mesh)
{
    uint8_t signed_bytes[sizeof(PURPOSE_CERTIFICATE) + LIMIT_CERTIFICATE_SIZE];
    const struct body body = {
        .mesh = certificate->mesh,
        .serial = certificate->serial,
        .name = bytes_of_text(certificate->name),
        .roles = certificate->roles,
        .sign_key = certificate->sign_key,
        .link_key = certificate->link_key,
        .not_before_ms = certificate->not_before_ms,
        .not_after_ms = certificate->not_after_ms,
    };
    struct buffer encoded = {0};

    shape_encode(&body_shape, &body, &encoded);
    put_patterns(&encoded, BODY(submit), certificate->submit, certificate->submit_count);
    put_patterns(&encoded, BODY(run), certificate->run, certificate->run_count);
    struct form form = {.body = buffer_bytes(&encoded)};
    crypto_sign_detached(form.signature.byte, NULL, signed_bytes,
                         signed_bytes_of(form.body, signed_bytes), mesh->secret);
    shape_encode(&form_shape, &form, out);
    buffer_clear(&encoded);
}

static enum grove_status open_form(struct bytes bytes, const struct key *mesh, struct bytes *body)
{
    uint8_t signed_bytes[sizeof(PURPOSE_CERTIFICATE) + LIMIT_CERTIFICATE_SIZE];
    struct form form;

    if (bytes.size > LIMIT_CERTIFICATE_SIZE) {
        return GROVE_TOO_LARGE;
    }
    enum grove_status status = shape_decode(&form_shape, bytes, &form);
    if (status != GROVE_OK) {
        return status;
    }
    if (crypto_sign_verify_detached(form.signature.byte, signed_bytes,
                                    signed_bytes_of(form.body, signed_bytes), mesh->byte) != 0) {
        return GROVE_BAD_SIGNATURE;
    }
    *body = form.body;
    return GROVE_OK;
}

enum grove_status certificate_open(struct bytes bytes, const struct key *mesh,
                                   struct certificate *certificate)
{
    struct bytes encoded;
    struct body body;

    enum grove_status status = open_form(bytes, mesh, &encoded);
    if (status != GROVE_OK) {
        return status;
    }
    status = shape_decode(&body_shape, encoded, &body);
    if (status != GROVE_OK) {
        return status;
    }
    if (!key_equal(&body.mesh, mesh)) {
        return GROVE_WRONG_MESH;
    }
    struct certificate opened = {
        .mesh = body.mesh,
        .serial = body.serial,
        .roles = body.roles,
        .sign_key = body.sign_key,
        .link_key = body.link_key,
        .not_before_ms = body.not_before_ms,
        .not_after_ms = body.not_after_ms,
    };
    if (!copy_patterns(body.submit, opened.submit, &opened.submit_count) ||
        !copy_patterns(body.run, opened.run, &opened.run_count)) {
        return GROVE_MALFORMED;
    }
    if (body.name.size > 0) {
        memcpy(opened.name, body.name.data, body.name.size);
    }
    *certificate = opened;
    return GROVE_OK;
}
