/* SPDX-License-Identifier: MPL-2.0
 * Who may connect: our own handler of ZeroMQ's authentication requests (RFC 27/ZAP), on a thread of
 * its own. Started before any socket is bound; a stranger is refused at the handshake. */
#ifndef GROVE_NODES_HOST_ZAP_H
#define GROVE_NODES_HOST_ZAP_H

#include "core/bytes.h"
#include "core/status.h"

#define ZAP_DOMAIN_TASK "grove-task"   /* workers, clients, operators, coordinators */
#define ZAP_DOMAIN_STATS "grove-stats" /* observers, operators */
#define ZAP_DOMAIN_PEERS "grove-raft"  /* coordinators */

struct zap;

struct zap_entry {
    struct key link;     /* X25519: what the handshake proves */
    struct key identity; /* Ed25519: what each message's User-Id then says */
    uint64_t not_before_ms, not_after_ms;
    uint32_t roles; /* enum role */
    bool revoked;
};

/* One a process. Binds inproc://zeromq.zap.01; nobody is known at first. If its thread should ever
 * end but by zap_stop, it takes the process with it.
 *
 *   errors    GROVE_IN_USE: somebody else has bound it */
enum grove_status zap_start(struct zap **zap) GROVE_CHECKED;

/* After the last socket that it guards is closed. NULL is fine. */
void zap_stop(struct zap *zap);

/* Publishes who is known from now on; copies. Any thread; the handler swaps to it without waiting.
 */
void zap_publish(struct zap *zap, const struct zap_entry *entries, size_t count);

/* Handshakes by how they were decided. Those of self-tests are not counted. */
struct zap_counters {
    uint64_t accepted, unknown_key, wrong_mechanism, wrong_domain, wrong_role, revoked, over_rate;
};
void zap_read_counters(const struct zap *zap, struct zap_counters *counters);

/* Proves on a ROUTER, before it is bound to its address, that a stranger's key, the NULL and the
 * PLAIN mechanism are refused, and that a key of the roster is let in under its identity. It goes
 * through a loopback port of its own, which is closed again. bus_bind calls it: nothing is served
 * without it. About 3 ms.
 *
 *   router    a ZeroMQ socket with its options set and nothing bound
 *   server    its public link key
 *   errors    GROVE_DENIED: the guard does not hold; the reason was logged */
enum grove_status zap_self_test(struct zap *zap, void *router, const struct key *server,
                                const char *domain) GROVE_CHECKED;

#endif
