/* SPDX-License-Identifier: MPL-2.0
 * Certificates to roster entries. */
#include "nodes/coordinator/roster.h"

#include "core/buffer.h"
#include "nodes/host/credential.h"

/* Out of its dates is for the guard to see, by its own clock; what is not good within them was
 * revoked. */
static bool is_revoked(const struct forest *forest, const struct certificate *certificate)
{
    const uint64_t now_ms = forest_now_ms(forest);

    return certificate->not_before_ms <= now_ms && now_ms < certificate->not_after_ms &&
           !forest_trusts(forest, &certificate->sign_key);
}

static struct zap_entry entry_of(const struct certificate *certificate)
{
    return (struct zap_entry){
        .link = certificate->link_key,
        .identity = certificate->sign_key,
        .roles = certificate->roles,
        .not_before_ms = certificate->not_before_ms,
        .not_after_ms = certificate->not_after_ms,
    };
}

/* Those that the forest does not know, one way or the other. */
static void add_coordinators(const struct forest *forest, const struct credential *credential,
                             struct buffer *entries)
{
    for (unsigned i = 0; i < credential->coordinator_count; i++) {
        const struct certificate *certificate = &credential->coordinator[i].certificate;
        const struct zap_entry entry = entry_of(certificate);

        if (forest_certificate(forest, &certificate->sign_key, NULL) == NULL) {
            buffer_append(entries, &entry, sizeof(entry));
        }
    }
}

void roster_publish(const struct forest *forest, const struct credential *credential,
                    struct zap *zap)
{
    const struct certificate *certificate;
    struct buffer entries = {.size = 0};
    struct bytes signed_form;

    for (size_t i = 0; forest_certificate_at(forest, i, &certificate, &signed_form); i++) {
        struct zap_entry entry = entry_of(certificate);

        entry.revoked = is_revoked(forest, certificate);
        buffer_append(&entries, &entry, sizeof(entry));
    }
    add_coordinators(forest, credential, &entries);
    zap_publish(zap, (const struct zap_entry *)(void *)entries.data,
                entries.size / sizeof(struct zap_entry));
    buffer_clear(&entries);
}
