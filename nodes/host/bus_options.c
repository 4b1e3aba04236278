/* SPDX-License-Identifier: MPL-2.0
 * The options of our sockets. ZMQ_ROUTING_ID is never set, and a ROUTER never hands a route over:
 * either would let one peer take another's place. */
#include "nodes/host/bus_options.h"

#include <zmq.h>

#include "core/limits.h"
#include "nodes/host/bus_context.h"
#include "nodes/host/log.h"

/* What CURVE adds to a frame on the wire, where ZMQ_MAXMSGSIZE counts: name, nonce, MAC, flags. */
#define CURVE_OVERHEAD (8 + 8 + 16 + 1)

/* Of what comes to a publisher: subscriptions. */
#define PUBLISHER_FRAME_SIZE 256

struct option {
    int name;
    int value;
};

static const struct option common[] = {
    {ZMQ_SNDHWM, 64},              /* messages; queues belong to us, and count bytes */
    {ZMQ_RCVHWM, 256},             /* one drain */
    {ZMQ_LINGER, 0},               /* who must be told has answered; never hang at the end */
    {ZMQ_HEARTBEAT_IVL, 2000},     /* off by default; finds a dead host before TCP does */
    {ZMQ_HEARTBEAT_TIMEOUT, 6000}, /* as LIMIT_SESSION_MS */
    {ZMQ_HEARTBEAT_TTL, 10000},    /* from 65,000 on the receiver's 16-bit product wraps */
    {ZMQ_TCP_MAXRT, 15000},        /* dead routes */
    {ZMQ_MECHANISM, ZMQ_CURVE},    /* follows from the keys; only read */
};

static const struct option of_server[] = {
    {ZMQ_BACKLOG, 1024},       /* connection floods */
    {ZMQ_HANDSHAKE_IVL, 4000}, /* 30 s by default helps half-open attackers; before clients, who */
                               /* wait 5 s, give up: so they learn that they are shut out */
    {ZMQ_CURVE_SERVER, 1},     /* no other mechanism is spoken */
    {BUS_ZAP_ENFORCE_DOMAIN, 1}, /* else no handler means everybody is let in */
};

static const struct option of_dealer[] = {
    {ZMQ_HANDSHAKE_IVL, 10000},   /* the server's own is shorter */
    {ZMQ_IMMEDIATE, 1},           /* nothing queues for a server that is not there */
    {ZMQ_RECONNECT_IVL, 20},      /* ms; doubles ... */
    {ZMQ_RECONNECT_IVL_MAX, 500}, /* ... up to here, so that a restart is noticed soon */
};

static const struct option of_peers[] = {
    {ZMQ_HEARTBEAT_IVL, 200},     /* a host that is gone must not hold a leader's queue for long */
    {ZMQ_HEARTBEAT_TIMEOUT, 600}, /* ... four election timeouts */
    {ZMQ_HEARTBEAT_TTL, 1000},
    {ZMQ_RECONNECT_IVL_MAX, 40}, /* ms: one that is back hears its leader before it stands */
};

static enum grove_status did_not_hold(int name)
{
    log_event(LOG_ERROR, "socket option", "option=%d error=\"did not hold\"", name);
    return GROVE_IO;
}

static bool reads(void *socket, const struct option *option)
{
    int value = -1;
    size_t size = sizeof(value);

    return zmq_getsockopt(socket, option->name, &value, &size) == 0 && value == option->value;
}

static enum grove_status set_all(void *socket, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (options[i].name != ZMQ_MECHANISM) {
            zmq_setsockopt(socket, options[i].name, &options[i].value, sizeof(options[i].value));
        }
        if (!reads(socket, &options[i])) {
            return did_not_hold(options[i].name);
        }
    }
    return GROVE_OK;
}

/* Of each frame. */
static enum grove_status set_largest(void *socket, size_t frame_size)
{
    const int64_t largest = (int64_t)frame_size + CURVE_OVERHEAD;
    int64_t value = -1;
    size_t size = sizeof(value);

    zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof(largest));
    return zmq_getsockopt(socket, ZMQ_MAXMSGSIZE, &value, &size) == 0 && value == largest
               ? GROVE_OK
               : did_not_hold(ZMQ_MAXMSGSIZE);
}

/* Of what is bound or connected from now on. */
static enum grove_status set_thread(void *socket, enum bus_thread thread)
{
    const uint64_t wanted = UINT64_C(1) << thread;
    uint64_t value = 0;
    size_t size = sizeof(value);

    zmq_setsockopt(socket, ZMQ_AFFINITY, &wanted, sizeof(wanted));
    return zmq_getsockopt(socket, ZMQ_AFFINITY, &value, &size) == 0 && value == wanted
               ? GROVE_OK
               : did_not_hold(ZMQ_AFFINITY);
}

static enum grove_status set_common(void *socket, const struct link_pair *link)
{

    if (zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, link->public_key.byte, 32) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, link->secret, 32) != 0) {
        return did_not_hold(ZMQ_CURVE_SECRETKEY);
    }
    enum grove_status status = set_largest(socket, LIMIT_FRAME_SIZE);

    if (status == GROVE_OK) {
        status = set_thread(socket, BUS_THREAD_MAIN);
    }
    return status == GROVE_OK ? set_all(socket, common, sizeof(common) / sizeof(common[0]))
                              : status;
}

/* Without it a ROUTER drops without a word what it cannot send. It cannot be read back, so it is
 * tried: a route that nobody has must be refused. */
static enum grove_status set_mandatory(void *router)
{
    const int on = 1;

    zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &on, sizeof(on));
    if (zmq_send(router, "nobody", 6, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 ||
        zmq_errno() != EHOSTUNREACH) {
        return did_not_hold(ZMQ_ROUTER_MANDATORY);
    }
    return GROVE_OK;
}

bool bus_options_guarded(void *router, const char *zap_domain)
{
    static const struct option guards[] = {
        {ZMQ_MECHANISM, ZMQ_CURVE}, {ZMQ_CURVE_SERVER, 1}, {BUS_ZAP_ENFORCE_DOMAIN, 1}};
    char domain[256];
    size_t size = sizeof(domain);

    for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
        if (!reads(router, &guards[i])) {
            return false;
        }
    }
    return zmq_getsockopt(router, ZMQ_ZAP_DOMAIN, domain, &size) == 0 && *domain != '\0' &&
           strcmp(domain, zap_domain) == 0;
}

static enum grove_status set_server(void *server, const struct link_pair *link,
                                    const char *zap_domain)
{
    enum grove_status status = set_common(server, link);

    if (status == GROVE_OK) {
        status = set_all(server, of_server, sizeof(of_server) / sizeof(of_server[0]));
    }
    if (status == GROVE_OK) {
        zmq_setsockopt(server, ZMQ_ZAP_DOMAIN, zap_domain, strlen(zap_domain));
        status = bus_options_guarded(server, zap_domain) ? GROVE_OK : did_not_hold(ZMQ_ZAP_DOMAIN);
    }
    return status;
}

enum grove_status bus_options_router(void *router, const struct link_pair *link,
                                     const char *zap_domain)
{
    const enum grove_status status = set_server(router, link, zap_domain);

    return status == GROVE_OK ? set_mandatory(router) : status;
}

/* Nobody gets anything just by asking. It cannot be read back: a socket without it would take no
 * subscription for others, which is tried. */
static enum grove_status set_manual(void *publisher)
{
    const int on = 1;

    return zmq_setsockopt(publisher, ZMQ_XPUB_MANUAL, &on, sizeof(on)) == 0 &&
                   zmq_setsockopt(publisher, ZMQ_UNSUBSCRIBE, "", 0) == 0
               ? GROVE_OK
               : did_not_hold(ZMQ_XPUB_MANUAL);
}

enum grove_status bus_options_publisher(void *publisher, const struct link_pair *link,
                                        const char *zap_domain)
{
    enum grove_status status = set_server(publisher, link, zap_domain);

    if (status == GROVE_OK) {
        status = set_largest(publisher, PUBLISHER_FRAME_SIZE);
    }
    return status == GROVE_OK ? set_manual(publisher) : status;
}

enum grove_status bus_options_dealer(void *dealer, const struct link_pair *link,
                                     const struct key *server)
{
    enum grove_status status = set_common(dealer, link);

    if (status == GROVE_OK) {
        status = set_all(dealer, of_dealer, sizeof(of_dealer) / sizeof(of_dealer[0]));
    }
    if (status == GROVE_OK &&
        zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, server->byte, sizeof(server->byte)) != 0) {
        status = did_not_hold(ZMQ_CURVE_SERVERKEY);
    }
    return status;
}

enum grove_status bus_options_peers(void *socket)
{
    enum grove_status status = set_largest(socket, LIMIT_PEER_FRAME_SIZE);

    if (status == GROVE_OK) {
        status = set_thread(socket, BUS_THREAD_PEERS);
    }
    return status == GROVE_OK ? set_all(socket, of_peers, sizeof(of_peers) / sizeof(of_peers[0]))
                              : status;
}
