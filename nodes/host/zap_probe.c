/* SPDX-License-Identifier: MPL-2.0
 * The probes of zap_self_test. Waiting for a refusal proves nothing quickly, and a silent one (300)
 * shows nothing to the client, so the ROUTER's own monitor tells what became of each handshake. */
#include "nodes/host/zap_probe.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#include "nodes/host/bus_context.h"
#include "nodes/host/bus_options.h"
#include "nodes/host/clock.h"
#include "nodes/host/log.h"
#include "nodes/host/zap_roster.h"

#define PATIENCE_MS 30000 /* four handshakes take 5 ms; only a failure waits so long */

/* The first is 1, which to a publisher is a subscription. */
enum visitor { KNOWN = 1, STRANGER, WITH_NULL, WITH_PLAIN, VISITORS_END };
#define VISITOR_COUNT (VISITORS_END - KNOWN)

/* Who is visited, and by what kind of socket. */
struct target {
    const struct key *server;
    char endpoint[64];
    int visitor_type;
};

/* What the ROUTER and its monitor have told so far. */
struct sightings {
    unsigned admitted;     /* handshakes that succeeded */
    unsigned turned_away;  /* by ZAP, status 300 */
    unsigned incompatible; /* never came as far as ZAP */
    unsigned heard;        /* messages of the known key, under its identity */
    unsigned wrong;        /* any other message or event */
};

static const struct sightings expected = {
    .admitted = 1, .turned_away = 1, .incompatible = 2, .heard = 1};

void zap_probe_init(struct zap_probe *probe, const char *domain)
{
    *probe = (struct zap_probe){
        .known = {.roles = zap_roles_of_domain(bytes_of_text(domain)), .not_after_ms = UINT64_MAX},
        .patience_ms = PATIENCE_MS};
    crypto_box_keypair(probe->link.public_key.byte, probe->link.secret);
    probe->known.link = probe->link.public_key;
    randombytes_buf(probe->known.identity.byte, sizeof(probe->known.identity.byte));
}

void zap_probe_clear(struct zap_probe *probe)
{
    sodium_memzero(probe, sizeof(*probe));
}

static void set_curve(void *dealer, const struct link_pair *link, const struct key *server)
{
    zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, server->byte, sizeof(server->byte));
    zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, link->public_key.byte, 32);
    zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, link->secret, sizeof(link->secret));
}

/* A client that tries once and, if it is let in, says who it is. */
static void *send_visitor(void *context, enum visitor visitor, const struct zap_probe *probe,
                          const struct target *target)
{
    const struct key *server = target->server;
    const int never = -1, none = 0;
    const uint8_t name = (uint8_t)visitor;
    struct link_pair stranger;
    void *dealer = zmq_socket(context, target->visitor_type);

    if (dealer == NULL) {
        abort();
    }
    zmq_setsockopt(dealer, ZMQ_RECONNECT_IVL, &never, sizeof(never));
    zmq_setsockopt(dealer, ZMQ_LINGER, &none, sizeof(none));
    switch (visitor) {
    case KNOWN:
        set_curve(dealer, &probe->link, server);
        break;
    case STRANGER:
        crypto_box_keypair(stranger.public_key.byte, stranger.secret);
        set_curve(dealer, &stranger, server);
        break;
    case WITH_PLAIN:
        zmq_setsockopt(dealer, ZMQ_PLAIN_USERNAME, "grove", strlen("grove"));
        zmq_setsockopt(dealer, ZMQ_PLAIN_PASSWORD, "grove", strlen("grove"));
        break;
    case WITH_NULL:
    case VISITORS_END:
        break;
    }
    if (zmq_connect(dealer, target->endpoint) != 0) {
        abort();
    }
    /* One that was refused by now has no pipe left to send to. */
    const int sent = zmq_send(dealer, &name, sizeof(name), ZMQ_DONTWAIT);
    assert(sent == sizeof(name) || zmq_errno() == EAGAIN);
    return dealer;
}

/* The name is new each time: libzmq gives one free only some time after the monitor has ended. */
static void *watch(void *context, void *router)
{
    char endpoint[64];
    void *monitor = zmq_socket(context, ZMQ_PAIR);

    snprintf(endpoint, sizeof(endpoint), "inproc://zap-probe-%p-%08x", router,
             randombytes_random());
    if (monitor == NULL ||
        zmq_socket_monitor(router, endpoint,
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                               ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                               ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) != 0 ||
        zmq_connect(monitor, endpoint) != 0) {
        abort();
    }
    return monitor;
}

/* An event is a number and a value in one part, and an address in another. */
static void see_event(void *monitor, struct sightings *seen)
{
    struct {
        uint16_t number;
        uint32_t value;
    } event;
    uint8_t part[sizeof(event.number) + sizeof(event.value)];
    char address[256];

    if (zmq_recv(monitor, part, sizeof(part), ZMQ_DONTWAIT) != (int)sizeof(part) ||
        zmq_recv(monitor, address, sizeof(address), ZMQ_DONTWAIT) < 0) {
        seen->wrong++;
        return;
    }
    memcpy(&event.number, part, sizeof(event.number));
    memcpy(&event.value, part + sizeof(event.number), sizeof(event.value));
    switch (event.number) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        seen->admitted++;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        *(event.value == 300 ? &seen->turned_away : &seen->wrong) += 1;
        break;
    default:
        /* The peer may hang up first, so that it looks like a broken connection. */
        seen->incompatible++;
    }
}

static void hear(void *router, const struct zap_probe *probe, struct sightings *seen)
{
    char user[2 * sizeof(struct key) + 1];
    zmq_msg_t message;

    sodium_bin2hex(user, sizeof(user), probe->known.identity.byte, sizeof(struct key));
    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, router, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&message)) {
    }
    const char *said = zmq_msg_gets(&message, "User-Id");
    const bool is_known = zmq_msg_size(&message) == 1 &&
                          *(const uint8_t *)zmq_msg_data(&message) == KNOWN && said != NULL &&
                          strcmp(said, user) == 0;
    *(is_known ? &seen->heard : &seen->wrong) += 1;
    zmq_msg_close(&message);
}

static bool is_over(const struct sightings *seen)
{
    return seen->wrong > 0 || seen->admitted > expected.admitted ||
           seen->turned_away > expected.turned_away || seen->incompatible > expected.incompatible ||
           seen->heard > expected.heard || memcmp(seen, &expected, sizeof(expected)) == 0;
}

static struct sightings look(void *router, void *monitor, const struct zap_probe *probe)
{
    const uint64_t end_ms = clock_monotonic_ms() + (uint64_t)probe->patience_ms;
    struct sightings seen = {0};

    for (uint64_t now_ms; !is_over(&seen) && (now_ms = clock_monotonic_ms()) < end_ms;) {
        zmq_pollitem_t items[] = {{.socket = monitor, .events = ZMQ_POLLIN},
                                  {.socket = router, .events = ZMQ_POLLIN}};
        if (zmq_poll(items, 2, (long)(end_ms - now_ms)) <= 0) {
            continue;
        }
        if (items[0].revents != 0) {
            see_event(monitor, &seen);
        }
        if (items[1].revents != 0) {
            hear(router, probe, &seen);
        }
    }
    return seen;
}

static struct sightings receive_visitors(const struct zap_probe *probe, void *router,
                                         const struct target *target)
{
    void *const context = bus_context_retain();
    void *const monitor = watch(context, router);
    void *dealers[VISITOR_COUNT];

    for (int i = 0; i < VISITOR_COUNT; i++) {
        dealers[i] = send_visitor(context, (enum visitor)(KNOWN + i), probe, target);
    }
    const struct sightings seen = look(router, monitor, probe);
    zmq_socket_monitor(router, NULL, 0);
    for (int i = 0; i < VISITOR_COUNT; i++) {
        zmq_close(dealers[i]);
    }
    zmq_close(monitor);
    bus_context_release();
    return seen;
}

/* To a ROUTER comes a DEALER, to an XPUB an XSUB. */
static int visitor_type(void *router)
{
    int type = 0;
    size_t size = sizeof(type);

    zmq_getsockopt(router, ZMQ_TYPE, &type, &size);
    return type == ZMQ_XPUB ? ZMQ_XSUB : ZMQ_DEALER;
}

/* A handshake that is cut off looks like one that was refused. How long it may take is known to a
 * listener from its start. */
static int bind_patiently(void *router, int patience_ms)
{
    int before_ms = 0;
    size_t size = sizeof(before_ms);

    zmq_getsockopt(router, ZMQ_HANDSHAKE_IVL, &before_ms, &size);
    zmq_setsockopt(router, ZMQ_HANDSHAKE_IVL, &patience_ms, sizeof(patience_ms));
    const int rc = zmq_bind(router, "tcp://127.0.0.1:*");
    const int error = zmq_errno();

    zmq_setsockopt(router, ZMQ_HANDSHAKE_IVL, &before_ms, sizeof(before_ms));
    errno = error;
    return rc;
}

enum grove_status zap_probe_run(const struct zap_probe *probe, void *router,
                                const struct key *server, const char *domain)
{
    struct target target = {.server = server, .visitor_type = visitor_type(router)};
    size_t size = sizeof(target.endpoint);

    if (!bus_options_guarded(router, domain)) {
        log_event(LOG_ERROR, "self-test failed", "domain=%s error=\"socket not guarded\"", domain);
        return GROVE_DENIED;
    }
    if (bind_patiently(router, probe->patience_ms) != 0 ||
        zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, target.endpoint, &size) != 0) {
        log_event(LOG_ERROR, "self-test failed", "domain=%s error=\"%s\"", domain,
                  zmq_strerror(zmq_errno()));
        return GROVE_DENIED;
    }
    const struct sightings seen = receive_visitors(probe, router, &target);
    const int rc = zmq_unbind(router, target.endpoint);
    assert(rc == 0);
    if (memcmp(&seen, &expected, sizeof(expected)) != 0) {
        log_event(LOG_ERROR, "self-test failed",
                  "domain=%s admitted=%u turned_away=%u incompatible=%u heard=%u wrong=%u", domain,
                  seen.admitted, seen.turned_away, seen.incompatible, seen.heard, seen.wrong);
        return GROVE_DENIED;
    }
    return GROVE_OK;
}
