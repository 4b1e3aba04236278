/* SPDX-License-Identifier: MPL-2.0
 * The loop. zloop sleeps until an fd is ready or a timer is due; all fds are in one set of epoll,
 * which is all that zloop polls, so that a look at them costs one call of the kernel. A turn serves
 * what is ready and ends by flushing what it produced; turn follows turn, and the bus looks again
 * without sleeping, until spin_us have gone by without one:
 *
 *   zloop sleeps ──ready──▶ turn ──▶ end of turn, spin ──spin_us without a turn──▶ zloop sleeps
 *                            ▲                │
 *                            └─────ready──────┘
 *
 * Waking an idle core costs 5 to 50 us; an answer that comes before that finds the loop awake.
 *
 * Sockets are polled by their fds: of a socket itself zloop would ask libzmq for the state before
 * and after each sleep, at two calls of the kernel each. Such an fd tells once that there is news,
 * so a socket is drained until it has no more, and again after anything was sent. */
#include "nodes/host/bus.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nodes/host/bus_context.h"
#include "nodes/host/bus_loop.h"
#include "nodes/host/clock.h"

struct watch {
    LIST_ENTRY(watch) link;
    struct bus_source source;
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
#define READY_MOST 16             /* fds served in one look; the others in the next */
#define AWAY_NS UINT64_C(1000000) /* at most, before zloop sees to its timers */

struct bus {
    zloop_t *loop;
    void *zmq;
    uint64_t spin_ns;
    uint64_t turn_ended_ns;
    int tick;        /* zloop's id of the 0 ms timer, or NOT_ARMED */
    bool is_serving; /* looks again by itself: no need for the tick */
    bool in_turn;
    bool has_changed; /* fds came or went while they were walked */
    int ready_fd;     /* of epoll; readable when a source is ready */
    int wake_fd;      /* readable when `woken` */
    struct bus_source woken_source;
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

static bool has_pending(const struct bus *bus)
{
    const struct bus_socket *socket;

    LIST_FOREACH(socket, &bus->sockets, link) {
        if (socket->is_pending) {
            return true;
        }
    }
    return false;
}

/* What may have news that its fd does not tell of. A handler may close any of them. */
static void drain_pending(struct bus *bus)
{
    struct bus_socket *socket, *next;

    bus->has_changed = false;
    LIST_FOREACH_SAFE(socket, &bus->sockets, link, next) {
        if (socket->is_pending) {
            bus_drain(socket);
        }
        if (bus->has_changed) {
            return;
        }
    }
}

/* A handler may unwatch or close any of them; what is left is still ready at the next look. */
static void serve_ready(struct bus *bus)
{
    struct epoll_event ready[READY_MOST];
    const int count = epoll_wait(bus->ready_fd, ready, READY_MOST, 0);

    bus->has_changed = false;
    for (int i = 0; i < count && !bus->has_changed; i++) {
        const struct bus_source *source = ready[i].data.ptr;

        source->serve(source->context);
    }
}

static int on_tick(zloop_t *loop, int id, void *context);

/* The tick has zloop come back without sleeping. */
static void set_tick(struct bus *bus, bool is_wanted)
{
    if (is_wanted && bus->tick == NOT_ARMED) {
        bus->tick = zloop_timer(bus->loop, 0, 0, on_tick, bus);
        assert(bus->tick != NOT_ARMED);
    } else if (!is_wanted && bus->tick != NOT_ARMED) {
        zloop_timer_end(bus->loop, bus->tick);
        bus->tick = NOT_ARMED;
    }
}

/* Turn after turn. Whoever else wants this core goes first while there is nothing to do. */
static int serve(struct bus *bus)
{
    const uint64_t began_ns = clock_monotonic_ns();
    uint64_t now_ns = began_ns;
    bool is_awake = true;

    bus->is_serving = true;
    while (is_awake && now_ns - began_ns < AWAY_NS && !atomic_load(&bus->stopping)) {
        serve_ready(bus);
        drain_pending(bus);
        const bool was_turn = bus->in_turn;

        if (was_turn) {
            end_turn(bus);
        }
        now_ns = clock_monotonic_ns();
        is_awake = has_pending(bus) || now_ns - bus->turn_ended_ns < bus->spin_ns;
        if (is_awake && !was_turn) {
            sched_yield();
        }
    }
    bus->is_serving = false;
    set_tick(bus, is_awake);
    return atomic_load(&bus->stopping) ? -1 : 0;
}

static int on_tick(zloop_t *loop, int id, void *context)
{
    (void)loop;
    (void)id;
    return serve(context);
}

static int on_ready(zloop_t *loop, zmq_pollitem_t *item, void *context)
{
    (void)loop;
    (void)item;
    return serve(context);
}

void bus_look_again(struct bus *bus)
{
    if (!bus->is_serving) {
        set_tick(bus, true);
    }
}

void bus_begin_turn(struct bus *bus)
{
    bus->in_turn = true;
    bus_look_again(bus);
}

void *bus_context(struct bus *bus)
{
    return bus->zmq;
}

/* ---- what is in the set */

static bool add(struct bus *bus, int fd, struct bus_source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

    return epoll_ctl(bus->ready_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* One that is closed already is in no set any more. */
static void take_out(struct bus *bus, int fd)
{
    epoll_ctl(bus->ready_fd, EPOLL_CTL_DEL, fd, NULL);
    bus->has_changed = true;
}

static void drain(void *context)
{
    bus_drain(context);
}

void bus_add_socket(struct bus *bus, struct bus_socket *socket)
{
    socket->source = (struct bus_source){.serve = drain, .context = socket};
    if (!add(bus, socket->fd, &socket->source)) {
        abort();
    }
    LIST_INSERT_HEAD(&bus->sockets, socket, link);
    bus_look_again(bus);
}

void bus_remove_socket(struct bus *bus, struct bus_socket *socket)
{
    take_out(bus, socket->fd);
    LIST_REMOVE(socket, link);
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
static void answer_wake(void *context)
{
    struct bus *bus = context;
    struct bus_signal *signal, *next;
    uint64_t count;

    const ssize_t size = read(bus->wake_fd, &count, sizeof(count));
    assert(size == sizeof(count));
    atomic_store(&bus->woken, false);
    LIST_FOREACH_SAFE(signal, &bus->signals, link, next) {
        if (atomic_exchange(&signal->raised, false)) {
            bus_begin_turn(bus);
            signal->handler(signal->context);
        }
    }
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

static void serve_watch(void *context)
{
    const struct watch *watch = context;

    bus_begin_turn(watch->bus);
    watch->handler(watch->context);
}

enum grove_status bus_watch(struct bus *bus, int fd, bus_handler *handler, void *context)
{
    struct watch *watch = allocate(sizeof(*watch));

    *watch = (struct watch){.source = {.serve = serve_watch, .context = watch},
                            .bus = bus,
                            .fd = fd,
                            .handler = handler,
                            .context = context};
    if (!add(bus, fd, &watch->source)) {
        free(watch);
        return GROVE_IO;
    }
    LIST_INSERT_HEAD(&bus->watches, watch, link);
    return GROVE_OK;
}

static void watch_destroy(struct watch *watch)
{
    take_out(watch->bus, watch->fd);
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
    bus->ready_fd = epoll_create1(EPOLL_CLOEXEC);
    bus->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bus->loop == NULL || bus->ready_fd < 0 || bus->wake_fd < 0) {
        abort();
    }
    bus->spin_ns = (uint64_t)spin_us * 1000;
    bus->tick = NOT_ARMED;
    STAILQ_INIT(&bus->turn_ends);
    bus->woken_source = (struct bus_source){.serve = answer_wake, .context = bus};
    item.fd = bus->ready_fd;
    if (!add(bus, bus->wake_fd, &bus->woken_source) ||
        zloop_poller(bus->loop, &item, on_ready, bus) != 0) {
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
    close(bus->ready_fd);
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
