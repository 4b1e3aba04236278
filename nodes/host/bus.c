/* SPDX-License-Identifier: MPL-2.0
 * The loop. zloop calls a handler for each fd that is ready; the first of them in a turn arms a timer
 * of 0 ms, which zloop calls after all that were ready have been served: that is the end of the
 * turn. The timer stays armed while the bus spins, so that zloop polls without sleeping:
 *
 *   sleep ──ready──▶ turn ──tick──▶ end of turn, spin ──spin_us without a turn──▶ sleep
 *                     ▲                    │
 *                     └───────ready────────┘
 *
 * Waking an idle core costs 5 to 50 us; an answer that comes before that finds the loop awake.
 *
 * Sockets are polled by their fds: of a socket itself zloop would ask libzmq for the state before
 * and after each sleep, at two calls of the kernel each. Such an fd tells once that there is news,
 * so a socket is drained until it has no more, and again, by the tick, after anything was sent. */
#include "nodes/host/bus.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nodes/host/bus_context.h"
#include "nodes/host/bus_loop.h"
#include "nodes/host/clock.h"

struct watch {
    LIST_ENTRY(watch) link;
    struct bus *bus;
    int fd;
    bus_handler *handler;
    void *context;
};

struct timer {
    LIST_ENTRY(timer) link;
    struct bus *bus;
    uint64_t period_ms, due_ms;
    bus_handler *handler;
    void *context;
};

struct turn_end {
    STAILQ_ENTRY(turn_end) link;
    bus_handler *handler;
    void *context;
};

struct bus_signal {
    LIST_ENTRY(bus_signal) link;
    struct bus *bus;
    bus_handler *handler;
    void *context;
    atomic_bool raised;
};

#define NOT_ARMED (-1)

struct bus {
    zloop_t *loop;
    void *zmq;
    uint64_t spin_ns;
    uint64_t turn_ended_ns;
    int tick; /* zloop's id of the 0 ms timer, or NOT_ARMED */
    bool in_turn;
    bool has_changed; /* sockets came or went while they were walked */
    int wake_fd; /* readable when `woken` */
    atomic_bool woken, stopping;
    struct bus_sockets sockets;
    LIST_HEAD(, watch) watches;
    LIST_HEAD(, timer) timers;
    LIST_HEAD(, bus_signal) signals;
    STAILQ_HEAD(, turn_end) turn_ends;
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void end_turn(struct bus *bus)
{
    struct turn_end *end;

    bus->in_turn = false;
    STAILQ_FOREACH(end, &bus->turn_ends, link) {
        end->handler(end->context);
    }
    bus->turn_ended_ns = clock_monotonic_ns();
}

/* Drains what may have news that its fd does not tell of; a handler may close any of them.
 *
 *   returns   whether some have still */
static bool drain_pending(struct bus *bus)
{
    struct bus_socket *socket, *next;
    bool is_pending = false;

    LIST_FOREACH_SAFE(socket, &bus->sockets, link, next) {
        if (socket->is_pending) {
            bus->has_changed = false;
            bus_drain(socket);
            if (bus->has_changed) {
                return true;
            }
            is_pending |= socket->is_pending;
        }
    }
    return is_pending;
}

static int on_tick(zloop_t *loop, int id, void *context)
{
    struct bus *bus = context;

    if (bus->in_turn) {
        end_turn(bus);
    } else {
        sched_yield();
    }
    const bool is_pending = drain_pending(bus);
    if (!is_pending && !bus->in_turn &&
        clock_monotonic_ns() - bus->turn_ended_ns >= bus->spin_ns) {
        zloop_timer_end(loop, id);
        bus->tick = NOT_ARMED;
    }
    return atomic_load(&bus->stopping) ? -1 : 0;
}

void bus_tick(struct bus *bus)
{
    if (bus->tick == NOT_ARMED) {
        bus->tick = zloop_timer(bus->loop, 0, 0, on_tick, bus);
        assert(bus->tick != NOT_ARMED);
    }
}

void bus_begin_turn(struct bus *bus)
{
    bus->in_turn = true;
    bus_tick(bus);
}

void *bus_context(struct bus *bus)
{
    return bus->zmq;
}

/* ---- sockets */

static int on_news(zloop_t *loop, zmq_pollitem_t *item, void *context)
{
    (void)loop;
    (void)item;
    bus_drain(context);
    return 0;
}

void bus_add_socket(struct bus *bus, struct bus_socket *socket)
{
    zmq_pollitem_t item = {.fd = socket->fd, .events = ZMQ_POLLIN};

    if (zloop_poller(bus->loop, &item, on_news, socket) != 0) {
        abort();
    }
    zloop_poller_set_tolerant(bus->loop, &item);
    LIST_INSERT_HEAD(&bus->sockets, socket, link);
    bus->has_changed = true;
    bus_tick(bus);
}

void bus_remove_socket(struct bus *bus, struct bus_socket *socket)
{
    zmq_pollitem_t item = {.fd = socket->fd, .events = ZMQ_POLLIN};

    zloop_poller_end(bus->loop, &item);
    LIST_REMOVE(socket, link);
    bus->has_changed = true;
}

/* ---- waking */

static void wake(struct bus *bus)
{
    const uint64_t one = 1;

    if (!atomic_exchange(&bus->woken, true)) {
        const ssize_t written = write(bus->wake_fd, &one, sizeof(one));
        assert(written == sizeof(one));
    }
}

/* `woken` is lowered before the signals are looked at, so that one raised meanwhile wakes again. */
static int on_wake(zloop_t *loop, zmq_pollitem_t *item, void *context)
{
    struct bus *bus = context;
    struct bus_signal *signal, *next;
    uint64_t count;

    (void)loop;
    const ssize_t size = read(item->fd, &count, sizeof(count));
    assert(size == sizeof(count));
    atomic_store(&bus->woken, false);
    LIST_FOREACH_SAFE(signal, &bus->signals, link, next) {
        if (atomic_exchange(&signal->raised, false)) {
            bus_begin_turn(bus);
            signal->handler(signal->context);
        }
    }
    return atomic_load(&bus->stopping) ? -1 : 0;
}

struct bus_signal *bus_signal_create(struct bus *bus, bus_handler *handler, void *context)
{
    struct bus_signal *signal = allocate(sizeof(*signal));

    signal->bus = bus;
    signal->handler = handler;
    signal->context = context;
    LIST_INSERT_HEAD(&bus->signals, signal, link);
    return signal;
}

void bus_signal_destroy(struct bus_signal *signal)
{
    if (signal != NULL) {
        LIST_REMOVE(signal, link);
        free(signal);
    }
}

void bus_signal_raise(struct bus_signal *signal)
{
    if (!atomic_exchange(&signal->raised, true)) {
        wake(signal->bus);
    }
}

/* ---- what is watched */

static int on_watched(zloop_t *loop, zmq_pollitem_t *item, void *context)
{
    const struct watch *watch = context;

    (void)loop;
    (void)item;
    bus_begin_turn(watch->bus);
    watch->handler(watch->context);
    return 0;
}

enum grove_status bus_watch(struct bus *bus, int fd, bus_handler *handler, void *context)
{
    struct watch *watch = allocate(sizeof(*watch));
    zmq_pollitem_t item = {.fd = fd, .events = ZMQ_POLLIN};

    *watch = (struct watch){.bus = bus, .fd = fd, .handler = handler, .context = context};
    if (zloop_poller(bus->loop, &item, on_watched, watch) != 0) {
        free(watch);
        return GROVE_IO;
    }
    zloop_poller_set_tolerant(bus->loop, &item);
    LIST_INSERT_HEAD(&bus->watches, watch, link);
    return GROVE_OK;
}

static void watch_destroy(struct watch *watch)
{
    zmq_pollitem_t item = {.fd = watch->fd, .events = ZMQ_POLLIN};

    zloop_poller_end(watch->bus->loop, &item);
    LIST_REMOVE(watch, link);
    free(watch);
}

void bus_unwatch(struct bus *bus, int fd)
{
    struct watch *watch, *next;

    LIST_FOREACH_SAFE(watch, &bus->watches, link, next) {
        if (watch->fd == fd) {
            watch_destroy(watch);
        }
    }
}

/* zloop makes up for each tick that it missed while the process was stopped; once is enough. */
static int on_timer(zloop_t *loop, int id, void *context)
{
    struct timer *timer = context;
    const uint64_t now_ms = clock_monotonic_ms();

    (void)loop;
    (void)id;
    if (now_ms >= timer->due_ms) {
        timer->due_ms = now_ms + timer->period_ms / 2;
        bus_begin_turn(timer->bus);
        timer->handler(timer->context);
    }
    return 0;
}

enum grove_status bus_every(struct bus *bus, uint32_t ms, bus_handler *handler, void *context)
{
    struct timer *timer = allocate(sizeof(*timer));

    *timer = (struct timer){.bus = bus, .period_ms = ms, .handler = handler, .context = context};
    if (zloop_timer(bus->loop, ms, 0, on_timer, timer) < 0) {
        free(timer);
        return GROVE_IO;
    }
    LIST_INSERT_HEAD(&bus->timers, timer, link);
    return GROVE_OK;
}

void bus_at_turn_end(struct bus *bus, bus_handler *handler, void *context)
{
    struct turn_end *end = allocate(sizeof(*end));

    *end = (struct turn_end){.handler = handler, .context = context};
    STAILQ_INSERT_TAIL(&bus->turn_ends, end, link);
}

/* ---- the bus */

struct bus *bus_create(uint32_t spin_us)
{
    struct bus *bus = allocate(sizeof(*bus));
    zmq_pollitem_t item = {.events = ZMQ_POLLIN};

    /* Else czmq takes SIGINT and SIGTERM for itself. */
    zsys_handler_set(NULL);
    bus->zmq = bus_context_retain();
    bus->loop = zloop_new();
    bus->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bus->loop == NULL || bus->wake_fd < 0) {
        abort();
    }
    bus->spin_ns = (uint64_t)spin_us * 1000;
    bus->tick = NOT_ARMED;
    STAILQ_INIT(&bus->turn_ends);
    item.fd = bus->wake_fd;
    if (zloop_poller(bus->loop, &item, on_wake, bus) != 0) {
        abort();
    }
    return bus;
}

void bus_destroy(struct bus *bus)
{
    struct bus_signal *signal, *next_signal;
    struct watch *watch, *next;
    struct timer *timer, *next_timer;

    if (bus == NULL) {
        return;
    }
    while (!LIST_EMPTY(&bus->sockets)) {
        bus_close(bus, LIST_FIRST(&bus->sockets));
    }
    LIST_FOREACH_SAFE(signal, &bus->signals, link, next_signal) {
        bus_signal_destroy(signal);
    }
    LIST_FOREACH_SAFE(watch, &bus->watches, link, next) {
        watch_destroy(watch);
    }
    zloop_destroy(&bus->loop);
    LIST_FOREACH_SAFE(timer, &bus->timers, link, next_timer) {
        free(timer);
    }
    while (!STAILQ_EMPTY(&bus->turn_ends)) {
        struct turn_end *end = STAILQ_FIRST(&bus->turn_ends);
        STAILQ_REMOVE_HEAD(&bus->turn_ends, link);
        free(end);
    }
    close(bus->wake_fd);
    bus_context_release();
    free(bus);
}

/* zloop also returns when a signal interrupts its poll. */
void bus_run(struct bus *bus)
{
    while (!atomic_load(&bus->stopping)) {
        zloop_start(bus->loop);
    }
    atomic_store(&bus->stopping, false);
    if (bus->in_turn) {
        end_turn(bus);
    }
}

void bus_stop(struct bus *bus)
{
    atomic_store(&bus->stopping, true);
    wake(bus);
}
