/* SPDX-License-Identifier: MPL-2.0
 * Ports: tasks at P, stats at P + 1, other coordinators at P + 2. */
#include "nodes/coordinator/parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "nodes/coordinator/birth.h"
#include "nodes/host/clock.h"

#define BIND_TRIES 16 /* for two neighbouring ports, when any will do */
#define ADDRESS_SIZE 256
#define PEERS_PORT 2u /* after P */

/* HOST:PORT taken apart; false when it is neither that nor [IPV6]:PORT. */
static bool split(const char *listen, char host[ADDRESS_SIZE], unsigned *port)
{
    const char *colon = strrchr(listen, ':');
    char *end = NULL;
    unsigned long number;

    if (colon == NULL || (size_t)(colon - listen) >= ADDRESS_SIZE || colon[1] < '0' ||
        colon[1] > '9') {
        return false;
    }
    number = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || number > UINT16_MAX - 1) {
        return false;
    }
    memcpy(host, listen, (size_t)(colon - listen));
    host[colon - listen] = '\0';
    *port = (unsigned)number;
    return true;
}

static enum grove_status bind_one(struct coordinator *coordinator, const char *address,
                                  const char *domain, bus_receive *receive,
                                  struct bus_socket **socket)
{
    const struct bus_bind_options options = {
        .address = address,
        .zap_domain = domain,
        .zap = coordinator->zap,
        .link = coordinator->options.credential->link,
    };

    return bus_bind(coordinator->bus, &options, receive, coordinator, socket);
}

/* Tasks at the port, stats at the next one; of `port` 0, at whatever pair is free. */
static enum grove_status bind_pair(struct coordinator *coordinator, const char *host, unsigned port,
                                   char *error)
{
    char address[ADDRESS_SIZE + 8];
    enum grove_status status;

    snprintf(address, sizeof(address), "%s:%u", host, port);
    status = bind_one(coordinator, address, ZAP_DOMAIN_TASK, coordinator_on_task,
                      &coordinator->task_socket);
    if (status == GROVE_OK) {
        snprintf(address, sizeof(address), "%s:%u", host, bus_port(coordinator->task_socket) + 1u);
        status = bind_one(coordinator, address, ZAP_DOMAIN_STATS, coordinator_on_stats,
                          &coordinator->stats_socket);
        if (status != GROVE_OK) {
            bus_close(coordinator->bus, coordinator->task_socket);
            coordinator->task_socket = NULL;
        }
    }
    if (status != GROVE_OK) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "%s: %s", address, grove_status_text(status));
    }
    return status;
}

enum grove_status coordinator_bind(struct coordinator *coordinator, char *error)
{
    char host[ADDRESS_SIZE];
    enum grove_status status = GROVE_IN_USE;
    unsigned port;

    if (!split(coordinator->options.listen, host, &port)) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "%s: not HOST:PORT", coordinator->options.listen);
        return GROVE_INVALID;
    }
    for (int i = 0; i < BIND_TRIES && status == GROVE_IN_USE; i++) {
        status = bind_pair(coordinator, host, port, error);
        if (port != 0) {
            break;
        }
    }
    return status;
}

/* ---- peers */

/* Ours, as the ledger will have it. */
static bool make_address(struct coordinator *coordinator)
{
    const struct coordinator_options *options = &coordinator->options;
    const char *at = options->advertise != NULL ? options->advertise : options->listen;
    struct peer_address address = {.identity = options->credential->signer->public_key};
    char peers[PEER_ENDPOINT_SIZE];
    const int size = snprintf(address.endpoint, sizeof(address.endpoint), "tcp://%s", at);

    if (size < 0 || (size_t)size >= sizeof(address.endpoint) ||
        !peer_endpoint(address.endpoint, PEERS_PORT, peers)) {
        return false;
    }
    peer_address_write(&address, coordinator->address);
    return true;
}

/* Everybody's birth is of another second, or of another key. */
static enum grove_status take_id(struct coordinator *coordinator, char *error)
{
    const struct coordinator_options *options = &coordinator->options;
    const char *directory = options->directory;
    const bool may_begin = options->bootstrap || options->join;
    const uint32_t now = may_begin ? (uint32_t)(clock_unix_ms() / 1000) : 0;
    uint32_t birth;
    const enum grove_status status = birth_take(directory, now, &birth);

    if (status != GROVE_OK) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "%s/birth: %s", directory,
                 grove_status_text(status));
        return status;
    }
    if (birth == 0) {
        coordinator->id = 0; /* one voter, from before it could have peers */
        coordinator->address[0] = '\0';
    } else {
        coordinator->id = peer_id(&options->credential->signer->public_key, birth);
    }
    return GROVE_OK;
}

enum grove_status coordinator_bind_peers(struct coordinator *coordinator, char *error)
{
    char host[ADDRESS_SIZE], listen[ADDRESS_SIZE + 8];
    unsigned port;

    if (!split(coordinator->options.listen, host, &port) || !make_address(coordinator)) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "%s: not HOST:PORT", coordinator->options.listen);
        return GROVE_INVALID;
    }
    enum grove_status status = take_id(coordinator, error);
    if (status != GROVE_OK || coordinator->id == 0) {
        return status;
    }
    snprintf(listen, sizeof(listen), "%s:%u", host, port + PEERS_PORT);
    const struct peers_options options = {
        .bus = coordinator->bus,
        .zap = coordinator->zap,
        .link = coordinator->options.credential->link,
        .listen = listen,
        .id = coordinator->id,
        .address = coordinator->address,
        .context = coordinator,
        .link_of = coordinator_link_of,
        .receive = coordinator_on_peer,
        .transferred = coordinator_on_transferred,
        .snapshot_file = coordinator_snapshot_file,
        .incoming_file = coordinator_incoming_file,
        .knocked = coordinator_on_knock,
    };
    status = peers_open(&options, &coordinator->peers);
    if (status != GROVE_OK) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "%s: %s", listen, grove_status_text(status));
    }
    return status;
}
