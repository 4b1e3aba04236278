/* SPDX-License-Identifier: MPL-2.0
 * Sockets of a bus: binding and connecting, messages to frames and back. */
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "nodes/host/bus_loop.h"
#include "nodes/host/bus_options.h"
#include "nodes/host/clock.h"
#include "nodes/host/zap.h"

#define ENDPOINT_SIZE 128

struct bus_frame {
    atomic_uint references;
    zmq_msg_t message;
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* ---- frames */

struct bytes bus_frame_bytes(const struct bus_frame *frame)
{
    return bytes_of(zmq_msg_data((zmq_msg_t *)(uintptr_t)&frame->message),
                    zmq_msg_size(&frame->message));
}

struct bus_frame *bus_frame_retain(struct bus_frame *frame)
{
    atomic_fetch_add_explicit(&frame->references, 1, memory_order_relaxed);
    return frame;
}

void bus_frame_release(struct bus_frame *frame)
{
    if (frame != NULL &&
        atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) == 1) {
        zmq_msg_close(&frame->message);
        free(frame);
    }
}

/* Moves the content of `part` into a frame. */
static struct bus_frame *frame_create(zmq_msg_t *part)
{
    struct bus_frame *frame = malloc(sizeof(*frame));

    if (frame == NULL) {
        abort();
    }
    atomic_init(&frame->references, 1);
    zmq_msg_init(&frame->message);
    zmq_msg_move(&frame->message, part);
    return frame;
}

/* ---- receiving */

/* The next part of a message that has begun; libzmq has all of it by then. */
static void next_part(struct bus_socket *socket, zmq_msg_t *part)
{
    const int size = zmq_msg_recv(part, socket->zmq, ZMQ_DONTWAIT);
    assert(size >= 0);
}

/* Begins a message: its route, if it has one, and the part after that; false when there is none. */
static bool first_part(struct bus_socket *socket, zmq_msg_t *part, struct route *route)
{
    if (zmq_msg_recv(part, socket->zmq, ZMQ_DONTWAIT) < 0) {
        return false;
    }
    if (socket->is_router) {
        assert(zmq_msg_more(part) && zmq_msg_size(part) <= sizeof(route->byte));
        route->size = (uint8_t)zmq_msg_size(part);
        memcpy(route->byte, zmq_msg_data(part), route->size);
        next_part(socket, part);
    }
    return true;
}

/* Walks to the body: [delimiter] body, or request id, delimiter, body. Whatever else came is
 * dropped part by part and is GROVE_MALFORMED. */
static enum grove_status find_body(struct bus_socket *socket, zmq_msg_t *part,
                                   struct envelope *envelope)
{
    struct envelope found = {0};

    if (zmq_msg_more(part) && zmq_msg_size(part) == sizeof(found.request_id)) {
        memcpy(found.request_id, zmq_msg_data(part), sizeof(found.request_id));
        found.has_request_id = true;
        next_part(socket, part);
    }
    if (zmq_msg_more(part) && zmq_msg_size(part) == 0) {
        found.has_delimiter = true;
        *envelope = found;
        next_part(socket, part);
    }
    if (!zmq_msg_more(part) && (found.has_delimiter || !found.has_request_id)) {
        return GROVE_OK;
    }
    while (zmq_msg_more(part)) {
        next_part(socket, part);
    }
    return GROVE_MALFORMED;
}

/* The identity that ZAP gave to the connection of this message. */
static bool read_user(zmq_msg_t *part, struct key *user)
{
    const char *text = zmq_msg_gets(part, "User-Id");
    size_t size = 0;

    return text != NULL &&
           sodium_hex2bin(user->byte, sizeof(user->byte), text, strlen(text), NULL, &size, NULL) ==
               0 &&
           size == sizeof(user->byte);
}

/* Receives and delivers one message; false when none is there. */
static bool receive_one(struct bus_socket *socket)
{
    struct bus_message message = {0};
    zmq_msg_t part;

    zmq_msg_init(&part);
    if (!first_part(socket, &part, &message.route)) {
        zmq_msg_close(&part);
        return false;
    }
    message.status = find_body(socket, &part, &message.envelope);
    if (socket->is_router || socket->is_publisher) {
        message.has_user = read_user(&part, &message.user);
    } else if (message.envelope.has_delimiter) {
        message.status = GROVE_MALFORMED;
    }
    if (message.status == GROVE_OK && !callers_admit(&socket->callers, &part)) {
        message.status = GROVE_BUSY;
    }
    if (message.status == GROVE_OK) {
        message.frame = frame_create(&part);
    }
    zmq_msg_close(&part);
    bus_begin_turn(socket->bus);
    /* A ROUTER's connection without a user cannot be, and would be nobody's. */
    if (socket->is_publisher || message.has_user == socket->is_router) {
        socket->receive(socket->context, &message);
    }
    bus_frame_release(message.frame);
    return true;
}

static void socket_destroy(struct bus_socket *socket)
{
    handshake_end(&socket->handshake, socket->bus, socket->zmq);
    callers_end(&socket->callers, socket->zmq);
    zmq_close(socket->zmq);
    free(socket);
}

/* libzmq makes the fd readable only when there was no news before: until a look finds nothing, it
 * says nothing. */
void bus_drain(struct bus_socket *socket)
{
    const uint64_t began_ns = socket->rest > 0 ? clock_monotonic_ns() : 0;
    bool has_more = true;

    if (began_ns < socket->rests_until_ns) {
        bus_look_again(socket->bus);
        return;
    }
    socket->draining = true;
    for (int i = 0; i < socket->drain && has_more && !socket->closed; i++) {
        has_more = receive_one(socket);
    }
    socket->is_pending = has_more;
    if (has_more && !socket->closed) {
        bus_look_again(socket->bus);
    }
    if (socket->rest > 0) {
        const uint64_t now_ns = clock_monotonic_ns();

        socket->rests_until_ns = now_ns + socket->rest * (now_ns - began_ns);
    }
    socket->draining = false;
    if (socket->closed) {
        socket_destroy(socket);
    }
}

/* ---- sending */

static enum grove_status send_part(struct bus_socket *socket, const void *data, size_t size,
                                   int flags)
{
    while (zmq_send(socket->zmq, data, size, ZMQ_DONTWAIT | flags) < 0) {
        switch (zmq_errno()) {
        case EINTR:
            continue;
        case EAGAIN:
            return GROVE_BUSY;
        case EHOSTUNREACH:
            return GROVE_NOT_FOUND;
        default:
            return GROVE_IO;
        }
    }
    return GROVE_OK;
}

/* Only the first part can be refused: with it libzmq has taken the message. */
enum grove_status bus_send(struct bus_socket *socket, const struct route *route,
                           const struct envelope *envelope, struct bytes frame)
{
    enum grove_status status = GROVE_OK;

    assert((route != NULL) == socket->is_router);
    socket->is_pending = true;
    bus_look_again(socket->bus);
    if (route != NULL) {
        status = send_part(socket, route->byte, route->size, ZMQ_SNDMORE);
    }
    if (status == GROVE_OK && envelope != NULL && envelope->has_request_id) {
        status = send_part(socket, envelope->request_id, sizeof(envelope->request_id), ZMQ_SNDMORE);
    }
    if (status == GROVE_OK && envelope != NULL && envelope->has_delimiter) {
        status = send_part(socket, "", 0, ZMQ_SNDMORE);
    }
    if (status == GROVE_OK) {
        status = send_part(socket, frame.data, frame.size, 0);
    }
    return status;
}

/* ---- opening and closing */

static struct bus_socket *socket_create(struct bus *bus, int type, bus_receive *receive,
                                        void *context)
{
    struct bus_socket *socket = allocate(sizeof(*socket));

    *socket = (struct bus_socket){
        .bus = bus,
        .is_router = type == ZMQ_ROUTER,
        .is_publisher = type == ZMQ_XPUB,
        .drain = BUS_DRAIN,
        .receive = receive,
        .context = context,
    };
    socket->zmq = zmq_socket(bus_context(bus), type);
    if (socket->zmq == NULL) {
        abort();
    }
    return socket;
}

/* From here on the loop reads it. */
static void serve(struct bus_socket *socket)
{
    size_t size = sizeof(socket->fd);
    const int rc = zmq_getsockopt(socket->zmq, ZMQ_FD, &socket->fd, &size);

    assert(rc == 0);
    socket->is_pending = true;
    bus_add_socket(socket->bus, socket);
}

/* HOST:PORT to an endpoint for libzmq, names and numbers resolved here: left to itself, libzmq
 * would take network interfaces, wildcards and other transports too. */
static enum grove_status resolve(const char *address, char endpoint[ENDPOINT_SIZE])
{
    const struct addrinfo hints = {.ai_family = *address == '[' ? AF_INET6 : AF_INET,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const char *colon = strrchr(address, ':');
    const char *const first = *address == '[' ? address + 1 : address;
    const char *const last = *address == '[' && colon != NULL ? colon - 1 : colon;
    char host[ENDPOINT_SIZE / 2], number[ENDPOINT_SIZE / 2];
    struct addrinfo *found = NULL;

    if (colon == NULL || last <= first || (size_t)(last - first) >= sizeof(host) ||
        (*address == '[' && *last != ']') || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        colon[1] == '\0' || strtoul(colon + 1, NULL, 10) > UINT16_MAX) {
        return GROVE_INVALID;
    }
    memcpy(host, first, (size_t)(last - first));
    host[last - first] = '\0';
    if (getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, colon + 1, &hints, &found) != 0) {
        return GROVE_INVALID;
    }
    const int rc = getnameinfo(found->ai_addr, found->ai_addrlen, number, sizeof(number), NULL, 0,
                               NI_NUMERICHOST);
    freeaddrinfo(found);
    if (rc != 0) {
        return GROVE_INVALID;
    }
    snprintf(endpoint, ENDPOINT_SIZE, *address == '[' ? "tcp://[%s]%s" : "tcp://%s%s", number,
             colon);
    return GROVE_OK;
}

static void allow_ipv6(struct bus_socket *socket, const char *endpoint)
{
    const int on = 1;

    if (strchr(endpoint, '[') != NULL) {
        zmq_setsockopt(socket->zmq, ZMQ_IPV6, &on, sizeof(on));
    }
}

static enum grove_status bind_to(struct bus_socket *socket, const char *endpoint)
{
    char bound[ENDPOINT_SIZE];
    size_t size = sizeof(bound);

    allow_ipv6(socket, endpoint);
    if (zmq_bind(socket->zmq, endpoint) != 0) {
        switch (zmq_errno()) {
        case EADDRINUSE:
            return GROVE_IN_USE;
        case EACCES:
            return GROVE_PERMISSION;
        default:
            return GROVE_INVALID;
        }
    }
    const int rc = zmq_getsockopt(socket->zmq, ZMQ_LAST_ENDPOINT, bound, &size);
    assert(rc == 0);
    socket->port = (uint16_t)strtoul(strrchr(bound, ':') + 1, NULL, 10);
    return GROVE_OK;
}

/* Tests the guard, then binds; takes the socket, and frees it when that fails.
 *
 *   status    of what was done before */
static enum grove_status bind_guarded(struct bus_socket *made, enum grove_status status,
                                      const struct bus_bind_options *options,
                                      struct bus_socket **socket)
{
    char endpoint[ENDPOINT_SIZE];

    if (status == GROVE_OK) {
        status = resolve(options->address, endpoint);
    }
    if (status == GROVE_OK) {
        status =
            zap_self_test(options->zap, made->zmq, &options->link->public_key, options->zap_domain);
    }
    if (status == GROVE_OK && options->callers > 0) { /* one at a time may watch a socket */
        callers_watch(&made->callers, bus_context(made->bus), made->zmq, options->callers);
    }
    if (status == GROVE_OK) {
        status = bind_to(made, endpoint);
    }
    if (status != GROVE_OK) {
        socket_destroy(made);
        return status;
    }
    serve(made);
    *socket = made;
    return GROVE_OK;
}

enum grove_status bus_bind(struct bus *bus, const struct bus_bind_options *options,
                           bus_receive *receive, void *context, struct bus_socket **socket)
{
    struct bus_socket *made = socket_create(bus, ZMQ_ROUTER, receive, context);
    enum grove_status status = bus_options_router(made->zmq, options->link, options->zap_domain);

    if (status == GROVE_OK && options->traffic == BUS_PEERS) {
        status = bus_options_peers(made->zmq);
    }
    made->rest = options->rest;
    made->drain = options->rest > 0 ? 1 : BUS_DRAIN;
    return bind_guarded(made, status, options, socket);
}

enum grove_status bus_bind_publisher(struct bus *bus, const struct bus_bind_options *options,
                                     bus_receive *receive, void *context,
                                     struct bus_socket **socket)
{
    struct bus_socket *made = socket_create(bus, ZMQ_XPUB, receive, context);
    const enum grove_status status =
        bus_options_publisher(made->zmq, options->link, options->zap_domain);

    return bind_guarded(made, status, options, socket);
}

void bus_admit(struct bus_socket *publisher)
{
    assert(publisher->is_publisher);
    zmq_setsockopt(publisher->zmq, ZMQ_SUBSCRIBE, "", 0);
}

uint16_t bus_port(const struct bus_socket *socket)
{
    return socket->port;
}

/* Everything but its options is set; takes the socket. */
static enum grove_status connect_to(struct bus_socket *socket, const char *endpoint)
{
    allow_ipv6(socket, endpoint);
    const enum grove_status status =
        handshake_watch(&socket->handshake, socket->bus, bus_context(socket->bus), socket->zmq);
    if (status != GROVE_OK || zmq_connect(socket->zmq, endpoint) != 0) {
        return status != GROVE_OK ? status : GROVE_INVALID;
    }
    serve(socket);
    return GROVE_OK;
}

static bool is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", strlen("tcp://")) == 0;
}

enum grove_status bus_connect(struct bus *bus, const char *endpoint, const struct key *server,
                              const struct link_pair *link, bus_receive *receive, void *context,
                              struct bus_socket **socket)
{
    if (!is_tcp(endpoint)) {
        return GROVE_INVALID;
    }
    struct bus_socket *made = socket_create(bus, ZMQ_DEALER, receive, context);
    enum grove_status status = bus_options_dealer(made->zmq, link, server);
    if (status == GROVE_OK) {
        status = connect_to(made, endpoint);
    }
    if (status != GROVE_OK) {
        socket_destroy(made);
        return status;
    }
    *socket = made;
    return GROVE_OK;
}

static void ignore(void *context, const struct bus_message *message)
{
    (void)context;
    (void)message;
}

enum grove_status bus_connect_peer(struct bus *bus, const char *endpoint, const struct key *server,
                                   const struct link_pair *link, struct bus_socket **socket)
{
    if (!is_tcp(endpoint)) {
        return GROVE_INVALID;
    }
    struct bus_socket *made = socket_create(bus, ZMQ_DEALER, ignore, NULL);
    enum grove_status status = bus_options_dealer(made->zmq, link, server);
    if (status == GROVE_OK) {
        status = bus_options_peers(made->zmq);
    }
    if (status == GROVE_OK) {
        status = connect_to(made, endpoint);
    }
    if (status != GROVE_OK) {
        socket_destroy(made);
        return status;
    }
    *socket = made;
    return GROVE_OK;
}

enum bus_handshake bus_handshake(struct bus_socket *socket)
{
    return handshake_look(&socket->handshake);
}

uint64_t bus_connections(struct bus_socket *socket)
{
    handshake_look(&socket->handshake);
    return socket->handshake.connections;
}

void bus_close(struct bus *bus, struct bus_socket *socket)
{
    if (socket == NULL) {
        return;
    }
    bus_remove_socket(bus, socket);
    if (socket->draining) {
        socket->closed = true;
    } else {
        socket_destroy(socket);
    }
}
