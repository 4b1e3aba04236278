/* SPDX-License-Identifier: MPL-2.0
 * Who is known, and how ZAP decides on it. */
#include "nodes/host/zap_roster.h"

#include <stdlib.h>

#include "core/certificate.h"

struct zap_roster {
    size_t count;
    struct zap_entry entry[];
};

static const struct {
    const char *name;
    uint32_t roles;
} domains[] = {
    {ZAP_DOMAIN_TASK, ROLE_WORKER | ROLE_CLIENT | ROLE_OPERATOR | ROLE_COORDINATOR},
    {ZAP_DOMAIN_STATS, ROLE_OBSERVER | ROLE_OPERATOR},
    {ZAP_DOMAIN_PEERS, ROLE_COORDINATOR},
};

static int compare(const void *a, const void *b)
{
    const struct zap_entry *const left = a;
    const struct zap_entry *const right = b;

    return memcmp(left->link.byte, right->link.byte, sizeof(left->link.byte));
}

struct zap_roster *zap_roster_create(const struct zap_entry *entries, size_t count,
                                     const struct zap_entry *extra)
{
    struct zap_roster *roster = malloc(sizeof(*roster) + (count + 1) * sizeof(roster->entry[0]));

    if (roster == NULL) {
        abort();
    }
    roster->count = count;
    if (count > 0) {
        memcpy(roster->entry, entries, count * sizeof(roster->entry[0]));
    }
    if (extra != NULL) {
        roster->entry[roster->count++] = *extra;
    }
    qsort(roster->entry, roster->count, sizeof(roster->entry[0]), compare);
    return roster;
}

void zap_roster_destroy(struct zap_roster *roster)
{
    free(roster);
}

static const struct zap_entry *find(const struct zap_roster *roster, struct bytes link)
{
    struct zap_entry wanted;

    if (roster == NULL || link.size != sizeof(wanted.link.byte)) {
        return NULL;
    }
    memcpy(wanted.link.byte, link.data, sizeof(wanted.link.byte));
    return bsearch(&wanted, roster->entry, roster->count, sizeof(roster->entry[0]), compare);
}

uint32_t zap_roles_of_domain(struct bytes domain)
{
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        if (bytes_equal(domain, bytes_of_text(domains[i].name))) {
            return domains[i].roles;
        }
    }
    return 0;
}

enum zap_decision zap_decide(const struct zap_roster *roster, const struct zap_claim *claim,
                             uint64_t now_ms, struct key *identity)
{
    const uint32_t roles = zap_roles_of_domain(claim->domain);

    if (roles == 0) {
        return ZAP_WRONG_DOMAIN;
    }
    if (!bytes_equal(claim->mechanism, bytes_of_text("CURVE"))) {
        return ZAP_WRONG_MECHANISM;
    }
    const struct zap_entry *entry = find(roster, claim->credential);
    if (entry == NULL) {
        return ZAP_UNKNOWN_KEY;
    }
    if (entry->revoked || now_ms < entry->not_before_ms || now_ms >= entry->not_after_ms) {
        return ZAP_REVOKED;
    }
    if ((entry->roles & roles) == 0) {
        return ZAP_WRONG_ROLE;
    }
    *identity = entry->identity;
    return ZAP_ACCEPTED;
}
