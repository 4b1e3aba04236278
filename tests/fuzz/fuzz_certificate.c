/* SPDX-License-Identifier: MPL-2.0
 * Hostile certificates: as a signed form, and as a body that the mesh itself has signed. */
#include <assert.h>
#include <sodium.h>

#include "core/field.h"
#include "core/purpose.h"
#include "schema/grove.pb.h"
#include "tests/support/samples.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sign_body(struct bytes body, const struct signer *mesh, struct buffer *form)
{
    struct buffer signed_bytes = {0};
    struct signature signature;

    buffer_append(&signed_bytes, PURPOSE_CERTIFICATE, sizeof(PURPOSE_CERTIFICATE));
    buffer_append(&signed_bytes, body.data, body.size);
    crypto_sign_detached(signature.byte, NULL, signed_bytes.data, signed_bytes.size, mesh->secret);
    field_put_bytes(form, grove_v1_Certificate_body_tag, body);
    field_put_bytes(form, grove_v1_Certificate_signature_tag,
                    bytes_of(&signature, sizeof(signature)));
    buffer_clear(&signed_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes bytes = bytes_of(data, size);
    const struct signer mesh = sample_signer(1);
    struct certificate certificate;
    struct buffer form = {0};

    if (certificate_open(bytes, &mesh.public_key, &certificate) == GROVE_OK) {
        assert(key_equal(&certificate.mesh, &mesh.public_key));
    }
    sign_body(bytes, &mesh, &form);
    if (certificate_open(buffer_bytes(&form), &mesh.public_key, &certificate) == GROVE_OK) {
        assert(certificate.submit_count <= LIMIT_PATTERNS &&
               certificate.run_count <= LIMIT_PATTERNS);
        assert(strlen(certificate.name) <= LIMIT_NAME_LENGTH);
        pattern_matches(certificate.submit, certificate.submit_count, bytes_of_text("step"));
        buffer_reset(&form);
        certificate_issue(&form, &certificate, &mesh);
        assert(certificate_open(buffer_bytes(&form), &mesh.public_key, &certificate) == GROVE_OK);
    }
    buffer_clear(&form);
    return 0;
}
