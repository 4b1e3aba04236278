/* SPDX-License-Identifier: MPL-2.0
 * The mesh's word that an identity, or a single certificate, is good no more. */
#ifndef GROVE_CORE_REVOCATION_H
#define GROVE_CORE_REVOCATION_H

#include "core/buffer.h"
#include "core/bytes.h"
#include "core/seal.h"
#include "core/status.h"

struct revocation {
    struct key mesh;
    bool of_identity;    /* the identity, with every certificate it has or will have */
    struct key sign_key; /* ... of_identity */
    struct id serial;    /* else the certificate with this serial */
    char reason[LIMIT_PROGRESS_LENGTH + 1]; /* for people, UTF-8 */
    uint64_t at_ms;                         /* when the operator signed it; for people */
};

/* Signs `revocation` with the mesh's key and appends the signed form. */
void revocation_issue(struct buffer *out, const struct revocation *revocation,
                      const struct signer *mesh);

/* Opens the signed form: size, signature by `mesh`, then the body.
 *
 *   errors    GROVE_TOO_LARGE, GROVE_MALFORMED, GROVE_WRONG_MESH, GROVE_BAD_SIGNATURE */
enum grove_status revocation_open(struct bytes bytes, const struct key *mesh,
                                  struct revocation *revocation) GROVE_CHECKED;

#endif
