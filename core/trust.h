/* SPDX-License-Identifier: MPL-2.0
 * Whom the mesh knows and what they may do: certificates by identity, revocations, rights.  What
 * the mesh key has signed decides, and nothing else; without a certificate nobody may do anything.
 *
 * The order in which certificates of one identity are admitted does not matter: the one with the
 * latest not_before counts, then the one with the greater serial. */
#ifndef GROVE_CORE_TRUST_H
#define GROVE_CORE_TRUST_H

#include "core/bytes.h"
#include "core/certificate.h"
#include "core/refusal.h"
#include "core/table.h"

struct trusted;
struct revoked;

struct trust {
    struct key mesh;
    struct table by_identity;      /* struct trusted */
    struct table by_link_key;      /* the same ones */
    struct table by_target;        /* struct revoked */
    struct trusted **certificates; /* in the order their identities were first admitted */
    struct revoked **revocations;  /* in the order they were admitted */
    size_t certificate_count, revocation_count;
};

/* Makes an empty trust in what `mesh` signs. */
void trust_init(struct trust *trust, const struct key *mesh, const uint8_t hash_key[16]);

/* Accepts a zeroed trust. */
void trust_clear(struct trust *trust);

/* Admits a certificate or a revocation in its signed form (copied).  One that is known, or older
 * than the one in force, is accepted and changes nothing.  A certificate is never forgotten: what
 * its identity signed while it was good can still be verified.
 *
 *   at_ms     ledger time; a certificate that is over by then is refused
 *   changed   out: whether the rosters must be published anew
 *   returns   REFUSED_CERTIFICATE: not signed by the mesh, or its link key is another identity's;
 *             REFUSED_REVOKED: revoked, or past its dates; REFUSED_QUOTA: no room for another */
enum refusal trust_admit(struct trust *trust, struct bytes signed_form, uint64_t at_ms,
                         bool *changed) GROVE_CHECKED;

/* The certificate of an identity, good or not, or NULL; borrowed until the next admission.
 *
 *   signed_form   out, may be NULL: as it was admitted */
const struct certificate *trust_certificate(const struct trust *trust, const struct key *identity,
                                            struct bytes *signed_form);

/* The certificates by position, from 0 to certificate_count - 1; the signed form of a revocation.
 */
const struct certificate *trust_certificate_at(const struct trust *trust, size_t position,
                                               struct bytes *signed_form);
struct bytes trust_revocation_at(const struct trust *trust, size_t position);

/* Whether an identity is good now: REFUSED_NOT, REFUSED_UNKNOWN_KEY, or REFUSED_REVOKED for one
 * that is revoked or out of its dates (not_before <= now < not_after). */
enum refusal trust_judge(const struct trust *trust, const struct key *identity, uint64_t now_ms);

/* Whether the identity is unknown or revoked, whatever the time: for what was accepted in its
 * dates. */
bool trust_is_revoked(const struct trust *trust, const struct key *identity);

/* Good now, and one of `roles` (a set of enum role); else trust_judge's answer or REFUSED_ROLE. */
enum refusal trust_has_role(const struct trust *trust, const struct key *identity, uint32_t roles,
                            uint64_t now_ms);

/* Good now, a client or a worker, and allowed to submit this function; else trust_has_role's answer
 * or REFUSED_RIGHT_SUBMIT. */
enum refusal trust_may_submit(const struct trust *trust, const struct key *identity,
                              struct bytes function, uint64_t now_ms);

/* Good now, a worker, and allowed to run this function; else trust_has_role's answer or
 * REFUSED_RIGHT_RUN. */
enum refusal trust_may_run(const struct trust *trust, const struct key *identity,
                           struct bytes function, uint64_t now_ms);

/* NULL when every invariant holds, else a sentence naming the one that does not. */
const char *trust_check(const struct trust *trust);

#endif
