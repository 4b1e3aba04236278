/* SPDX-License-Identifier: MPL-2.0
 * Ports: tasks at P, stats at P + 1, other coordinators at P + 2, events at P + 3. */
#include "nodes/coordinator/parts.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/coordinator/member_id.h"

#define BIND_TRIES 16 /* for neighbouring ports, when any will do */
#define ADDRESS_SIZE 256
#define PEERS_PORT 2u /* after P */
#define EVENTS_PORT 3u

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
    if (*end != '\0' || number > UINT16_MAX - EVENTS_PORT) {
        return false;
    }
    memcpy(host, listen, (size_t)(colon - listen));
    host[colon - listen] = '\0';
    *port = (unsigned)number;
    return true;
}

static struct bus_bind_options options_of(const struct coordinator *coordinator,
                                          const char *address, const char *domain)
{
    return (struct bus_bind_options){
        .address = address,
        .zap_domain = domain,
        .zap = coordinator->zap,
        .link = coordinator->options.credential->link,
    };
}

/* Of an address. Denied is what the guard's own test of the socket ends with. */
static void say(char *error, const char *address, enum grove_status status)
{
    snprintf(error, COORDINATOR_ERROR_SIZE, "%s: %s", address,
             status == GROVE_DENIED
                 ? "the socket did not pass its test: whom it lets in is not certain; try again"
                 : grove_status_text(status));
}

static enum grove_status bind_tasks(struct coordinator *coordinator, const char *address)
{
    const struct bus_bind_options options = options_of(coordinator, address, ZAP_DOMAIN_TASK);

    return bus_bind(coordinator->bus, &options, coordinator_on_task, coordinator,
                    &coordinator->task_socket);
}

/* However many are asked at once, three quarters of the time are the tasks'. */
static enum grove_status bind_stats(struct coordinator *coordinator, const char *address)
{
    struct bus_bind_options options = options_of(coordinator, address, ZAP_DOMAIN_STATS);

    options.rest = 3;
    options.callers = STATS_READERS;
    return bus_bind(coordinator->bus, &options, coordinator_on_stats, coordinator,
                    &coordinator->stats_socket);
}

static enum grove_status bind_events(struct coordinator *coordinator, const char *host,
                                     unsigned port)
{
    struct events *events = &coordinator->events;

    snprintf(events->address, sizeof(events->address), "%s:%u", host, port);
    events->options = options_of(coordinator, events->address, ZAP_DOMAIN_STATS);
    return events_bind(events);
}

static void unbind(struct coordinator *coordinator)
{
    bus_close(coordinator->bus, coordinator->task_socket);
    bus_close(coordinator->bus, coordinator->stats_socket);
    coordinator->task_socket = NULL;
    coordinator->stats_socket = NULL;
}

/* Tasks at the port, stats and events near it; of `port` 0, at whatever ones are free. */
static enum grove_status bind_all(struct coordinator *coordinator, const char *host, unsigned port,
                                  char *error)
{
    char address[ADDRESS_SIZE + 8];
    enum grove_status status;

    snprintf(address, sizeof(address), "%s:%u", host, port);
    status = bind_tasks(coordinator, address);
    if (status == GROVE_OK) {
        port = bus_port(coordinator->task_socket);
        snprintf(address, sizeof(address), "%s:%u", host, port + 1u);
        status = bind_stats(coordinator, address);
    }
    if (status == GROVE_OK) {
        snprintf(address, sizeof(address), "%s:%u", host, port + EVENTS_PORT);
        status = bind_events(coordinator, host, port + EVENTS_PORT);
    }
    if (status != GROVE_OK) {
        unbind(coordinator);
        say(error, address, status);
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

/* Of our key, and drawn anew: a clock that says the same after each boot, or was set back, must not
 * bring back the id of a disk that is lost, whose votes and promises are forgotten. */
static uint64_t draw_id(const struct credential *credential)
{
    uint32_t birth = 0;

    while (birth == 0) { /* that is of one whose id is not known */
        birth = randombytes_random();
    }
    return peer_id(&credential->signer->public_key, birth);
}

static enum grove_status take_id(struct coordinator *coordinator, char *error)
{
    const struct coordinator_options *options = &coordinator->options;
    const bool begins = options->bootstrap || options->join;
    const enum grove_status status = member_id_take(
        options->directory, begins ? draw_id(options->credential) : 0, &coordinator->id);

    if (status != GROVE_OK) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "%s/member-id: %s%s", options->directory,
                 status == GROVE_CORRUPT ? "offset 0: " : "", grove_status_text(status));
    } else if (coordinator->id == 0) {
        coordinator->address[0] = '\0'; /* one voter, from before it could have peers */
    }
    return status;
}

enum grove_status coordinator_make_peers(struct coordinator *coordinator, char *error)
{
    char host[ADDRESS_SIZE];
    unsigned port;

    if (!coordinator->options.has_peers) {
        return GROVE_OK;
    }
    if (!split(coordinator->options.listen, host, &port) || !make_address(coordinator)) {
        snprintf(error, COORDINATOR_ERROR_SIZE, "%s: not HOST:PORT", coordinator->options.listen);
        return GROVE_INVALID;
    }
    const enum grove_status status = take_id(coordinator, error);
    if (status != GROVE_OK || coordinator->id == 0) {
        return status;
    }
    snprintf(coordinator->peers_listen, sizeof(coordinator->peers_listen), "%s:%u", host,
             port + PEERS_PORT);
    const struct peers_options options = {
        .bus = coordinator->bus,
        .zap = &coordinator->zap,
        .link = coordinator->options.credential->link,
        .listen = coordinator->peers_listen,
        .id = coordinator->id,
        .address = coordinator->address,
        .context = coordinator,
        .link_of = coordinator_link_of,
        .receive = coordinator_on_peer,
        .transferred = coordinator_on_transferred,
        .snapshot_file = coordinator_snapshot_file,
        .incoming_file = coordinator_incoming_file,
        .knocked = coordinator_on_knock,
        .told = coordinator_on_told,
        .claimed = coordinator_on_claim,
    };
    coordinator->peers = peers_create(&options);
    return GROVE_OK;
}

/* ---- all of them */

static enum grove_status bind_peers(struct coordinator *coordinator, char *error)
{
    enum grove_status status = GROVE_OK;

    if (coordinator->peers != NULL) {
        status = peers_bind(coordinator->peers);
    }
    if (status != GROVE_OK) {
        say(error, coordinator->peers_listen, status);
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
        status = bind_all(coordinator, host, port, error);
        if (port != 0) {
            break;
        }
    }
    return status == GROVE_OK ? bind_peers(coordinator, error) : status;
}
