/* SPDX-License-Identifier: MPL-2.0
 * The options of our sockets, each with its reason, read back after they were set. */
#ifndef GROVE_NODES_HOST_BUS_OPTIONS_H
#define GROVE_NODES_HOST_BUS_OPTIONS_H

#include "nodes/host/bus.h"

/* Debian's header hides this option behind the draft macro; the library has it. */
#define BUS_ZAP_ENFORCE_DOMAIN 93

/* Sets and reads back everything but the address; before bind or connect.
 *
 *   errors    GROVE_IO: an option did not hold; it was logged */
enum grove_status bus_options_router(void *router, const struct link_pair *link,
                                     const char *zap_domain) GROVE_CHECKED;
enum grove_status bus_options_publisher(void *publisher, const struct link_pair *link,
                                        const char *zap_domain) GROVE_CHECKED;
enum grove_status bus_options_dealer(void *dealer, const struct link_pair *link,
                                     const struct key *server) GROVE_CHECKED;

/* ... then, on a socket of either kind, what differs between coordinators. */
enum grove_status bus_options_peers(void *socket) GROVE_CHECKED;

/* Whether a ROUTER is a CURVE server whose connections ZAP decides in this domain, as read from the
 * socket.  With any of the three missing, libzmq 4.3.4 lets in every key when no handler answers.
 */
bool bus_options_guarded(void *router, const char *zap_domain);

#endif
