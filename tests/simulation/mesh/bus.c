/* SPDX-License-Identifier: MPL-2.0
 * bus.h over virtual time: a message takes as long as the network takes, one connection keeps its
 * order, a cut loses what is sent and breaks what was connected. What a bus and its sockets were is
 * kept to the end of the world, so that what was still to happen to them finds that they are gone.
 */
#include "nodes/host/bus.h"

#include "tests/simulation/mesh/host.h"
#include "tests/simulation/mesh/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_US 20000u /* between two tries */
#define HANDLERS 8u

struct handler {
    bus_handler *call;
    void *context;
};

struct timer {
    struct handler handler;
    struct bus *bus;
    uint64_t every_us;
    struct timer *next;
};

struct watch {
    int fd; /* -1: not any more */
    struct handler handler;
};

struct bus {
    struct process *process;
    bool is_gone, runs, is_stopped;
    struct timer *timers;
    struct watch watches[HANDLERS];
    struct handler turn_ends[HANDLERS];
    unsigned turn_end_count;
    struct bus *next;
};

struct bus_frame {
    unsigned references;
    size_t size;
    uint8_t data[];
};

struct connection {
    struct bus_socket *dealer, *router;
    uint64_t number; /* its route */
    bool is_broken;
    uint64_t arrival_us[2]; /* of the last message: to the router, to the dealer */
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

struct bus_signal {
    struct bus *bus;
    struct handler handler;
    bool is_raised, is_gone;
    struct bus_signal *next;
};

struct parcel {
    struct connection *connection;
    bool to_router;
    struct bus_frame *frame;
};

static struct bus *buses;
static struct bus_socket *sockets;
static struct connection *connections;
static struct bus_signal *signals;
static uint64_t connection_count;

static void *make(size_t size)
{
    void *made = calloc(1, size);

    if (made == NULL) {
        abort();
    }
    return made;
}

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

/* ---- the loop */

struct bus *bus_create(uint32_t spin_us)
{
    struct bus *bus = make(sizeof(*bus));

    (void)spin_us;
    bus->process = world.current;
    for (unsigned i = 0; i < HANDLERS; i++) {
        bus->watches[i].fd = -1;
    }
    bus->next = buses;
    buses = bus;
    return bus;
}

/* False: the bus is gone, or is not served now; then a call may come again. */
static bool is_served(struct bus *bus, schedule_call call, void *context)
{
    if (bus->is_gone || !world_runs(bus->process, call, context, 0)) {
        return false;
    }
    if (!bus->runs) {
        schedule_after(&world.schedule, 1000, call, context, 0);
        return false;
    }
    return true;
}

static void end_turn(struct bus *bus)
{
    for (unsigned i = 0; i < bus->turn_end_count && !bus->is_gone && bus->runs; i++) {
        bus->turn_ends[i].call(bus->turn_ends[i].context);
    }
}

static void fire(void *context, uint64_t unused)
{
    struct timer *timer = context;

    (void)unused;
    if (is_served(timer->bus, fire, timer)) {
        schedule_after(&world.schedule, timer->every_us, fire, timer, 0);
        timer->handler.call(timer->handler.context);
        end_turn(timer->bus);
    }
}

enum grove_status bus_every(struct bus *bus, uint32_t ms, bus_handler *handler, void *context)
{
    struct timer *timer = make(sizeof(*timer));

    timer->handler = (struct handler){handler, context};
    timer->bus = bus;
    timer->every_us = ms * UINT64_C(1000);
    timer->next = bus->timers;
    bus->timers = timer;
    schedule_after(&world.schedule, timer->every_us, fire, timer, 0);
    return GROVE_OK;
}

void bus_at_turn_end(struct bus *bus, bus_handler *handler, void *context)
{
    assert(bus->turn_end_count < HANDLERS);
    bus->turn_ends[bus->turn_end_count++] = (struct handler){handler, context};
}

enum grove_status bus_watch(struct bus *bus, int fd, bus_handler *handler, void *context)
{
    for (unsigned i = 0; i < HANDLERS; i++) {
        if (bus->watches[i].fd < 0) {
            bus->watches[i] = (struct watch){fd, {handler, context}};
            return GROVE_OK;
        }
    }
    abort();
}

void bus_unwatch(struct bus *bus, int fd)
{
    for (unsigned i = 0; i < HANDLERS; i++) {
        if (bus->watches[i].fd == fd) {
            bus->watches[i].fd = -1;
        }
    }
}

static void ring(void *context, uint64_t unused)
{
    struct bus *bus = context;

    (void)unused;
    if (!is_served(bus, ring, bus)) {
        return;
    }
    for (unsigned i = 0; i < HANDLERS; i++) {
        const struct watch *watch = &bus->watches[i];
        if (watch->fd >= 0 && volume_of_fd(watch->fd) != NULL) {
            watch->handler.call(watch->handler.context);
        }
    }
    end_turn(bus);
}

void bus_ring(void *process)
{
    for (struct bus *bus = buses; bus != NULL; bus = bus->next) {
        if (bus->process == process && !bus->is_gone) {
            schedule_after(&world.schedule, 1, ring, bus, 0);
        }
    }
}

struct bus_signal *bus_signal_create(struct bus *bus, bus_handler *handler, void *context)
{
    struct bus_signal *signal = make(sizeof(*signal));

    signal->bus = bus;
    signal->handler = (struct handler){handler, context};
    signal->next = signals;
    signals = signal;
    return signal;
}

void bus_signal_destroy(struct bus_signal *signal)
{
    signal->is_gone = true;
}

static void hear_signal(void *context, uint64_t unused)
{
    struct bus_signal *signal = context;

    (void)unused;
    if (!signal->is_gone && is_served(signal->bus, hear_signal, signal)) {
        signal->is_raised = false;
        signal->handler.call(signal->handler.context);
        end_turn(signal->bus);
    }
}

void bus_signal_raise(struct bus_signal *signal)
{
    if (!signal->is_raised) {
        signal->is_raised = true;
        schedule_after(&world.schedule, 1, hear_signal, signal, 0);
    }
}

void bus_run(struct bus *bus)
{
    bus->runs = true;
    while (!bus->is_stopped) {
        threads_park(bus);
    }
    bus->is_stopped = false;
    end_turn(bus);
    bus->runs = false;
}

void bus_stop(struct bus *bus)
{
    bus->is_stopped = true;
    threads_wake(bus, true);
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
        return;
    }
    router = find_bound(dealer->address);
    if (router == NULL || !router->bus->process->is_up || is_cut(dealer, router) ||
        is_cut(router, dealer) || !key_equal(&router->link, &dealer->server) ||
        !zap_knows(router->zap, &dealer->link, &identity)) {
        return;
    }
    struct connection *connection = make(sizeof(*connection));
    *connection = (struct connection){
        .dealer = dealer, .router = router, .number = ++connection_count, .next = connections};
    connections = connection;
    dealer->connection = connection;
    dealer->connections++;
}

static struct bus_socket *make_socket(struct bus *bus, bus_receive *receive, void *context)
{
    struct bus_socket *socket = make(sizeof(*socket));

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
        each->is_broken = each->is_broken || each->dealer == socket || each->router == socket;
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

static void arrive(void *context, uint64_t unused)
{
    struct parcel *parcel = context;
    struct connection *connection = parcel->connection;
    struct bus_socket *to = parcel->to_router ? connection->router : connection->dealer;
    struct bus_message message = {.status = GROVE_OK, .frame = parcel->frame};

    (void)unused;
    if (!to->is_gone && !connection->is_broken && to->receive != NULL) {
        if (!to->bus->is_gone && to->bus->process->is_up && !is_served(to->bus, arrive, parcel)) {
            return; /* it arrives again */
        }
        if (to->bus->is_gone || !to->bus->process->is_up) {
            goto out;
        }
        if (parcel->to_router) {
            message.route.size = sizeof(connection->number);
            memcpy(message.route.byte, &connection->number, sizeof(connection->number));
            message.has_user = zap_knows(to->zap, &connection->dealer->link, &message.user);
        }
        world_note(100 + to->bus->process->number, parcel->frame->size);
        to->receive(to->context, &message);
        end_turn(to->bus);
    }
out:
    bus_frame_release(parcel->frame);
    free(parcel);
}

static struct connection *connection_of(const struct bus_socket *router, const struct route *route)
{
    uint64_t number;

    memcpy(&number, route->byte, sizeof(number));
    for (struct connection *each = connections; each != NULL; each = each->next) {
        if (each->number == number && each->router == router && !each->is_broken) {
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
    const struct bus_socket *to = to_router ? connection->router : connection->dealer;
    if (is_cut(socket, to)) {
        connection->is_broken = true; /* in time; and what was under way is lost */
        return GROVE_OK;
    }
    struct parcel *parcel = make(sizeof(*parcel));
    uint64_t at_us =
        world.schedule.now_us + dice_between(&world.dice, world.least_us, world.most_us);
    uint64_t *last_us = &connection->arrival_us[to_router];
    *last_us = at_us > *last_us ? at_us : *last_us + 1;
    *parcel = (struct parcel){.connection = connection, .to_router = to_router};
    parcel->frame = make(sizeof(*parcel->frame) + frame.size);
    parcel->frame->references = 1;
    parcel->frame->size = frame.size;
    memcpy(parcel->frame->data, frame.data, frame.size);
    schedule_after(&world.schedule, *last_us - world.schedule.now_us, arrive, parcel, 0);
    return GROVE_OK;
}

/* ---- ends */

void bus_destroy(struct bus *bus)
{
    if (bus == NULL) {
        return;
    }
    bus->is_gone = true;
    for (struct bus_socket *socket = sockets; socket != NULL; socket = socket->next) {
        if (socket->bus == bus) {
            bus_close(bus, socket);
        }
    }
}

void bus_crash(const struct process *process)
{
    for (struct bus *bus = buses; bus != NULL; bus = bus->next) {
        if (bus->process == process) {
            bus_destroy(bus);
        }
    }
}

void bus_forget_all(void)
{
    buses = NULL; /* their memory goes with the process */
    sockets = NULL;
    connections = NULL;
    signals = NULL;
    connection_count = 0;
}
