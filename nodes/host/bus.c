/* SPDX-License-Identifier: MPL-2.0
 * The loop. A turn serves all that is ready: timers, signals, fds and sockets, in this order; what
 * it produced is flushed at its end. Then the bus looks again without sleeping until spin_us have
 * gone by without a turn:
 *
 *   sleep ──ready──▶ turn ──▶ end of turn, spin ──spin_us without a turn──▶ sleep
 *                     ▲                │
 *                     └─────ready──────┘
 *
 * Waking an idle core costs 5 to 50 us; an answer that comes before that finds the loop awake.
 *
 * poll and sockets drained until they have no more, rather than czmq's zloop, which asks libzmq for
 * the state of each socket before and after each sleep, and looks once more before a timer ends the
 * turn, at two to five calls of the kernel each. */
#include "nodes/host/bus.h"

#include <assert.h>
#include <limits.h>
#include <poll.h>
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

/* Whose an fd is that is polled; of the bus itself, to be woken by: neither. */
struct owner {
    struct watch *watch;
    struct bus_socket *socket;
};

struct bus {
    void *zmq;
    uint64_t spin_ns;
    uint64_t turn_ended_ns;
    bool in_turn;
    bool has_changed; /* fds came or went: the two arrays are of the past */
    struct pollfd *polled;
    struct owner *owners;
    size_t polled_count;
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

void bus_begin_turn(struct bus *bus)
{
    bus->in_turn = true;
}

void *bus_context(struct bus *bus)
{
    return bus->zmq;
}

void bus_add_socket(struct bus *bus, struct bus_socket *socket)
{
    LIST_INSERT_HEAD(&bus->sockets, socket, link);
    bus->has_changed = true;
}

void bus_remove_socket(struct bus *bus, struct bus_socket *socket)
{
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
static void answer_wake(struct bus *bus)
{
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

enum grove_status bus_watch(struct bus *bus, int fd, bus_handler *handler, void *context)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL) {
        return GROVE_IO;
    }
    *watch = (struct watch){.bus = bus, .fd = fd, .handler = handler, .context = context};
    LIST_INSERT_HEAD(&bus->watches, watch, link);
    bus->has_changed = true;
    return GROVE_OK;
}

static void watch_destroy(struct watch *watch)
{
    watch->bus->has_changed = true;
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

enum grove_status bus_every(struct bus *bus, uint32_t ms, bus_handler *handler, void *context)
{
    struct timer *timer = calloc(1, sizeof(*timer));

    if (timer == NULL) {
        return GROVE_IO;
    }
    *timer = (struct timer){.period_ms = ms,
                            .due_ms = clock_monotonic_ms() + ms,
                            .handler = handler,
                            .context = context};
    LIST_INSERT_HEAD(&bus->timers, timer, link);
    return GROVE_OK;
}

void bus_at_turn_end(struct bus *bus, bus_handler *handler, void *context)
{
    struct turn_end *end = allocate(sizeof(*end));

    *end = (struct turn_end){.handler = handler, .context = context};
    STAILQ_INSERT_TAIL(&bus->turn_ends, end, link);
}

/* ---- turns */

static void *grow(void *list, size_t count, size_t size)
{
    void *grown = reallocarray(list, count, size);

    if (grown == NULL) {
        abort();
    }
    return grown;
}

static void poll_also(struct bus *bus, int fd, struct owner owner)
{
    bus->polled[bus->polled_count] = (struct pollfd){.fd = fd, .events = POLLIN};
    bus->owners[bus->polled_count++] = owner;
}

static void gather(struct bus *bus)
{
    struct bus_socket *socket;
    struct watch *watch;
    size_t count = 1;

    LIST_FOREACH(watch, &bus->watches, link) {
        count++;
    }
    LIST_FOREACH(socket, &bus->sockets, link) {
        count++;
    }
    bus->polled = grow(bus->polled, count, sizeof(*bus->polled));
    bus->owners = grow(bus->owners, count, sizeof(*bus->owners));
    bus->polled_count = 0;
    poll_also(bus, bus->wake_fd, (struct owner){.watch = NULL});
    LIST_FOREACH(watch, &bus->watches, link) {
        poll_also(bus, watch->fd, (struct owner){.watch = watch});
    }
    LIST_FOREACH(socket, &bus->sockets, link) {
        poll_also(bus, socket->fd, (struct owner){.socket = socket});
    }
    bus->has_changed = false;
}

/* Milliseconds to sleep, as poll takes them. */
static int time_to_sleep(const struct bus *bus)
{
    const uint64_t now_ns = clock_monotonic_ns();
    const uint64_t now_ms = now_ns / 1000000;
    const struct bus_socket *socket;
    const struct timer *timer;
    uint64_t ms = INT_MAX;

    if (now_ns - bus->turn_ended_ns < bus->spin_ns) {
        return 0;
    }
    LIST_FOREACH(socket, &bus->sockets, link) {
        if (socket->is_pending) {
            return 0;
        }
    }
    LIST_FOREACH(timer, &bus->timers, link) {
        const uint64_t left_ms = timer->due_ms > now_ms ? timer->due_ms - now_ms : 0;

        ms = left_ms < ms ? left_ms : ms;
    }
    return LIST_EMPTY(&bus->timers) ? -1 : (int)ms;
}

/* What was missed while the process was stopped is made up for once. */
static void serve_timers(struct bus *bus)
{
    const uint64_t now_ms = clock_monotonic_ms();
    struct timer *timer;

    LIST_FOREACH(timer, &bus->timers, link) {
        if (timer->due_ms <= now_ms) {
            timer->due_ms += timer->period_ms;
            if (timer->due_ms <= now_ms) {
                timer->due_ms = now_ms + timer->period_ms;
            }
            bus_begin_turn(bus);
            timer->handler(timer->context);
        }
    }
}

/* A handler may change what is there to be served; what it leaves is ready in the next turn, too.
 */
static void serve_ready(struct bus *bus)
{
    if (bus->polled[0].revents != 0) {
        answer_wake(bus);
    }
    for (size_t i = 1; i < bus->polled_count && !bus->has_changed; i++) {
        struct watch *watch = bus->owners[i].watch;
        struct bus_socket *socket = bus->owners[i].socket;

        if (watch != NULL && bus->polled[i].revents != 0) {
            bus_begin_turn(bus);
            watch->handler(watch->context);
        } else if (socket != NULL && (bus->polled[i].revents != 0 || socket->is_pending)) {
            bus_drain(socket);
        }
    }
}

/* Whoever else wants this core goes first. */
static void turn(struct bus *bus)
{
    if (bus->has_changed) {
        gather(bus);
    }
    if (poll(bus->polled, bus->polled_count, time_to_sleep(bus)) < 0) {
        return; /* a signal of the process */
    }
    serve_timers(bus);
    serve_ready(bus);
    if (bus->in_turn) {
        end_turn(bus);
    } else {
        sched_yield();
    }
}

void bus_run(struct bus *bus)
{
    while (!atomic_load(&bus->stopping)) {
        turn(bus);
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

/* ---- the bus */

struct bus *bus_create(uint32_t spin_us)
{
    struct bus *bus = allocate(sizeof(*bus));

    bus->zmq = bus_context_retain();
    bus->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bus->wake_fd < 0) {
        abort();
    }
    bus->spin_ns = (uint64_t)spin_us * 1000;
    bus->has_changed = true;
    STAILQ_INIT(&bus->turn_ends);
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
    LIST_FOREACH_SAFE(timer, &bus->timers, link, next_timer) {
        free(timer);
    }
    while (!STAILQ_EMPTY(&bus->turn_ends)) {
        struct turn_end *end = STAILQ_FIRST(&bus->turn_ends);
        STAILQ_REMOVE_HEAD(&bus->turn_ends, link);
        free(end);
    }
    free(bus->polled);
    free(bus->owners);
    close(bus->wake_fd);
    bus_context_release();
    free(bus);
}
