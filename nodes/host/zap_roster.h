/* SPDX-License-Identifier: MPL-2.0
 * Who is known: an immutable snapshot, sorted by link key; and how ZAP decides on it. */
#ifndef GROVE_NODES_HOST_ZAP_ROSTER_H
#define GROVE_NODES_HOST_ZAP_ROSTER_H

#include "nodes/host/zap.h"

enum zap_decision {
    ZAP_ACCEPTED,
    ZAP_UNKNOWN_KEY,
    ZAP_WRONG_MECHANISM,
    ZAP_WRONG_DOMAIN,
    ZAP_WRONG_ROLE,
    ZAP_REVOKED,
    ZAP_OVER_RATE,
    ZAP_DECISION_COUNT
};

/* What a handshake claims; everything borrowed from the request. */
struct zap_claim {
    struct bytes domain;
    struct bytes mechanism;
    struct bytes credential; /* of CURVE: the link key */
};

struct zap_roster;

/* Copies `count` entries and one more, when `extra` is not NULL. */
struct zap_roster *zap_roster_create(const struct zap_entry *entries, size_t count,
                                     const struct zap_entry *extra);
void zap_roster_destroy(struct zap_roster *roster);

/* The roles that a domain admits; 0: no domain of ours. */
uint32_t zap_roles_of_domain(struct bytes domain);

/* Decides a handshake, but for the rate of strangers.
 *
 *   roster     NULL: nobody is known
 *   identity   out: of ZAP_ACCEPTED */
enum zap_decision zap_decide(const struct zap_roster *roster, const struct zap_claim *claim,
                             uint64_t now_ms, struct key *identity);

#endif
