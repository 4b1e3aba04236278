/* SPDX-License-Identifier: MPL-2.0
 * Revocations, in the two layers that certificates have too: a signed form around a body. */
#include "core/revocation.h"

#include <assert.h>
#include <sodium.h>

#include "core/purpose.h"
#include "core/shape.h"

struct signed_form {
    struct bytes body;
    struct signature signature;
};

static const struct shape_field signed_fields[] = {
    [3] = {.kind = SHAPE_BYTES, SHAPE_AT(signed_form, body), .limit = LIMIT_REVOCATION_SIZE},
    [4] = {.kind = SHAPE_FIXED,
           SHAPE_AT(signed_form, signature),
           .limit = sizeof(struct signature)},
};
static const struct shape signed_shape = {
    SHAPE_OF(signed_form, signed_fields),
    .required = SHAPE_BIT(3) | SHAPE_BIT(4),
};

struct body {
    struct key mesh;
    struct key sign_key;
    struct id serial;
    bool has_sign_key;
    bool has_serial;
    struct bytes reason;
    uint64_t at_ms;
};

static const struct shape_field body_fields[] = {
    [1] = {.kind = SHAPE_FIXED, SHAPE_AT(body, mesh), .limit = sizeof(struct key)},
    [2] = {.kind = SHAPE_FIXED,
           SHAPE_AT(body, sign_key),
           .present = offsetof(struct body, has_sign_key),
           .limit = sizeof(struct key)},
    [3] = {.kind = SHAPE_FIXED,
           SHAPE_AT(body, serial),
           .present = offsetof(struct body, has_serial),
           .limit = sizeof(struct id)},
    [4] = {.kind = SHAPE_TEXT, SHAPE_AT(body, reason), .limit = LIMIT_PROGRESS_LENGTH},
    [5] = {.kind = SHAPE_UINT64, SHAPE_AT(body, at_ms)},
};
static const struct shape body_shape = {
    SHAPE_OF(body, body_fields),
    .required = SHAPE_BIT(1),
};

/* What the mesh signs: the prefix with its NUL, then the body. */
static size_t message_of(struct bytes body,
                         uint8_t message[sizeof(PURPOSE_REVOCATION) + LIMIT_REVOCATION_SIZE])
{
    assert(body.size <= LIMIT_REVOCATION_SIZE);
    memcpy(message, PURPOSE_REVOCATION, sizeof(PURPOSE_REVOCATION));
    memcpy(message + sizeof(PURPOSE_REVOCATION), body.data, body.size);
    return sizeof(PURPOSE_REVOCATION) + body.size;
}

void revocation_issue(struct buffer *out, const struct revocation *revocation,
                      const struct signer *mesh)
{
    const struct body body = {
        .mesh = revocation->mesh,
        .sign_key = revocation->sign_key,
        .serial = revocation->serial,
        .has_sign_key = revocation->of_identity,
        .has_serial = !revocation->of_identity,
        .reason = bytes_of_text(revocation->reason),
        .at_ms = revocation->at_ms,
    };
    uint8_t message[sizeof(PURPOSE_REVOCATION) + LIMIT_REVOCATION_SIZE];
    struct buffer encoded = {0};

    shape_encode(&body_shape, &body, &encoded);
    struct signed_form form = {.body = buffer_bytes(&encoded)};
    crypto_sign_detached(form.signature.byte, NULL, message, message_of(form.body, message),
                         mesh->secret);
    shape_encode(&signed_shape, &form, out);
    buffer_clear(&encoded);
}

static enum grove_status open_signed(struct bytes bytes, const struct key *mesh, struct bytes *body)
{
    uint8_t message[sizeof(PURPOSE_REVOCATION) + LIMIT_REVOCATION_SIZE];
    struct signed_form form;

    if (bytes.size > LIMIT_REVOCATION_SIZE) {
        return GROVE_TOO_LARGE;
    }
    enum grove_status status = shape_decode(&signed_shape, bytes, &form);
    if (status != GROVE_OK) {
        return status;
    }
    if (crypto_sign_verify_detached(form.signature.byte, message, message_of(form.body, message),
                                    mesh->byte) != 0) {
        return GROVE_BAD_SIGNATURE;
    }
    *body = form.body;
    return GROVE_OK;
}

enum grove_status revocation_open(struct bytes bytes, const struct key *mesh,
                                  struct revocation *revocation)
{
    struct bytes encoded;
    struct body body;

    enum grove_status status = open_signed(bytes, mesh, &encoded);
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
    if (body.has_sign_key == body.has_serial) {
        return GROVE_MALFORMED;
    }
    *revocation = (struct revocation){
        .mesh = body.mesh,
        .of_identity = body.has_sign_key,
        .sign_key = body.sign_key,
        .serial = body.serial,
        .at_ms = body.at_ms,
    };
    if (body.reason.size > 0) {
        memcpy(revocation->reason, body.reason.data, body.reason.size);
    }
    return GROVE_OK;
}
