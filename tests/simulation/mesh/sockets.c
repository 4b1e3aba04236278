/* SPDX-License-Identifier: MPL-2.0
 * The sockets of bus.h over virtual time, as TCP has them: a connection keeps its order and loses
 * nothing until it breaks; then what was under way is lost. While it is cut, in one direction or in
 * both, what is sent that way waits; it breaks at once or when its peers' patience is at an end. */
#include "tests/simulation/mesh/bus_parts.h"

#include "tests/simulation/mesh/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define CONNECT_US 20000u /* between two tries */
#define RESEND_US 5000u   /* ... to get something through a cut */

struct bus_frame {
    unsigned references;
    size_t size;
    uint8_t data[];
};

struct parcel {
    struct bus_frame *frame;
    STAILQ_ENTRY(parcel) link;
};

/* One direction of a connection. Each parcel has an event, at which the first arrives. */
struct way {
    struct connection *connection;
    struct bus_socket *from, *to;
    STAILQ_HEAD(, parcel) parcels;
    uint64_t arrival_us; /* of the last */
};

struct connection {
    uint64_t number; /* its route */
    bool is_broken;
    uint64_t cut_us; /* since when it is; 0: it is not */
    struct way to_router, to_dealer;
    struct connection *next;
};

struct bus_socket {
    struct bus *bus;
    bool is_gone, is_bound, is_publisher;
    char address[128];
    const char *domain;
    struct key link, server; /* ours; whom a dealer expects */
    struct zap *zap;
    bus_receive *receive;
    void *context;
    struct connection *connection; /* of a dealer */
    uint64_t connections;
    struct bus_socket *next;
};

static struct bus_socket *sockets;
static struct connection *connections;
static uint64_t connection_count;

/* ---- frames */

struct bytes bus_frame_bytes(const struct bus_frame *frame)
{
    return bytes_of(frame->data, frame->size);
}

struct bus_frame *bus_frame_retain(struct bus_frame *frame)
{
    frame->references++;
    return frame;
}

void bus_frame_release(struct bus_frame *frame)
{
    if (frame != NULL && --frame->references == 0) {
        free(frame);
    }
}

/* ---- connections */

static bool is_cut(const struct bus_socket *from, const struct bus_socket *to)
{
    return world.cut[from->bus->process->number][to->bus->process->number];
}

static struct bus_socket *find_bound(const char *address)
{
    for (struct bus_socket *socket = sockets; socket != NULL; socket = socket->next) {
        if (socket->is_bound && !socket->is_gone && strcmp(socket->address, address) == 0) {
            return socket;
        }
    }
    return NULL;
}

/* A connection outlives a cut that is shorter than its peers' patience. */
static void watch_cut(struct connection *connection)
{
    const struct way *way = &connection->to_router;

    if (!is_cut(way->from, way->to) && !is_cut(way->to, way->from)) {
        connection->cut_us = 0;
    } else if (connection->cut_us == 0) {
        connection->cut_us = world.schedule.now_us;
    } else if (world.schedule.now_us - connection->cut_us >= world.patience_us) {
        connection->is_broken = true;
    }
}

static struct connection *make_connection(struct bus_socket *dealer, struct bus_socket *router)
{
    struct connection *made = bus_make(sizeof(*made));

    *made = (struct connection){.number = ++connection_count, .next = connections};
    made->to_router = (struct way){.connection = made, .from = dealer, .to = router};
    made->to_dealer = (struct way){.connection = made, .from = router, .to = dealer};
    STAILQ_INIT(&made->to_router.parcels);
    STAILQ_INIT(&made->to_dealer.parcels);
    connections = made;
    return made;
}

static void connect_dealer(void *context, uint64_t unused)
{
    struct bus_socket *dealer = context;
    struct bus_socket *router;
    struct key identity;

    (void)unused;
    if (dealer->is_gone || dealer->bus->is_gone) {
        return;
    }
    schedule_after(&world.schedule, CONNECT_US, connect_dealer, dealer, 0);
    if (dealer->connection != NULL && !dealer->connection->is_broken) {
        watch_cut(dealer->connection);
        return;
    }
    router = find_bound(dealer->address);
    if (router == NULL || !router->bus->process->is_up || is_cut(dealer, router) ||
        is_cut(router, dealer) || !key_equal(&router->link, &dealer->server) ||
        !zap_knows(router->zap, &dealer->link, &identity)) {
        return;
    }
    dealer->connection = make_connection(dealer, router);
    dealer->connections++;
}

static struct bus_socket *make_socket(struct bus *bus, bus_receive *receive, void *context)
{
    struct bus_socket *socket = bus_make(sizeof(*socket));

    socket->bus = bus;
    socket->receive = receive;
    socket->context = context;
    socket->next = sockets;
    sockets = socket;
    return socket;
}

enum grove_status bus_bind(struct bus *bus, const struct bus_bind_options *options,
                           bus_receive *receive, void *context, struct bus_socket **socket)
{
    struct bus_socket *made = make_socket(bus, receive, context);

    made->is_bound = true;
    snprintf(made->address, sizeof(made->address), "%s", options->address);
    made->domain = options->zap_domain;
    made->link = options->link->public_key;
    made->zap = options->zap;
    *socket = made;
    return GROVE_OK;
}

/* Nobody subscribes. */
enum grove_status bus_bind_publisher(struct bus *bus, const struct bus_bind_options *options,
                                     bus_receive *receive, void *context,
                                     struct bus_socket **socket)
{
    enum grove_status status = bus_bind(bus, options, receive, context, socket);

    (*socket)->is_publisher = true;
    return status;
}

void bus_admit(struct bus_socket *publisher)
{
    (void)publisher;
}

uint16_t bus_port(const struct bus_socket *socket)
{
    const char *colon = strrchr(socket->address, ':');

    return (uint16_t)strtoul(colon + 1, NULL, 10);
}

enum grove_status bus_connect(struct bus *bus, const char *endpoint, const struct key *server,
                              const struct link_pair *link, bus_receive *receive, void *context,
                              struct bus_socket **socket)
{
    struct bus_socket *made = make_socket(bus, receive, context);

    snprintf(made->address, sizeof(made->address), "%s", endpoint + strlen("tcp://"));
    made->server = *server;
    made->link = link->public_key;
    schedule_after(&world.schedule, 1000, connect_dealer, made, 0);
    *socket = made;
    return GROVE_OK;
}

enum grove_status bus_connect_peer(struct bus *bus, const char *endpoint, const struct key *server,
                                   const struct link_pair *link, struct bus_socket **socket)
{
    return bus_connect(bus, endpoint, server, link, NULL, NULL, socket);
}

enum bus_handshake bus_handshake(struct bus_socket *socket)
{
    return socket->connection != NULL && !socket->connection->is_broken ? BUS_CONNECTED
                                                                        : BUS_UNANSWERED;
}

uint64_t bus_connections(struct bus_socket *socket)
{
    return socket->connections;
}

static void break_connections(const struct bus_socket *socket)
{
    for (struct connection *each = connections; each != NULL; each = each->next) {
        each->is_broken =
            each->is_broken || each->to_router.from == socket || each->to_router.to == socket;
    }
}

void bus_close(struct bus *bus, struct bus_socket *socket)
{
    (void)bus;
    if (socket != NULL) {
        socket->is_gone = true;
        break_connections(socket);
    }
}

/* ---- messages */

static struct bus_frame *take_first(struct way *way)
{
    struct parcel *parcel = STAILQ_FIRST(&way->parcels);
    struct bus_frame *frame = parcel->frame;

    STAILQ_REMOVE_HEAD(&way->parcels, link);
    free(parcel);
    return frame;
}

static void deliver(const struct way *way, struct bus_frame *frame)
{
    const struct bus_socket *to = way->to;
    struct bus_message message = {.status = GROVE_OK, .frame = frame};

    if (to->is_bound) {
        message.route.size = sizeof(way->connection->number);
        memcpy(message.route.byte, &way->connection->number, message.route.size);
        message.has_user = zap_knows(to->zap, &way->from->link, &message.user);
    }
    world_note(100 + to->bus->process->number, frame->size);
    to->receive(to->context, &message);
    bus_end_turn(to->bus);
}

/* Nobody hears it any more. */
static bool is_lost(const struct way *way)
{
    const struct bus_socket *to = way->to;

    return way->connection->is_broken || to->is_gone || to->bus->is_gone ||
           !to->bus->process->is_up || to->receive == NULL;
}

static void arrive(void *context, uint64_t unused)
{
    struct way *way = context;

    (void)unused;
    if (!is_lost(way) && is_cut(way->from, way->to)) {
        schedule_after(&world.schedule, RESEND_US, arrive, way, 0);
        return;
    }
    if (!is_lost(way) && !bus_is_served(way->to->bus, arrive, way)) {
        return; /* it arrives again */
    }
    struct bus_frame *frame = take_first(way);
    if (!is_lost(way)) {
        deliver(way, frame);
    }
    bus_frame_release(frame);
}

static struct bus_frame *make_frame(struct bytes bytes)
{
    struct bus_frame *frame = bus_make(sizeof(*frame) + bytes.size);

    frame->references = 1;
    frame->size = bytes.size;
    memcpy(frame->data, bytes.data, bytes.size);
    return frame;
}

static void dispatch(struct way *way, struct bytes frame)
{
    struct parcel *parcel = bus_make(sizeof(*parcel));
    const uint64_t at_us =
        world.schedule.now_us + dice_between(&world.dice, world.least_us, world.most_us);

    parcel->frame = make_frame(frame);
    STAILQ_INSERT_TAIL(&way->parcels, parcel, link);
    way->arrival_us = at_us > way->arrival_us ? at_us : way->arrival_us + 1;
    schedule_after(&world.schedule, way->arrival_us - world.schedule.now_us, arrive, way, 0);
}

static struct connection *connection_of(const struct bus_socket *router, const struct route *route)
{
    uint64_t number;

    memcpy(&number, route->byte, sizeof(number));
    for (struct connection *each = connections; each != NULL; each = each->next) {
        if (each->number == number && each->to_router.to == router && !each->is_broken) {
            return each;
        }
    }
    return NULL;
}

enum grove_status bus_send(struct bus_socket *socket, const struct route *route,
                           const struct envelope *envelope, struct bytes frame)
{
    struct connection *connection =
        route != NULL ? connection_of(socket, route) : socket->connection;
    const bool to_router = route == NULL;

    (void)envelope;
    if (socket->is_publisher) {
        return GROVE_OK;
    }
    if (connection == NULL || connection->is_broken) {
        return to_router ? GROVE_BUSY : GROVE_NOT_FOUND;
    }
    struct way *way = to_router ? &connection->to_router : &connection->to_dealer;
    if (dice_chance(&world.dice, world.reset) ||
        (is_cut(way->from, way->to) && world.patience_us == 0)) {
        connection->is_broken = true; /* in time; and what was under way is lost */
        return GROVE_OK;
    }
    dispatch(way, frame);
    return GROVE_OK;
}

/* ---- ends */

void sockets_close_all(struct bus *bus)
{
    for (struct bus_socket *socket = sockets; socket != NULL; socket = socket->next) {
        if (socket->bus == bus) {
            bus_close(bus, socket);
        }
    }
}

void sockets_forget_all(void)
{
    sockets = NULL; /* their memory goes with the process */
    connections = NULL;
    connection_count = 0;
}
