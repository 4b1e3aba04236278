/* SPDX-License-Identifier: MPL-2.0
 * The probes of zap_self_test: four clients in this process, of whom one may come in. */
#ifndef GROVE_NODES_HOST_ZAP_PROBE_H
#define GROVE_NODES_HOST_ZAP_PROBE_H

#include "nodes/host/bus.h"
#include "nodes/host/zap.h"

struct zap_probe {
    struct link_pair link;
    struct zap_entry known; /* publish it, then run the probe */
    int patience_ms;        /* for all four, on a machine that may stand still for a while */
};

/* Draws a key that is good for this domain. */
void zap_probe_init(struct zap_probe *probe, const char *domain);
void zap_probe_clear(struct zap_probe *probe);

/* Knocks at the router with the known key, a stranger's, NULL and PLAIN.
 *
 *   errors    GROVE_DENIED: not exactly the first came in, under its identity, and the stranger was
 *             turned away by ZAP; what happened instead was logged */
enum grove_status zap_probe_run(const struct zap_probe *probe, void *router,
                                const struct key *server, const char *domain) GROVE_CHECKED;

#endif
