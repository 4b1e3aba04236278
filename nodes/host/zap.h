/* SPDX-License-Identifier: MPL-2.0
 * Who may connect: our own handler of ZeroMQ's authentication requests (RFC 27/ZAP), on a thread of its own.
 * Started before any socket is bound; a stranger is refused at the handshake. */
#ifndef GROVE_NODES_HOST_ZAP_H
#define GROVE_NODES_HOST_ZAP_H

#include "core/bytes.h"
#include "core/status.h"

#define ZAP_DOMAIN_TASK "grove-task"
#define ZAP_DOMAIN_STATS "grove-stats"

struct zap;

struct zap_entry {
    struct key link;
    struct key identity;
    uint32_t roles; /* enum role */
    uint64_t not_before_ms, not_after_ms;
    bool revoked;
};

/* One a process. Binds inproc://zeromq.zap.01; fails when somebody else has. */
enum grove_status zap_start(struct zap **zap) GROVE_CHECKED;
void zap_stop(struct zap *zap);

/* Publishes who is known from now on; copies. The handler swaps to it without waiting for anybody. */
void zap_publish(struct zap *zap, const struct zap_entry *entries, size_t count);

struct zap_counters {
    uint64_t accepted, unknown_key, wrong_mechanism, wrong_domain, wrong_role, revoked, over_rate;
};
void zap_read_counters(const struct zap *zap, struct zap_counters *counters);

struct bus_socket;

/* Proves on a bound socket, in this process, that a random key and the NULL mechanism are refused and that a known
 * key is let in under its identity. Refuse to serve on anything else but GROVE_OK.
 *
 *   endpoint  where the socket is bound, tcp://...
 *   server    its public link key */
enum grove_status zap_self_test(struct zap *zap, const char *endpoint, const struct key *server, const char *domain)
    GROVE_CHECKED;

#endif
