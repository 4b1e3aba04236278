/* SPDX-License-Identifier: MPL-2.0
 * Certificates to roster entries. */
#include "nodes/coordinator/roster.h"

#include "core/buffer.h"

/* Out of its dates is for the guard to see, by its own clock; what is not good within them was
 * revoked. */
static bool is_revoked(const struct forest *forest, const struct certificate *certificate)
{
    const uint64_t now_ms = forest_now_ms(forest);

    return certificate->not_before_ms <= now_ms && now_ms < certificate->not_after_ms &&
           !forest_trusts(forest, &certificate->sign_key);
}

void roster_publish(const struct forest *forest, struct zap *zap)
{
    const struct certificate *certificate;
    struct buffer entries = {.size = 0};
    struct bytes signed_form;

    for (size_t i = 0; forest_certificate_at(forest, i, &certificate, &signed_form); i++) {
        const struct zap_entry entry = {
            .link = certificate->link_key,
            .identity = certificate->sign_key,
            .roles = certificate->roles,
            .not_before_ms = certificate->not_before_ms,
            .not_after_ms = certificate->not_after_ms,
            .revoked = is_revoked(forest, certificate),
        };

        buffer_append(&entries, &entry, sizeof(entry));
    }
    zap_publish(zap, (const struct zap_entry *)(void *)entries.data,
                entries.size / sizeof(struct zap_entry));
    buffer_clear(&entries);
}
