/* SPDX-License-Identifier: MPL-2.0
 * Who a node is and what it may do, signed by the mesh's key. */
#ifndef GROVE_CORE_CERTIFICATE_H
#define GROVE_CORE_CERTIFICATE_H

#include "core/buffer.h"
#include "core/bytes.h"
#include "core/limits.h"
#include "core/seal.h"
#include "core/status.h"

enum role {
    ROLE_COORDINATOR = 1,
    ROLE_WORKER = 2,
    ROLE_CLIENT = 4,
    ROLE_OBSERVER = 8,
    ROLE_OPERATOR = 16
};

struct pattern {
    char text[LIMIT_FUNCTION_LENGTH + 2]; /* an exact name, or a prefix and '*' */
};

struct certificate {
    struct key mesh;
    struct id serial;
    char name[LIMIT_NAME_LENGTH + 1];
    uint32_t roles;
    struct key sign_key;
    struct key link_key;
    unsigned submit_count;
    unsigned run_count;
    struct pattern submit[LIMIT_PATTERNS];
    struct pattern run[LIMIT_PATTERNS];
    uint64_t not_before_ms;
    uint64_t not_after_ms;
};

/* Signs `certificate` with the mesh's key and appends the signed form. */
void certificate_issue(struct buffer *out, const struct certificate *certificate,
                       const struct signer *mesh);

/* Opens the signed form: size, signature by `mesh`, then the body.
 *
 *   errors    GROVE_TOO_LARGE, GROVE_MALFORMED, GROVE_WRONG_MESH, GROVE_BAD_SIGNATURE */
enum grove_status certificate_open(struct bytes bytes, const struct key *mesh,
                                   struct certificate *certificate) GROVE_CHECKED;

/* True for what a certificate may hold: an exact name, or a prefix and '*'. */
bool pattern_text_is_valid(struct bytes text);

/* Whether one of `count` patterns matches the function. */
bool pattern_matches(const struct pattern *patterns, unsigned count, struct bytes function);

#endif
