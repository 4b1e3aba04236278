/* SPDX-License-Identifier: MPL-2.0
 * Certificates and revocations as the ledger has admitted them. */
#include "core/trust.h"

#include <assert.h>
#include <stdlib.h>

#include "core/limits.h"
#include "core/revocation.h"

struct trusted {
    struct certificate certificate;
    struct table_link by_identity;
    struct table_link by_link_key;
    struct buffer signed_form;
};

/* What is revoked: an identity, or a serial padded with zeroes. */
struct target {
    uint8_t of_identity;
    uint8_t byte[sizeof(struct key)];
};

struct revoked {
    struct target target;
    struct table_link by_target;
    struct buffer signed_form;
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory) {
        abort();
    }
    return memory;
}

/* Makes room for one more pointer: arrays double at each power of two. */
static void *grow(void *array, size_t count)
{
    if (count & (count - 1)) {
        return array;
    }
    void *grown = realloc(array, (count ? 2 * count : 1) * sizeof(void *));
    if (!grown) {
        abort();
    }
    return grown;
}

void trust_init(struct trust *trust, const struct key *mesh, const uint8_t hash_key[16])
{
    *trust = (struct trust){.mesh = *mesh};
    table_init(&trust->by_identity, hash_key, offsetof(struct trusted, by_identity),
               offsetof(struct trusted, certificate.sign_key), sizeof(struct key));
    table_init(&trust->by_link_key, hash_key, offsetof(struct trusted, by_link_key),
               offsetof(struct trusted, certificate.link_key), sizeof(struct key));
    table_init(&trust->by_target, hash_key, offsetof(struct revoked, by_target),
               offsetof(struct revoked, target), sizeof(struct target));
}

void trust_clear(struct trust *trust)
{
    for (size_t i = 0; i < trust->certificate_count; i++) {
        buffer_clear(&trust->certificates[i]->signed_form);
        free(trust->certificates[i]);
    }
    for (size_t i = 0; i < trust->revocation_count; i++) {
        buffer_clear(&trust->revocations[i]->signed_form);
        free(trust->revocations[i]);
    }
    free(trust->certificates);
    free(trust->revocations);
    table_clear(&trust->by_identity);
    table_clear(&trust->by_link_key);
    table_clear(&trust->by_target);
    *trust = (struct trust){0};
}

/* ---- revocations */

static struct target target_of_identity(const struct key *identity)
{
    struct target target = {.of_identity = 1};

    memcpy(target.byte, identity, sizeof(*identity));
    return target;
}

static struct target target_of_serial(const struct id *serial)
{
    struct target target = {.of_identity = 0};

    memcpy(target.byte, serial, sizeof(*serial));
    return target;
}

static bool certificate_is_revoked(const struct trust *trust, const struct certificate *certificate)
{
    const struct target identity = target_of_identity(&certificate->sign_key);
    const struct target serial = target_of_serial(&certificate->serial);

    return table_find(&trust->by_target, &identity) || table_find(&trust->by_target, &serial);
}

static enum refusal admit_revocation(struct trust *trust, struct bytes signed_form,
                                     const struct revocation *revocation, bool *changed)
{
    const struct target target = revocation->of_identity ? target_of_identity(&revocation->sign_key)
                                                         : target_of_serial(&revocation->serial);

    if (table_find(&trust->by_target, &target)) {
        *changed = false;
        return REFUSED_NOT;
    }
    if (trust->revocation_count == LIMIT_REVOCATIONS) {
        return REFUSED_QUOTA;
    }
    struct revoked *revoked = allocate(sizeof(*revoked));
    revoked->target = target;
    buffer_append(&revoked->signed_form, signed_form.data, signed_form.size);
    trust->revocations = grow(trust->revocations, trust->revocation_count);
    trust->revocations[trust->revocation_count++] = revoked;
    table_insert(&trust->by_target, revoked);
    *changed = true;
    return REFUSED_NOT;
}

/* ---- certificates */

static bool is_newer(const struct certificate *a, const struct certificate *b)
{
    if (a->not_before_ms != b->not_before_ms) {
        return a->not_before_ms > b->not_before_ms;
    }
    return memcmp(&a->serial, &b->serial, sizeof(a->serial)) > 0;
}

static void put(struct trust *trust, struct trusted *trusted, const struct certificate *certificate,
                struct bytes signed_form)
{
    trusted->certificate = *certificate;
    buffer_reset(&trusted->signed_form);
    buffer_append(&trusted->signed_form, signed_form.data, signed_form.size);
    table_insert(&trust->by_link_key, trusted);
}

static enum refusal admit_certificate(struct trust *trust, struct bytes signed_form,
                                      const struct certificate *certificate, bool *changed)
{
    struct trusted *trusted = table_find(&trust->by_identity, &certificate->sign_key);
    const struct trusted *linked = table_find(&trust->by_link_key, &certificate->link_key);

    if (trusted && !is_newer(certificate, &trusted->certificate)) {
        *changed = false;
        return REFUSED_NOT;
    }
    if (linked && linked != trusted) {
        return REFUSED_CERTIFICATE;
    }
    if (!trusted && trust->certificate_count == LIMIT_CERTIFICATES) {
        return REFUSED_QUOTA;
    }
    if (trusted) {
        table_remove(&trust->by_link_key, trusted);
        put(trust, trusted, certificate, signed_form);
    } else {
        trusted = allocate(sizeof(*trusted));
        put(trust, trusted, certificate, signed_form);
        table_insert(&trust->by_identity, trusted);
        trust->certificates = grow(trust->certificates, trust->certificate_count);
        trust->certificates[trust->certificate_count++] = trusted;
    }
    *changed = true;
    return REFUSED_NOT;
}

enum refusal trust_admit(struct trust *trust, struct bytes signed_form, uint64_t at_ms,
                         bool *changed)
{
    struct certificate certificate;
    struct revocation revocation;

    if (revocation_open(signed_form, &trust->mesh, &revocation) == GROVE_OK) {
        return admit_revocation(trust, signed_form, &revocation, changed);
    }
    if (certificate_open(signed_form, &trust->mesh, &certificate) != GROVE_OK) {
        return REFUSED_CERTIFICATE;
    }
    if (certificate.not_after_ms <= at_ms || certificate_is_revoked(trust, &certificate)) {
        return REFUSED_REVOKED;
    }
    return admit_certificate(trust, signed_form, &certificate, changed);
}

/* ---- asking */

const struct certificate *trust_certificate(const struct trust *trust, const struct key *identity,
                                            struct bytes *signed_form)
{
    const struct trusted *trusted = table_find(&trust->by_identity, identity);

    if (!trusted) {
        return NULL;
    }
    if (signed_form) {
        *signed_form = buffer_bytes(&trusted->signed_form);
    }
    return &trusted->certificate;
}

const struct certificate *trust_certificate_at(const struct trust *trust, size_t position,
                                               struct bytes *signed_form)
{
    assert(position < trust->certificate_count);
    const struct trusted *trusted = trust->certificates[position];
    *signed_form = buffer_bytes(&trusted->signed_form);
    return &trusted->certificate;
}

struct bytes trust_revocation_at(const struct trust *trust, size_t position)
{
    assert(position < trust->revocation_count);
    const struct revoked *revoked = trust->revocations[position];
    return buffer_bytes(&revoked->signed_form);
}

static enum refusal judge(const struct trust *trust, const struct certificate *certificate,
                          uint64_t now_ms)
{
    if (!certificate) {
        return REFUSED_UNKNOWN_KEY;
    }
    if (now_ms < certificate->not_before_ms || now_ms >= certificate->not_after_ms ||
        certificate_is_revoked(trust, certificate)) {
        return REFUSED_REVOKED;
    }
    return REFUSED_NOT;
}

static enum refusal judge_role(const struct trust *trust, const struct certificate *certificate,
                               uint32_t roles, uint64_t now_ms)
{
    const enum refusal refusal = judge(trust, certificate, now_ms);

    if (refusal != REFUSED_NOT) {
        return refusal;
    }
    return certificate->roles & roles ? REFUSED_NOT : REFUSED_ROLE;
}

enum refusal trust_judge(const struct trust *trust, const struct key *identity, uint64_t now_ms)
{
    return judge(trust, trust_certificate(trust, identity, NULL), now_ms);
}

bool trust_is_revoked(const struct trust *trust, const struct key *identity)
{
    const struct certificate *certificate = trust_certificate(trust, identity, NULL);

    return !certificate || certificate_is_revoked(trust, certificate);
}

enum refusal trust_has_role(const struct trust *trust, const struct key *identity, uint32_t roles,
                            uint64_t now_ms)
{
    return judge_role(trust, trust_certificate(trust, identity, NULL), roles, now_ms);
}

enum refusal trust_may_submit(const struct trust *trust, const struct key *identity,
                              struct bytes function, uint64_t now_ms)
{
    const struct certificate *certificate = trust_certificate(trust, identity, NULL);
    const enum refusal refusal = judge_role(trust, certificate, ROLE_CLIENT | ROLE_WORKER, now_ms);

    if (refusal != REFUSED_NOT) {
        return refusal;
    }
    return pattern_matches(certificate->submit, certificate->submit_count, function)
               ? REFUSED_NOT
               : REFUSED_RIGHT_SUBMIT;
}

enum refusal trust_may_run(const struct trust *trust, const struct key *identity,
                           struct bytes function, uint64_t now_ms)
{
    const struct certificate *certificate = trust_certificate(trust, identity, NULL);
    const enum refusal refusal = judge_role(trust, certificate, ROLE_WORKER, now_ms);

    if (refusal != REFUSED_NOT) {
        return refusal;
    }
    return pattern_matches(certificate->run, certificate->run_count, function) ? REFUSED_NOT
                                                                               : REFUSED_RIGHT_RUN;
}

const char *trust_check(const struct trust *trust)
{
    if (trust->by_identity.count != trust->certificate_count ||
        trust->by_link_key.count != trust->certificate_count) {
        return "each certificate is in both tables";
    }
    if (trust->by_target.count != trust->revocation_count) {
        return "each revocation is in its table";
    }
    for (size_t i = 0; i < trust->certificate_count; i++) {
        const struct trusted *trusted = trust->certificates[i];
        if (table_find(&trust->by_identity, &trusted->certificate.sign_key) != trusted ||
            table_find(&trust->by_link_key, &trusted->certificate.link_key) != trusted) {
            return "each certificate is found by its identity and by its link key";
        }
    }
    return NULL;
}
